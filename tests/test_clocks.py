"""tools.clocks: words, tasks and seconds of the labs, and the table of the page "How to use this book"."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_rules import ROOT

from tools import clocks


@pytest.fixture
def a_lab(tmp_path):
    """A tree with one page of 300 words and one lab of 150, two tasks, and one prediction."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text(
        "parts:\n- chapters:\n  - file: book/01_x\n    sections: [{file: notebooks/01_x}]\n"
    )
    (tmp_path / "book" / "01_x.md").write_text("word " * 298 + "$a$ [two words](https://nowhere)\n")
    task = {"tags": ["task"]}
    cells = [
        new_markdown_cell("# Lab 1 · X: y\n" + "word " * 146),
        *[new_code_cell("def f(): ...", metadata=task), new_code_cell("def g(): ...", metadata=task)],
        *[new_code_cell("guess = None", metadata=task), new_code_cell("checks.x.lock(guess)")],
    ]
    lab = tmp_path / "notebooks" / "01_x.ipynb"
    nbformat.write(new_notebook(cells=cells), lab)
    return lab


def test_a_lab_has_three_clocks(a_lab, tmp_path, monkeypatch):
    assert clocks.tasks(a_lab) == (2, 1)
    assert clocks.minutes_to_read(a_lab, tmp_path) == 3
    assert clocks.minutes_to_do(a_lab) == 2 * 10 + 5
    monkeypatch.setattr(clocks, "MEASURED", tmp_path / "clocks.json")
    for seconds, shown in (({"01_x": 7.6}, "8 s"), ({}, "not measured")):
        clocks.MEASURED.write_text(json.dumps({"seconds": seconds}))
        assert clocks.table(tmp_path).to_dict("records") == [
            {
                "lab": '<a href="../notebooks/01_x.html">Lab 1 · X</a>',
                "tasks": "2 + 1",
                "read": "3 min",
                "do": "25 min",
                "machine": shown,
            }
        ]


def test_words_are_those_of_the_prose():
    page = "---\nfile_format: mystnb\n---\n\n# A page\n\n```{code-cell} ipython3\nprint(1)\n```\n\n"
    page += "```{note}\n:class: tip\nOne two.\n```\n\nThree $x + y$ [four](far/away.md).\n\n"
    page += "```{math}\n:label: a\na = b\n```\n"
    assert clocks.words(page) == 2 + 4


def test_the_tasks_of_lab_0_are_small(a_lab):
    small = a_lab.rename(a_lab.with_name("00_x.ipynb"))
    assert clocks.minutes_to_do(small) == 2 * 5 + 5


@pytest.mark.slow
def test_a_measurement_runs_the_lab(tmp_path):
    loop = "import time\nend = time.process_time() + 1.5\nwhile time.process_time() < end: pass"
    for name, code in (("01_idle", "pass"), ("02_busy", loop)):
        nbformat.write(new_notebook(cells=[new_code_cell(code)]), tmp_path / f"{name}.ipynb")
    measured = clocks.measure([tmp_path / "01_idle.ipynb", tmp_path / "02_busy.ipynb"])
    assert 1 < measured["seconds"]["02_busy"] - measured["seconds"]["01_idle"] < 4
    assert measured["hardware"]["processor"] and measured["versions"]["torch"]


def test_every_lab_was_measured_and_none_is_slow():
    measured = json.loads(clocks.MEASURED.read_text())
    labs = {lab.stem for lab in clocks.labs(ROOT)}
    assert set(measured["seconds"]) == labs, "run `make clocks`"
    assert measured["hardware"]["threads"] == 1, "processor time means little on several threads"
    assert max(measured["seconds"].values()) < 90, "the contract of a lab"


def test_the_table_has_all_labs_and_the_words_name_what_it_rests_on():
    table = clocks.table(ROOT)
    assert list(table["lab"].str.extract(r"Lab (\d+)")[0].astype(int)) == list(range(len(table)))
    assert len(table) == len(clocks.labs(ROOT)) and all(int(read.removesuffix(" min")) > 5 for read in table["read"])
    said = clocks.in_words()
    assert f"{clocks.WORDS_A_MINUTE} a minute" in said and f"{clocks.MINUTES_A_TASK} minutes a task" in said
    assert json.loads(clocks.MEASURED.read_text())["hardware"]["processor"] in said
