"""`guidance="auto"`: a few guidances make small sets, and the one that teaches best makes the whole.

A fifth of the training images is held back; the sets are made from the others, with fewer images and steps, and judged
by a quick student on the images held back. What was tried, and what came out, stands in the record of the run, from
where a run that goes on takes its guidance. No test image is looked at.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from mgd_helpers import seeding
from mgd_helpers._shapes import Tensor
from mgd_helpers.appraising import SIDE, small
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.data.records import is_record, read_manifest
from mgd_helpers.data.splits import SHARE, split_rows
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy, student_accuracies
from mgd_helpers.guidance.factories import GUIDANCES
from mgd_helpers.guidance.options import OPTIONS, with_options
from mgd_helpers.making import rehearse
from mgd_helpers.manifest import check_settings
from mgd_helpers.progress import progress
from mgd_helpers.runs import AUTO, Batch, Run
from mgd_helpers.students.recipes import Recipe

# arguments of `distill`, the simplest first, which is taken where another one is not ahead
CANDIDATES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("none", {}),
    ("mode", {"strength": 0.1}),
    ("mode", {"strength": 0.3}),
    ("mode", {"strength": 1.0}),
    ("mode", {"strength": 1.0, "representative": "nearest_member"}),
    ("manifold", {}),
    ("match", {}),
    ("transport", {}),
    ("match+transport", {}),
)
CLASSES, IMAGES, STEPS, JUDGES = 10, 10, 25, 1000  # at most: classes, images of each, steps, images held back
STUDENTS, RECIPE = 2, Recipe(steps=100)


def choose(run: Run) -> Run:
    """The run with the guidance that its record names, or that does best now; a run without `"auto"` as it is.

    Raises `ValueError` where no class has two images, so that none can be held back.
    """
    if run.settings.get("guidance") != AUTO:
        return run
    manifest = read_manifest(run.out)
    if manifest is not None:
        check_settings(run.out, manifest, run.settings)  # before minutes of work
    chosen = manifest.get("chosen") if manifest is not None and is_record(manifest) else None
    if not (isinstance(chosen, dict) and chosen.get("guidance") in GUIDANCES):
        chosen = _tried(run)
    return _under(run, chosen)


def _under(run: Run, chosen: dict[str, Any]) -> Run:
    """The run under the guidance of a row, pulled to the targets that the row asks for."""
    options = {name: value for name, value in chosen.get("options", {}).items() if name in OPTIONS}
    return dataclasses.replace(run, factory=with_options(chosen["guidance"], options), chosen=chosen)


def _tried(run: Run) -> dict[str, Any]:
    """All candidates with their accuracies, and the best of them."""
    trial, labels = _small_run(run)
    count, settings = trial.settings["images_per_class"], trial.settings
    together = max(1, run.batch_size // count)
    groups = [labels[start : start + together] for start in range(0, len(labels), together)]
    keys = [[(label, index) for label in group for index in range(count)] for group in groups]
    own = trial.representative
    candidates = [
        {"guidance": name, "options": options}
        for name, options in CANDIDATES
        if options.get("representative") != own  # with the run's own it is the one before
    ]
    sets = rehearse(trial, [Batch(group, group) for group in keys], (_under(trial, one) for one in candidates))
    held_back = _numbered(trial.data.test, labels)
    side = min(SIDE, *held_back.shape[2:])
    judges = ImageSet(small(held_back, torch.arange(len(held_back)), side), held_back.labels.cpu())
    names = [trial.data.class_names[label] for label in labels]
    made_for = torch.tensor([place for place in range(len(labels)) for _ in range(count)])
    rows: list[dict[str, Any]] = []
    shown = progress(sets, "choose a guidance", total=len(candidates))
    for one, images in zip(candidates, shown, strict=True):
        learnt = ImageSet(small(images, torch.arange(len(images)), side), made_for)
        judged = Dataset("held back", learnt, judges, names)
        accuracies = student_accuracies(learnt, judged, students=STUDENTS, seed=settings["seed"], recipe=RECIPE)
        row = one | {"student": sum(accuracies) / STUDENTS}
        rows.append(row | {"nearest_neighbor": nearest_neighbor_accuracy(learnt, judges)})
    best = max(rows, key=lambda row: row["student"])  # of equal ones the first
    said = f"{len(judges)} training images held back, {len(labels)} classes, {count} images of each, "
    return {"guidance": best["guidance"], "options": best["options"], "on": f"{said}{settings['steps']} steps"} | {
        "tried": rows
    }


def _small_run(run: Run) -> tuple[Run, list[int]]:
    """A run of some classes on a part of the training images, with the rest of them to judge; and these classes."""
    train, seed = run.data.train, run.settings["seed"]
    kept, held_back = split_rows(train.labels.cpu(), SHARE, seed)
    judging = train.labels.cpu()[held_back].unique()
    if len(judging) == 0:
        raise ValueError(
            'guidance="auto" must have a class of two images at least, to hold one back; got one of each class. Name a '
            "guidance, for example guidance='mode'."
        )
    drawn = torch.randperm(len(judging), generator=seeding.generator(seed))[:CLASSES]
    labels = judging[drawn].sort().values.tolist()
    kept, held_back = (rows[torch.isin(train.labels.cpu()[rows], torch.tensor(labels))] for rows in (kept, held_back))
    held_back = held_back[torch.randperm(len(held_back), generator=seeding.generator(seed))[:JUDGES]].sort().values
    left, judges = (train.take(rows.to(train.labels.device)) for rows in (kept, held_back))
    fewest = int(left.labels.cpu().bincount()[labels].min())
    fewer = {
        "images_per_class": min(run.settings["images_per_class"], IMAGES, fewest),
        "steps": min(run.settings["steps"], STEPS),
    }
    latents = None if run.latents is None else run.latents[kept.to(run.latents.device)]
    data = dataclasses.replace(run.data, train=left, test=judges)
    return dataclasses.replace(run, data=data, latents=latents, settings=run.settings | fewer), labels


def _numbered(images: ImageSet, labels: list[int]) -> ImageSet:
    """The same images with their places among `labels` for labels."""
    found: Tensor = torch.searchsorted(torch.tensor(labels), images.labels.cpu())
    return images.with_labels(found)
