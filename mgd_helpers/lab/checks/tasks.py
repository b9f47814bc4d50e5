"""A task of a lab: its check, its hints, and the line that closes a lab.

A judge takes the reader's answer and raises `Slip` with one sentence where something is wrong::

    @task(chapter=0, refresher="…", hints=("…", "…", "…"))
    def doubled(answer):
        same(numbers(ask(answer, given)), right, slips={"you squared instead.": given**2}, otherwise="…")

In the lab, `checks.doubled(doubled)` prints one line, and `checks.doubled.hint(1)` the first hint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers.lab.checks.answers import NotStarted, Slip, told, untouched


@dataclass(frozen=True)
class Verdict:
    """What a check says: `outcome` is "right", "slip" or "not started"; `shown` where the answer is the book's own."""

    outcome: str
    sentence: str
    shown: bool = False


@dataclass(frozen=True, eq=False)
class Check:
    """The check of one task. Calling it prints one line, whatever the answer is, and raises nothing."""

    name: str
    chapter: int
    judge: Callable[[Any], None]
    hints: tuple[str, str, str]
    refresher: str

    def __call__(self, answer: object) -> None:
        """Print the verdict on an answer, and keep it for `progress`."""
        verdict = self.verdict(answer)
        VERDICTS.pop(self, None)  # so that the latest comes last
        VERDICTS[self] = verdict
        print(f"{self.name}: {verdict.sentence}")

    def verdict(self, answer: object) -> Verdict:
        """Judge an answer, with random numbers of its own: those of the lab go on as if nothing had happened."""
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                self.judge(answer)
        except NotStarted:
            return Verdict("not started", f"not started. A first hint: checks.{self.name}.hint(1)")
        except Slip as slip:
            return Verdict("slip", f"{slip} Refresher: {self.refresher}.")
        except Exception as error:
            return Verdict("slip", f"the check cannot read this answer ({told(error)}). Refresher: {self.refresher}.")
        if from_the_book(answer):
            return Verdict("right", "nothing is wrong; this is the book's solution.", shown=True)
        return Verdict("right", "nothing is wrong.")

    def hint(self, step: int) -> None:
        """Print hint 1, 2 or 3; each says more than the one before. Other steps raise `ValueError`."""
        print_hint(self.name, self.hints, step)


def print_hint(name: str, hints: Sequence[str], step: int) -> None:
    """Print one of the hints to a task. Raises `ValueError` for a step that there is not."""
    step = arguments.whole("step", step, at_least=1, at_most=len(hints))
    print(f"{name}, hint {step} of {len(hints)}: {hints[step - 1]}")


CHECKS: list[Check] = []  # of all labs
VERDICTS: dict[Check, Verdict] = {}  # the latest of each check, in the order of the calls


def task(*, chapter: int, hints: tuple[str, str, str], refresher: str) -> Callable[[Callable[[Any], None]], Check]:
    """Make a judge the check of a task, under the judge's name; `refresher` says where to read after a slip."""

    def make(judge: Callable[[Any], None]) -> Check:
        check = Check(judge.__name__, chapter, judge, hints, refresher)
        CHECKS.append(check)
        return check

    return make


def solution(own: object) -> Callable[[Any], Any]:
    """Take the decorated function for `own` only where that is still the stub: nobody's work is overwritten.

    >>> def mine():
    ...     return 1
    >>> @solution(mine)
    ... def the_books():
    ...     return 2
    >>> the_books()
    1
    """

    def choose(shown: Any) -> Any:
        if not untouched(own) and not from_the_book(own):
            return own
        if callable(shown):
            shown.from_the_book = True
        return shown

    return choose


def from_the_book(answer: object) -> bool:
    """Whether an answer is a function that a cell of solutions has put there."""
    return getattr(answer, "from_the_book", False) is True


def progress() -> None:
    """Print how many tasks of this lab are solved, and which are open: "5 of 6 tasks solved; open: interval."

    The lab is the one whose check was called last. Solutions of the book count, and are told apart.
    """
    if not VERDICTS:
        print("No task has been checked yet.")
        return
    latest = next(reversed(VERDICTS))
    tasks = [check for check in CHECKS if check.chapter == latest.chapter]
    solved = [check for check in tasks if check in VERDICTS and VERDICTS[check].outcome == "right"]
    shown = sum(VERDICTS[check].shown for check in solved)
    by_whom = f", {shown} of them by the book" if shown else ""
    left = ", ".join(check.name for check in tasks if check not in solved)
    print(f"{len(solved)} of {len(tasks)} tasks solved{by_whom}{f'; open: {left}' if left else ''}.")
