"""The verdicts of a checked cell: one line per claim, `name: value`, the values in one column.

Each value is told in a way that is the same on every machine: True or False, or a number to three significant digits.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch


def print_claims(claims: Mapping[str, object]) -> None:
    """Print one line per claim, its name and then its value, with the values in one column.

    A value is True or False, a number, a tensor that holds one of these, or a text such as "9 of 9" or "12 °".
    Decimals keep three significant digits.

    Raises ValueError for a tensor or an array of more than one value.

    >>> print_claims({"the law holds at every split": True, "mean angle": 3.14159, "targets": "10 of 10"})
    the law holds at every split: True
    mean angle:                   3.14
    targets:                      10 of 10
    """
    texts = {name: as_text(name, value) for name, value in claims.items()}
    width = max(map(len, texts), default=0)
    for name, text in texts.items():
        print(f"{name + ':':{width + 1}} {text}")


def as_text(name: str, value: object) -> str:
    """A value as a claim tells it. Raises ValueError for a tensor or an array of more than one value."""
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        if value.shape not in ((), (1,)):
            shape = tuple(value.shape)
            raise ValueError(f"claims: {name!r} must hold one value; got shape {shape}. Reduce it, say, by `.all()`.")
        value = value.item()
    # `#` keeps the zeros that count (3.00); after three digits it leaves a bare point (100.)
    return f"{value:#.3g}".rstrip(".") if isinstance(value, float) else str(value)
