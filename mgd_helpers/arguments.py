"""Checks of what a person passes: the plain Python value, or an error that says what to pass.

Each check takes the argument's name and value, and returns the value that the package goes on with: NumPy's numbers
become Python's, so that a manifest can hold them.
"""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Callable, Iterable
from typing import Any

import torch

Bound = int | float | None


def whole(name: str, value: Any, *, at_least: int | None = None, at_most: int | None = None, remedy: str = "") -> int:
    """A whole number within bounds, as an `int`; booleans, text and numbers with a fraction are refused.

    >>> whole("steps", 50, at_least=1)
    50
    """
    fits = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not fits or (at_least is not None and value < at_least) or (at_most is not None and value > at_most):
        raise ValueError(_message(name, "a whole number" + _bounds(at_least, at_most), value, remedy))
    return int(value)


def number(
    name: str,
    value: Any,
    *,
    at_least: Bound = None,
    at_most: Bound = None,
    above: Bound = None,
    below: Bound = None,
    remedy: str = "",
) -> float:
    """A finite number within bounds, as a `float`; booleans, text and NaN are refused.

    >>> number("strength", 1, above=0)
    1.0
    """
    fits = not isinstance(value, bool) and isinstance(value, numbers.Real) and math.isfinite(value)
    fits = fits and (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    if not fits or (above is not None and not value > above) or (below is not None and not value < below):
        raise ValueError(_message(name, "a number" + _bounds(at_least, at_most, above, below), value, remedy))
    return float(value)


def flag(name: str, value: Any) -> bool:
    """True or False; 1, None and the like are refused."""
    if not isinstance(value, bool):
        raise ValueError(_message(name, "True or False", value))
    return value


def function(name: str, value: Any) -> Callable[..., Any]:
    """Anything that can be called, as it is."""
    if not callable(value):
        raise ValueError(_message(name, "a function", value))
    return value


def tensor(name: str, value: Any, *, remedy: str = "") -> torch.Tensor:
    """A torch tensor, as it is; lists and arrays are refused."""
    if not isinstance(value, torch.Tensor):
        remedy = remedy or f"For a list of numbers or an array pass torch.as_tensor({name})."
        raise ValueError(f"{name} must be a torch.Tensor; got {type(value).__name__}. {remedy}")
    return value


def pixels(name: str, images: torch.Tensor, *, most: float = 1.001) -> torch.Tensor:
    """Images in [-1, 1], as they are; values up to `most` and down to its negative count as rounding."""
    if not images.is_floating_point():
        remedy = f"For pixels 0 to 255 pass {name} / 127.5 - 1."
        if images.dtype == torch.bool:
            remedy = f"For zeros and ones pass 2.0 * {name} - 1."
        raise ValueError(
            f"{name} must be floating-point numbers in [-1, 1]; got {images.dtype}, {list(images.shape)}. {remedy}"
        )
    if images.numel() == 0 or images.is_meta:  # no values to look at
        return images
    low, high = (end.item() for end in images.detach().aminmax())
    if math.isnan(low):
        count = int(images.isnan().flatten(1).any(1).sum())
        raise ValueError(
            f"{name} must lie in [-1, 1]; got NaN, in {count} of {len(images)} images. Find out where it comes from."
        )
    if not -most <= low <= high <= most:
        remedy = f"Undo a standardization, or cut off values outside with {name}.clamp(-1, 1)."
        if low >= 0 and high > 2:
            top = 255 if high <= 255 else 65535
            remedy = f"For pixels 0 to {top} pass {name} / {top / 2} - 1."
        raise ValueError(f"{name} must lie in [-1, 1]; got [{low:.4g}, {high:.4g}]. {remedy}")
    return images


def one_of(name: str, value: Any, known: Iterable[str], *, or_else: str = "") -> str:
    """A word of a list; where one comes close, the error suggests the right one."""
    known = list(known)
    if value in known:
        return value
    raise ValueError(f"{name} must be one of {', '.join(known)}{or_else}; got {value!r}.{did_you_mean(value, known)}")


def did_you_mean(value: object, known: Iterable[str]) -> str:
    """The end of an error message that suggests the closest word of a list; empty where none is close.

    >>> did_you_mean("manifolds", ["mode", "manifold"])
    " Did you mean 'manifold'?"
    """
    close = difflib.get_close_matches(str(value), list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def device(name: str, value: Any) -> torch.device:
    """A device that this machine has."""
    try:
        found = torch.device(value)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{name} must be a device such as 'cpu', 'cuda' or 'cuda:0'; got {value!r}.") from error
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"{name} must be a device of this machine; got {value!r}, and torch finds {torch.cuda.device_count()} CUDA "
            "devices. Pass 'cpu', or install a torch that was built for the GPU."
        )
    return found


def _message(name: str, expected: str, value: object, remedy: str = "") -> str:
    shown = value if isinstance(value, numbers.Number) else repr(value)  # 3 rather than np.int64(3)
    return f"{name} must be {expected}; got {shown}. {remedy}".rstrip()


def _bounds(at_least: Bound, at_most: Bound, above: Bound = None, below: Bound = None) -> str:
    if at_least is not None and at_most is not None:
        return f" from {at_least} to {at_most}"
    ends = {">=": at_least, ">": above, "<=": at_most, "<": below}
    said = " and ".join(f"{sign} {end}" for sign, end in ends.items() if end is not None)
    return f" {said}" if said else ""
