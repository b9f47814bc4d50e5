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


def whole(name: str, value, *, at_least=None, at_most=None, remedy: str = "") -> int:
    """A whole number within bounds, as an `int`; booleans, text and numbers with a fraction are refused.

    >>> whole("steps", 50, at_least=1)
    50
    """
    fits = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not fits or (at_least is not None and value < at_least) or (at_most is not None and value > at_most):
        raise ValueError(_message(name, "a whole number" + _bounds(at_least, at_most), value, remedy))
    return int(value)


def number(name: str, value, *, at_least=None, at_most=None, above=None, below=None, remedy: str = "") -> float:
    """A finite number within bounds, as a `float`; booleans, text and NaN are refused."""
    fits = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    fits = fits and (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    if not fits or (above is not None and not value > above) or (below is not None and not value < below):
        ends = [f"{word} {end}" for word, end in (("above", above), ("below", below)) if end is not None]
        bounds = " " + " and ".join(ends) if ends else ""
        raise ValueError(_message(name, f"a number{bounds}{_bounds(at_least, at_most)}", value, remedy))
    return float(value)


def flag(name: str, value) -> bool:
    """True or False, and nothing that merely counts as such."""
    if not isinstance(value, bool):
        raise ValueError(_message(name, "True or False", value))
    return value


def function(name: str, value):
    """Anything that can be called, as it is."""
    if not callable(value):
        raise ValueError(_message(name, "a function", value))
    return value


def tensor(name: str, value, *, remedy: str = "") -> torch.Tensor:
    """A torch tensor, as it is: lists and arrays are not guessed at."""
    if not isinstance(value, torch.Tensor):
        remedy = remedy or f"torch.as_tensor({name}) makes one of a list of numbers or an array."
        raise ValueError(f"{name} must be a torch.Tensor; got {type(value).__name__}. {remedy}")
    return value


def pixels(name: str, images: torch.Tensor, *, most: float = 1.001) -> torch.Tensor:
    """Images in [-1, 1], but for what `most` leaves to rounding; the error tells the way there from what came."""
    if not images.is_floating_point():
        remedy = f"2.0 * {name} - 1" if images.dtype == torch.bool else f"{name} / 127.5 - 1"
        raise ValueError(
            f"{name} must be floating-point numbers in [-1, 1]; got {images.dtype}, {list(images.shape)}. Of "
            f"{'zeros and ones' if images.dtype == torch.bool else 'bytes'} make {remedy}."
        )
    if images.numel() == 0 or images.is_meta:  # no values to look at
        return images
    low, high = (end.item() for end in images.detach().aminmax())
    if math.isnan(low):
        count = int(images.isnan().flatten(1).any(1).sum())
        raise ValueError(
            f"{name} must lie in [-1, 1]; got NaN, in {count} of {len(images)} images. Find out where it arises."
        )
    if not -most <= low <= high <= most:
        remedy = f"Undo a standardisation, or cut off what lies outside: {name}.clamp(-1, 1)."
        if low >= 0 and high > 2:
            top = 255 if high <= 255 else 65535
            remedy = f"Of pixels from 0 to {top} make {name} / {top / 2} - 1."
        raise ValueError(f"{name} must lie in [-1, 1]; got [{low:.4g}, {high:.4g}]. {remedy}")
    return images


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


def _message(name, expected, value, remedy="") -> str:
    shown = value if isinstance(value, numbers.Number) else repr(value)  # 3 rather than np.int64(3)
    return f"{name} must be {expected}; got {shown}. {remedy}".rstrip()


def _bounds(at_least, at_most) -> str:
    if at_least is not None and at_most is not None:
        return f" from {at_least} to {at_most}"
    return (
        f" of at least {at_least}" if at_least is not None else f" of at most {at_most}" if at_most is not None else ""
    )
