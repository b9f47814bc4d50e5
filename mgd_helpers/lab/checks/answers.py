"""What a reader hands in: is it begun, does it run, is it made of numbers? If not, a sentence says what happened.

A judge asks the reader's function through `ask`, and reads what it returns through `numbers`. Both raise `Slip` with
one sentence; the check prints it. So a judge is written as if every answer were fit.
"""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np
import torch

from mgd_helpers._shapes import Float, Tensor

LONGEST = 200  # characters of an error message that a line shows


class Slip(Exception):
    """What is wrong with an answer, in one sentence."""


class NotStarted(Exception):
    """The answer is still the stub."""


def untouched(answer: object) -> bool:
    """Whether an answer is the stub: None, `...`, or a function that does nothing but raise NotImplementedError.

    >>> untouched(None), untouched(lambda x: 2 * x)
    (True, False)
    """
    if answer is None or answer is ...:
        return True
    code: Any = getattr(answer, "__code__", None)
    if code is None:
        return False
    arguments = code.co_argcount + code.co_kwonlyargcount
    return code.co_names == ("NotImplementedError",) and code.co_nlocals == arguments


def ask(answer: Any, *given: object) -> Any:
    """What the reader's function returns for copies of what is given, so that it can spoil nothing.

    Raises `NotStarted` for the stub, and `Slip` for what is no function or raises an error of its own.
    """
    if untouched(answer):
        raise NotStarted
    if not callable(answer):
        raise Slip(f"a function is expected here; this is {_kind(answer)}.")
    try:
        return answer(*(thing.clone() if isinstance(thing, Tensor) else thing for thing in given))
    except NotImplementedError:
        raise NotStarted from None
    except (Exception, SystemExit) as error:
        raise Slip(f"your function raised {told(error)}{_where(answer, error)}.") from None


def numbers(value: Any, name: str = "the answer") -> Float[Tensor, ...]:
    """A tensor, array, number or nested list of the reader's as a float64 tensor on the CPU, of the same shape.

    Raises `Slip` for None, for what is not made of numbers, for complex numbers, and for NaN and infinity.
    """
    if value is None:
        raise Slip("your function returns nothing: is there a `return`?")
    try:
        tensor = _tensor(value)
    except Exception:
        raise Slip(f"{name} should be made of numbers; this is {_kind(value)}.") from None
    if tensor.is_complex():
        raise Slip(f"{name} holds complex numbers, where real ones are expected.")
    if not tensor.isfinite().all():
        raise Slip(f"{name} holds NaN or infinite values.")
    return tensor


def parts(value: Any, *names: str) -> list[Float[Tensor, ...]]:
    """What a function returns as several things, `return low, high`, each as a tensor of `numbers`.

    Raises `Slip` where there are more or fewer of them.
    """
    several = isinstance(value, (tuple, list)) or getattr(value, "ndim", 0) > 0
    if value is not None and not (several and len(value) == len(names)):
        raise Slip(f"your function should return {' and '.join(names)}; it returns {_kind(value)}.")
    if value is None:
        return [numbers(value)]
    return [numbers(part, name) for name, part in zip(names, value, strict=True)]


def told(error: BaseException) -> str:
    """An error in one line: its type, and the beginning of what it says."""
    text = " ".join(str(error).split()).rstrip(".")  # the sentence goes on
    text = text if len(text) <= LONGEST else text[:LONGEST].rstrip() + "…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _where(answer: Any, error: BaseException) -> str:
    """The last line of the reader's own that an error came through; nothing where there is none."""
    file = getattr(getattr(answer, "__code__", None), "co_filename", None)
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if not own:
        return ""
    line = f": {own[-1].line}" if own[-1].line else ""
    return f", in line {own[-1].lineno} of its cell{line}"


def _tensor(value: Any) -> Tensor:
    if isinstance(value, (list, tuple)):
        return torch.stack([_tensor(part) for part in value])
    tensor = value.detach().cpu() if isinstance(value, Tensor) else torch.as_tensor(np.array(value))
    return tensor if tensor.is_complex() else tensor.double()


def _kind(value: object) -> str:
    """How a sentence calls a value: its type, and the shape or length where it has one."""
    name = type(value).__name__
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"a {name} of shape {list(shape)}"
    return f"a {name} of length {len(value)}" if isinstance(value, (list, tuple)) else f"a value of type {name}"
