"""Guidance of whole sets and of single images against sampling without: how much longer a set of images takes."""

from __future__ import annotations

import argparse
from functools import partial

import torch

from benchmarks.harness import record, seconds_each
from mgd_helpers import Targets, load_pipeline, sample, seeding
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.guidance.factories import GUIDANCES

NAMES = ("none", "mode", "manifold", "match", "transport", "match+transport")
PIPELINES = ("digits", "fashion_mnist", "cifar10")
CLASSES, POINTS = 10, 4800  # real latents of a class
PROMISED = 1.15


def guidance_of(name: str, shape: tuple[int, ...], *, images: int, seed: int) -> dict[int, object]:
    """The guidance of every class by name, among random latents: times depend on shapes."""
    made = {}
    for label in range(CLASSES):
        cloud = torch.randn(POINTS, *shape, generator=seeding.generator(seed, label))
        targets = Targets(cloud[:images], tuple(range(images)), ())
        made[label] = GUIDANCES[name](targets, cloud, seed)
    return made


def main(options: argparse.Namespace) -> None:
    """The shipped pipelines, a set of ten images for each of ten classes in one batch; trees are grown beforehand."""
    images, steps, pipelines = (2, 2, PIPELINES[:1]) if options.quick else (10, 25, PIPELINES)
    labels = [label for label in range(CLASSES) for _ in range(images)]
    keys = [(label, image) for label in range(CLASSES) for image in range(images)]
    rows = []
    for name in pipelines:
        pipe = load_pipeline(name, device=options.device)
        config = pipe.transformer.config
        shape = (config.in_channels, config.sample_size, config.sample_size)
        made = [
            partial(
                sample,
                pipe,
                labels,
                keys=keys,
                guidance=guidance_of(guidance, shape, images=images, seed=options.seed),
                seed=options.seed,
                steps=steps,
                guidance_scale=PROFILES[name].guidance_scale,
                batch_size=len(labels),
            )
            for guidance in NAMES
        ]
        taken = seconds_each(made, repeats=1 if options.quick else 3)
        rows += [
            {
                "pipeline": name,
                "guidance": guidance,
                "seconds": seconds,
                "ratio": seconds / taken[0],
                "promised": PROMISED if guidance.startswith("match") else None,
            }
            for guidance, seconds in zip(NAMES, taken, strict=True)
        ]
    record("sets", rows, options=options, images_per_class=images, classes=CLASSES, points=POINTS, steps=steps)
