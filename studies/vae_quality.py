"""How fast does the method fall with the quality of its autoencoder? `python studies/vae_quality.py`

Autoencoders of digits trained for fewer and fewer steps, and on the latents of each a denoiser of its own, all of equal
length. Guided and unguided rows are then measured on the validation split, as in the ablations.
"""

from __future__ import annotations

import argparse
import functools
import sys
from dataclasses import replace

import ablations
import protocol
import rules
import torch
import tune

import mgd_helpers as mgd
from mgd_helpers.encoding.pipelines import weights_hash

sys.path.insert(0, str(protocol.ROOT / "tools"))
import train_pipeline

DATA, SETS, DIT_STEPS = "digits", 3, 1500
VAE_STEPS = (900, 300, 100, 30)


def log(line: str) -> None:
    with open(protocol.KEPT / "vae_quality.log", "a") as file:
        print(line, file=file)


def work(vae_steps: int):
    """Where the networks lie; what is there already is not trained again, and what was interrupted is resumed."""
    folder = protocol.KEPT / f"vae_{vae_steps}"
    folder.mkdir(parents=True, exist_ok=True)
    return replace(train_pipeline.PROFILES[DATA], vae_steps=vae_steps, dit_steps=DIT_STEPS), folder


@functools.cache
def autoencoder(vae_steps: int):
    profile, folder = work(vae_steps)
    return train_pipeline.train_vae(profile, mgd.load_data(DATA).train.images, folder, log)[0]


@functools.cache
def pipeline(vae_steps: int):
    """A stock pipeline with an autoencoder of so many steps."""
    from diffusers import DiTPipeline

    profile, folder = work(vae_steps)
    if not (folder / "pipe" / "model_index.json").exists():
        train, vae, scheduler = mgd.load_data(DATA).train, autoencoder(vae_steps), train_pipeline.make_scheduler()
        latents = mgd.encode(vae, train.images)
        last = replace(profile, ema_decay=0.0)  # an average over 1,000 steps would still remember the start
        dit, _ = train_pipeline.train_dit(last, latents, train.labels, scheduler, folder, log)
        DiTPipeline(dit, vae, scheduler).save_pretrained(folder / "pipe", safe_serialization=True)
    return mgd.load_pipeline(folder / "pipe", device="cpu")


@functools.cache
def stand_on(vae_steps: int) -> protocol.Bench:
    """The validation bench of digits with another pipeline."""
    stand, pipe = protocol.bench(DATA, "validation"), pipeline(vae_steps)
    return replace(stand, pipe=pipe, latents=mgd.encode(pipe.vae, stand.data.train.images), weights=weights_hash(pipe))


def error(vae_steps: int) -> dict:
    """Mean squared error of a round trip of the test images."""
    vae, images = autoencoder(vae_steps), mgd.load_data(DATA).test.images
    apart = mgd.decode(vae, mgd.encode(vae, images)) - images
    return {"error": protocol.rounded(apart.square().mean().item())}


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    cells = protocol.Cells("vae", DATA, images_per_class=ablations.PER_CLASS, dit_steps=DIT_STEPS)
    winners = tune.chosen(DATA)
    table = {"decoded targets": rules.decoded_targets, "unguided": rules.unguided} | {
        name: functools.partial(rules.guided, pull=winners[name]) for name in ("mode", "tangent")
    }
    for vae_steps in VAE_STEPS:
        cells(f"{vae_steps}/error", functools.partial(error, vae_steps))
        for seed in range(SETS):
            for name, rule in table.items():

                def cell(vae_steps=vae_steps, rule=rule, seed=seed):
                    return ablations.cell(stand_on(vae_steps), rule, seed)

                cells(f"{vae_steps}/{name}/{seed}", cell)


if __name__ == "__main__":
    main()
