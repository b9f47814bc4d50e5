"""The appendices compute what they say: their cells run, and no verdict that they print is False."""

import os
import re
import subprocess

import forks
import pytest
from notebook_rules import ROOT

PAGES = [
    page for page in sorted((ROOT / "book").glob("appendix_*.md")) if "{code-cell}" in page.read_text(encoding="utf-8")
]


def cells(page):
    """The code of a page, cell by cell, without the options between `---` lines."""
    found = re.findall(r"^```\{code-cell\}.*?\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [re.sub(r"\A---\n.*?^---\n", "", cell, flags=re.MULTILINE | re.DOTALL) for cell in found]


def printed_by(page, tmp_path):
    """The lines that the code of a page prints, in a process of its own, as the book runs it."""
    script = tmp_path / "page.py"
    script.write_text("\n".join(cells(page)), encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    result = subprocess.run(
        [*forks.python(), str(script)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_an_appendix_claims_is_true(page, tmp_path):
    lines = printed_by(page, tmp_path)
    assert [line for line in lines if line.endswith("False")] == []
    assert sum(line.endswith("True") for line in lines) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_that_computes_says_so_and_folds_its_code(page):
    text = page.read_text(encoding="utf-8")
    assert text.startswith("---\nfile_format: mystnb\n")
    assert text.count("```{code-cell}") == text.count("tags: [hide-input]") == len(cells(page))
