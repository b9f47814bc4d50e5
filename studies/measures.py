"""Measures that need no student, on features of a classifier trained on the real training images.

    python studies/measures.py digits

The classifier is our own ConvNet, so no distance here is called FID. All rows of a table have equally many images and
are held against the same real ones, the test split, which neither the sets nor the classifier were made from.
"""

from __future__ import annotations

import argparse
import functools
from dataclasses import replace

import main_table
import protocol
import torch

from mgd_helpers.evaluation.audits import audit
from mgd_helpers.evaluation.fidelity import feature_rows, mmd
from mgd_helpers.evaluation.tables import distances

SETS = 3
HELD_OUT = protocol.VALIDATION  # in audits; each is compared with every training image


@functools.cache
def classifier(name: str):
    return protocol.real_student(protocol.bench(name), 0)


@functools.cache
def real_features(name: str) -> torch.Tensor:
    return feature_rows(protocol.bench(name).data.test.images, classifier(name).features)


def measures(stand, images_per_class, rule, seed) -> dict:
    """All distances of one set to the held-out real images."""
    images, _ = protocol.kept_set(stand, images_per_class, rule, seed)
    made, real = feature_rows(images.images, classifier(stand.name).features), real_features(stand.name)
    labels = {"generated_labels": images.labels, "real_labels": stand.data.test.labels}
    found = distances(generated=made, real=real, **labels) | {"mmd": mmd(generated=made, real=real[:2000])}
    return {name: protocol.rounded(value) for name, value in found.items()}


def audited(stand, images_per_class, rule, seed) -> dict:
    """Whether one set gives away the images it was made from; held-out images are `HELD_OUT` of the test split."""
    images, _ = protocol.kept_set(stand, images_per_class, rule, seed)
    how = protocol.recipe(stand.name, images_per_class, "convnet3")
    data, test = stand.data, stand.data.test
    if len(test) > HELD_OUT:
        data = replace(data, test=test.take(protocol.held_back(test)[0]))
    found = audit(images, against=data, recipe=how, seed=seed).as_dict()
    counts = {name: len(found.pop(name)) for name in ("near_duplicates", "repeats")}
    return counts | {name: protocol.rounded(value) for name, value in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=("digits", "fashion_mnist", "cifar10"))
    parser.add_argument("--images-per-class", type=int, default=10)
    parser.add_argument("--rows", nargs="+", help="by default all")
    asked = parser.parse_args()
    stand, table = protocol.bench(asked.data), main_table.rows(asked.data)
    settings = {"steps": protocol.STEPS, "classifier_steps": protocol.REAL_STEPS[asked.data]}
    cells = protocol.Cells("measures", asked.data, note=stand.data.note, **settings)
    for seed in range(SETS):
        for name in asked.rows or table:
            cell = functools.partial(measures, stand, asked.images_per_class, table[name], seed)
            cells(f"{asked.images_per_class}/{name}/{seed}", cell)
    for name in asked.rows or table:
        cell = functools.partial(audited, stand, asked.images_per_class, table[name], 0)
        cells(f"{asked.images_per_class}/audit/{name}/0", cell)


if __name__ == "__main__":
    main()
