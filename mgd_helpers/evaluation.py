"""What a small set of images is worth: accuracy of students and of 1-nearest neighbour on held-out images, distances.

Rows are paired: every set is learnt by students of the same seeds. The accuracy is that of the last step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mgd_helpers import fidelity, neighborhoods
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data import Dataset, ImageSet, load_data, read_generated
from mgd_helpers.fidelity import Features
from mgd_helpers.linalg import nearest, two_sets
from mgd_helpers.seeding import generator
from mgd_helpers.students import Recipe, accuracy, train_students

if TYPE_CHECKING:
    import pandas

Source = str | Path | ImageSet

REAL_ROWS = 5000  # training images that MMD is taken to: all pairs of more are minutes, and hardly steadier


def evaluate(
    generated: Source | Mapping[str, Source],
    *,
    against: str | Path | Dataset,
    students: int = 3,
    seed: int = 0,
    features: Features | None = None,
    recipe: Recipe = Recipe(),  # noqa: B008  (frozen)
    device: str | torch.device | None = None,
) -> pandas.DataFrame:
    """Compare one set, or several by name, with the real data set `against`; one row per set.

    A set is a folder with one sub-folder per class (made by any method; sub-folders are matched by class name), or an
    `ImageSet`. Columns: `images`; `student`, the mean accuracy of `students` ConvNet-3 on the held-out test split, with
    its standard deviation `student_sd` over their seeds; `nearest_neighbor`, the accuracy of 1-NN on pixels; and
    `mmd_<name>`, the unbiased squared MMD to the training split, or to 5,000 images of it drawn once and for all, on
    `features` (name, function of images), by default pixels. `recipe` says how the students are trained, `device`
    where all is computed: by default where the test images lie. `features` are asked for 500 images at a time.

    `attrs` of the table say what it was made with: `against`, the data set; `test_images`, how many; its `note`; and
    `accuracies`, name -> one number per student. Those of several sets are what `paired.paired_difference` compares.

    >>> table = evaluate(load_data("digits").train, against="digits", students=0)
    >>> table.round(2)["nearest_neighbor"].item(), table.attrs["test_images"]
    (0.99, 297)
    """
    import pandas

    rows, accuracies = {}, {}
    name, function = features or ("pixels", None)
    for row, images, data in _sets(generated, against, device):
        if not rows:
            chosen = torch.randperm(len(data.train), generator=generator(0))[:REAL_ROWS].sort().values
            chosen = data.train.images[chosen.to(data.train.images.device)].to(data.test.images.device)
            real = fidelity.feature_rows(chosen, function)
        accuracies[row] = student_accuracies(images, data, students=students, seed=seed, recipe=recipe)
        scores = torch.tensor(accuracies[row])
        rows[row] = {
            "images": len(images),
            "student": scores.mean().item(),
            "student_sd": scores.std().item() if len(scores) > 1 else float("nan"),
            "nearest_neighbor": nearest_neighbor_accuracy(images, data.test),
            f"mmd_{name}": fidelity.mmd(generated=fidelity.feature_rows(images.images, function), real=real),
        }
    table = pandas.DataFrame.from_dict(rows, orient="index")
    table.attrs = _made_with(data) | {"accuracies": accuracies}
    return table


def measure(
    generated: Source | Mapping[str, Source],
    *,
    against: str | Path | Dataset,
    features: Features | None = None,
    device: str | torch.device | None = None,
) -> pandas.DataFrame:
    """How far one set, or several by name, are from the held-out test split of `against`; one row per set, no student.

    Sets are given as to `evaluate`; columns are those of `distances`. `features` (name, function of images) should be
    a network's, and the caption of the table should say which; without them distances are those of pixels. Compare
    rows of equally many images only. Needs torchmetrics, and six images per set.
    """
    import pandas

    rows, real = {}, None
    function = features and features[1]
    for row, images, data in _sets(generated, against, device):
        real = fidelity.feature_rows(data.test.images, function) if real is None else real
        rows[row] = {"images": len(images)} | distances(
            generated=fidelity.feature_rows(images.images, function),
            real=real,
            generated_labels=images.labels,
            real_labels=data.test.labels,
        )
    table = pandas.DataFrame.from_dict(rows, orient="index")
    table.attrs = _made_with(data) | {"features": features[0] if features else "pixels"}
    return table


def distances(
    *,
    generated: Float[Tensor, "n d"],
    real: Float[Tensor, "m d"],
    generated_labels: Int[Tensor, " n"],
    real_labels: Int[Tensor, " m"],
) -> dict[str, float]:
    """All that `fidelity` and `neighborhoods` say of two sets of features, but MMD, by name.

    `frechet_distance`, `kernel_distance`, `embedding_distance`; `precision`, `recall`, `density`, `coverage`;
    `representativeness` and `diversity`, each also for the worst twentieth (`…_5`). Needs six rows on each side.
    """
    generated, real = two_sets(generated, real, at_least=6)
    pair = {"generated": generated, "real": real}
    return {
        "frechet_distance": fidelity.frechet_distance(**pair),
        "kernel_distance": fidelity.kernel_distance(**pair),
        "embedding_distance": fidelity.embedding_distance(
            **pair, generated_labels=generated_labels, real_labels=real_labels
        ),
        **neighborhoods.precision_recall(**pair),
        "representativeness": neighborhoods.representativeness(**pair),
        "representativeness_5": neighborhoods.representativeness(**pair, quantile=0.05),
        "diversity": neighborhoods.diversity(generated=generated),
        "diversity_5": neighborhoods.diversity(generated=generated, quantile=0.05),
    }


def student_accuracies(
    images: ImageSet,
    data: Dataset,
    *,
    students: int,
    seed: int = 0,
    recipe: Recipe = Recipe(),  # noqa: B008
) -> list[float]:
    """Held-out accuracies of `students` networks trained on `images`, of seeds `seed`, `seed` + 1, …"""
    seeds = range(seed, seed + students)
    trained = train_students(images.images, images.labels, n_classes=len(data.class_names), seeds=seeds, recipe=recipe)
    return [accuracy(student, data.test.images, data.test.labels) for student in trained]


def nearest_neighbor_accuracy(train: ImageSet, test: ImageSet) -> float:
    """The share of test images whose nearest image of `train` (Euclidean, on pixels) has their label."""
    indices = nearest(test.images.flatten(1), train.images.flatten(1), n_neighbors=1)[:, 0]
    return (train.labels[indices] == test.labels).float().mean().item()


def _sets(generated, against, device) -> Iterator[tuple[str, ImageSet, Dataset]]:
    """Name, images and real data of every row, test images on the device too; misfits are refused before any work."""
    data = against if isinstance(against, Dataset) else load_data(against)
    if len(data.test) == 0:
        raise ValueError(f"against must have a test split; {data.name!r} has none. Pass a Dataset with .test filled.")
    if not isinstance(generated, Mapping):
        generated = {"generated" if isinstance(generated, ImageSet) else str(generated): generated}
    if not generated:
        raise ValueError("generated must hold at least one set; got none.")
    sets = {name: source if isinstance(source, ImageSet) else read_generated(source, data)
            for name, source in generated.items()}  # fmt: skip
    for name, images in sets.items():
        _check_fits(name, images, data)
    device = data.test.images.device if device is None else device
    data = replace(data, test=data.test.to(device))
    for name, images in sets.items():
        yield name, images.to(device), data


def _made_with(data: Dataset) -> dict[str, str | int]:
    return {"against": data.name, "test_images": len(data.test), "note": data.note}


def _check_fits(name, images: ImageSet, data: Dataset):
    expected, got = data.train.images.shape[1:], images.images.shape[1:]
    if expected != got:
        raise ValueError(f"generated {name!r} has images {list(got)}, but {data.name!r} has {list(expected)}.")
    labels = set(images.labels.tolist())
    if max(labels, default=0) >= len(data.class_names):
        classes = len(data.class_names)
        raise ValueError(f"generated {name!r} has labels up to {max(labels)}; {data.name!r} has {classes} classes.")
    missing = sorted(set(range(len(data.class_names))) - labels)
    if missing:
        raise ValueError(
            f"generated {name!r} holds no image of class {[data.class_names[label] for label in missing][:5]}; "
            "a fair comparison needs every class."
        )
