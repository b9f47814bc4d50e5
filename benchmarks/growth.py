"""How time and memory grow: the tangent step over cloud, dimension, neighbours and batch, the tree over its sizes."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch

from benchmarks.harness import exponent, peak_mib, record, seconds_each
from mgd_helpers import bisect, local_tangent, seeding

FITTED = 3  # exponents are fitted through the largest sizes alone: below, fixed costs hide the growth
# where the other sizes stay, and where each axis starts
SIZES = {
    "tangent": (
        {"cloud": 2000, "dim": 1024, "neighbours": 12, "batch": 8},
        {"cloud": 1000, "dim": 512, "neighbours": 8, "batch": 8},
    ),
    "tree": (
        {"latents": 1000, "dim": 256, "leaves": 16},
        {"latents": 500, "dim": 128, "leaves": 4},
    ),
}
SHRINK = {"cloud": 8, "dim": 8, "latents": 8, "leaves": 2}  # divisors of a quick run


def tangent(sizes: dict[str, int], options: argparse.Namespace) -> Callable[[], object]:
    """Projection of one vector at each of `batch` points."""
    generator = seeding.generator(options.seed, *sizes.values())
    points, vectors = torch.randn(2, sizes["batch"], sizes["dim"], generator=generator).to(options.device)
    cloud = torch.randn(sizes["cloud"], sizes["dim"], generator=generator).to(options.device)
    return lambda: local_tangent(points, cloud, n_neighbors=sizes["neighbours"], rank=3).tangent_part(vectors)


def tree(sizes: dict[str, int], options: argparse.Namespace) -> Callable[[], object]:
    """The tree of one class."""
    generator = seeding.generator(options.seed, *sizes.values())
    latents = torch.randn(sizes["latents"], sizes["dim"], generator=generator).to(options.device)
    return lambda: bisect(latents, n_leaves=sizes["leaves"], seed=options.seed)


def main(options: argparse.Namespace) -> None:
    """Time and peak memory of each operation along each axis, and the exponents of their power laws."""
    factors = (1, 2) if options.quick else (1, 2, 4, 8, 16)
    rows, fixed_sizes = [], {}
    for make, repeats in ((tangent, 11), (tree, 5)):
        name = make.__name__
        fixed, first = SIZES[name]
        if options.quick:
            repeats = 1
            fixed, first = ({axis: size // SHRINK.get(axis, 1) for axis, size in one.items()} for one in (fixed, first))
        fixed_sizes[name] = fixed
        for axis, start in first.items():
            sizes = [start * factor for factor in factors]
            runs = [make(fixed | {axis: size}, options) for size in sizes]
            times = seconds_each(runs, repeats=repeats)
            peaks = [peak_mib(run, device=options.device) for run in runs]
            exponents = {
                "time_exponent": exponent(sizes[-FITTED:], times[-FITTED:]),
                "memory_exponent": exponent(sizes[-FITTED:], peaks[-FITTED:]),
            }
            for size, took, peak in zip(sizes, times, peaks, strict=True):
                row = {"operation": name, "axis": axis, "size": size, "seconds": took, "peak_mib": peak}
                rows.append(row | exponents)
    record("growth", rows, options=options, fixed=fixed_sizes, rank=3, fitted_sizes=FITTED)
