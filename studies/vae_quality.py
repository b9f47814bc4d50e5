"""How fast does the method fall with the quality of its autoencoder?

    python -m studies vae

Autoencoders of digits trained for fewer and fewer steps, and on the latents of each a denoiser of its own, all of equal
length. Guided and unguided rows are then measured on the validation split, as in the ablations.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import mgd_helpers as mgd
from mgd_helpers import training
from mgd_helpers.encoding.pipelines import LatentPipeline, weights_hash
from mgd_helpers.guidance import factories
from studies import ablations, rules
from studies.cells import Cells
from studies.protocol import KEPT, Bench, load_bench
from studies.scores import rounded

SETS, DIT_STEPS = 3, 1500
VAE_STEPS = (900, 300, 100, 30)


def run(data: str) -> None:
    """Compute what is missing."""
    torch.set_num_threads(1)
    cells = Cells("vae", data, images_per_class=ablations.PER_CLASS, dit_steps=DIT_STEPS)
    pulls = {
        "mode": functools.partial(factories.mode, strength=1.0),
        "tangent": functools.partial(factories.manifold, **ablations.TANGENT),
    }
    table = {"decoded targets": rules.decoded_targets, "unguided": rules.unguided} | {
        row: functools.partial(rules.guided, pull=pull) for row, pull in pulls.items()
    }

    def score(vae_steps, rule, seed):
        return ablations.cell(bench_on(data, vae_steps), rule, seed)

    for vae_steps in VAE_STEPS:
        cells(functools.partial(error, data, vae_steps), vae_steps=vae_steps, row="autoencoder", seed=0)
        for seed in range(SETS):
            for row, rule in table.items():
                cells(functools.partial(score, vae_steps, rule, seed), vae_steps=vae_steps, row=row, seed=seed)


def error(data: str, vae_steps: int, *, kept: Path = KEPT) -> dict:
    """Mean squared error of a round trip of the test images."""
    vae, images = autoencoder(data, vae_steps, kept), mgd.load_data(data).test.images
    apart = mgd.decode(vae, mgd.encode(vae, images)) - images
    return {"error": rounded(apart.square().mean().item())}


@functools.lru_cache(maxsize=1)
def bench_on(data: str, vae_steps: int) -> Bench:
    """The validation bench with another pipeline."""
    bench, pipe = load_bench(data, "validation"), pipeline(data, vae_steps, KEPT)
    return replace(bench, pipe=pipe, latents=mgd.encode(pipe.vae, bench.data.train.images), weights=weights_hash(pipe))


def pipeline(data: str, vae_steps: int, kept: Path) -> LatentPipeline:
    """A stock pipeline with an autoencoder of so many steps; what is there already is not trained again."""
    settings, folder = how(data, vae_steps, kept)
    if not (folder / "pipe" / "model_index.json").exists():
        vae, scheduler = autoencoder(data, vae_steps, kept), training.make_scheduler()
        loaded = mgd.load_data(data)
        latents = mgd.encode(vae, loaded.train.images)
        last = replace(settings, ema_decay=0.0)  # an average over 1,000 steps would still remember the start
        dit, _ = training.train_dit(latents, loaded.train.labels, last, alphas=scheduler.alphas_cumprod, work=folder)
        made = training.make_pipeline(dit, vae, scheduler, loaded.class_names)
        made.save_pretrained(folder / "pipe", safe_serialization=True)
    return mgd.load_pipeline(folder / "pipe", device="cpu")


@functools.cache
def autoencoder(data: str, vae_steps: int, kept: Path) -> Any:
    """An autoencoder of so many steps; a training that was interrupted is resumed."""
    settings, folder = how(data, vae_steps, kept)
    return training.train_vae(mgd.load_data(data).train.images, settings, work=folder)[0]


def how(data: str, vae_steps: int, kept: Path) -> tuple[training.Settings, Path]:
    """How a pipeline is trained, and the folder of its checkpoints."""
    settings = replace(training.SETTINGS[data], vae_steps=vae_steps, dit_steps=DIT_STEPS)
    return settings, kept / f"vae_{vae_steps}"
