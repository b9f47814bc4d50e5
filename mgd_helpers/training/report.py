"""What lies beside a trained pipeline when it has been looked at: metrics, model card, pictures, and its facts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from mgd_helpers.baselines.real_images import round_trip
from mgd_helpers.data.files import write
from mgd_helpers.data.image_sets import Dataset, ImageSet, first_rows
from mgd_helpers.data.images import png
from mgd_helpers.encoding.facts import write_facts
from mgd_helpers.encoding.pipelines import load_pipeline, weights_hash
from mgd_helpers.guidance.sampling import sample
from mgd_helpers.provenance import hardware, package_versions
from mgd_helpers.students.recipes import Recipe
from mgd_helpers.training.card import COLUMNS, card, contact_sheet, verdict
from mgd_helpers.training.crew import Crew
from mgd_helpers.training.quality import PER_CLASS, figures
from mgd_helpers.training.settings import Settings

SEEDS, MANY = 3, 100  # sets that are sampled; of more classes than that one is enough
HELD = 2000  # images, at most, that figures are measured on


@dataclass(frozen=True)
class Trained:
    """What `train` did: the folder with the pipeline, and the seconds that both trainings took, all calls together.

    `settings` are those that it was trained with, as planned where `minutes` were given. `metrics` are those of
    `metrics.json` in the folder; empty in all processes but the first.
    """

    folder: Path
    vae_seconds: float
    dit_seconds: float
    settings: Settings
    metrics: dict[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        said = f"pipeline in {self.folder} (autoencoder {self.vae_seconds:.0f} s, denoiser {self.dit_seconds:.0f} s)"
        found = self.metrics.get("verdict")
        return f"{said}\n{found['headline']} {found['advice']}" if found else said


def write_report(data: Dataset, done: Trained, *, crew: Crew, told: str, more: bool = True) -> dict[str, Any]:
    """Measure the pipeline as it was written, and put down what is found; returns the metrics.

    `data.test` are the held-out images, and `told` the sentence on where they come from; `more` is as in `verdict`.
    What has been measured of the very same weights is not measured again.
    """
    folder, settings = done.folder, done.settings
    pipe = load_pipeline(folder, device=crew.device)
    weights, file = weights_hash(pipe), folder / "metrics.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if known.get("weights") == weights:
        return known
    n_classes, test = len(data.class_names), data.test
    data = replace(data, test=test.take(range(0, len(test), -(-len(test) // HELD))))
    labels = torch.arange(n_classes).repeat_interleave(PER_CLASS)
    asked: dict[str, Any] = {"steps": settings.sampling_steps, "guidance_scale": settings.guidance_scale}
    seeds = range(SEEDS if n_classes <= MANY else 1)
    sampled = [ImageSet(sample(pipe, labels, seed=seed, batch_size=100, **asked), labels) for seed in seeds]
    # the judge is trained in proportion, so that a quick try stays quick
    recipe = Recipe(steps=min(500, max(1, settings.dit_steps // 4)), batch_size=64)
    metrics = figures(pipe.vae, data, sampled, recipe=recipe, device=crew.device)
    metrics |= {
        "verdict": verdict(metrics, n_classes, more=more),
        "weights": weights,
        "trained_on": f"{len(data.train):,} images of {data.name}",
        "held_out": told,
        "image": list(data.train.shape[1:]),
        "images_per_class": PER_CLASS,
        "sampling": f"{type(pipe.scheduler).__name__}, {settings.sampling_steps} steps, guidance scale "
        f"{settings.guidance_scale:g}, seeds {', '.join(map(str, seeds))}",
        "training": {
            "vae_seconds": done.vae_seconds,
            "dit_seconds": done.dit_seconds,
            "machine": machine(str(crew.device)),
            "precision": crew.precision,
            "processes": crew.count,
        },
        "settings": asdict(settings),
        "versions": package_versions(),
    }
    metrics = json.loads(json.dumps(metrics))  # as it is read again
    shown = data.test.take(first_rows(data.test.labels.tolist(), COLUMNS))
    _write(folder / "contact_sheet.png", png(contact_sheet(shown, round_trip(pipe.vae, shown), sampled[0])))
    _write(folder / "README.md", card(metrics, data.class_names).encode())
    write_facts(
        folder,
        image_size=metrics["image"][1],
        channels=metrics["image"][0],
        padding=data.padding,
        trained_on=metrics["trained_on"],
        reconstruction_error=metrics["reconstruction_mse"]["held_out"],
        **asked,
    )
    _write(file, (json.dumps(metrics, indent=1) + "\n").encode())  # last: where it is, all is
    return metrics


def machine(device: str) -> str:
    """What a pipeline was trained on, in one line."""
    found, versions = hardware(device), package_versions()
    where = found.get("gpu", f"{found['processor']}, {found['threads']} threads")
    return f"{where}; Python {versions['python']}, torch {versions['torch']}, diffusers {versions['diffusers']}"


def _write(file: Path, content: bytes) -> None:
    write(file, lambda part: part.write_bytes(content))
