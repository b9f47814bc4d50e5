"""Data in, a folder with a stock pipeline out: train the autoencoder, encode, train the denoiser, save, measure.

Checkpoints, the log and the settings lie in `training/` inside the folder, so that a second call goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers.commands import call_of
from mgd_helpers.data.files import check_folder, remove_parts
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.data.lock import locked
from mgd_helpers.data.reach import check_outside
from mgd_helpers.encoding.callers import NULL_CLASS
from mgd_helpers.encoding.facts import write_facts
from mgd_helpers.encoding.latents import encode
from mgd_helpers.progress import tell
from mgd_helpers.training.architectures import make_scheduler
from mgd_helpers.training.crew import Crew, crew_for
from mgd_helpers.training.material import read_material
from mgd_helpers.training.planning import MOST, plan
from mgd_helpers.training.record import described, record, recorded
from mgd_helpers.training.report import Trained, write_report
from mgd_helpers.training.resumable import log
from mgd_helpers.training.settings import Settings, fit_to_side, settings_for
from mgd_helpers.training.stages import check_side, train_dit, train_vae


def train(
    data: Dataset | str | PathLike,
    out: str | PathLike,
    *,
    size: int | Integral | None = None,
    minutes: float | Real | None = None,
    channels: int | None = None,
    split: float | Real | None = None,
    settings: Settings | None = None,
    device: str | torch.device | None = None,
    precision: str | None = None,
    seed: int | Integral | None = None,
    work: str | PathLike | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
) -> Trained:
    """Train a class-conditional pipeline on small images, and save it in the folder `out`; `load_pipeline` reads it.

    `data` is what `load_data` gives or reads, with its `image_column` and `label_column`; a folder is read at `size`
    pixels, by default 32, gray or in color by `channels`. Only the training split is used. Where there is no other, the
    share `split` of each class, by default 0.2, is held back (`data.splits.split_rows`, seed 0). On the held-out images
    the pipeline is measured: beside it lie `metrics.json`, a model card that says whether it is good enough to distil
    with (`README.md`), a `contact_sheet.png`, and `mgd.json`, by which `distill` knows its size, border and scale.

    `minutes` are split between the two networks: a probe times their steps here, and the steps that fit are kept for
    later calls. Networks that would have too few are made smaller. Without `minutes`, all steps of `settings` are
    taken. These are by default those of `training.settings_for(data)`, which made the shipped pipelines: half an hour
    on one core for the digits, one to two hours for larger sets. `seed` is by default that of the settings, 0.

    `device` defaults to CUDA where there is one, and `precision` to `"no"`, float32; `"bf16"`, and on a GPU `"fp16"`,
    are those of `accelerate`. Under `torchrun` or `accelerate launch` each process takes a part of every batch.

    A second call with the same arguments goes on where the first was stopped. Checkpoints and log lie in `work`, by
    default `out/training`: delete them when the pipeline is good.

    Raises `ValueError` before any work for data without training images, with more than 1000 classes, or of a size that
    does not fit; and where the folder holds the training of other data or settings, or another process is at work.
    """
    command = call_of(train, dict(locals()))
    device = arguments.device("device", device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if minutes is not None:
        minutes = arguments.number("minutes", minutes, above=0, remedy="Ten are few, and sixty many.")
    out = check_folder("out", out)
    if work is not None:
        check_outside(check_folder("work", work), data, name="work")
    work = Path(work or out / "training")
    how: dict[str, Any] = {"size": size, "channels": channels, "split": split}
    how |= {"image_column": image_column, "label_column": label_column}
    data, told = read_material(data, out, **how)
    asked = settings or fit_to_side(settings_for(data), data.train.shape[-1])
    if settings is None and minutes is not None:
        asked = replace(asked, vae_steps=MOST * asked.vae_steps, dit_steps=MOST * asked.dit_steps)
    if seed is not None:
        asked = replace(asked, seed=arguments.whole("seed", seed, at_least=0))
    crew = crew_for(device, precision)
    done = build(
        data,
        out,
        settings=asked,
        work=work,
        crew=crew,
        minutes=minutes,
        smaller=settings is None,
        command=command,
    )
    if not crew.is_main:
        return done
    with locked(work, name="work"):
        short = (done.settings.layers, done.settings.dit_steps) < (asked.layers, asked.dit_steps)
        more = short if minutes is not None else settings is None
        metrics = write_report(data, done, crew=crew, told=told, more=more)
        write_facts(out, command=command)
        return replace(done, metrics=metrics)


def build(
    data: Dataset,
    out: Path,
    *,
    settings: Settings,
    work: Path,
    crew: Crew,
    minutes: float | None = None,
    smaller: bool = False,
    command: str = "",
) -> Trained:
    """The training itself, without a look at what became of it; `smaller` networks may be taken to keep to `minutes`.

    `command` is the call that goes on with it, for the record.

    Raises `ValueError` as `train` does.
    """
    if not len(data.train) or len(data.class_names) > NULL_CLASS:
        raise ValueError(
            f"data must have training images, and at most {NULL_CLASS} classes; got {len(data.train)} images, "
            f"{len(data.class_names)} classes. Load a set with a training split, or take some of its classes."
        )
    check_side(data.train, settings)
    with locked(work, name="work") if crew.is_main else nullcontext():
        now = described(data, settings, crew, minutes)
        known = recorded(work, now)
        if known is None and minutes is not None:
            settings = plan(data, minutes, settings=settings, crew=crew, smaller=smaller)
        crew.wait()  # all have looked before the first one writes
        if crew.is_main:
            remove_parts(work)
            remove_parts(out)
            record(work, now, known or settings, command=command)
        crew.wait()
        settings = recorded(work, now) or settings
        if minutes is not None and crew.is_main:
            steps = f"{settings.vae_steps} steps of the autoencoder, {settings.dit_steps} of the denoiser"
            tell(f"In {minutes:g} minutes: {steps}.")
        images = data.train.to(crew.device)
        vae, vae_seconds = train_vae(images, settings, work=work, crew=crew)
        latents = encode(vae, images)
        scheduler = make_scheduler()
        if crew.is_main:
            log(work, f"latents: mean {latents.mean():.4f}, std {latents.std():.4f}")
        dit, dit_seconds = train_dit(
            latents, images.labels, settings, alphas=scheduler.alphas_cumprod, work=work, crew=crew
        )
        if crew.is_main:
            for network in (dit, vae):  # by torch's own method: that of diffusers warns of nothing
                torch.nn.Module.to(network, "cpu", getattr(torch, settings.stored_as))
            make_pipeline(dit, vae, scheduler, data.class_names).save_pretrained(out, safe_serialization=True)
    return Trained(out, vae_seconds, dit_seconds, settings)


def make_pipeline(dit: Any, vae: Any, scheduler: Any, class_names: Sequence[str]) -> Any:
    """A stock `DiTPipeline` of trained parts, which knows its classes by name; `save_pretrained` keeps it."""
    from diffusers import DiTPipeline

    names = dict(enumerate(class_names))
    pipe = DiTPipeline(dit, vae, scheduler, id2label=names)
    pipe.register_to_config(id2label=names)  # or save_pretrained forgets them
    pipe.set_progress_bar_config(disable=True)
    return pipe
