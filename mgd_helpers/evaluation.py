"""What a small set of images is worth: accuracy of students and of 1-nearest neighbour on held-out images, and MMD.

Rows are paired: every set is learnt by students of the same seeds. The accuracy is that of the last step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data import Dataset, ImageSet, load_data
from mgd_helpers.fidelity import mmd
from mgd_helpers.linalg import nearest
from mgd_helpers.students import Recipe, accuracy, train_student

if TYPE_CHECKING:
    import pandas

Source = str | Path | ImageSet


def evaluate(
    generated: Source | Mapping[str, Source],
    *,
    against: str | Path | Dataset,
    students: int = 3,
    seed: int = 0,
    features: tuple[str, Callable[[Tensor], Tensor]] | None = None,
    recipe: Recipe = Recipe(),  # noqa: B008  (frozen)
) -> pandas.DataFrame:
    """Compare one set, or several by name, with the real data set `against`; one row per set.

    A set is a folder with one sub-folder per class (made by any method; sub-folders are matched by class name), or an
    `ImageSet`. Columns: `images`; `student`, the mean accuracy of `students` ConvNet-3 on the held-out test split, with
    its standard deviation `student_sd` over their seeds; `nearest_neighbor`, the accuracy of 1-NN on pixels; and
    `mmd_<name>`, the unbiased squared MMD to the training split on `features` (name, function of images), by default
    pixels. `recipe` says how the students are trained.

    >>> evaluate(load_data("digits").train, against="digits", students=0).round(2)["nearest_neighbor"].item()
    0.99
    """
    import pandas

    data = against if isinstance(against, Dataset) else load_data(against)
    if len(data.test) == 0:
        raise ValueError(f"against must have a test split; {data.name!r} has none. Pass a Dataset with .test filled.")
    if not isinstance(generated, Mapping):
        generated = {"generated" if isinstance(generated, ImageSet) else str(generated): generated}
    name, function = features or ("pixels", pixels)
    rows = {}
    for row, source in generated.items():
        images = source if isinstance(source, ImageSet) else read_generated(source, data)
        _check_fits(row, images, data)
        scores = torch.tensor(student_accuracies(images, data, students=students, seed=seed, recipe=recipe))
        rows[row] = {
            "images": len(images),
            "student": scores.mean().item(),
            "student_sd": scores.std().item() if len(scores) > 1 else float("nan"),
            "nearest_neighbor": nearest_neighbor_accuracy(images, data.test),
            f"mmd_{name}": mmd(generated=function(images.images), real=function(data.train.images)),
        }
    return pandas.DataFrame.from_dict(rows, orient="index")


def pixels(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
    """The plainest features: the pixels themselves."""
    return images.flatten(1)


def student_accuracies(
    images: ImageSet,
    data: Dataset,
    *,
    students: int,
    seed: int = 0,
    recipe: Recipe = Recipe(),  # noqa: B008
) -> list[float]:
    """Held-out accuracies of `students` networks trained on `images`, of seeds `seed`, `seed` + 1, …"""
    trained = (
        train_student(images.images, images.labels, n_classes=len(data.class_names), seed=seed + student, recipe=recipe)
        for student in range(students)
    )
    return [accuracy(student, data.test.images, data.test.labels) for student in trained]


def nearest_neighbor_accuracy(train: ImageSet, test: ImageSet) -> float:
    """The share of test images whose nearest image of `train` (Euclidean, on pixels) has their label."""
    indices = nearest(test.images.flatten(1), train.images.flatten(1), n_neighbors=1)[:, 0]
    return (train.labels[indices] == test.labels).float().mean().item()


def read_generated(folder: str | Path, data: Dataset) -> ImageSet:
    """Read an image folder with the labels of `data`: its sub-folders carry class names of `data`, in any order."""
    found = load_data(folder, image_size=data.train.images.shape[-1])
    unknown = [name for name in found.class_names if name not in data.class_names]
    if unknown:
        raise ValueError(
            f"generated folder {str(folder)!r} holds classes {unknown[:5]} that {data.name!r} does not know; "
            f"its classes are {list(data.class_names)[:12]}."
        )
    order: Int[Tensor, " classes"] = torch.tensor([data.class_names.index(name) for name in found.class_names])
    return ImageSet(found.train.images, order[found.train.labels])


def _check_fits(name, images: ImageSet, data: Dataset):
    expected, got = data.train.images.shape[1:], images.images.shape[1:]
    if expected != got:
        raise ValueError(f"generated {name!r} has images {list(got)}, but {data.name!r} has {list(expected)}.")
    missing = sorted(set(range(len(data.class_names))) - set(images.labels.tolist()))
    if missing:
        raise ValueError(
            f"generated {name!r} holds no image of class {[data.class_names[label] for label in missing][:5]}; "
            "a fair comparison needs every class."
        )
