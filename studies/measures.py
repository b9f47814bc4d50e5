"""Measures that need no student, on features of a classifier trained on the real training images; and an audit.

    python -m studies measures digits

The classifier is our own ConvNet, so no distance here is called FID. All rows of a table have equally many images and
are held against the same real ones, the test split, which neither the sets nor the classifier were made from.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from mgd_helpers.evaluation import audit
from mgd_helpers.evaluation.fidelity import feature_rows, mmd
from mgd_helpers.evaluation.tables import distances
from studies.cells import Cells
from studies.data_sets import DATA_SETS, VALIDATION
from studies.main_table import rules_by_name
from studies.protocol import STEPS, Bench, held_back, load_bench
from studies.scores import real_student, rounded, short_recipe
from studies.sets import kept_set

SETS = 3
HELD_OUT = VALIDATION  # in audits; each is compared with every training image


@functools.lru_cache(maxsize=1)
def classifier(bench: Bench) -> torch.nn.Module:
    """The network on whose features distances are taken."""
    return real_student(bench, 0)


@functools.lru_cache(maxsize=1)
def real_features(bench: Bench) -> torch.Tensor:
    """Features of the real images that every set is held against."""
    return feature_rows(bench.data.test.images, classifier(bench).features)


def distances_cell(bench: Bench, images_per_class: int, rule: Callable, seed: int) -> dict:
    """All distances of one set to the held-out real images."""
    images, _ = kept_set(bench, images_per_class, rule, seed)
    generated, real = feature_rows(images.images, classifier(bench).features), real_features(bench)
    labels = {"generated_labels": images.labels, "real_labels": bench.data.test.labels}
    found = distances(generated=generated, real=real, **labels) | {"mmd": mmd(generated=generated, real=real[:2000])}
    return {name: rounded(value) for name, value in found.items()}


def audit_cell(bench: Bench, images_per_class: int, rule: Callable, seed: int) -> dict:
    """Whether one set gives away the images it was made from; held-out images are `HELD_OUT` of the test split."""
    images, _ = kept_set(bench, images_per_class, rule, seed)
    data, test = bench.data, bench.data.test
    if len(test) > HELD_OUT:
        data = replace(data, test=test.take(held_back(test)[0]))
    found = audit(images, against=data, recipe=short_recipe(images_per_class, "convnet3"), seed=seed).as_dict()
    counts = {name: len(found.pop(name)) for name in ("near_duplicates", "repeats")}
    return counts | {name: rounded(value) for name, value in found.items()}


def run(data: str, *, images_per_class: Sequence[int] = (10,), rows: Sequence[str] | None = None) -> None:
    """Compute what is missing."""
    bench, rules_of_rows = load_bench(data), rules_by_name(data)
    steps = {"steps": STEPS, "classifier_steps": DATA_SETS[data].real_steps}
    cells = Cells("measures", data, note=bench.data.note, **steps)
    for kind, compute, sets in (("distances", distances_cell, SETS), ("audit", audit_cell, 1)):
        for images in images_per_class:
            for seed in range(sets):
                for row in rows or rules_of_rows:
                    one = functools.partial(compute, bench, images, rules_of_rows[row], seed)
                    cells(one, images_per_class=images, kind=kind, row=row, seed=seed)
