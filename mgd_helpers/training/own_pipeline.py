"""Data in, a folder with a stock pipeline out: train the autoencoder, encode, train the denoiser, save.

Checkpoints, the log and the settings lie in `training/` inside the folder, so that a second call goes on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers.data.files import check_folder, checksum, tensor_hash, write
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.data.lock import locked
from mgd_helpers.encoding.callers import NULL_CLASS
from mgd_helpers.encoding.latents import encode
from mgd_helpers.training.architectures import make_scheduler
from mgd_helpers.training.resumable import log
from mgd_helpers.training.settings import Settings, settings_for
from mgd_helpers.training.stages import train_dit, train_vae


@dataclass(frozen=True)
class Trained:
    """What `train` did: the folder with the pipeline, and the seconds that both trainings took, all calls together."""

    folder: Path
    vae_seconds: float
    dit_seconds: float

    def __str__(self) -> str:
        return f"pipeline in {self.folder} (autoencoder {self.vae_seconds:.0f} s, denoiser {self.dit_seconds:.0f} s)"


def train(
    data: Dataset,
    out: str | PathLike,
    *,
    settings: Settings | None = None,
    device: str | torch.device | None = None,
    work: str | PathLike | None = None,
) -> Trained:
    """Train a class-conditional pipeline on small images, and save it in the folder `out`; `load_pipeline` reads it.

    Only the training split is used. `settings` are by default those of `training.settings_for(data)`, which made the
    shipped pipelines: half an hour on one core for the digits, one to two hours for larger sets. `device` defaults to
    CUDA where there is one. Training runs in float32.

    A second call with the same arguments goes on where the first was stopped. Checkpoints and log lie in `work`, by
    default `out/training`: delete them when the pipeline is good.

    Raises `ValueError` before any work for data without training images, with more than 1000 classes, or of a size that
    does not fit; and where the folder holds the training of other data or settings, or another process is at work.
    """
    settings = settings or settings_for(data)
    device = arguments.device("device", device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if not len(data.train) or len(data.class_names) > NULL_CLASS:
        raise ValueError(
            f"data must have training images, and at most {NULL_CLASS} classes; got {len(data.train)} images, "
            f"{len(data.class_names)} classes. Load a set with a training split, or take some of its classes."
        )
    out = check_folder("out", out)
    work = out / "training" if work is None else check_folder("work", work)
    with locked(work, name="work"):
        _same_training(work, data, settings, device)
        images, labels = data.train.images.to(device), data.train.labels.to(device)
        vae, vae_seconds = train_vae(images, settings, work=work)
        latents = encode(vae, images)
        log(work, f"latents: mean {latents.mean():.4f}, std {latents.std():.4f}")
        scheduler = make_scheduler()
        dit, dit_seconds = train_dit(latents, labels, settings, alphas=scheduler.alphas_cumprod, work=work)
        pipe = make_pipeline(dit, vae, scheduler, data.class_names)
        pipe.to("cpu", getattr(torch, settings.stored_as)).save_pretrained(out, safe_serialization=True)
    return Trained(out, vae_seconds, dit_seconds)


def make_pipeline(dit: Any, vae: Any, scheduler: Any, class_names: Sequence[str]) -> Any:
    """A stock `DiTPipeline` of trained parts, which knows its classes by name; `save_pretrained` keeps it."""
    from diffusers import DiTPipeline

    names = dict(enumerate(class_names))
    pipe = DiTPipeline(dit, vae, scheduler, id2label=names)
    pipe.register_to_config(id2label=names)  # or save_pretrained forgets them
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _same_training(work: Path, data: Dataset, settings: Settings, device: torch.device) -> None:
    """Write down what is trained here, or raise where something else was."""
    images, labels = data.train.images, data.train.labels
    seen = checksum((tensor_hash(images) + tensor_hash(labels)).encode())
    now = {"images": list(images.shape), "data": seen, "device": device.type} | asdict(settings)
    now = json.loads(json.dumps(now))  # tuples become lists, as in the file
    file = work / "settings.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else now
    other = [
        f"{key} was {before.get(key)!r} and is {value!r}" for key, value in now.items() if before.get(key) != value
    ]
    if other:
        raise ValueError(
            f"work must be a folder for this training; {str(work)!r} holds one of other data or settings "
            f"({'; '.join(other[:3])}). Choose another folder, or delete it."
        )
    write(file, lambda part: part.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8"))
