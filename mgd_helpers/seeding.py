"""One random generator per (seed, class, image): images depend on neither batch size nor order, and runs are paired."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch


def generator(*key: int) -> torch.Generator:
    """A CPU generator keyed by non-negative integers, such as (seed, class, image).

    It lives on the CPU so that a GPU draws the same noise; diffusers moves it over. Different keys give independent
    streams (NumPy's SeedSequence).

    >>> torch.equal(torch.rand(2, generator=generator(0, 3, 1)), torch.rand(2, generator=generator(0, 3, 1)))
    True
    """
    if any(part < 0 for part in key):
        raise ValueError(f"seed, class and image must be non-negative integers; got {key}.")
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state))


def generators(seed: int, label: int, images: Iterable[int]) -> list[torch.Generator]:
    """One generator per image of a class, to hand to a pipeline and to `steer`."""
    return [generator(seed, label, image) for image in images]
