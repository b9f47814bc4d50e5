"""What a set is judged by: students of one short recipe, the same for every row of a table, and nearest neighbors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from safetensors.torch import load_file, save_file

import mgd_helpers as mgd
from mgd_helpers.data.files import write
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy
from mgd_helpers.students import networks
from mgd_helpers.students.training import Recipe, accuracy, train_student
from studies.data_sets import DATA_SETS
from studies.protocol import Bench


def short_recipe(images_per_class: int, network: str) -> Recipe:
    """The short recipe: set by hand on training images, the same for every row of a table."""
    steps = {1: 100, 10: 200, 50: 400}.get(images_per_class, 400)
    width, rate = (32, 0.02) if network.startswith("conv") else (8, 0.05)
    return Recipe(network=network, steps=steps, learning_rate=rate, width=width)


def student_seeds(set_seed: int, data: str) -> list[int]:
    """The ConvNets of set g are the same in every row, and other ones than those of set g + 1."""
    return [1000 * set_seed + student for student in range(DATA_SETS[data].students)]


def student_scores(
    bench: Bench, images: mgd.ImageSet, recipe: Recipe, seeds: Sequence[int], labels: torch.Tensor | None = None
) -> list[float]:
    """Accuracies after the last step of students of these seeds; `labels`, if given, replace those of the set."""
    labels = images.labels if labels is None else labels
    return [
        accuracy_of(bench, train_student(images.images, labels, n_classes=bench.n_classes, recipe=recipe, seed=seed))
        for seed in seeds
    ]


def real_student(bench: Bench, seed: int) -> torch.nn.Module:
    """A ConvNet-3 of all real training images: the end of the scale, and the features that distances are taken on."""
    images, labels = bench.data.train.images, bench.data.train.labels
    long = Recipe(steps=DATA_SETS[bench.name].real_steps, batch_size=64)
    file = bench.kept / f"real_{bench.name}_{bench.part}_{seed}.safetensors"
    if not file.exists():
        made = train_student(images, labels, n_classes=bench.n_classes, recipe=long, seed=seed)
        write(file, lambda path: save_file(made.state_dict(), path))
    shape = {"channels": images.shape[1], "n_classes": bench.n_classes, "image_size": images.shape[-1]}
    student = networks.build(long.network, **shape, width=long.width)
    student.load_state_dict(load_file(file))
    return student.eval()


def accuracy_of(bench: Bench, student: torch.nn.Module) -> float:
    """The share of the test images that a student names, to five digits."""
    return round(accuracy(student, bench.data.test.images, bench.data.test.labels), 5)


def nearest_neighbor(bench: Bench, images: mgd.ImageSet) -> float:
    """The share of the test images that the nearest image of a set names, to five digits."""
    return round(nearest_neighbor_accuracy(images, bench.data.test), 5)


def rounded(value):
    """Five significant digits, also inside of intervals."""
    if isinstance(value, tuple | list):
        return [rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
