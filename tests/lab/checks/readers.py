"""What readers hand in: stubs and solutions, as the labs have them, and answers that no check expects."""

import ast
import contextlib
import functools
import re

import nbformat
import numpy as np
import torch
from notebook_rules import ROOT

LABS = [nbformat.read(path, as_version=4).cells for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
CELLS = LABS[0]  # of "Are you ready?"


def raises_its_own():
    def answer(*given):
        raise ValueError("nothing\nfits")

    return answer


def leaves():
    def answer(*given):
        raise SystemExit("bye")

    return answer


def recurses(*given):
    return recurses(*given)


JUNK = {
    "a string": "42",
    "a number": 42,
    "NaN": float("nan"),
    "a list": [1, 2, 3],
    "an array": np.zeros((2, 3)),
    "a tensor": torch.zeros(2, 3),
    "a class": dict,
    "a builtin": len,
    "without parameters": lambda: 1,
    "gives None": lambda *given: None,
    "gives itself": lambda *given: given,
    "gives text": lambda *given: "text",
    "gives NaN": lambda *given: float("nan"),
    "gives NaN twice": lambda *given: (float("nan"), float("nan")),
    "gives infinity": lambda *given: torch.full((4, 5), float("inf")),
    "gives a wrong shape": lambda *given: torch.zeros(1, 2, 3, 4),
    "gives nothing at all": lambda *given: torch.zeros(0),
    "gives two of nothing": lambda *given: (torch.zeros(0), torch.zeros(0)),
    "gives complex numbers": lambda *given: torch.tensor([1j, 2j]),
    "gives a ragged list": lambda *given: [[1, 2], [3]],
    "gives a dictionary": lambda *given: {"low": 1},
    "gives an array of objects": lambda *given: np.array([None, "a"], dtype=object),
    "gives a generator": lambda *given: (x for x in given),
    "gives a mask": lambda *given: torch.ones(4, dtype=torch.bool),
    "gives zeros of two": lambda *given: ([0, 0], [[0, 0], [0, 0]]),
    "raises": raises_its_own(),
    "leaves": leaves(),
    "never ends": recurses,
}


@functools.cache
def functions_beside(name):
    """The lab that asks for this function: its imports, and its tasks with the solutions in place of the stubs."""
    from mgd_helpers.lab import checks

    cells = next(cells for cells in LABS if any(f"def {name}(" in cell.source for cell in cells))
    scope = {"checks": checks}
    for cell in cells:
        if cell.cell_type == "code" and "%pip" not in cell.source:
            kinds = (ast.FunctionDef, ast.Import, ast.ImportFrom)
            wanted = [node for node in ast.parse(cell.source).body if isinstance(node, kinds)]
            with contextlib.suppress(NameError):  # a default that is computed: no task needs such a function
                exec(compile(ast.Module(wanted, []), "lab", "exec"), scope)
    return scope


def solution_of(name):
    """The book's own answer to a task; what it needs of other tasks is there as well."""
    return functions_beside(name)[name]


def told(slips, name, answer):
    """Which of the sentences that are planted for a task, (task, answer, sentence), its check says of this slip."""
    from mgd_helpers.lab import checks

    verdict = getattr(checks, name).verdict(answer)
    print(verdict.sentence)  # shown where the test fails
    assert verdict.outcome == "slip", verdict
    return [sentence for task, _, sentence in slips if task == name and re.search(sentence, verdict.sentence)]


def stub_of(name):
    """The task as its lab hands it out."""
    stubs = [cell.source for cells in LABS for cell in cells if "task" in cell.metadata.get("tags", [])]
    scope = {}
    exec(next(source for source in stubs if f"def {name}(" in source), scope)
    return scope[name]
