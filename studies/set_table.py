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

RESNETS = 3  # students of each set
CONTROL = "nearest real"
ROWS = (CONTROL, "unguided", "mode", "match+transport")


def rules_by_name(data: str, rows: Sequence[str] = ROWS) -> dict[str, Callable]:
    """The rules of the table by name, with the settings that won on the validation split."""
    won = choose.chosen(data, [row for row in rows if row != CONTROL])
    bound = {row: choose.ROWS[row].bind(**settings) for row, settings in won.items()}
    if "match+transport" in won:  # its settings are the package's defaults
        scale = won["match+transport"]["scale"]
        bound["match+transport"] = functools.partial(rules.guided, pull=factories.match_transport, scale=scale)
    return {row: bound.get(row, rules.nearest_real) for row in rows}


def students_of(data: str, network: str) -> int:
    """How many students learn from each set."""
    return DATA_SETS[data].students if network == "convnet3" else RESNETS


def cell(bench: Bench, images_per_class: int, rule: Callable, seed: int, network: str) -> dict:
    """Accuracies of students of one set, and of its nearest neighbors."""
    images, seconds = kept_set(bench, images_per_class, rule, seed)
    seeds = [1000 * seed + student for student in range(students_of(bench.name, network))]
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
    rows: Sequence[str] = ROWS,
    sets: int = SETS,
) -> None:
    """Compute what is missing."""
    bench, rules_of_rows = load_bench(data), rules_by_name(data, rows)
    cells = Cells("sets", data, note=bench.data.note, steps=STEPS, resnets=RESNETS)
    for network in networks:
        for images in images_per_class:
            for seed in range(sets):  # set by set, so that an interrupted table has whole pairs
                for row in rows:
                    compute = functools.partial(cell, bench, images, rules_of_rows[row], seed, network)
                    cells(compute, images_per_class=images, network=network, row=row, seed=seed)
