"""Guidance on whole sets against guidance to single targets, each at the scale it won with.

    python -m studies sets digits

On the test split, with the settings that `choose` found on the validation split. Three ResNets learn from each set, so
that the luck of one does not decide.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from mgd_helpers.guidance import factories
from studies import choose, rules
from studies.cells import Cells
from studies.data_sets import DATA_SETS
from studies.protocol import SETS, STEPS, Bench, load_bench
from studies.scores import nearest_neighbor, short_recipe, student_scores
from studies.sets import kept_set

RESNETS = 3  # students of each set of ten images per class; one otherwise
SHORT_STEPS = 50  # of distribution matching: about as long as the dearest guided row takes
REAL = {
    "random real": rules.random_real,
    "herding": rules.herding,
    "k-centre": rules.k_center,
    "nearest real": rules.nearest_real,
    "round trip": rules.round_trip,
    "decoded targets": rules.decoded_targets,
}
PACKAGED = {"match": factories.match, "match+transport": factories.match_transport}  # as cheap as the package has them
SHORT = "distribution matching, short"
ROWS = (*REAL, *choose.ROWS, SHORT)


def rules_by_name(data: str, rows: Sequence[str] | None = None) -> dict[str, Callable]:
    """The rules of the table by name, or of some of its rows, with the settings that won on the validation split."""
    return {row: REAL.get(row) or _tuned(data, row) for row in rows or ROWS}


def _tuned(data: str, row: str) -> Callable:
    if row == SHORT:
        return functools.partial(_tuned(data, "distribution matching"), steps=SHORT_STEPS)
    won = choose.chosen(data, [row])[row]
    if row in PACKAGED:
        settings = {name: value for name, value in won.items() if name != "scale"}
        pull = functools.partial(PACKAGED[row], **settings)
        return functools.partial(rules.guided, pull=pull, scale=won["scale"])
    return choose.ROWS[row].bind(**won)


def students_of(data: str, network: str, images_per_class: int) -> int:
    """How many students learn from each set."""
    if network == "convnet3":
        return DATA_SETS[data].students
    return RESNETS if images_per_class == 10 else 1


def cell(bench: Bench, images_per_class: int, rule: Callable, seed: int, network: str) -> dict:
    """Accuracies of students of one set, and of its nearest neighbors."""
    images, seconds = kept_set(bench, images_per_class, rule, seed)
    seeds = [1000 * seed + student for student in range(students_of(bench.name, network, images_per_class))]
    return {
        "students": student_scores(bench, images, short_recipe(images_per_class, network), seeds),
        "nearest_neighbor": nearest_neighbor(bench, images),
        "seconds": round(seconds, 2),
    }


def run(
    data: str,
    *,
    images_per_class: Sequence[int] = (10,),
    networks: Sequence[str] = ("convnet3", "resnet18"),
    rows: Sequence[str] | None = None,
    sets: int = SETS,
) -> None:
    """Compute what is missing."""
    bench, rules_of_rows = load_bench(data), rules_by_name(data, rows)
    cells = Cells("sets", data, note=bench.data.note, steps=STEPS, resnets=RESNETS)
    for network in networks:
        for images in images_per_class:
            for seed in range(sets):  # set by set, so that an interrupted table has whole pairs
                for row in rules_of_rows:
                    compute = functools.partial(cell, bench, images, rules_of_rows[row], seed, network)
                    cells(compute, images_per_class=images, network=network, row=row, seed=seed)
