"""Cells of the studies are computed once and kept with their settings; one command line computes what is missing."""

import functools
import inspect
import json

import pytest

from studies import cells, robust, students, tables
from studies.__main__ import OPTIONS, STUDIES, main
from studies.report import table_of

RESULTS = sorted(cells.RESULTS.glob("*.json"))


def test_a_cell_is_computed_once_and_survives_an_interruption(monkeypatch, tmp_path):
    monkeypatch.setattr(cells, "RESULTS", tmp_path)
    first = cells.Cells("toy", "digits", steps=3)
    assert first(lambda: {"students": [0.5]}, row="a", seed=10) == {"students": [0.5]}
    with pytest.raises(KeyboardInterrupt):
        first(lambda: (_ for _ in ()).throw(KeyboardInterrupt), row="a", seed=1)
    again = cells.Cells("toy", "digits", steps=3)
    assert again(lambda: pytest.fail("computed twice"), row="a", seed=10) == {"students": [0.5]}
    assert again.find(row="a", seed=1) is None and again.find(row="a") is None
    again(lambda: {"students": [0.25]}, row="a", seed=1)
    assert cells.read("toy", "digits")["cells"] == [
        {"settings": {"row": "a", "seed": 1}, "result": {"students": [0.25]}},
        {"settings": {"row": "a", "seed": 10}, "result": {"students": [0.5]}},
    ]
    with pytest.raises(ValueError, match="holds cells of other settings"):
        cells.Cells("toy", "digits", steps=4)


def test_cells_of_another_machine_name_it(monkeypatch, tmp_path):
    monkeypatch.setattr(cells, "RESULTS", tmp_path)
    here, there = {"processor": "here", "threads": 1}, {"processor": "there", "threads": 1}
    for seed, machine in enumerate((here, there, here)):
        monkeypatch.setattr(cells, "hardware", lambda device, machine=machine: machine)
        cells.Cells("toy", "digits")(lambda: {"students": [0.5]}, row="a", seed=seed)
    content = cells.read("toy", "digits")
    assert content["hardware"] == here and [cell.get("hardware") for cell in content["cells"]] == [None, there, None]
    assert tables.made_on(content).startswith("here, threads: 1 (1 of 3 cells: there)")


def test_cells_are_selected_by_their_settings():
    found = [{"settings": {"row": row, "seed": seed}, "result": {}} for row in "ab" for seed in (0, 1)]
    assert cells.select(found, row="a") == found[:2]
    assert cells.select(found, row="b", seed=1) == found[3:]
    assert cells.select(found, factor="a") == []


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_committed_results_say_what_made_them(file):
    content = json.loads(file.read_text())
    assert list(content) == ["table", "data", "note", "settings", "hardware", "versions", "cells"]
    assert file.stem == f"{content['table']}_{content['data']}"
    assert content["cells"] and file.read_text() == cells.text_of(content)
    settings = [cell["settings"] for cell in content["cells"]]
    assert all({"row", "seed"} <= set(one) for one in settings)
    assert len({json.dumps(one, sort_keys=True) for one in settings}) == len(settings)
    if content["data"] == "cifar10":
        assert "JPEG" in content["note"]


def test_every_table_has_results():
    tables = {name: data_sets for name, (_, data_sets) in STUDIES.items() if name != "students"}
    for network, sizes in students.STUDENTS.items():
        tables |= {table_of(network, images): students.DATA[network] for images in sizes}
    expected = {f"{table}_{data}" for table, data_sets in tables.items() for data in data_sets}
    assert {file.stem for file in RESULTS} == expected


# --- the command line


def test_the_command_line_lists_every_study_with_a_sentence(capsys):
    main([])
    listed = " ".join(capsys.readouterr().out.split())
    for name, (study, _) in STUDIES.items():
        assert f"{name} {study.__doc__.splitlines()[0]}" in listed


def test_every_option_of_a_study_is_one_of_the_command_line():
    for study, _ in STUDIES.values():
        assert set(inspect.signature(study.run).parameters) <= {"data", "kept", *OPTIONS}  # a folder is for tests


def test_the_command_line_runs_what_is_asked_for(monkeypatch):
    runs = []
    for name, (study, _) in STUDIES.items():
        real = inspect.signature(study.run)
        run = functools.wraps(study.run)(lambda data, name=name, **asked: runs.append((name, data, asked)))
        assert inspect.signature(run) == real
        monkeypatch.setattr(study, "run", run)
    options = ["--images-per-class", "10", "--networks", "resnet18", "--rows", "mode", "--sets", "3", "--workers", "2"]
    main(["students", "digits", "cifar10", *options])
    asked = {"images_per_class": [10], "networks": ["resnet18"], "rows": ["mode"], "sets": 3}
    asked |= {"make": False, "workers": 2}
    assert runs == [("students", "digits", asked), ("students", "cifar10", asked)]
    runs.clear()
    main(["robust", "digits"])
    assert runs == [("robust", "digits", {"rows": None, "sets": robust.SETS})]
    runs.clear()
    main(["all"])
    assert [run[:2] for run in runs] == [(name, data) for name, (_, sets) in STUDIES.items() for data in sets]
    assert all(asked == {} for *_, asked in runs)
    runs.clear()
    main(["all", "digits"])
    assert [run[:2] for run in runs] == [(name, "digits") for name, (_, sets) in STUDIES.items() if "digits" in sets]


@pytest.mark.parametrize("asked", ["main mnist", "vae cifar10", "all mnist", "phase mnist", "main toy"])
def test_an_unknown_data_set_is_refused_by_name(capsys, asked):
    with pytest.raises(SystemExit):
        main(asked.split())
    assert "data must be among digits" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("asked", ["main --rows unguided --images-per-class 10", "robust --rows mode"])
def test_a_command_computes_nothing_that_is_known(monkeypatch, asked):
    monkeypatch.setattr(cells, "write", lambda *_: pytest.fail("nothing is missing"))
    study, *options = asked.split()
    main([study, "digits", "--sets", "1", *options])
