"""Every check of every lab: the book's solution passes, the stub is not started, and nothing makes a check raise."""

import pytest
import torch
from readers import JUNK, solution_of, stub_of

from mgd_helpers.lab import checks
from mgd_helpers.lab.checks import tasks
from mgd_helpers.lab.checks.answers import Slip, ask
from mgd_helpers.lab.checks.tasks import CHECKS, VERDICTS, Check, progress, solution, task

READY = [check for check in CHECKS if check.chapter == 0]


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """What a test checks does not count in the next one, and its tasks are gone."""
    monkeypatch.setattr(tasks, "CHECKS", list(CHECKS))
    before = dict(VERDICTS)
    VERDICTS.clear()
    yield
    VERDICTS.clear()
    VERDICTS.update(before)


def named(check):
    return check.name


def test_the_reader_reaches_every_check_by_its_name():
    assert len(READY) == 10
    assert all(getattr(checks, check.name) is check and check.name in checks.__all__ for check in CHECKS)
    assert checks.__all__ == sorted(checks.__all__)


@pytest.mark.parametrize("check", CHECKS, ids=named)
def test_the_solution_of_the_book_passes_and_is_known_as_such(check):
    verdict = check.verdict(solution_of(check.name))
    assert (verdict.outcome, verdict.shown) == ("right", True), verdict.sentence


@pytest.mark.parametrize("check", CHECKS, ids=named)
def test_the_stub_is_not_started(check, capsys):
    check(stub_of(check.name))
    assert capsys.readouterr().out == f"{check.name}: not started. A first hint: checks.{check.name}.hint(1)\n"


@pytest.mark.parametrize("answer", JUNK.values(), ids=JUNK)
@pytest.mark.parametrize("check", CHECKS, ids=named)
def test_no_answer_makes_a_check_raise_or_say_more_than_a_line(check, answer, capsys):
    check(answer)
    line = capsys.readouterr().out
    assert line.count("\n") == 1 and line.rstrip("\n").isprintable() and len(line) < 400
    assert VERDICTS[check].outcome == "slip", line
    assert line.startswith(f"{check.name}: ") and line.endswith(f" Refresher: {check.refresher}.\n")
    assert "check cannot read" not in line, "a judge should foresee this answer"


@pytest.mark.parametrize("check", CHECKS, ids=named)
def test_there_are_three_hints_each_a_line(check, capsys):
    for step in (1, 2, 3):
        check.hint(step)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{check.name}, hint {n} of 3" for n in (1, 2, 3)]
    assert len(set(check.hints)) == 3
    with pytest.raises(ValueError, match="step must be a whole number from 1 to 3; got 4"):
        check.hint(4)


def test_a_check_leaves_the_random_numbers_of_the_lab_alone():
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    READY[0](lambda points, cloud: torch.rand(4, 5))
    assert torch.equal(torch.rand(2), wanted)


def test_a_judge_that_fails_is_told_like_a_slip():
    def judge(answer):
        raise KeyError("x")

    verdict = Check("broken", 99, judge, ("", "", ""), "nowhere").verdict(1)
    assert verdict.sentence == "the check cannot read this answer (KeyError: 'x'). Refresher: nowhere."


@pytest.fixture
def small_lab():
    """A lab of three tasks, which ask for 0, 1 and 2."""

    def judge_of(number):
        def judge(answer):
            if ask(answer) != number:
                raise Slip("another number.")

        judge.__name__ = f"number_{number}"
        return judge

    make = task(chapter=99, hints=("a", "b", "c"), refresher="Numbers")
    return [make(judge_of(number)) for number in range(3)]


def test_progress_counts_the_latest_verdicts_of_this_lab(small_lab, capsys):
    progress()
    READY[0](None)  # of another lab
    small_lab[0](lambda: 0)
    small_lab[1](lambda: 1)
    small_lab[2](lambda: 9)
    progress()
    small_lab[1](lambda: 9)
    small_lab[2](lambda: 2)
    progress()
    small_lab[1](solution(None)(lambda: 1))
    progress()
    assert [line for line in capsys.readouterr().out.splitlines() if "ask" in line] == [
        "No task has been checked yet.",
        "2 of 3 tasks solved; open: number_2.",
        "2 of 3 tasks solved; open: number_1.",
        "3 of 3 tasks solved, 1 of them by the book.",
    ]


def test_a_solution_takes_the_place_of_a_stub_and_of_an_older_solution_only():
    def stub():
        raise NotImplementedError

    shown, newer, own = (lambda: 1), (lambda: 2), (lambda: 3)
    assert solution(stub)(shown) is shown and solution(shown)(newer) is newer
    assert solution(own)(shown) is own
    assert solution(None)(0.95) == 0.95 and solution(0.5)(0.95) == 0.5
