"""Is a set good, or only its labels and the augmentation of its students? `python studies/robust.py digits`

Students of the main table's sets, twice more: on soft labels, which a network trained on all real training images
gives, and on hard labels without augmentation. `report.robust_table` makes DD-Ranking's scores of them (arXiv
2505.13300), against random real images that are treated alike.
"""

from __future__ import annotations

import argparse
import functools
from dataclasses import replace

import main_table
import protocol

from mgd_helpers.students.training import soft_labels

PER_CLASS, SETS = 10, 3


def cell(stand, rule, seed) -> dict:
    images, _ = protocol.kept_set(stand, PER_CLASS, rule, seed)
    how = protocol.recipe(stand.name, PER_CLASS, "convnet3")
    seeds = protocol.student_seeds(seed, stand.name)[:1]
    labels = soft_labels(protocol.real_student(stand, 0), images.images)
    return {
        "soft": protocol.student_scores(stand, images, how, seeds, labels),
        "plain": protocol.student_scores(stand, images, replace(how, augmentation="none"), seeds),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=("digits", "fashion_mnist", "cifar10"))
    parser.add_argument("--rows", nargs="+", help="by default all")
    parser.add_argument("--sets", type=int, default=SETS)
    asked = parser.parse_args()
    stand, table = protocol.bench(asked.data), main_table.rows(asked.data)
    cells = protocol.Cells("robust", asked.data, note=stand.data.note, images_per_class=PER_CLASS, students=1)
    for seed in range(asked.sets):
        for name in asked.rows or table:
            cells(f"{name}/{seed}", functools.partial(cell, stand, table[name], seed))


if __name__ == "__main__":
    main()
