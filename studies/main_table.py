"""The main table: every row, by students, and by a nearest neighbor that needs no training.

python -m studies main digits
python -m studies main cifar10 --images-per-class 10 --networks resnet18 --sets 3
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence

from studies import rules, tune
from studies.cells import Cells
from studies.data_sets import DATA_SETS
from studies.protocol import SETS, STEPS, Bench, load_bench
from studies.scores import accuracy_of, nearest_neighbor, real_student, short_recipe, student_scores, student_seeds
from studies.sets import kept_set

MINIMAX_STEPS = 300


def rules_by_name(data: str) -> dict[str, Callable]:
    """The rules of the table by name; guided ones with the settings that won on the validation split."""
    return {
        **rules.REAL,
        "unguided": rules.unguided,
        "unguided, DDPM": functools.partial(rules.unguided, sampler="DDPMScheduler", steps=50),  # what mgd3 runs on
        "mgd3": rules.mgd3,
        **{row: functools.partial(rules.guided, pull=pull) for row, pull in tune.chosen(data).items()},
        "distribution matching": tune.matching(data),
        "minimax": functools.partial(rules.minimax, steps=MINIMAX_STEPS),
    }


def cell(bench: Bench, images_per_class: int, rule: Callable, seed: int, network: str, *, resnets: int = 1) -> dict:
    """Accuracies of students of one set, and of its nearest neighbors."""
    images, seconds = kept_set(bench, images_per_class, rule, seed)
    seeds = student_seeds(seed, bench.name, network, resnets=resnets)
    return {
        "students": student_scores(bench, images, short_recipe(images_per_class, network), seeds),
        "nearest_neighbor": nearest_neighbor(bench, images),
        "seconds": round(seconds, 2),
    }


def full_real(bench: Bench, seed: int) -> dict:
    """The end of the scale: a student of all training images."""
    return {"accuracy": accuracy_of(bench, real_student(bench, seed))}


def run(
    data: str,
    *,
    images_per_class: Sequence[int] = (10, 1, 50),
    networks: Sequence[str] = ("convnet3", "resnet18"),
    rows: Sequence[str] | None = None,
    sets: int = SETS,
) -> None:
    """Compute what is missing."""
    bench, rules_of_rows = load_bench(data), rules_by_name(data)
    cells = Cells("main", data, note=bench.data.note, steps=STEPS)
    for seed in range(DATA_SETS[data].students):
        cells(functools.partial(full_real, bench, seed), row="full real", network="convnet3", seed=seed)
    fill(cells, bench, {row: rules_of_rows[row] for row in rows or rules_of_rows}, images_per_class, networks, sets)


def fill(
    cells: Cells,
    bench: Bench,
    rules_of_rows: Mapping[str, Callable],
    images_per_class: Sequence[int],
    networks: Sequence[str],
    sets: int,
    *,
    cell: Callable = cell,
) -> None:
    """Compute the cells that a table of these rows lacks."""
    for network, images in itertools.product(networks, images_per_class):
        for seed in range(sets):  # set by set, so that an interrupted table has whole pairs
            for row, rule in rules_of_rows.items():
                compute = functools.partial(cell, bench, images, rule, seed, network)
                cells(compute, images_per_class=images, network=network, row=row, seed=seed)
