"""Guided images in batches against a loop of one image: images per second, memory, and whether the images agree."""

from __future__ import annotations

import argparse
from functools import partial

import torch

from benchmarks.harness import peak_mib, record, seconds
from benchmarks.models import dit_pipeline
from benchmarks.worlds import LABEL, World, among_noise, digits
from mgd_helpers import ManifoldPull, sample, window
from mgd_helpers.encoding.pipelines import modules


def made(world: World, images: list[int], *, batch: int, steps: int, seed: int) -> torch.Tensor:
    """The images of these numbers; each has its own target and its own noise, and a call takes `batch` of them."""
    pieces = []
    for start in range(0, len(images), batch):
        some = images[start : start + batch]
        piece = sample(
            world.pipe,
            [LABEL] * len(some),
            keys=[(LABEL, image) for image in some],
            guidance=window(ManifoldPull(world.targets.latents[some], world.cloud), above=0.5),  # as `distill` guides
            seed=seed,
            steps=steps,
            guidance_scale=world.guidance_scale,
            batch_size=batch,
        )
        pieces.append(piece)
    return torch.cat(pieces)


def main(options: argparse.Namespace) -> None:
    """The shipped pipeline, and on a GPU the shape of DiT-XL/2-256, at several batches."""
    device, seed = options.device, options.seed
    batches = (1, 2) if options.quick else (1, 8, 32, 64)
    n_images, steps = (2, 2) if options.quick else (64, 25)
    worlds = [digits(device, images=n_images, seed=seed)]
    if device != "cpu" or options.quick:
        torch.manual_seed(seed)
        worlds.append(among_noise(dit_pipeline(device, quick=options.quick), images=n_images, seed=seed, points=1300))
    rows, weights = [], {}
    for world in worlds:
        parts = [part for module in modules(world.pipe).values() for part in module.parameters()]
        weights[world.name] = sum(part.numel() * part.element_size() for part in parts) / 2**20
        of = partial(made, world, steps=steps, seed=seed)
        of([0], batch=1)  # warms up
        images = {}
        for batch in batches:

            def run(batch=batch, of=of, images=images):
                images[batch] = of(list(range(n_images)), batch=batch)

            # the loop of one is long enough to be timed once
            took = seconds(run, repeats=1 if batch == 1 or options.quick else 3, warm_up=0)
            loop = took if batch == 1 else loop
            one_call = partial(of, list(range(batch)), batch=batch)
            rows.append(
                {
                    "pipeline": world.name,
                    "batch": batch,
                    "images_per_second": n_images / took,
                    "times_faster": loop / took,
                    "peak_mib": peak_mib(one_call, device=device),
                    "difference": (images[batch] - images[1]).abs().max().item() / 2,  # on the scale from 0 to 1
                    "promised": 1e-4 if world.name == "digits" and batch > 1 else None,
                }
            )
    settings = {"images": n_images, "scheduler": "DDIM", "steps": steps, "guidance": "manifold"}
    record("sampling", rows, options=options, **settings, weights_mib=weights)
