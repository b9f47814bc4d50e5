"""Train a shipped pipeline from scratch: a VAE, then a class-conditional latent DiT, saved as a stock DiTPipeline.

Writes `mgd_helpers/pretrained/<profile>/` (safetensors, model card, metrics.json) and keeps checkpoints and the log in
`build/train/<profile>/`; a second call resumes where the first one stopped. Only the training images are used for
training and for every choice; the held-out ones appear once, in the figures of the model card.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import torch

import mgd_helpers as mgd
from mgd_helpers.lab import plots
from mgd_helpers.provenance import hardware, package_versions
from tools.training.card import card
from tools.training.measures import measure
from tools.training.networks import make_scheduler
from tools.training.profiles import PROFILES
from tools.training.stages import train_dit, train_vae

__all__ = ["PROFILES", "make_pipeline", "make_scheduler", "train_dit", "train_vae"]

ROOT = Path(__file__).resolve().parents[1]


def make_pipeline(name: str, *, out: Path | None = None, work: Path | None = None) -> Path:
    """Train the pipeline of a profile, measure it and write its model card; returns the folder it lies in.

    `out` is `mgd_helpers/pretrained/<name>` by default, and `work`, for checkpoints and the log, `build/train/<name>`.
    """
    profile = PROFILES[name]
    out = out or ROOT / "mgd_helpers" / "pretrained" / name
    work = work or ROOT / "build" / "train" / name
    work.mkdir(parents=True, exist_ok=True)

    def log(line: str) -> None:
        with open(work / "train.log", "a") as file:
            print(time.strftime("%Y-%m-%d %H:%M:%S"), line, file=file)

    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = mgd.load_data(profile.data)
    images, labels = data.train.images.to(device), data.train.labels.to(device)
    vae, vae_seconds = train_vae(profile, images, work, log)
    latents = mgd.encode(vae, images)
    log(f"latents: mean {latents.mean():.4f}, std {latents.std():.4f}")
    scheduler = make_scheduler()
    dit, dit_seconds = train_dit(profile, latents, labels, scheduler, work, log)

    from diffusers import DiTPipeline

    names = dict(enumerate(data.class_names))
    pipe = DiTPipeline(dit.cpu(), vae.cpu(), scheduler, id2label=names)
    pipe.register_to_config(id2label=names)  # or save_pretrained forgets them
    pipe.to(getattr(torch, profile.stored_as)).save_pretrained(out, safe_serialization=True)
    pipe = mgd.load_pipeline(out, device="cpu")  # what is measured is what was written
    metrics, samples = measure(pipe, profile, data)
    metrics["training"] = {"vae_seconds": vae_seconds, "dit_seconds": dit_seconds, "machine": machine(device)}
    metrics |= {"note": data.note, "profile": asdict(profile)}
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    plots.use_style()
    plots.show_images(samples, columns=10).savefig(out / "samples.png", dpi=60)
    (out / "README.md").write_text(card(name, profile, pipe, metrics))
    log(json.dumps(metrics))
    return out


def machine(device: str) -> str:
    """What a pipeline was trained on, in one line."""
    found, versions = hardware(device), package_versions()
    where = found.get("gpu", f"{found['processor']}, {found['threads']} threads")
    return f"{where}; Python {versions['python']}, torch {versions['torch']}, diffusers {versions['diffusers']}"
