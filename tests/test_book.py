"""The contract of the book and of what surrounds it: pages, links, citations, figures, versions, and the one promise
that a build must keep, that no cache hides a broken helper."""

import hashlib
import os
import re
import shutil
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import forks
import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from packaging.requirements import Requirement
from page_rules import words
from PIL import Image
from pybtex.database import parse_file

from tools import address, build_book, pages, release
from tools.__main__ import main

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = sorted((ROOT / "book").rglob("*.md"))
LABS = sorted(path for path in (ROOT / "notebooks").glob("*.ipynb") if not path.name.startswith("_"))
TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")]
ADDRESS = address.read(ROOT)
REPOSITORY = ADDRESS.repository


def text_of(path):
    return path.read_text(encoding="utf-8")


def prose_of(path):
    """The text a page shows: of a notebook its Markdown cells."""
    if path.suffix == ".md":
        return text_of(path)
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def source_of(entry):
    """The file of an entry of the table of contents, which names it without suffix."""
    return next((path for suffix in (".md", ".ipynb") if (path := ROOT / f"{entry}{suffix}").exists()), None)


def entries(node):
    """All files named in the table of contents."""
    if isinstance(node, list):
        return [name for item in node for name in entries(item)]
    if isinstance(node, dict):
        return [name for key, item in node.items() for name in ([item] if key in ("file", "root") else entries(item))]
    return []


def pairs():
    """(theory, lab) as the table of contents pairs them. A lab that is a chapter has pages of its own under it."""
    chapters = [chapter for part in TOC["parts"] for chapter in part["chapters"]]
    below = [(chapter["file"], section["file"]) for chapter in chapters for section in chapter.get("sections", [])]
    return [(theory, lab) for theory, lab in below if lab.startswith("notebooks/")]


# --- pages and links -------------------------------------------------------------------------------------------------


def test_table_of_contents_names_files_that_exist():
    assert [entry for entry in entries(TOC) if source_of(entry) is None] == []


def test_every_page_and_lab_stands_once_in_the_table_of_contents():
    assert sorted(entries(TOC)) == sorted(path.relative_to(ROOT).with_suffix("").as_posix() for path in PAGES + LABS)


@pytest.mark.parametrize(("theory", "lab"), pairs())
def test_theory_and_lab_link_to_each_other(theory, lab):
    if theory != "book/on_a_gpu":  # three labs share that page
        assert Path(theory).name[:3] == Path(lab).name[:3], "a chapter and its lab carry the same number"
    assert f"](../{lab}.ipynb)" in prose_of(ROOT / f"{theory}.md")
    assert f"]({ADDRESS.page(theory)}" in prose_of(ROOT / f"{lab}.ipynb")


@pytest.mark.parametrize(("old", "new"), build_book.MOVED.items())
def test_an_old_address_leads_to_a_page_in_the_same_folder(old, new):
    assert source_of(new) and source_of(old) is None
    assert Path(old).parent == Path(new).parent


def dead_links(text, folder):
    """Relative links of Markdown that lead to no file, and links to the published book that lead to no page of it."""
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)\s#]+)[^)]*\)", text)
    pages = re.findall(rf"{re.escape(ADDRESS.book)}/([\w./-]+)\.html", text)
    return [link for link in links if not (folder / link).exists()] + [page for page in pages if not source_of(page)]


@pytest.mark.parametrize("path", TOP + PAGES + LABS, ids=lambda path: path.name)
def test_links_lead_to_files_and_to_pages(path):
    assert dead_links(prose_of(path), path.parent) == []


@pytest.mark.parametrize("page", sorted((ROOT / "book" / "refreshers").glob("*.md")), ids=lambda page: page.stem)
def test_a_refresher_is_short_and_has_a_figure(page):
    assert 250 <= words(text_of(page)) <= 500
    assert len(pictures(text_of(page))) == 1
    assert "](../../notebooks/00_ready.ipynb)" in text_of(page), "leads back to the tasks"


def foreign_urls(text):
    """Addresses of a repository called like this one under another owner, or of a file that it does not hold."""
    owner_and_name = REPOSITORY.removeprefix("https://github.com/")
    owner, name = owner_and_name.split("/")
    found = re.findall(r"github\.com/(?:github/)?([\w.-]+/[\w-]+)", text)
    wrong = [
        slug for slug in found if slug != owner_and_name and (slug.startswith(f"{owner}/") or slug.endswith(f"/{name}"))
    ]
    files = re.findall(rf"{re.escape(owner_and_name)}/(?:blob|tree|raw|edit)/([\w.-]+)/([\w./-]*\w)", text)
    return wrong + [
        file for branch, file in files if branch != CONFIG["repository"]["branch"] or not (ROOT / file).exists()
    ]


