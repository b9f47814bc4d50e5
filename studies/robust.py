"""Is a set good, or only its labels and the augmentation of its students?

    python -m studies robust digits

Students of the main table's sets, twice more: on soft labels, which a network trained on all real training images
gives, and on hard labels without augmentation. `tables.robust_table` makes DD-Ranking's scores of them (arXiv
2505.13300), against random real images that are treated alike.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

from mgd_helpers.students.training import soft_labels
from studies.cells import Cells
from studies.main_table import rules_by_name
from studies.protocol import Bench, load_bench
from studies.scores import real_student, short_recipe, student_scores, student_seeds
from studies.sets import kept_set

PER_CLASS, SETS = 10, 3


def cell(bench: Bench, rule: Callable, seed: int) -> dict:
    """Accuracies of the first student of one set, on soft labels and without augmentation."""
    images, _ = kept_set(bench, PER_CLASS, rule, seed)
    recipe, seeds = short_recipe(PER_CLASS, "convnet3"), student_seeds(seed, bench.name)[:1]
    labels = soft_labels(real_student(bench, 0), images.images)
    return {
        "soft": student_scores(bench, images, recipe, seeds, labels),
        "plain": student_scores(bench, images, replace(recipe, augmentation="none"), seeds),
    }


def run(data: str, *, rows: Sequence[str] | None = None, sets: int = SETS) -> None:
    """Compute what is missing."""
    bench, rules_of_rows = load_bench(data), rules_by_name(data)
    cells = Cells("robust", data, note=bench.data.note, images_per_class=PER_CLASS, students=1)
    for seed in range(sets):
        for row in rows or rules_of_rows:
            cells(functools.partial(cell, bench, rules_of_rows[row], seed), row=row, seed=seed)
