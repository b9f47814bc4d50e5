"""Who calls, and what kind of thing it is by its name: diffusers need not be imported for either.

Methods of diffusers are wrapped while a pipeline is steered, and other pipelines may share what they belong to.
"""

from __future__ import annotations

import sys
from collections.abc import Collection

PIPELINES = ("DiffusionPipeline", "PointCloudPipeline")


def calling_pipeline(part: str, thing, *, most: int = 12):
    """The pipeline up the stack whose `part`, such as its scheduler, is this thing; `None` where none is near.

    A loop of one's own, or an object that merely holds the same thing, is no pipeline.
    """
    frame = sys._getframe(2)
    while frame is not None and most:
        owner = frame.f_locals.get("self")
        if getattr(owner, part, None) is thing and is_a(owner, PIPELINES):
            return owner
        frame, most = frame.f_back, most - 1
    return None


def is_a(thing, names: Collection[str]) -> bool:
    """Whether a class of one of these names is among the thing's ancestors."""
    return any(cls.__name__ in names for cls in type(thing).__mro__)


def is_dit(pipe) -> bool:
    """Whether the pipeline is a DiTPipeline."""
    return is_a(pipe, ("DiTPipeline",))
