"""tools.student: the labs to hand out have no solution left, and run; the solutions put back, every check passes."""

import contextlib
import io
import re

import forks
import nbformat
import pytest
from labs_in_a_profile import FEW, shortened
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_rules import ADDRESS, ROOT, tags

from tools import student
from tools.__main__ import main

WITH_TASKS = [
    path
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    if any("task" in tags(cell) for cell in nbformat.read(path, as_version=4).cells)
]


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student")
    student.write(ROOT, folder, wheel=False)
    (folder / "old.ipynb").touch()  # of an older edition
    written = student.write(ROOT, folder, wheel=False)
    return folder, written


def test_labs_with_tasks_are_handed_out_and_nothing_else(handed_out):
    folder, written = handed_out
    assert [path.name for path in written] == [path.name for path in WITH_TASKS] and WITH_TASKS
    assert {path.name for path in folder.iterdir()} == {"README.md", *(path.name for path in WITH_TASKS)}
    page = (folder / "README.md").read_text()
    assert all(f"- `{path.name}`" in page for path in WITH_TASKS)
    assert f'pip install "mgd-helpers @ git+{ADDRESS.repository}" jupyterlab' in page
    assert ADDRESS.page("book/intro") in page


@pytest.mark.parametrize("path", WITH_TASKS, ids=lambda path: path.stem)
def test_no_solution_and_no_output_is_left(handed_out, path):
    full, cut = (nbformat.read(file, as_version=4) for file in (path, handed_out[0] / path.name))
    solutions = [cell for cell in full.cells if "solution" in tags(cell)]
    assert len(cut.cells) == len(full.cells) - len(solutions) and solutions
    text = nbformat.writes(cut)
    for cell in solutions:
        body = [line.strip() for line in cell.source.splitlines() if re.match(r"\s+(return|\w+ =)", line)]
        assert not [line for line in body if line in text]
    assert not [cell for cell in cut.cells if cell.get("outputs") or cell.get("execution_count")]
    assert "colab-badge" not in text and "](../" not in text


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.md").write_text("years of work")
    with pytest.raises(ValueError, match="must be empty, or an older student edition"):
        student.write(ROOT, tmp_path, wheel=False)
    assert (tmp_path / "thesis.md").exists()


def test_links_stay_and_what_is_not_for_students_goes():
    prose = "[a](https://book/a.html#b) [e](#here)"
    lab = new_notebook(
        cells=[
            new_markdown_cell(f"# Lab\n\n[![Open in Colab](x.svg)](https://colab)\n\n{prose}"),
            new_code_cell("f()", outputs=[new_output("stream", text="1")], execution_count=3),
            new_code_cell("g()", metadata={"tags": ["solution"]}),
        ]
    )
    cut = student.without_solutions(lab)
    assert cut.cells[0].source == f"# Lab\n\n{prose}"
    assert [(cell.source, cell.outputs, cell.execution_count) for cell in cut.cells[1:]] == [("f()", [], None)]
    assert len(lab.cells) == 3 and lab.cells[1].outputs, "the lab itself stays as it is"


def run(cells):
    """What code cells print, one after the other, in one scope; the set-up is that of a computer, not of Colab."""
    scope, said = {}, io.StringIO()
    with contextlib.redirect_stdout(said):
        for cell in cells:
            if cell.cell_type == "code":
                exec(re.sub(r"^ +%pip .*$", "    pass", cell.source, flags=re.MULTILINE), scope)
    return said.getvalue().splitlines()[1:]  # the first line holds versions


@pytest.fixture
def a_kernel(monkeypatch):
    """Nothing has been checked or predicted yet, as in a fresh kernel; seed and style of the set-up stay inside."""
    import matplotlib.pyplot as plt
    import torch

    from mgd_helpers.lab import checks
    from mgd_helpers.lab.checks import tasks

    monkeypatch.setattr(tasks, "VERDICTS", {})
    monkeypatch.setattr(checks.coverage, "locked", None)
    with plt.rc_context(), torch.random.fork_rng(devices=[]):
        yield


