"""A reader may change LABEL and seed: every lab runs with both changed, and nothing that it says turns wrong.

Numbers may differ. Verdicts stay what they are, checks say what they said, and no prose tells a number that only the
settings of the book give. None of these needs all the sets and students that labs 8 and 10 make in the same way, nor
the last steps of the training in lab 13: they are spared.
"""

import os
import re

import forks
import nbformat
import pytest
from lab_outputs import complaints
from labs_in_a_profile import shortened
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_rules import ROOT

LABEL, SEED = 1, 1  # ones are the class that differs most from the threes of the book
SHORTER = {  # an autoencoder is 20 times better than nothing by then, and a denoiser three times; both must be better
    "10_verdict": {"STEPS": 10},
    "13_train": {"VAE_STEPS": 80, "DIT_STEPS": 100, "STEPS": 10},
}
LABS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


def varied(notebook):
    """The lab with another class, where it looks at one, and another seed in its set-up cell."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[0].source, seeds = re.subn(r"(\bmgd\.setup\(.*\bseed=)0\)", rf"\g<1>{SEED})", code[0].source)
    labels, uses = 0, any(re.search(r"\bLABEL\b", cell.source) for cell in code)
    for cell in code:
        cell.source, found = re.subn(
            r"^(LABEL\b[\w, ]*= *)(?!1\b)\d+", rf"\g<1>{LABEL}", cell.source, flags=re.MULTILINE
        )
        labels += found
    assert (seeds, labels) == (1, int(uses)), "the seed of the set-up cell and, where it is used, LABEL are set once"
    return notebook


@pytest.mark.slow
@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_a_lab_holds_for_another_class_and_another_seed(path, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", forks.kernels())
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    stored, run = (nbformat.read(path, as_version=4) for _ in range(2))
    NotebookClient(
        shortened(varied(run), SHORTER.get(path.stem, {})), timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert complaints(stored, run) == []


def one_cell(text, *, named=("nbval-check-output", "keep_output"), source="checks.a(a)", said="", stream="stdout"):
    """A lab of a text and of a cell that printed something."""
    cell = new_code_cell(source, metadata={"tags": list(named)}, outputs=[new_output("stream", name=stream, text=text)])
    return new_notebook(cells=[new_markdown_cell(said), cell])


@pytest.mark.parametrize(
    ("before", "after", "options", "complaint"),
    [
        ("rises: True\n", "rises: False\n", {}, "rises: False"),
        ("error: 0.12\n", "errors: 0.12\n", {}, "other names"),
        ("a: right.\n", "a: wrong.\n", {"named": ["check", "nbval-check-output", "keep_output"]}, "now says"),
        ("5 of 5\n", "4 of 5\n", {"source": "checks.progress()"}, "now says"),
        ("error: 0.12\n", "error: 0.21\n", {"said": "The error is 0.12."}, "the prose tells 0.12"),
        ("careful", "careful", {"stream": "stderr"}, "warns: careful"),
    ],
)
def test_what_turns_wrong_is_told(before, after, options, complaint):
    assert complaint in complaints(one_cell(before, **options), one_cell(after, **options))[0]
    assert options.get("stream") or not complaints(one_cell(before, **options), one_cell(before, **options))


def test_numbers_may_differ_and_prose_may_tell_those_of_seed_0():
    said = "With seed 0 the error is 0.12. It is never above 0.5."
    assert complaints(one_cell("error: 0.12\n", said=said), one_cell("error: 0.21\n", said=said)) == []


def test_class_and_seed_are_changed():
    lab = new_notebook(
        cells=[new_code_cell("lab = mgd.setup(chapter=6, seed=0)"), new_code_cell("LABEL, STEPS = 3, 25  # of LABEL")]
    )
    assert [cell.source for cell in varied(lab).cells] == [
        "lab = mgd.setup(chapter=6, seed=1)",
        "LABEL, STEPS = 1, 25  # of LABEL",
    ]
    with pytest.raises(AssertionError, match="are set once"):
        varied(lab)
