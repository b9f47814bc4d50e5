"""mgd_helpers.lab.reference: a reader's numbers beside a stored run, or beside what is expected."""

import json

import pytest
import torch

from mgd_helpers.lab.reference import RUNS, keep_reference, read_runs, show_reference

YOURS = {"error": torch.tensor(0.25), "images": 30, "memory, GiB": None, "as good": True}
MADE = {"device": "cpu", "seed": 3, "command": "python -m tools reference 13"}


def test_without_a_run_what_is_expected_stands_beside_and_is_called_so(tmp_path, capsys):
    show_reference("13_x", YOURS, setting="full", expected={"error": "about 0.3"}, folder=tmp_path)
    assert capsys.readouterr().out.splitlines() == [
        "             yours  expected",
        "error        0.250  about 0.3",
        "images       30     –",
        "memory, GiB  –      –",
        "as good      True   –",
        "No reference run yet (setting full): what is expected, nobody has measured.",
    ]


def test_a_stored_run_stands_beside_with_what_made_it(tmp_path, capsys):
    keep_reference("13_x", YOURS | {"error": 1 / 3}, setting="full", folder=tmp_path, **MADE)
    expected = {"error": "about 9", "new": "many"}
    show_reference("13_x", YOURS | {"new": 1}, setting="full", expected=expected, folder=tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["             yours  reference", "error        0.250  0.333"]
    assert lines[5].split() == ["new", "1", "–"], "a row that the run does not have"
    assert lines[-1].startswith("Reference: ") and lines[-1].endswith("seed 3; made by `python -m tools reference 13`.")
    assert f"torch {torch.__version__}" in lines[-1] and "threads: " in lines[-1]
    show_reference("13_x", YOURS, setting="short", folder=tmp_path)
    assert "No reference run yet (setting short)" in capsys.readouterr().out


def test_a_run_beside_other_work_says_so(tmp_path, capsys):
    keep_reference("13_x", {"minutes": 9.0}, setting="full", load=16.04, folder=tmp_path, **MADE)
    show_reference("13_x", {"minutes": 1.0}, setting="full", folder=tmp_path)
    assert "; load average before it 16.0; seed 3" in capsys.readouterr().out


def test_each_setting_keeps_its_latest_run(tmp_path):
    for setting, value in (("short", 1.0), ("full", 2.0), ("short", 3.14159)):
        file = keep_reference("13_x", {"error": value}, setting=setting, folder=tmp_path, **MADE)
    found = read_runs("13_x", folder=tmp_path)
    assert {setting: run["values"] for setting, run in found.items()} == {
        "full": {"error": 2.0},
        "short": {"error": 3.142},
    }
    assert set(found["full"]) == {"values", "hardware", "versions", "seed", "command"}
    assert [path.name for path in tmp_path.iterdir()] == [file.name] == ["13_x.json"]
    assert read_runs("12_y", folder=tmp_path) == {}


def test_a_gpu_is_named_and_not_its_processor(tmp_path, capsys):
    file = keep_reference("13_x", {"error": 1.0}, setting="full", folder=tmp_path, **MADE)
    runs = json.loads(file.read_text())
    runs["full"]["hardware"] |= {"gpu": "Tesla T4"}
    file.write_text(json.dumps(runs))
    show_reference("13_x", {"error": 1.0}, setting="full", folder=tmp_path)
    assert "Reference: Tesla T4; python" in capsys.readouterr().out


def test_more_than_one_value_is_refused():
    with pytest.raises(ValueError, match="'error' must hold one value"):
        show_reference("13_x", {"error": torch.zeros(2)}, setting="full")


def test_stored_runs_belong_to_labs_of_the_book_and_say_what_made_them():
    labs = {path.stem for path in (RUNS.parents[2] / "notebooks").glob("*.ipynb")}
    for file in RUNS.glob("*.json"):
        assert file.stem in labs
        for run in read_runs(file.stem).values():
            assert run["values"] and run["command"].startswith("python -m ") and run["versions"]["torch"]