def test_repository_has_one_address_and_badges_lead_to_files():
    where = [*TOP, *PAGES, *LABS, ROOT / "pyproject.toml", ROOT / "CITATION.cff", ROOT / "LICENSE-prose"]
    where += [
        *(ROOT / "mgd_helpers").rglob("*.py"),
        *(ROOT / "mgd_helpers").rglob("*.md"),
        *(ROOT / "tools").rglob("*.py"),
    ]
    assert {path.name: wrong for path in where if (wrong := foreign_urls(text_of(path)))} == {}
    assert (
        yaml.safe_load(text_of(ROOT / "CITATION.cff"))["repository-code"] == CONFIG["repository"]["url"] == REPOSITORY
    )


def test_readme_shows_the_two_commands_and_every_lab():
    readme, targets = text_of(ROOT / "README.md"), re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.MULTILINE)
    assert set(re.findall(r"^make (\w+)", readme, re.MULTILINE)) == {"book", "test"}
    assert set(re.findall(r"`make (\w+)", "".join(map(text_of, TOP)))) <= set(targets)
    for theory, lab in pairs():
        badge = f"{ADDRESS.colab(release.read(ROOT).version)}/{Path(lab).name}.ipynb"
        for wanted in (ADDRESS.page(theory), ADDRESS.page(lab), badge):
            assert f"]({wanted})" in readme, f"{wanted}: `python -m tools stamp` makes links whole"


def test_links_of_the_readme_work_on_the_page_of_a_package():
    links = re.findall(r"\]\(([^)\s]+)\)", text_of(ROOT / "README.md"))
    assert [link for link in links if not link.startswith("https://")] == [], (
        "`python -m tools stamp` makes links whole"
    )


# --- citations and figures -------------------------------------------------------------------------------------------


def cited(text):
    """Keys in roles such as {cite:p}`one,two`."""
    return {key.strip() for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text) for key in keys.split(",")}


def test_citations_and_bibliography_agree():
    known = set(parse_file(str(ROOT / "book" / "references.bib"), bib_format="bibtex").entries)
    assert set().union(*(cited(text_of(page)) for page in PAGES)) == known


def pictures(text):
    """(file, alt text) of every {figure}, {image} and ![…](…), badges aside."""
    fence = r"^[ \t]*(`{3,}|:{3,})\{(?:figure|image)\}[ \t]*(\S+)[ \t]*\n(.*?)^[ \t]*\1[ \t]*$"
    found = re.findall(fence, text, re.MULTILINE | re.DOTALL)
    alts = [(file, re.search(r"^[ \t]*:?alt:[ \t]*(.+)$", body, re.MULTILINE)) for _, file, body in found]
    plain = [(file, alt) for alt, file in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)", text) if not file.startswith("http")]
    return [(file, match[1].strip() if match else "") for file, match in alts] + plain


@pytest.mark.parametrize("page", [*TOP, *PAGES], ids=lambda page: page.name)
def test_pictures_exist_and_have_an_alt_text(page):
    here = text_of(page).replace(ADDRESS.file(release.read(ROOT).version, "", kind="raw"), "")
    assert [file for file, _ in pictures(here) if not (page.parent / file).exists()] == []
    assert [(file, alt) for file, alt in pictures(here) if not 40 <= len(alt) <= 250] == []


def test_the_checks_above_can_complain():
    assert dead_links("[here](nowhere.md#part) [there](https://nowhere)", ROOT) == ["nowhere.md"]
    assert dead_links(f"{ADDRESS.page('book/nowhere')} {ADDRESS.page('book/intro')}", ROOT) == ["book/nowhere"]
    assert foreign_urls(f"https://github.com/somebody/{ADDRESS.name}") and foreign_urls(f"{REPOSITORY}-2")
    tag = f"{REPOSITORY}/blob/{CONFIG['repository']['branch']}"
    assert foreign_urls(f"{tag}/nowhere.ipynb") == ["nowhere.ipynb"]
    assert foreign_urls(f"{REPOSITORY}/blob/main/README.md") == ["README.md"], "Colab opens the labs of a release"
    assert foreign_urls(f"{tag}/README.md and {REPOSITORY}.git") == []
    assert cited("{cite}`a` and {cite:p}`b, c`") == {"a", "b", "c"}
    assert pictures("```{figure} a.png\n:name: a\n:alt: An A.\n\nText\n```\n![](b.png)") == [
        ("a.png", "An A."),
        ("b.png", ""),
    ]
    assert pictures(":::{image} c.png\n:width: 9\n:::") == [("c.png", "")]


