"""The main table: every row with the settings it won with, by ConvNets and by a nearest neighbor.

    python -m studies main digits
    python -m studies main cifar10 --images-per-class 10 --rows unguided mode --sets 3

The settings are those that `choose` found on the validation split; here the test split is looked at. What ResNets learn
from the same sets is in `students`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from mgd_helpers.guidance import factories
from studies import choose, rules
from studies.cells import Cells
from studies.data_sets import DATA_SETS
from studies.protocol import STEPS, Bench, load_bench
from studies.scores import accuracy_of, nearest_neighbor, real_student, short_recipe, student_scores, student_seeds
from studies.sets import kept_set

SETS = {10: 5, 1: 3, 50: 3}  # by images per class, here and in `students`
SHORT_STEPS = 50  # of distribution matching: about as long as match+transport takes in the mean over data sets
PACKAGED = {"match": factories.match, "match+transport": factories.match_transport}  # as cheap as the package has them
SHORT = "distribution matching, short"
ROWS = (*rules.REAL, *choose.ROWS, SHORT)


def rules_by_name(data: str, rows: Sequence[str] | None = None) -> dict[str, Callable]:
    """The rules of the table by name, or of some of its rows, with the settings that won on the validation split."""
    return {row: rules.REAL.get(row) or _tuned(data, row) for row in rows or ROWS}


def _tuned(data: str, row: str) -> Callable:
    if row == SHORT:
        return functools.partial(_tuned(data, "distribution matching"), steps=SHORT_STEPS)
    won = choose.chosen(data, [row])[row]
    if row in PACKAGED:
        settings = {name: value for name, value in won.items() if name != "scale"}
        pull = functools.partial(PACKAGED[row], **settings)
        return functools.partial(rules.guided, pull=pull, scale=won["scale"])
    return choose.ROWS[row].bind(**won)


def cell(bench: Bench, images_per_class: int, rule: Callable, seed: int) -> dict:
    """Accuracies of ConvNets that learned from one set, and of its nearest neighbors."""
    images, seconds = kept_set(bench, images_per_class, rule, seed)
    recipe = short_recipe(images_per_class, "convnet3")
    return {
        "students": student_scores(bench, images, recipe, student_seeds(seed, bench.name)),
        "nearest_neighbor": nearest_neighbor(bench, images),
        "seconds": round(seconds, 2),
    }


def full_real(bench: Bench, seed: int) -> dict:
    """The end of the scale: a student of all training images."""
    return {"accuracy": accuracy_of(bench, real_student(bench, seed))}


def run(
    data: str,
    *,
    images_per_class: Sequence[int] = tuple(SETS),
    rows: Sequence[str] | None = None,
    sets: int | None = None,
) -> None:
    """Compute what is missing."""
    bench, rules_of_rows = load_bench(data), rules_by_name(data, rows)
    cells = Cells("main", data, note=bench.data.note, steps=STEPS)
    for seed in range(DATA_SETS[data].students):
        cells(functools.partial(full_real, bench, seed), row="full real", network="convnet3", seed=seed)
    for images in images_per_class:
        for seed in range(sets or SETS[images]):  # set by set, so that an interrupted table has whole pairs
            for row, rule in rules_of_rows.items():
                compute = functools.partial(cell, bench, images, rule, seed)
                cells(compute, images_per_class=images, network="convnet3", row=row, seed=seed)
