"""What a film is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Film:
    """A row of frames: `draw(index)` draws one, `lines` say in words and numbers what each shows."""

    draw: Callable[[int], Figure]
    lines: list[str]
    milliseconds: int  # that a frame stays
