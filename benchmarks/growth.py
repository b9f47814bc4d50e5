"""How time and memory grow: the tangent step over cloud, dimension, neighbours and batch, the tree over its sizes."""

import torch
from harness import arguments, exponent, peak_mib, report, seconds_each

from mgd_helpers import bisect, local_tangent
from mgd_helpers.seeding import generator

options = arguments(__doc__)
factors = (1, 2) if options.quick else (1, 2, 4, 8, 16)
shrink = 8 if options.quick else 1
repeats = {"tangent": 1, "tree": 1} if options.quick else {"tangent": 11, "tree": 5}
FITTED = 3  # exponents are fitted through the largest sizes alone: below, fixed costs hide the growth


def tangent(*, cloud, dim, neighbours, batch):
    """Projection of one vector at each of `batch` points."""
    draw = generator(options.seed, cloud, dim, neighbours, batch)
    points, vectors = torch.randn(2, batch, dim, generator=draw).to(options.device)
    among = torch.randn(cloud, dim, generator=draw).to(options.device)
    return lambda: local_tangent(points, among, n_neighbors=neighbours, rank=3).tangent_part(vectors)


def tree(*, latents, dim, leaves):
    """The tree of one class."""
    rows = torch.randn(latents, dim, generator=generator(options.seed, latents, dim, leaves)).to(options.device)
    return lambda: bisect(rows, n_leaves=leaves, seed=options.seed)


# name: (what runs, where the other sizes stay, where each axis starts)
OPERATIONS = {
    "tangent": (
        tangent,
        {"cloud": 2000 // shrink, "dim": 1024 // shrink, "neighbours": 12, "batch": 8},
        {"cloud": 1000 // shrink, "dim": 512 // shrink, "neighbours": 8, "batch": 8},
    ),
    "tree": (
        tree,
        {"latents": 1000 // shrink, "dim": 256 // shrink, "leaves": 16 // shrink},
        {"latents": 500 // shrink, "dim": 128 // shrink, "leaves": 4},
    ),
}

rows = []
for name, (make, fixed, first) in OPERATIONS.items():
    for axis, start in first.items():
        sizes = [start * factor for factor in factors]
        runs = [make(**(fixed | {axis: size})) for size in sizes]
        times = seconds_each(runs, device=options.device, repeats=repeats[name])
        peaks = [peak_mib(run, device=options.device) for run in runs]
        for size, took, peak in zip(sizes, times, peaks, strict=True):
            rows.append(
                {
                    "operation": name,
                    "axis": axis,
                    "size": size,
                    "seconds": took,
                    "peak_mib": peak,
                    "time_exponent": exponent(sizes[-FITTED:], times[-FITTED:]),
                    "memory_exponent": exponent(sizes[-FITTED:], peaks[-FITTED:]),
                }
            )
fixed_sizes = {name: fixed for name, (_, fixed, _) in OPERATIONS.items()}
report("growth", rows, options=options, fixed=fixed_sizes, rank=3, fitted_sizes=FITTED)
