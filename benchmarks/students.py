"""Several students of one set trained at once (torch.func.vmap) against the same ones trained one after the other.

The set is 10 classes of 10 random images of 32 pixels: only the time counts here. `difference` is the largest
difference between weights of the two, over the largest weight; `times_faster` is above 1 where together is faster.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

import torch

from benchmarks.harness import hot_spots, peak_mib, record, seconds_each
from mgd_helpers import seeding
from mgd_helpers.students.training import Recipe, train_students

CLASSES, SIZE = 10, 32


def random_set(device: str, *, generator: torch.Generator, channels: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """A hundred images of noise with their labels."""
    images = torch.randn(100, channels, SIZE, SIZE, generator=generator).clamp(-1, 1)
    return images.to(device), (torch.arange(100) % CLASSES).to(device)


def main(options: argparse.Namespace) -> None:
    """Seconds of one step of one student, and peak memory, both ways."""
    on_gpu = options.device != "cpu"
    images, labels = random_set(options.device, generator=seeding.generator(options.seed))
    networks = [("convnet3", 4)] if options.quick else [("convnet3", 32)]
    if on_gpu and not options.quick:
        networks += [("convnet3", 128), ("resnet18", 64)]
    steps, repeats = (2, 1) if options.quick else (50 if on_gpu else 5, 3)
    rows = []
    for network, width in networks:
        recipe = Recipe(steps=steps, network=network, width=width)
        for students in (2,) if options.quick else (3, 10):
            train = partial(train_students, images, labels, n_classes=CLASSES, recipe=recipe, seeds=range(students))
            ways = [partial(train, together=1), partial(train, together=students)]
            looped, vmapped = seconds_each(ways, repeats=repeats)
            rows.append(
                {
                    "network": f"{network}, width {width}",
                    "students": students,
                    "looped_seconds": looped / steps / students,  # of one step of one student
                    "vmapped_seconds": vmapped / steps / students,
                    "times_faster": looped / vmapped,
                    "looped_peak_mib": peak_mib(ways[0], device=options.device),
                    "vmapped_peak_mib": peak_mib(ways[1], device=options.device),
                    "difference": difference(*(way() for way in ways)),
                }
            )
    profile = hot_spots(ways[1], device=options.device, repeats=1)
    settings = {"images": list(images.shape), "batch": recipe.batch_size, "steps": steps}
    record("students", rows, options=options, **settings, profile=profile)


def difference(ones: Sequence[torch.nn.Module], others: Sequence[torch.nn.Module]) -> float:
    """The largest difference between weights of the same students, over the largest weight."""
    weights, theirs = ([weight for student in some for weight in student.parameters()] for some in (ones, others))
    gap = max((one - other).abs().max().item() for one, other in zip(weights, theirs, strict=True))
    return gap / max(one.abs().max().item() for one in weights)
