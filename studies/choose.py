"""Choose the settings of every row that samples with one budget, on real training images held back.

    python -m studies choose digits

Every row gets six candidates, three sets of each, and as many students. A row without a setting of its own tries six
scales of classifier-free guidance; a guided row tries three scales at its first setting, then three other settings at
the scale that won; a row that does not sample tries six settings. Sets are made without the images held back, so that
nothing is measured on what it was made from; the pipeline itself was trained on them, for all rows alike. The test
split is not looked at.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mgd_helpers.guidance import factories
from studies import rules
from studies.cells import Cells
from studies.data_sets import DATA_SETS
from studies.protocol import Bench, load_bench
from studies.scores import short_recipe, student_scores, student_seeds
from studies.sets import kept_set

PER_CLASS, SETS = 10, 3
MINIMAX_STEPS, MATCHING_STEPS = 300, 100
SCALES, SIX_SCALES = (1.5, 2.5, 4.0), (1.0, 1.5, 2.0, 2.5, 4.0, 6.0)
# of matching; two, through one network, did as well afterwards (set_ablations.py), and are the package's default
LOOKS = {"inner_steps": 4, "fresh": True}
POOLED = ("transport", "match", "match+transport")  # one setting for all data sets: the best in the mean over them


@dataclass(frozen=True)
class Row:
    """A row that is tuned: its rule, to be bound to a scale, and its settings; the first of them meets all scales.

    With a `factory` the rule is `guided`, and the settings are those of its guidance. What `samples` has a scale.
    """

    settings: tuple[dict[str, Any], ...] = ({},)
    factory: Callable | None = None
    rule: Callable = rules.guided
    samples: bool = True

    def bind(self, **candidate: Any) -> Callable:
        """The rule `(bench, images_per_class, seed) -> ImageSet` of one candidate, of a scale and settings."""
        if self.factory is not None:
            scale = candidate.pop("scale")
            candidate = {"scale": scale, "pull": functools.partial(self.factory, **candidate)}
        return functools.partial(self.rule, **candidate)


def _each(name: str, *values: float, **more: Any) -> tuple[dict[str, Any], ...]:
    return tuple({name: value, **more} for value in values)


NEAR = {"n_neighbors": 24, "rank": 8}
ROWS = {
    "unguided": Row(rule=rules.unguided),
    "match+transport": Row(
        (*_each("rate", 0.2, 0.1, 0.3, strength=0.5), {"rate": 0.2, "strength": 0.25}),
        functools.partial(factories.match_transport, **LOOKS),
    ),
    "mode": Row(_each("strength", 0.5, 0.12, 0.25, 1.0), factories.mode),
    "match": Row(_each("rate", 0.2, 0.1, 0.3, 0.4), functools.partial(factories.match, **LOOKS)),
    "transport": Row(_each("strength", 0.5, 0.12, 0.25, 1.0), factories.transport),
    "tangent": Row(
        (*_each("strength", 1.0, 0.35, 0.6, **NEAR), {"strength": 1.0, "n_neighbors": 48, "rank": 16}),
        factories.manifold,
    ),
    "soft": Row(_each("strength", 0.6, 0.2, 0.35, 1.0, **NEAR), functools.partial(factories.manifold, softness=0.5)),
    "released": Row(_each("strength", 0.1, 0.03, 0.2, 0.5), factories.released),
    "both on the tangent": Row(_each("rate", 0.2, 0.1, 0.3, 0.4), functools.partial(rules.on_tangent, fresh=True)),
    "match on pixels": Row(_each("rate", 0.1, 0.05, 0.2, 0.3), rule=rules.pixel_match),
    "unguided, DDPM": Row(  # what mgd3 runs on
        rule=functools.partial(rules.unguided, sampler="DDPMScheduler", steps=50)
    ),
    "mgd3": Row(rule=rules.mgd3),
    "minimax": Row(rule=functools.partial(rules.minimax, steps=MINIMAX_STEPS)),
    "distribution matching": Row(
        _each("learning_rate", 0.3, 1.0, 3.0, 6.0, 10.0, 20.0),
        rule=functools.partial(rules.distribution_matching, steps=MATCHING_STEPS),
        samples=False,
    ),
}


def cells_of(data: str, note: str = "") -> Cells:
    """The cells of one data set."""
    students = DATA_SETS[data].students
    return Cells(
        "choose", data, note=note, images_per_class=PER_CLASS, sets=SETS, students=students, network="convnet3", seed=0
    )


def cell(bench: Bench, rule: Callable, seed: int) -> dict:
    """Validation accuracies of the students of one set."""
    images, _ = kept_set(bench, PER_CLASS, rule, seed)
    seeds = student_seeds(seed, bench.name)
    return {"students": student_scores(bench, images, short_recipe(PER_CLASS, "convnet3"), seeds)}


def validation_accuracy(cells: Cells, row: str, candidate: Mapping[str, Any]) -> float:
    """The mean over sets and students of one candidate.

    Raises `ValueError` where it has not been measured.
    """
    found = [cells.find(row=row, **candidate, seed=seed) for seed in range(SETS)]
    if None in found:
        data = cells.content["data"]
        raise ValueError(f"data {data!r} is not tuned yet. Run `python -m studies choose {data}` first.")
    return statistics.mean(statistics.mean(result["students"]) for result in found)


def scales_of(row: str) -> tuple[float, ...]:
    """The scales that a row meets with its first setting: none where it does not sample."""
    if not ROWS[row].samples:
        return ()
    return SCALES if len(ROWS[row].settings) > 1 else SIX_SCALES


def candidates(cells: Cells, row: str) -> list[dict[str, Any]]:
    """The six candidates of a row, scale and settings; the last three of a guided row once the first are known."""
    if not ROWS[row].samples:
        return [*ROWS[row].settings]
    first, *others = ROWS[row].settings
    scales = [{"scale": scale, **first} for scale in scales_of(row)]
    if not others or None in [cells.find(row=row, **one, seed=SETS - 1) for one in scales]:
        return scales
    best = max(scales, key=lambda one: validation_accuracy(cells, row, one))["scale"]
    return [*scales, *({"scale": best, **settings} for settings in others)]


def chosen(data: str, rows: Sequence[str] = tuple(ROWS)) -> dict[str, dict[str, Any]]:
    """The winner of each row, scale and settings, from the committed cells.

    Raises `ValueError` where a data set that is asked has not been tuned.
    """
    return {row: _pooled_winner(data, row) if row in POOLED else _winner(data, row) for row in rows}


def _winner(data: str, row: str) -> dict[str, Any]:
    cells = cells_of(data)
    return max(candidates(cells, row), key=lambda one: validation_accuracy(cells, row, one))


def _pooled_winner(data: str, row: str) -> dict[str, Any]:
    """The setting that is best in the mean over the data sets, at the scale that won on this one."""

    def reached(settings: dict[str, Any]) -> float:
        of_each = [(cells_of(name), {"scale": best_scale(name, row), **settings}) for name in DATA_SETS]
        return statistics.mean(validation_accuracy(cells, row, candidate) for cells, candidate in of_each)

    return {"scale": best_scale(data, row), **max(ROWS[row].settings, key=reached)}


def best_scale(data: str, row: str) -> float:
    """The scale at which the first setting of a guided row did best."""
    cells = cells_of(data)
    tried = candidates(cells, row)[: len(scales_of(row))]
    return max(tried, key=lambda one: validation_accuracy(cells, row, one))["scale"]


def run(data: str, *, rows: Sequence[str] | None = None) -> None:
    """Compute what is missing."""
    bench = load_bench(data, "validation")
    cells = cells_of(data, bench.data.note)
    for row in rows or ROWS:
        known = 0
        while known < len(tried := candidates(cells, row)):  # the last three come once the first three are known
            for one in tried[known:]:
                rule = ROWS[row].bind(**one)
                for seed in range(SETS):
                    cells(functools.partial(cell, bench, rule, seed), row=row, **one, seed=seed)
            known = len(tried)
        print(f"{data} {row}: {_winner(data, row)}", flush=True)
