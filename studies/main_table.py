"""The main table: every row, on one data set, by students and by measures that need none.

python studies/main_table.py digits
python studies/main_table.py cifar10 --images-per-class 10 --networks resnet18 --sets 3
"""

from __future__ import annotations

import argparse
import functools
import itertools

import protocol
import rules
import tune

from mgd_helpers.students.training import accuracy

MINIMAX_STEPS = 300


def rows(data: str) -> dict:
    """The rules of the table by name; guided ones with the settings that won on the validation split."""
    winners = tune.chosen(data)
    return {
        "random real": rules.random_real,
        "herding": rules.herding,
        "k-centre": rules.k_center,
        "nearest real": rules.nearest_real,
        "round trip": rules.round_trip,
        "decoded targets": rules.decoded_targets,
        "unguided": rules.unguided,
        "unguided, DDPM": functools.partial(rules.unguided, sampler="DDPMScheduler", steps=50),  # what mgd3 runs on
        "mgd3": rules.mgd3,
        **{name: functools.partial(rules.guided, pull=pull) for name, pull in winners.items()},
        "distribution matching": tune.matching(data),
        "minimax": functools.partial(rules.minimax, steps=MINIMAX_STEPS),
    }


def students_cell(stand, images_per_class, rule, seed, network) -> dict:
    """Accuracies of students of one set, and of its nearest neighbours."""
    images, seconds = protocol.kept_set(stand, images_per_class, rule, seed)
    how = protocol.recipe(stand.name, images_per_class, network)
    seeds = protocol.student_seeds(seed, stand.name, network)
    return {
        "students": protocol.student_scores(stand, images, how, seeds),
        "nearest_neighbor": protocol.nearest_neighbor(stand, images),
        "seconds": round(seconds, 2),
    }


def full_real(stand, seed: int) -> float:
    """The end of the scale: a student of all training images."""
    test = stand.data.test
    return round(accuracy(protocol.real_student(stand, seed), test.images, test.labels), 5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=("digits", "fashion_mnist", "cifar10"))
    parser.add_argument("--images-per-class", type=int, nargs="+", default=[10, 1, 50])
    parser.add_argument("--networks", nargs="+", default=["convnet3", "resnet18"])
    parser.add_argument("--rows", nargs="+", help="by default all")
    parser.add_argument("--sets", type=int, default=protocol.SETS)
    asked = parser.parse_args()
    stand, table = protocol.bench(asked.data), rows(asked.data)
    cells = protocol.Cells("main", asked.data, note=stand.data.note, steps=protocol.STEPS)
    for seed in range(protocol.STUDENTS[asked.data]):
        cells(f"full real/convnet3/{seed}", functools.partial(full_real, stand, seed))
    for network, images_per_class in itertools.product(asked.networks, asked.images_per_class):
        for seed in range(asked.sets):  # set by set, so that an interrupted table has whole pairs
            for name in asked.rows or table:
                cell = functools.partial(students_cell, stand, images_per_class, table[name], seed, network)
                cells(f"{images_per_class}/{network}/{name}/{seed}", cell)


if __name__ == "__main__":
    main()
