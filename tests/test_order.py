"""order: no test is lost, and each worker begins with its share of the long ones."""

import pytest
from order import LONG, in_order, is_long

from tools.address import ROOT

NAMES = [f"tests/test_{letter}.py::test" for letter in "abcdefg"] + [f"tests/{LONG[0]}[{n}]" for n in range(3)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_test_runs_once_and_long_ones_begin(workers):
    order = in_order(NAMES, workers)
    assert sorted(order) == list(range(len(NAMES)))
    assert is_long(NAMES[order[0]])


def test_two_workers_begin_with_long_ones():
    named = [is_long(NAMES[row]) for row in in_order(NAMES, 2)]
    assert named == [True, True, False, False, False, True, False, False, False, False]


def test_what_is_called_long_is_there():
    text = "\n".join(f"{path.name}\n{path.read_text()}" for path in (ROOT / "tests").rglob("test_*.py"))
    assert [part for part in LONG if part.split("::")[-1] not in text] == []
