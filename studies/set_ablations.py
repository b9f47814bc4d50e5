"""What does each part of matching and transport contribute? One at a time is changed, on the validation split.

    python -m studies set_ablations cifar10

The base is `match+transport` with the package's defaults, at the scale that won, but for one thing: each look has a
network of its own. "One a step" is the default since. Every variant is paired with the base.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from studies import choose, rules
from studies.ablations import SAMPLERS, cell
from studies.cells import Cells
from studies.protocol import load_bench

PER_CLASS, SETS = 10, 3
Changed = dict[str, Any]


def _each(part: str, name: str, *values: float, prefix: str = "") -> dict[str, dict[str, Changed]]:
    return {f"{prefix}{value}": {part: {name: value}} for value in values}


BASE: Changed = {"fresh": True}
FACTORS: dict[str, dict[str, dict[str, Changed]]] = {  # variant -> what is changed of matching, transport, sampling
    "rate": _each("match", "rate", 0.05, 0.2, 0.3),
    "looks": _each("match", "inner_steps", 1, 4, 8),
    "real latents": _each("match", "n_real", 16, 32, 256),
    "networks": {
        "one a step": {"match": {"fresh": False}},
        "one a step, 32 real latents": {"match": {"fresh": False, "n_real": 32}},
        "one a step, below 0.99": {"match": {"fresh": False, "below": 0.99}},
        "one a step, below 0.95": {"match": {"fresh": False, "below": 0.95}},
    },
    "width": _each("match", "width", 16, 64),
    "depth": _each("match", "depth", 1, 3),
    "window of matching": _each("match", "above", 0.25, 0.5, prefix="above "),
    "window of transport": _each("transport", "above", 0.25, 0.75, prefix="above "),
    "centres": _each("transport", "n_centers", 10, 25, 100),
    "entropy": _each("transport", "epsilon", 0.005, 0.1),
    "strength of transport": _each("transport", "strength", 0.25, 1.0),
    "scale": _each("sampling", "scale", 1.5, 2.5, 6.0),
    "sampler": {name: {"sampling": how} for name, how in SAMPLERS.items() if how["steps"] <= 50},
}
UNGUIDED = "sampler, unguided"  # the same samplers, and the base's, without guidance


def rule(
    data: str, *, match: Changed | None = None, transport: Changed | None = None, sampling: Changed | None = None
) -> Callable:
    """The base with something changed."""
    pull = functools.partial(rules.both, match=BASE | (match or {}), transport=transport or {})
    scale = choose.best_scale(data, "match+transport")
    return functools.partial(rules.guided, **{"pull": pull, "scale": scale} | (sampling or {}))


def variants(data: str) -> dict[str, dict[str, Callable]]:
    """Factor -> variant -> rule."""
    guided = {
        factor: {row: rule(data, **changed) for row, changed in found.items()} for factor, found in FACTORS.items()
    }
    scale = choose.best_scale(data, "match+transport")
    plain = {name: changed["sampling"] for name, changed in FACTORS["sampler"].items()}
    unguided = {name: functools.partial(rules.unguided, scale=scale, **how) for name, how in plain.items()}
    return guided | {UNGUIDED: unguided | {"DDIM 25": functools.partial(rules.unguided, scale=scale)}}


def run(data: str, *, factors: Sequence[str] | None = None, sets: int = SETS) -> None:
    """Compute what is missing."""
    bench, variants_of = load_bench(data, "validation"), variants(data)
    cells = Cells("set_ablations", data, note=bench.data.note, images_per_class=PER_CLASS, students=1)
    for seed in range(sets):
        cells(functools.partial(cell, bench, rule(data), seed), factor="base", row="base", seed=seed)
        for factor in factors or variants_of:
            for row, changed in variants_of[factor].items():
                cells(functools.partial(cell, bench, changed, seed), factor=factor, row=row, seed=seed)
