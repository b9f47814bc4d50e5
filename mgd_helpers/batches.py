"""The images of a batch: what the pipeline is asked for each of them, from where it begins, and what guides it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch

from mgd_helpers import seeding
from mgd_helpers._shapes import Int, Tensor
from mgd_helpers.clustering.targets import Targets
from mgd_helpers.encoding.kinds import CLASSES, TEXT
from mgd_helpers.evaluation.chosen_rows import nearest_each
from mgd_helpers.guidance.sampling import sample
from mgd_helpers.methods import DIFFUSION
from mgd_helpers.runs import Batch, Run


def sample_batch(run: Run, batch: Batch, clouds: dict[int, torch.Tensor], targets: dict[int, Targets]) -> torch.Tensor:
    """All images of a batch, each in its place; guided are the sets that lack one, in full."""
    settings = run.settings
    guidances: dict[int, Any] = {}
    for label in dict.fromkeys(label for label, _ in batch.wanted):
        chosen = targets[label].take([index for of, index in batch.keys if of == label])
        key = (settings["seed"], label, batch.part) if batch.part else (settings["seed"], label)
        set_seed = seeding.generator(*key).initial_seed()
        guidances[label] = run.factory(chosen, clouds[label].to(run.pipe.device), set_seed)
    starts = _starts(run, batch, clouds, targets)
    found: dict[tuple[int, int], Tensor] = {}
    for pipe in {id(run.pipe_of(label)): run.pipe_of(label) for label, _ in batch.keys}.values():
        rows = [row for row, (label, _) in enumerate(batch.keys) if run.pipe_of(label) is pipe]
        keys = [batch.keys[row] for row in rows]
        images = sample(
            pipe,
            [asked(settings, label) for label, _ in keys],
            keys=keys,
            guidance={label: guidances.get(label) for label, _ in keys},
            seed=settings["seed"],
            steps=settings["steps"],
            guidance_scale=settings["guidance_scale"],
            batch_size=run.batch_size,
            start=None if starts is None else starts[rows],
            image_to_image=1.0 if starts is None else settings["image_to_image"],
        )
        black = int((images <= -1).flatten(1).all(1).sum())
        if black and getattr(pipe, "safety_checker", None) is not None:
            warnings.warn(
                f"{black} of {len(images)} images are black: the pipeline's safety checker took them out. Give other "
                "prompts or another seed.",
                stacklevel=2,
            )
        found |= dict(zip(keys, images, strict=True))
    return torch.stack([found[key] for key in batch.keys])


def asked(settings: Mapping[str, Any], label: int) -> int | dict:
    """What the pipeline is asked for an image of a class, as `sample` takes it."""
    if CLASSES in settings:
        return settings[CLASSES][label]
    sides = dict(zip(("height", "width"), settings.get("image_size", ()), strict=False))
    return ({TEXT: settings["prompts"][label]} if "prompts" in settings else {}) | sides


def starts_of(run: Run, clouds: Mapping[int, Tensor], targets: Mapping[int, Any]) -> dict[int, Int[Tensor, " k"]]:
    """The place in its class of the real image that each image begins from: the nearest to its target, none twice."""
    if run.method != DIFFUSION or run.settings.get("image_to_image") is None:
        return {}
    return {label: nearest_each(own.latents, clouds[label]) for label, own in targets.items()}


def _starts(run: Run, batch: Batch, clouds: dict[int, Tensor], targets: dict[int, Targets]) -> Tensor | None:
    """What each image of the batch begins from; zeros for classes that lack none."""
    wanted = {label: targets[label] for label in dict.fromkeys(label for label, _ in batch.wanted)}
    rows = starts_of(run, clouds, wanted)
    if not rows:
        return None
    blank = torch.zeros_like(next(iter(clouds.values()))[0])
    return torch.stack([clouds[label][rows[label][index]] if label in rows else blank for label, index in batch.keys])
