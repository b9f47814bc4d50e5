import re

import numpy as np
import pytest
import torch

from mgd_helpers.lab.checks.answers import LONGEST, NotStarted, Slip, ask, numbers, parts, told, untouched


def stub(x):
    """Says what to do."""
    raise NotImplementedError


def stub_with_a_text(x, *, scale=1):
    raise NotImplementedError("your turn")


def begun(x):
    doubled = 2 * x  # noqa: F841
    raise NotImplementedError


def test_a_stub_is_known_from_what_somebody_has_begun():
    assert all(map(untouched, (None, ..., stub, stub_with_a_text)))
    assert not any(map(untouched, (begun, lambda x: x, 0, "", print, torch.zeros(1), type("Odd", (), {}))))


@pytest.mark.parametrize("answer", [None, stub, stub_with_a_text, begun])
def test_what_is_not_implemented_is_not_started(answer):
    with pytest.raises(NotStarted):
        ask(answer, torch.ones(2))


def test_an_error_is_told_with_the_line_that_it_came_from():
    def answer(x):
        y = x + 1
        return y @ torch.ones(5)

    with pytest.raises(Slip) as caught:
        ask(answer, torch.ones(3))
    line = answer.__code__.co_firstlineno + 2
    assert re.match(r"your function raised RuntimeError: \w", str(caught.value))
    assert str(caught.value).endswith(f", in line {line} of its cell: return y @ torch.ones(5).")


def test_an_error_of_the_call_itself_has_no_line_of_the_reader():
    with pytest.raises(Slip, match=r"raised TypeError: .*takes 0 positional arguments but 1 was given\.$"):
        ask(lambda: 1, torch.ones(3))


def test_an_answer_cannot_spoil_what_it_is_given():
    given = torch.ones(3)
    assert ask(lambda x: x.zero_(), given).sum() == 0 and given.sum() == 3


@pytest.mark.parametrize("answer", ["text", 3, torch.ones(2)])
def test_what_is_no_function_is_a_slip(answer):
    with pytest.raises(Slip, match="a function is expected here; this is a"):
        ask(answer)


@pytest.mark.parametrize(
    "value",
    [
        [[1, 2], [3, 4]],
        ([1, 2], torch.tensor([3.0, 4.0])),
        np.array([[1, 2], [3, 4]])[::-1][::-1],
        torch.tensor([[1, 2], [3, 4]], dtype=torch.float16, requires_grad=True),
    ],
)
def test_numbers_of_every_kind_become_one_tensor(value):
    found = numbers(value)
    assert found.dtype == torch.float64 and not found.requires_grad and found.tolist() == [[1, 2], [3, 4]]
    assert numbers(2).shape == numbers(np.float32(2)).shape == ()


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "is there a `return`"),
        ("text", "made of numbers; this is a value of type str"),
        ([[1], [2, 3]], "made of numbers; this is a list of length 2"),
        (np.array(["a"]), r"made of numbers; this is a ndarray of shape \[1\]"),
        ([], "made of numbers; this is a list of length 0"),
        ([1, torch.tensor(1j)], "complex"),
        ([1, float("nan")], "NaN or infinite"),
        (torch.tensor(float("inf")), "NaN or infinite"),
    ],
)
def test_what_is_not_made_of_numbers_is_told(value, sentence):
    with pytest.raises(Slip, match=sentence):
        numbers(value)


def test_parts_are_as_many_as_asked_for():
    low, high = parts((1, [2, 3]), "low", "high")
    assert low.shape == () and high.tolist() == [2, 3]
    for value in (1, (1, 2, 3), {"low": 1, "high": 2}, torch.ones(3)):
        with pytest.raises(Slip, match="should return low and high; it returns a"):
            parts(value, "low", "high")
    with pytest.raises(Slip, match="is there a `return`"):
        parts(None, "low", "high")
    with pytest.raises(Slip, match="high should be made of numbers"):
        parts((1, "2"), "low", "high")


def test_an_error_is_told_in_one_short_line():
    assert told(ValueError("a\n  b.")) == "ValueError: a b" and told(KeyError()) == "KeyError"
    assert len(told(ValueError("x" * 500))) == len("ValueError: …") + LONGEST
