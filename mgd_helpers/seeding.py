"""One random generator per (seed, class, image): images depend on neither batch size nor order, and runs are paired."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch

from mgd_helpers import arguments


def generator(*key: int) -> torch.Generator:
    """A CPU generator keyed by non-negative integers, such as (seed, class, image).

    It lives on the CPU so that a GPU draws the same noise; diffusers moves it over. Keys are hashed (SHA-256), so that
    similar ones, and ones of different length, have nothing in common.

    >>> torch.equal(torch.rand(2, generator=generator(0, 3, 1)), torch.rand(2, generator=generator(0, 3, 1)))
    True
    """
    key = tuple(arguments.whole("each of seed, class and image", part, at_least=0) for part in key)
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little"))


def generators(seed: int, label: int, images: Iterable[int]) -> list[torch.Generator]:
    """One generator per image of a class, to hand to a pipeline and to `steer`."""
    seed, label = arguments.whole("seed", seed, at_least=0), arguments.whole("label", label, at_least=0)
    return [generator(seed, label, image) for image in images]
