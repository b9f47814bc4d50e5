"""Choose the settings of every guided row with one budget, on real training images held back.

    python -m studies tune digits

Every row gets the same number of candidates, sets and students. Sets are made without the images held back, so that
nothing is measured on what it was made from; the pipeline itself was trained on them, for all rows alike. The test
split is not looked at.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Mapping
from typing import Any

from mgd_helpers.guidance import factories
from studies import rules
from studies.cells import Cells
from studies.data_sets import DATA_SETS
from studies.protocol import Bench, load_bench
from studies.scores import short_recipe, student_scores, student_seeds
from studies.sets import kept_set

PER_CLASS, SETS = 10, 3

# six candidates for each row; strengths about evenly spaced in their logarithm
SMALL, LARGE = {"n_neighbors": 12, "rank": 3}, {"n_neighbors": 24, "rank": 8}
CANDIDATES = {
    "mode": [functools.partial(factories.mode, strength=strength) for strength in (0.03, 0.06, 0.12, 0.25, 0.5, 1.0)],
    "tangent": [
        functools.partial(factories.manifold, strength=strength, softness=1.0, **neighborhood)
        for neighborhood in (SMALL, LARGE)
        for strength in (0.12, 0.35, 1.0)
    ],
    "soft": [
        functools.partial(factories.manifold, strength=strength, softness=0.5, **neighborhood)
        for neighborhood in (SMALL, LARGE)
        for strength in (0.06, 0.2, 0.6)
    ],
    "released": [
        functools.partial(factories.released, strength=strength) for strength in (0.01, 0.03, 0.06, 0.1, 0.2, 0.5)
    ],
}
MATCHING = [
    functools.partial(rules.distribution_matching, steps=100, learning_rate=learning_rate)
    for learning_rate in (1.0, 3.0, 10.0)
]  # one set each: what it does to the pixels differs by more than sets do


def chosen(data: str) -> dict[str, functools.partial]:
    """The winner of each guided row, from the committed cells.

    Raises `ValueError` where the data set has not been tuned.
    """
    cells = cells_of(data)
    return {
        row: max(pulls, key=lambda pull: validation_accuracy(cells, row, pull.keywords))
        for row, pulls in CANDIDATES.items()
    }


def matching(data: str) -> functools.partial:
    """Distribution matching with the learning rate that won; of two that are level, the higher.

    Raises `ValueError` where the data set has not been tuned.
    """
    cells = cells_of(data)
    return max(
        reversed(MATCHING), key=lambda rule: validation_accuracy(cells, "distribution matching", rule.keywords, 1)
    )


def validation_accuracy(cells: Cells, row: str, candidate: Mapping[str, Any], sets: int = SETS) -> float:
    """The mean over sets and students of one candidate.

    Raises `ValueError` where it has not been measured.
    """
    found = [cells.find(row=row, **candidate, seed=seed) for seed in range(sets)]
    if None in found:
        table, data = cells.content["table"], cells.content["data"]
        raise ValueError(f"data {data!r} is not tuned yet. Run `python -m studies {table} {data}` first.")
    return statistics.mean(statistics.mean(result["students"]) for result in found)


def cells_of(data: str, note: str = "", *, table: str = "tune") -> Cells:
    """The cells of this table, or of `"choose"`, which has the same settings."""
    students = DATA_SETS[data].students
    return Cells(
        table, data, note=note, images_per_class=PER_CLASS, sets=SETS, students=students, network="convnet3", seed=0
    )


def cell(bench: Bench, rule: Callable, seed: int) -> dict:
    """Validation accuracies of the students of one set."""
    images, _ = kept_set(bench, PER_CLASS, rule, seed)
    seeds = student_seeds(seed, bench.name)
    return {"students": student_scores(bench, images, short_recipe(PER_CLASS, "convnet3"), seeds)}


def run(data: str) -> None:
    """Compute what is missing."""
    bench = load_bench(data, "validation")
    cells = cells_of(data, bench.data.note)
    for seed in range(SETS):
        cells(functools.partial(cell, bench, rules.unguided, seed), row="unguided", seed=seed)
    for row, pulls in CANDIDATES.items():
        for pull in pulls:
            rule = functools.partial(rules.guided, pull=pull)
            for seed in range(SETS):
                cells(functools.partial(cell, bench, rule, seed), row=row, **pull.keywords, seed=seed)
    for rule in MATCHING:
        cells(functools.partial(cell, bench, rule, 0), row="distribution matching", **rule.keywords, seed=0)
    for row, pull in chosen(data).items():
        print(f"{data} {row}: {pull.keywords}")
