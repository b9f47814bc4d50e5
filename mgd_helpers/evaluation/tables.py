"""What a small set of images is worth: accuracy of students and of 1-nearest neighbour on held-out images, distances.

Rows are paired: every set is learnt by students of the same seeds. The accuracy is that of the last step.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.image_sets import Dataset, ImageSet, image_set
from mgd_helpers.data.splits import SHARE
from mgd_helpers.encoding.pipelines import Pipeline
from mgd_helpers.evaluation import fidelity, precision_recall
from mgd_helpers.evaluation.baseline_rows import baseline_sets
from mgd_helpers.evaluation.fidelity import NamedFeatures, feature_rows, name_and_function
from mgd_helpers.evaluation.origins import pipeline_of
from mgd_helpers.evaluation.reading import Reading, Source, read_sets
from mgd_helpers.linalg import Rows, nearest, two_sets
from mgd_helpers.students.recipes import Recipe, checked_recipe
from mgd_helpers.students.training import accuracy, train_students

if TYPE_CHECKING:
    import pandas

Metrics = Mapping[str, Callable[..., float | Mapping[str, float]]]

REAL_ROWS = 5000  # training images that MMD is taken to: all pairs of more are minutes, and hardly steadier


def evaluate(
    generated: Source | Mapping[str, Source],
    *,
    against: str | Path | Dataset,
    students: int = 3,
    seed: int = 0,
    features: NamedFeatures | None = None,
    metrics: Metrics | None = None,
    recipe: Recipe = Recipe(),  # noqa: B008  (frozen)
    device: str | torch.device | None = None,
    baselines: bool = True,
    pipeline: str | Path | Pipeline | None = None,
    split: float | Real | None = SHARE,
    image_column: str | None = None,
    label_column: str | None = None,
) -> pandas.DataFrame:
    """Compare one set, or several by name, with the real data set `against`; one row per set, and some of real images.

    A set is a folder with one sub-folder per class (made by any method; sub-folders are matched by class name), or an
    `ImageSet`. `features` (name, function of images) are pixels by default, and are asked for 500 images at a time.
    `recipe` says how the students are trained, `device` where all is computed: by default where the test images lie.

    With `baselines` the table has rows of real images, as many of each class as the sets have: `random real`, `herding`
    and `through autoencoder`, which are the random real images encoded and decoded by `pipeline`. That is by default
    the one that a folder's record names, if it is shipped or lies on this machine. Of data without a test split a share
    is held out, `split` of each class, which the note says; `None` refuses such data. Of data given by path
    `image_column` and `label_column` are those of `load_data`.

    Columns: `images`; `student`, the mean accuracy of `students` ConvNet-3 on the held-out test split; `student_sd`,
    its standard deviation over their seeds; `student_<seed>`, the accuracy of each, `student_0` and so on;
    `nearest_neighbor`, the accuracy of 1-NN on pixels; and `mmd_<name>`, the unbiased squared MMD to the training split
    on `features`, or to 5,000 images of it drawn once and for all. `metrics`, as of `measure` but with these same
    training images for the real ones, take the place of MMD. The single accuracies of several sets are what
    `paired.paired_difference` compares.

    `attrs` of the table say what it was made with: `against`, the data set; `test_images`, how many; and its `note`,
    which also says where a set was made from other data, or is the test split itself.

    >>> from mgd_helpers.data import load_data
    >>> table = evaluate({"all": load_data("digits").train}, against="digits", students=0, baselines=False)
    >>> table.round(2)["nearest_neighbor"].item(), table.attrs["test_images"]
    (0.99, 297)
    """
    students, seed = arguments.whole("students", students, at_least=0), arguments.whole("seed", seed, at_least=0)
    recipe, (name, function) = checked_recipe(recipe), name_and_function(features)
    metrics = _functions({f"mmd_{name}": fidelity.mmd} if metrics is None else metrics)
    baselines = arguments.flag("baselines", baselines)
    columns: dict[str, Any] = {"image_column": image_column, "label_column": label_column}
    reading = read_sets(generated, against=against, device=device, split=split, **columns)
    sets, said = dict(reading.sets), ""
    if baselines:
        pipeline = pipeline_of(reading.records) if pipeline is None else pipeline
        beside, said = baseline_sets(reading, pipeline=pipeline, seed=seed)
        sets |= beside
    data, train = reading.data, reading.data.train
    chosen = torch.randperm(len(train), generator=seeding.generator(0))[:REAL_ROWS].sort().values
    real = train.take(chosen).to(reading.device)
    real_rows = feature_rows(real, function)
    rows: dict[str, dict[str, Any]] = {}
    for row, images in sets.items():
        accuracies = student_accuracies(images, data, students=students, seed=seed, recipe=recipe)
        scores = torch.tensor(accuracies)
        rows[row] = {
            "images": len(images),
            "student": scores.mean().item(),
            "student_sd": scores.std().item() if len(scores) > 1 else float("nan"),
            **{f"student_{seed + student}": score for student, score in enumerate(accuracies)},
            "nearest_neighbor": nearest_neighbor_accuracy(images, data.test),
        }
        _add(rows[row], metrics, feature_rows(images, function), images.labels, real_rows, real.labels)
    return _table(rows, replace(reading, note=" ".join(filter(None, [reading.note, said]))))


def measure(
    generated: Source | Mapping[str, Source],
    *,
    against: str | Path | Dataset,
    features: NamedFeatures | None = None,
    metrics: Metrics | None = None,
    device: str | torch.device | None = None,
    split: float | Real | None = SHARE,
) -> pandas.DataFrame:
    """Measure how far one set, or several by name, are from the test split of `against`; one row per set, no student.

    Sets and `split` are given as to `evaluate`; columns are those of `distances`. `features` (name, function of images)
    should be a network's, and the caption of the table should say which; without them distances are those of pixels.
    Compare rows of equally many images only. Needs torchmetrics, and six images per set.

    `metrics` {name: function} are measured instead, whatever they need. A function gets, by keyword, those of four
    things that it names: `generated` and `real`, features [n, d] and [m, d], float32 or float64, on the device; and
    `generated_labels` and `real_labels`, int64 [n] and [m]. It returns a number, which stands in the column `name`, or
    a dictionary of numbers, whose keys are the columns. So every function of `fidelity` and `precision_recall` will do:

    >>> from mgd_helpers.data import load_data
    >>> data = load_data("digits")
    >>> def gap(*, generated, real):
    ...     return torch.dist(generated.mean(0), real.mean(0)).item()
    >>> table = measure(data.train, against=data, metrics={"gap": gap, "balls": precision_recall.precision_recall})
    >>> list(table.columns)
    ['images', 'gap', 'precision', 'recall', 'density', 'coverage']
    """
    name, function = name_and_function(features)
    metrics = _functions({"distances": distances} if metrics is None else metrics)
    reading = read_sets(generated, against=against, device=device, split=split)
    test = reading.data.test
    real = feature_rows(test, function)
    rows: dict[str, dict[str, Any]] = {}
    for row, images in reading.sets.items():
        rows[row] = {"images": len(images)}
        _add(rows[row], metrics, feature_rows(images, function), images.labels, real, test.labels)
    return _table(rows, reading, features=name)


def distances(
    *,
    generated: Float[Tensor, "n d"],
    real: Float[Tensor, "m d"],
    generated_labels: Int[Tensor, " n"],
    real_labels: Int[Tensor, " m"],
) -> dict[str, float]:
    """Measure two sets of features by all of `fidelity` and `precision_recall` but MMD, by name.

    `frechet_distance`, `kernel_distance`, `embedding_distance`; `precision`, `recall`, `density`, `coverage`;
    `representativeness` and `diversity`, each also for the worst twentieth (`…_5`). Needs six rows on each side.
    """
    generated, real = two_sets(generated, real, at_least=6)
    return {
        "frechet_distance": fidelity.frechet_distance(generated=generated, real=real),
        "kernel_distance": fidelity.kernel_distance(generated=generated, real=real),
        "embedding_distance": fidelity.embedding_distance(
            generated=generated, real=real, generated_labels=generated_labels, real_labels=real_labels
        ),
        **precision_recall.precision_recall(generated=generated, real=real),
        "representativeness": precision_recall.representativeness(generated=generated, real=real),
        "representativeness_5": precision_recall.representativeness(generated=generated, real=real, quantile=0.05),
        "diversity": precision_recall.diversity(generated=generated),
        "diversity_5": precision_recall.diversity(generated=generated, quantile=0.05),
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
    image_set("images", images)
    students, seed = arguments.whole("students", students, at_least=0), arguments.whole("seed", seed, at_least=0)
    seeds = range(seed, seed + students)
    trained = train_students(images, images.labels, n_classes=len(data.class_names), seeds=seeds, recipe=recipe)
    return [accuracy(student, data.test, data.test.labels) for student in trained]


def nearest_neighbor_accuracy(train: ImageSet, test: ImageSet) -> float:
    """The share of test images whose nearest image of `train` (Euclidean, on pixels) has their label."""
    train, test = image_set("train", train), image_set("test", test)
    cloud = Rows(len(train), lambda some: train.at(some).flatten(1))
    indices = nearest(test.images.flatten(1), cloud, n_neighbors=1)[:, 0]
    return (train.labels[indices] == test.labels).float().mean().item()


def _functions(metrics: Any) -> Metrics:
    if not isinstance(metrics, Mapping) or not all(callable(function) for function in metrics.values()):
        raise ValueError(f"metrics must be {{name: function}}; got {metrics!r}. For example {{'mmd': fidelity.mmd}}.")
    return metrics


def _add(
    row: dict[str, Any],
    metrics: Metrics,
    generated: Tensor,
    generated_labels: Tensor,
    real: Tensor,
    real_labels: Tensor,
) -> None:
    """Append the columns that metrics give to a row."""
    offered = {"generated": generated, "real": real, "generated_labels": generated_labels, "real_labels": real_labels}
    for name, function in metrics.items():
        named = inspect.signature(function).parameters
        found: Any = function(**{key: value for key, value in offered.items() if key in named})
        columns = found if isinstance(found, Mapping) else {name: found}
        for column, value in columns.items():
            if isinstance(value, Tensor) and value.numel() == 1:
                value = value.item()
            if isinstance(value, bool) or not isinstance(value, Real):
                raise ValueError(f"metrics[{name!r}] must return a number, or a dictionary of them; got {value!r}.")
            if column in row:
                raise ValueError(
                    f"metrics[{name!r}] must give new columns; got {column!r}, which is there already. Rename it."
                )
            row[column] = value


def _table(rows: dict[str, dict[str, Any]], reading: Reading, **more: str) -> pandas.DataFrame:
    import pandas

    table = pandas.DataFrame.from_dict(rows, orient="index")
    table.attrs.update(against=reading.data.name, test_images=len(reading.data.test), note=reading.note, **more)
    return table