# --- versions --------------------------------------------------------------------------------------------------------

LOCK = [Requirement(line) for line in text_of(ROOT / "requirements.lock").splitlines() if line and line[0] != "#"]
PINS = {pin.name: str(pin.specifier).removeprefix("==") for pin in LOCK}
PROJECT = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
SET_UP = [name for name in EXTRAS if name != "fid"]  # that one pulls torchvision, which nothing else needs
NEEDED = [Requirement(line) for lines in (PROJECT["dependencies"], *map(EXTRAS.get, SET_UP)) for line in lines]


def test_lock_holds_one_exact_version_each():
    assert [str(pin) for pin in LOCK if not re.fullmatch(r"==[\w.]+", str(pin.specifier))] == []
    assert len(PINS) == len(LOCK)
    assert PINS["torch"] == "2.13.0" and f"TORCH := {PINS['torch']}" in text_of(ROOT / "Makefile")
    assert PINS["jupyter-book"] == "1.0.4.post1"
    assert [name for name in PINS if name.startswith(("nvidia-", "cuda-", "triton"))] == [], "torch pins these itself"


@pytest.mark.parametrize("needed", NEEDED, ids=lambda needed: needed.name)
def test_lower_bounds_alone_and_the_lock_satisfies_them(needed):
    caps = {"jupyter-book": {"<2"}}  # 2.x ignores _config.yml and _toc.yml
    upper = {str(bound) for bound in needed.specifier if bound.operator != ">="}
    assert upper == caps.get(needed.name, set())
    assert needed.specifier.contains(PINS[needed.name], prereleases=True)


def test_conda_environment_takes_its_versions_from_the_lock():
    *conda, pip = yaml.safe_load(text_of(ROOT / "environment.yml"))["dependencies"]
    assert conda == ["python=3.11", "pip"]
    assert pip == {"pip": ["-r requirements.lock", "-e ."]}


def test_continuous_integration_runs_what_a_contributor_runs():
    steps = yaml.safe_load(text_of(ROOT / ".github" / "workflows" / "ci.yml"))["jobs"]["run"]
    assert {"run": ".ci/run"} in steps["steps"] and steps["strategy"]["matrix"]["python-version"] == ["3.11", "3.13"]
    jobs = yaml.safe_load(text_of(ROOT / ".github" / "workflows" / "ci.yml"))["jobs"]
    others = [step["run"] for name in ("lower-bounds", "colab") for step in jobs[name]["steps"] if "run" in step]
    assert others[0] == ".ci/with_versions lowest"
    assert (ROOT / others[1].removeprefix(".ci/with_versions ")).is_file()
    assert others[2] == others[1].replace("with_versions", "colab"), "the labs from the wheel, as Colab runs them"
    assert all(os.access(ROOT / ".ci" / name, os.X_OK) for name in ("run", "with_versions", "colab"))
    assert re.findall(r"^make (\w+)", text_of(ROOT / ".ci" / "run"), re.MULTILINE) == [
        "test",
        "book",
        "browser",
        "reproduce",
    ]


# --- the execution cache hides no broken helper ----------------------------------------------------------------------


TINY_PAGE = """---
file_format: mystnb
kernelspec:
  name: python3
  display_name: Python 3
---
# A tiny book

```{code-cell} ipython3
from studies import report

print(report.ANSWER)
```

```{code-cell} ipython3
---
mystnb:
  image: {alt: "A line that rises from the lower left to the upper right corner of a square."}
---
import matplotlib.pyplot as plt

plt.figure(figsize=(3, 2), dpi=100).gca().plot([0, 1]);
```
"""


