"""tools.reference: a lab runs outside Jupyter with other parameters, and what it measured is kept."""

import json
import re
from functools import partial

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from benchmarks.on_gpu import labs
from mgd_helpers.lab import reference as stored
from tools import reference
from tools.__main__ import main

CELLS = [
    'import os\n\nif "COLAB_RELEASE_TAG" in os.environ:\n    %pip install --quiet this\n\nimport mgd_helpers as mgd\n\n'
    "lab = mgd.setup(chapter=13, seed=0)",
    'PROFILE = "digits"  # or another',
    "from pathlib import Path\n\nfrom mgd_helpers.lab import show_reference",
    'FEW, MANY = 2, 30\nPath("here").touch();',
    'show_reference("13_x", {"times": FEW * MANY, "profile": PROFILE}, setting=PROFILE)',
]


@pytest.fixture
def a_lab(tmp_path, monkeypatch):
    cells = [new_markdown_cell("# A lab"), *map(new_code_cell, CELLS)]
    (tmp_path / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / "13_x.ipynb")
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    keep = partial(stored.keep_reference, folder=tmp_path / "runs")
    monkeypatch.setattr(reference.reference, "keep_reference", keep)
    return tmp_path / "notebooks" / "13_x.ipynb"


def test_a_lab_runs_in_its_folder_with_other_parameters(a_lab, tmp_path, capsys):
    heard = reference.run(a_lab, {"PROFILE": "mine", "FEW, MANY": (3, 4)}, folder=tmp_path / "work")
    assert (heard.lab, heard.setting, heard.rows) == ("13_x", "mine", {"times": 12, "profile": "mine"})
    assert heard.seed == 0 and heard.load >= 0 and (tmp_path / "work" / "here").exists()
    assert "No reference run yet (setting mine)" in capsys.readouterr().out


def test_the_command_keeps_what_it_heard_and_how(a_lab, tmp_path, capsys):
    assert main(["reference", "13", "--set", "PROFILE=other", "--work", str(tmp_path / "work")]) == 0
    file = tmp_path / "runs" / "13_x.json"
    assert capsys.readouterr().out.endswith(f"kept in {file}\n")
    kept = json.loads(file.read_text())["other"]
    assert kept["values"] == {"times": 60, "profile": "other"} and kept["seed"] == 0
    assert kept["load_before"] >= 0
    assert kept["command"] == "python -m tools reference 13 --set PROFILE=other"


@pytest.mark.parametrize(
    ("changes", "last", "told"),
    [
        ({"PROFIL": "mine"}, CELLS[-1], "'PROFIL' is set 0 times"),
        ({}, "pass", "13_x.ipynb did so 0 times"),
        ({}, f"{CELLS[-1]}\n{CELLS[-1]}", "13_x.ipynb did so 2 times"),
    ],
)
def test_parameters_and_calls_that_are_not_there_once_are_told(a_lab, tmp_path, changes, last, told):
    nbformat.write(new_notebook(cells=[*map(new_code_cell, [*CELLS[:-1], last])]), a_lab)
    with pytest.raises(ValueError, match=told):
        reference.run(a_lab, changes, folder=tmp_path / "work")


def test_a_lab_is_found_by_its_number(a_lab):
    assert reference.find_lab("13") == reference.find_lab("13_x") == a_lab
    with pytest.raises(ValueError, match="got '14', which fits 0"):
        reference.find_lab("14")


@pytest.mark.parametrize(("number", "changes", "needed"), [*labs.FORMS, *labs.QUICK])
def test_the_short_forms_name_parameters_of_the_labs(number, changes, needed):
    code = reference.code_of(reference.find_lab(number))
    reference.changed(code, changes)
    assert sum(len(re.findall(r"^show_reference\(", cell, re.MULTILINE)) for cell in code) == 1