def test_the_student_edition_runs_and_every_check_says_that_nothing_is_started(handed_out, a_kernel):
    lines = run(nbformat.read(handed_out[0] / "00_ready.ipynb", as_version=4).cells)
    names = [re.match(r"(\w+): not started\. A first hint", line)[1] for line in lines[:10]]
    assert lines[10:] == [
        "coverage: not started. Write down a number; a wrong one teaches more than none.",
        "coverage: predict first, with checks.coverage.lock(…).",
        f"0 of 10 tasks solved; open: {', '.join(names)}.",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", WITH_TASKS, ids=lambda path: path.stem)
def test_what_stops_a_lab_of_the_student_edition_is_a_stub_and_its_check_says_so(
    handed_out, path, tmp_path, monkeypatch
):
    monkeypatch.setenv("JUPYTER_PATH", forks.kernels())
    lab = shortened(nbformat.read(handed_out[0] / path.name, as_version=4), FEW)  # nothing it measures counts here
    NotebookClient(lab, timeout=600, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [(cell, output) for cell in lab.cells for output in cell.get("outputs", [])]
    errors = [output.ename for _, output in outputs if output.output_type == "error"]
    assert not errors or errors[0] == "NotImplementedError"
    for cell in lab.cells:
        if "check" in tags(cell):
            said = "".join(output.get("text", output.get("ename")) for output in cell.outputs)
            assert re.fullmatch(r"\w+: (not started\. .*|predict first.*)\n", said), said


def test_the_lab_of_the_repository_runs_through_with_its_solutions(a_kernel):
    lines = run(nbformat.read(ROOT / "notebooks" / "00_ready.ipynb", as_version=4).cells)
    assert [line.split(": ")[1] for line in lines[:10]] == ["nothing is wrong; this is the book's solution."] * 10
    assert lines[-1] == "10 of 10 tasks solved, 10 of them by the book."


def test_what_a_student_has_written_is_judged_and_no_solution_takes_its_place(a_kernel):
    cells = nbformat.read(ROOT / "notebooks" / "00_ready.ipynb", as_version=4).cells
    for cell in cells:
        if cell.id == "class_mean-task":
            cell.source = cell.source.replace("raise NotImplementedError", "return rows.mean(0)")
        if cell.id == "mix-task":
            cell.source = cell.source.replace(
                "raise NotImplementedError", "return (1 - share * share) ** 0.5 * clean + share * noise"
            )
    lines = run(cells)
    assert lines[1].startswith("class_mean: this is the mean of all rows")
    assert lines[6] == "mix: nothing is wrong."
    assert lines[-1] == "9 of 10 tasks solved, 8 of them by the book; open: class_mean."


def test_without_a_build_backend_the_wheel_is_left_out_with_a_word(tmp_path, monkeypatch, capsys):
    refused = type("Refused", (), {"returncode": 1, "stderr": "noise\nERROR: no backend.\n"})
    monkeypatch.setattr(student.subprocess, "run", lambda *command, **options: refused)
    assert student.make_wheel(ROOT, tmp_path) is None
    assert capsys.readouterr().out == (
        "No wheel was built (ERROR: no backend.) The page for students names the repository in its place.\n"
    )


def test_the_page_names_the_wheel(tmp_path, monkeypatch):
    monkeypatch.setattr(student, "make_wheel", lambda root, folder: folder / "mgd_helpers-1.whl")
    student.write(ROOT, tmp_path)
    assert "pip install mgd_helpers-1.whl jupyterlab" in (tmp_path / "README.md").read_text()


def test_the_command_says_where_the_folder_lies(tmp_path, capsys):
    assert main(["student", "--out", str(tmp_path / "out"), "--without-wheel"]) == 0
    assert capsys.readouterr().out == f"{len(WITH_TASKS)} labs for students: {tmp_path / 'out'}\n"
