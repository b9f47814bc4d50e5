import pytest
import torch
from readers import JUNK

from mgd_helpers.lab.checks.predictions import Order, Prediction


@pytest.fixture
def share():
    return Prediction("share", low=0, high=1, near=0.02)


def said(capsys):
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    return line.strip()


def test_the_first_prediction_counts(share, capsys):
    share.lock(0.95)
    assert said(capsys) == "share: locked at 0.95."
    share.lock(0.88)
    assert said(capsys) == "share: locked at 0.95 already; the first prediction stays."
    share.lock(0.95)
    assert said(capsys) == "share: locked at 0.95."


@pytest.mark.parametrize(
    ("outcome", "how"),
    [(0.4, "too high by 0.1"), (torch.tensor(0.64), "too low by 0.1"), (0.51, "close"), (0.49, "close")],
)
def test_the_outcome_is_compared(share, capsys, outcome, how):
    share.lock(0.5)
    said(capsys)
    share.compare(outcome)
    assert said(capsys) == f"share: you said 0.5, and it is {float(outcome):.2g}: {how}."


def test_without_a_prediction_the_outcome_is_not_told(share, capsys):
    share.lock(None)
    assert said(capsys) == "share: not started. Write down a number; a wrong one teaches more than none."
    share.compare(0.88)
    assert said(capsys) == "share: predict first, with checks.share.lock(…)."


@pytest.mark.parametrize("value", [*JUNK.values(), -0.1, True, 10**400], ids=[*JUNK, "below", "True", "huge"])
def test_what_is_no_number_in_range_is_told_and_not_kept(share, capsys, value):
    share.lock(value)
    assert said(capsys) == "share: a number from 0 to 1 is wanted."
    assert share.locked is None


@pytest.fixture
def steps():
    return Order("steps", "tangent", "normal", "random")


def test_of_orders_too_the_first_counts(steps, capsys):
    steps.lock(["normal", "tangent", "random"])
    assert said(capsys) == "steps: locked at normal < tangent < random."
    steps.lock(["tangent", "normal", "random"])
    assert said(capsys) == "steps: locked at normal < tangent < random already; the first prediction stays."
    steps.lock(("normal", "tangent", "random"))
    assert said(capsys) == "steps: locked at normal < tangent < random."


@pytest.mark.parametrize(
    ("order", "how"),
    [
        (["tangent", "normal", "random"], "all in place"),
        (["normal", "tangent", "random"], "1 of 3 in place"),
        (["normal", "random", "tangent"], "0 of 3 in place"),
    ],
)
def test_an_order_is_compared_place_by_place(steps, capsys, order, how):
    steps.lock(order)
    said(capsys)
    steps.compare({"normal": 3.04, "random": 3.92, "tangent": 2.31})
    told = "tangent (2.3) < normal (3) < random (3.9)"
    assert said(capsys) == f"steps: you said {' < '.join(order)}, and it is {told}: {how}."


def test_without_an_order_the_outcome_is_not_told(steps, capsys):
    steps.lock(None)
    assert said(capsys) == "steps: not started. Write down an order; a wrong one teaches more than none."
    steps.compare({"tangent": 1, "normal": 2, "random": 3})
    assert said(capsys) == "steps: predict first, with checks.steps.lock(…)."


MORE = {"too few": ["tangent", "normal"], "twice": ["tangent"] * 3, "others": ["a", "b", "c"], "mixed": ["normal", 1]}


@pytest.mark.parametrize("value", [*JUNK.values(), *MORE.values()], ids=[*JUNK, *MORE])
def test_what_is_no_order_is_told_and_not_kept(steps, capsys, value):
    steps.lock(value)
    assert said(capsys) == "steps: a list is wanted, of tangent, normal, random in the order that you expect."
    assert steps.locked is None
