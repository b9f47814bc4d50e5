"""Checks at the border: settings that a person gives, as plain Python values, or an error that says what to give.

Each check takes the argument's name and value, and returns the value that the package goes on with: NumPy's numbers
become Python's, so that a manifest can hold them.
"""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable

import torch


def whole(name: str, value, *, at_least=None, at_most=None) -> int:
    """A whole number within bounds, as an `int`; booleans, text and numbers with a fraction are refused.

    >>> whole("steps", 50, at_least=1)
    50
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ValueError(f"{name} must be a whole number{_bounds(at_least, at_most)}; got {value!r}.")
    if (at_least is not None and value < at_least) or (at_most is not None and value > at_most):
        raise ValueError(f"{name} must be a whole number{_bounds(at_least, at_most)}; got {value}.")
    return int(value)


def number(name: str, value, *, at_least=None, at_most=None, above=None) -> float:
    """A finite number within bounds, as a `float`; booleans, text and NaN are refused."""
    fits = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    fits = fits and (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    if not fits or (above is not None and not value > above):
        bounds = f" above {above:g}" if above is not None else ""
        raise ValueError(f"{name} must be a number{bounds}{_bounds(at_least, at_most)}; got {value!r}.")
    return float(value)


def one_of(name: str, value, known: Iterable[str], *, or_else: str = "") -> str:
    """A word of a list; one that is nearly right is answered with the right one."""
    known = list(known)
    if value in known:
        return value
    raise ValueError(f"{name} must be one of {', '.join(known)}{or_else}; got {value!r}.{did_you_mean(value, known)}")


def did_you_mean(value, known: Iterable[str]) -> str:
    """What an error says after a word that is nearly one of a list; nothing where it is near to none.

    >>> did_you_mean("manifolds", ["mode", "manifold"])
    " Did you mean 'manifold'?"
    """
    close = difflib.get_close_matches(str(value), list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def device(name: str, value) -> torch.device:
    """A device that this machine has."""
    try:
        found = torch.device(value)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{name} must be a device such as 'cpu', 'cuda' or 'cuda:0'; got {value!r}.") from error
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"{name} must be a device of this machine; got {value!r}, and torch finds {torch.cuda.device_count()} CUDA "
            "devices. Use 'cpu', or install a torch that was built for the GPU."
        )
    return found


def _bounds(at_least, at_most) -> str:
    if at_least is not None and at_most is not None:
        return f" from {at_least:g} to {at_most:g}"
    return f" of at least {at_least:g}" if at_least is not None else f" of at most {at_most:g}" if at_most else ""
