"""What does each part of matching and transport contribute? One at a time is changed, on the validation split.

    python -m studies set_ablations cifar10

The base is `match+transport` at the scale that won, with the settings `BASE`; every variant is paired with it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from studies import choose, rules
from studies.ablations import cell
from studies.cells import Cells
from studies.protocol import load_bench

PER_CLASS, SETS = 10, 3
BASE: tuple[dict[str, Any], dict[str, Any]] = ({"rate": 0.1, "inner_steps": 4}, {"strength": 0.5})
FACTORS: dict[str, dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {  # what is changed of matching, of transport
    "looks": {f"{count}": ({"inner_steps": count}, {}) for count in (1, 2, 8)},
    "real latents": {f"{count}": ({"n_real": count}, {}) for count in (16, 32, 256)},
    "both halved": {"2 looks at 32": ({"inner_steps": 2, "n_real": 32}, {})},
    "width": {f"{width}": ({"width": width}, {}) for width in (16, 64)},
    "depth": {f"{depth}": ({"depth": depth}, {}) for depth in (1, 3)},
    "window of matching": {f"above {share}": ({"above": share}, {}) for share in (0.25, 0.5)},
    "window of transport": {f"above {share}": ({}, {"above": share}) for share in (0.25, 0.75)},
    "centres": {f"{count}": ({}, {"n_centers": count}) for count in (10, 25, 100)},
    "entropy": {f"{epsilon}": ({}, {"epsilon": epsilon}) for epsilon in (0.005, 0.1)},
    "strength of transport": {f"{strength}": ({}, {"strength": strength}) for strength in (0.25, 1.0)},
}


def rule(data: str, match: dict[str, Any], transport: dict[str, Any]) -> Callable:
    """The base with something changed."""
    match, transport = BASE[0] | match, BASE[1] | transport
    pull = functools.partial(rules.both, match=match, transport=transport)
    return functools.partial(rules.guided, pull=pull, scale=choose.best_scale(data, "match+transport"))


def run(data: str, *, factors: Sequence[str] | None = None, sets: int = SETS) -> None:
    """Compute what is missing."""
    bench = load_bench(data, "validation")
    cells = Cells("set_ablations", data, note=bench.data.note, images_per_class=PER_CLASS, students=1)
    for seed in range(sets):
        cells(functools.partial(cell, bench, rule(data, {}, {}), seed), factor="base", row="base", seed=seed)
        for factor in factors or FACTORS:
            for row, changed in FACTORS[factor].items():
                cells(functools.partial(cell, bench, rule(data, *changed), seed), factor=factor, row=row, seed=seed)