@pytest.fixture
def tiny_book(tmp_path):
    """The book's configuration around one page that reads a study, one helper, and one lab that counts its own runs."""
    for name in ("_config.yml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "book" / "_static", tmp_path / "book" / "_static")
    for folder in ("mgd_helpers", "notebooks", "studies"):
        (tmp_path / folder).mkdir()
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/intro\nchapters:\n  - file: notebooks/tiny\n")
    (tmp_path / "book" / "intro.md").write_text(TINY_PAGE)
    (tmp_path / "studies" / "__init__.py").touch()
    (tmp_path / "studies" / "report.py").write_text("ANSWER = 42\n")
    (tmp_path / "book" / "references.bib").write_text("")
    # Stands for this project's helpers, under their name: the lab must find these and not the installed ones
    (tmp_path / "mgd_helpers" / "__init__.py").write_text("def answer():\n    return 42\n")
    cells = [
        new_markdown_cell(f"# A tiny lab\n\nTo [the page]({ADDRESS.page('book/intro')}), as on Colab."),
        new_code_cell('with open("runs", "a") as runs:\n    runs.write("run ");'),
        new_code_cell("import mgd_helpers as mgd\n\nprint(mgd.answer())"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "notebooks" / "tiny.ipynb")
    return tmp_path


@pytest.fixture
def build(monkeypatch, capfd):
    """`build(book)`: whether the book builds, and how often its lab ran in total."""
    monkeypatch.setattr(build_book, "PYTHON", forks.python())

    def run(book):
        status, said = main(["build", str(book)]), "".join(capfd.readouterr())
        index = book / "_build" / "html" / "index.html"
        assert (status == 0) == (f"The book: {index}" in said), said
        assert status or index.exists()
        return status == 0, text_of(book / "notebooks" / "runs").count("run")

    return run


def test_execution_cache_is_reused_but_hides_no_broken_helper(tiny_book, build):
    assert build(tiny_book) == (True, 1)
    assert build(tiny_book) == (True, 1), "nothing changed, so nothing runs again"
    page = text_of(tiny_book / "_build" / "html" / "book" / "intro.html")
    (file, width) = re.search(r'_images/(\w+\.png)" style="(?:height: \d+px; )?width: (\d+)px', page).groups()
    assert Image.open(tiny_book / "_build" / "html" / "_images" / file).width // 2 == int(width), "sharp on paper"
    made = text_of(tiny_book / "_build" / "html" / "notebooks" / "tiny.html")
    assert re.search(r'href="\.\./book/intro\.html"[^>]*>(<span[^>]*>)?the page', made), "links stay inside the book"

    helper = tiny_book / "mgd_helpers" / "__init__.py"
    helper.write_text('def answer():\n    raise RuntimeError("broken")\n')
    assert build(tiny_book) == (False, 2), "a broken helper fails the build, though the lab is as it was"
    assert build(tiny_book) == (False, 3), "and again: a failure is not cached"

    helper.write_text('import sys\n\n\ndef answer():\n    print("careless", file=sys.stderr)\n')
    assert build(tiny_book) == (False, 4), "a lab that warns fails the build"
    assert build(tiny_book) == (False, 4), "and again, when it comes from the cache"


@pytest.mark.parametrize("name", ["studies/report.py", "studies/results/main.json", "benchmarks/results/gpu/h.json"])
def test_what_pages_read_belongs_to_the_state_of_the_cache(tiny_book, name):
    before, file = build_book.fingerprint(tiny_book), tiny_book / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")
    after = build_book.fingerprint(tiny_book)
    file.write_text("[]")
    assert len({before, after, build_book.fingerprint(tiny_book)}) == 3
    (file.parent / "__pycache__").mkdir()
    (file.parent / "__pycache__" / "report.pyc").write_text("")
    file.write_text("{}")
    assert build_book.fingerprint(tiny_book) == after, "compiled files come and go"


@pytest.mark.parametrize("lab", LABS, ids=lambda path: path.name)
def test_labs_run_on_the_package_alone(lab):
    code = "\n".join(cell.source for cell in nbformat.read(lab, as_version=4).cells if cell.cell_type == "code")
    foreign = re.findall(r"^\s*(?:from|import) (?:studies|benchmarks|tools)\b", code, re.MULTILINE)
    assert foreign == [], "Colab has the package and no more"


# Of es5/tex-svg.js in the npm package mathjax 3.2.2
MATHJAX = "d4295dc33744836935c1399feece5159577b34c5c8ffb9f1c6324cd82e03a882"


def test_mathjax_is_the_released_one():
    path = distribution("sphinx-mathjax-offline").locate_file(pages.MATHJAX)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == MATHJAX


def test_redirects_are_written_for_the_pages_that_were_built(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "05_tangent.html").touch()
    assert build_book.redirect(tmp_path) == ["book/03_tangent"]
    page = text_of(tmp_path / "book" / "03_tangent.html")
    assert '<link rel="canonical" href="05_tangent.html">' in page and "url=05_tangent.html" in page


@pytest.mark.parametrize("folder", ["book", "book/refreshers"])
def test_figures_without_alt_text_fail_the_build(tmp_path, folder):
    (tmp_path / folder).mkdir(parents=True)
    good, path = (
        f'<img alt="{"A line. " * 8}" src="../_images/1.png" />',
        '<img alt="../_images/2.png" src="../_images/2.png" />',
    )
    badge = '<img src="https://elsewhere/badge.svg" />'
    (tmp_path / folder / "page.html").write_text(good + path + badge)
    assert build_book.poor_alt_texts(tmp_path) == [f"page.html: {path}"]
