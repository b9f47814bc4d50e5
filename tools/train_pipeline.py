"""Train a shipped pipeline from scratch, by `mgd_helpers.training`, measure it, and write its model card.

Writes `mgd_helpers/pretrained/<name>/` (safetensors, model card, metrics.json) and keeps checkpoints and the log in
`build/train/<name>/`; a second call resumes where the first one stopped. Only the training images are used for
training and for every choice; the held-out ones appear once, in the figures of the model card.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

import mgd_helpers as mgd
from mgd_helpers.lab import plots
from mgd_helpers.training import SETTINGS
from mgd_helpers.training.crew import crew_for
from mgd_helpers.training.own_pipeline import build
from mgd_helpers.training.report import machine
from mgd_helpers.training.resumable import log
from tools.training.card import card
from tools.training.measures import measure

ROOT = Path(__file__).resolve().parents[1]


def make_pipeline(name: str, *, out: Path | None = None, work: Path | None = None) -> Path:
    """Train the pipeline of a data set, measure it and write its model card; returns the folder it lies in.

    `out` is `mgd_helpers/pretrained/<name>` by default, and `work`, for checkpoints and the log, `build/train/<name>`.
    """
    settings, data = SETTINGS[name], mgd.load_data(name)
    out = out or ROOT / "mgd_helpers" / "pretrained" / name
    work = work or ROOT / "build" / "train" / name
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trained = build(data, out, settings=settings, work=work, crew=crew_for(torch.device(device)))
    pipe = mgd.load_pipeline(out, device="cpu")  # what is measured is what was written
    metrics, samples = measure(pipe, settings, data)
    seconds = {"vae_seconds": trained.vae_seconds, "dit_seconds": trained.dit_seconds}
    metrics["training"] = seconds | {"machine": machine(device)}
    metrics |= {"note": data.note, "profile": {"data": name} | asdict(settings)}
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    plots.use_style()
    plots.show_images(samples, columns=10).savefig(out / "samples.png", dpi=60)
    (out / "README.md").write_text(card(name, settings, pipe, metrics))
    log(work, json.dumps(metrics))
    return out
