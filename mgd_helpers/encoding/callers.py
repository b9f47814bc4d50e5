"""Which pipeline calls, and what kind of thing it is by the name of its class: diffusers need not be imported for it.

While a pipeline is steered, methods of its parts are wrapped, and other pipelines may share these parts.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from types import FrameType
from typing import Any

PIPELINES = ("DiffusionPipeline", "PointCloudPipeline")
NULL_CLASS = 1000  # DiTPipeline's own label for no class


def calling_pipeline(part: str, thing: object, *, most: int = 12) -> Any:
    """The pipeline up the stack whose `part`, such as its scheduler, is this thing; `None` where there is none.

    Looks `most` frames up. A loop of one's own, or an object that merely holds the same thing, is no pipeline.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and most:
        owner = frame.f_locals.get("self")
        if getattr(owner, part, None) is thing and is_a(owner, PIPELINES):
            return owner
        frame, most = frame.f_back, most - 1
    return None


def is_a(thing: object, names: Collection[str]) -> bool:
    """Whether one of the thing's classes, or of their base classes, has one of these names."""
    return any(cls.__name__ in names for cls in type(thing).__mro__)


def is_dit(pipe: object) -> bool:
    """Whether the pipeline is a DiTPipeline."""
    return is_a(pipe, ("DiTPipeline",))
