"""Look before you leap: what a call of `distill` would read, ask of the pipeline, take and lose; nothing is written.

Minutes come from a probe: the run's own steps (encode, cluster, two denoising steps under the guidance) on few images.
"""

from __future__ import annotations

import base64
import html
import inspect
import io
import math
import sys
import time
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from mgd_helpers.appraising import autoencoder_error
from mgd_helpers.data.files import check_folder, write
from mgd_helpers.data.image_sets import first_rows
from mgd_helpers.data.images import png
from mgd_helpers.distillation import distill
from mgd_helpers.encoding.latents import decibels
from mgd_helpers.guidance.options import OPTIONS
from mgd_helpers.making import cluster_classes, encode_classes, sample_batch, what_lacks
from mgd_helpers.methods import DIFFUSION
from mgd_helpers.run_pipelines import alike, asked_for
from mgd_helpers.runs import Run, resolve

PROBED = 16  # images of each class that the probe encodes, or as many as are made
PROBE_STEPS = 2
PATIENCE = 60  # seconds that samples may take
SHOWN = 20  # classes in the table
SIDE, COLUMNS = 96, 10  # of a saved picture: pixels of an image at least, and images in a row


@dataclass(frozen=True, eq=False)
class Preview:
    """What a run would do; `str` of it is a page to read, and a notebook shows its samples.

    `classes` has a row (class, training images, test images, what the pipeline is asked) for each class. `calls` is the
    number of denoiser calls, `seconds` and `gibibytes` are estimates, NaN where there was no probe. `psnr` is that of
    the autoencoder on training images, in decibels, `known_psnr` the one that it was trained to; NaN where not known.
    `samples` [classes, C, H, W] are unguided, or `None` where they would have taken more than a minute; all in [-1, 1].
    """

    name: str
    shape: tuple[int, ...]
    classes: list[tuple[str, int, int, str]]
    found: str
    pipeline: str
    out: Path
    images: int
    calls: int
    seconds: float
    gibibytes: float
    psnr: float
    known_psnr: float
    samples: torch.Tensor | None

    def __str__(self) -> str:
        channels, height, width = self.shape
        counts = [sum(row[1] for row in self.classes), sum(row[2] for row in self.classes)]
        wide = max(len(row[0]) for row in self.classes[:SHOWN])
        lines = [
            f"{self.name}: {counts[0]:,} training and {counts[1]:,} test images, {len(self.classes)} classes, "
            f"{height}x{width}, {'gray' if channels == 1 else 'color'}",
            *filter(None, [self.found]),
            f"pipeline: {self.pipeline or 'none'}",
            *(f"  {name:<{wide}}  {train:>6} + {test} -> {asked}" for name, train, test, asked in self.classes[:SHOWN]),
            *([f"  and {len(self.classes) - SHOWN} more classes"] if len(self.classes) > SHOWN else []),
        ]
        if not math.isnan(self.psnr):
            known = "what it was trained to is not known"
            if not math.isnan(self.known_psnr):
                known = f"{self.known_psnr:.1f} dB on images like those it was trained on"
            lines.append(f"autoencoder: {self.psnr:.1f} dB on these images; {known}")
        lines.append(f"would make {self.images:,} images in {str(self.out)!r}, with {self.calls:,} denoiser calls")
        if not math.isnan(self.seconds):
            lines.append(f"expected: {in_words(self.seconds)} on this machine, {self.gibibytes:.1f} GiB of memory")
        return "\n".join([*lines, "Nothing was written."])

    def save(self, file: str | PathLike) -> Path:
        """Save the samples as one picture, a PNG, each over the name of its class.

        Raises `ValueError` where there are none, and for a name that does not end in `.png`.
        """
        from PIL import Image, ImageDraw

        path = check_picture(file)
        if self.samples is None:
            raise ValueError(
                "samples must be there to be saved; there are none of a method without a denoiser, nor where they "
                "would take more than a minute. Leave the picture out."
            )
        side = max(SIDE, self.samples.shape[-1])
        columns = min(COLUMNS, len(self.classes))
        rows = -(-len(self.classes) // columns)
        sheet = Image.new("RGB", (columns * (side + 8) + 8, rows * (side + 24) + 8), "white")
        drawn = ImageDraw.Draw(sheet)
        for place, (image, (name, *_)) in enumerate(zip(self.samples, self.classes, strict=True)):
            left, top = 8 + place % columns * (side + 8), 8 + place // columns * (side + 24)
            with Image.open(io.BytesIO(png(image))) as shown:
                sheet.paste(shown.convert("RGB").resize((side, side), Image.Resampling.NEAREST), (left, top))
            said = name.encode("latin-1", "replace").decode("latin-1")  # the font has no other letters
            while drawn.textlength(said) > side:
                said = f"{said.removesuffix('...')[:-1]}..."
            drawn.text((left, top + side + 2), said, fill="black")
        write(path, lambda part: sheet.save(part, format="png"))
        return path

    def _repr_html_(self) -> str:
        named = [] if self.samples is None else zip(self.samples, self.classes, strict=True)
        shown = [
            f'<figure style="display:inline-block;margin:4px;text-align:center"><img width=96 alt="unguided sample" '
            f'src="data:image/png;base64,{base64.b64encode(png(image)).decode()}">'
            f"<figcaption>{html.escape(row[0])}</figcaption></figure>"
            for image, row in named
        ]
        return f"<pre>{html.escape(str(self))}</pre>{''.join(shown)}"


def check_picture(file: str | PathLike) -> Path:
    """The path of a picture that can be written.

    Raises `ValueError` for a name that does not end in `.png`, and for a folder that cannot be made.
    """
    path = Path(file)
    if path.suffix.lower() != ".png" or path.is_dir():
        raise ValueError(f"picture must be a file that ends in .png; got {str(path)!r}. Pass one, such as samples.png.")
    check_folder("picture", path.absolute().parent)
    return path


def preview(data: Any, **arguments: Any) -> Preview:
    """Show what `distill` would do with the same arguments: everything is checked, little is tried, nothing is written.

    Images and classes are counted, what was not read is named, and each class is shown with what the pipeline is asked
    for it. A folder `out` that is there is looked at: only images that lack are counted. Some images go through the
    autoencoder and back. Few images take the steps of the run, so that its time and memory can be told; where that is
    under a minute, one image of each class is sampled without guidance.

    Raises `ValueError` as `distill` does. `out` is `"distilled"` where it is not given.
    """
    signature = inspect.signature(distill)
    given = signature.bind(data, **({"out": "distilled"} | arguments))
    given.apply_defaults()
    told = given.arguments
    options = {name: told.pop(name) for name in OPTIONS}
    columns = {name: told.pop(name) for name in ("image_column", "label_column")}
    known = inspect.signature(resolve).parameters
    run = resolve(**{name: value for name, value in told.items() if name in known}, options=options, columns=columns)
    train, test = run.data.train, run.data.test
    asked = asked_for(run.settings)
    rows = [(name, asked.get(name, "")) for name in run.data.class_names]
    classes = [
        (name, len(train.rows_of(label)), len(test.rows_of(label)), str(what))
        for label, (name, what) in enumerate(rows)
    ]
    _, lacking = what_lacks(run) if "out" in arguments else ({}, dict.fromkeys(run.files, ""))
    plan, steps = run.plan(lacking), run.settings["steps"] if run.method == DIFFUSION else 0
    seconds, gibibytes, samples = _probe(run) if steps and plan else (math.nan, math.nan, None)
    errors = autoencoder_error(run.pipe, run.data, seed=run.settings["seed"])
    psnr, known_psnr = (math.nan if error is None else decibels(error) for error in errors)
    return Preview(
        name=run.data.name,
        shape=tuple(train.shape[1:]),
        classes=classes,
        found=" ".join(filter(None, [run.data.found, alike(asked)])),
        pipeline=run.pipeline,
        out=run.out,
        images=len(lacking),
        calls=steps * len(plan),
        seconds=seconds * len(lacking) / len(run.files),
        gibibytes=gibibytes,
        psnr=psnr,
        known_psnr=known_psnr,
        samples=samples,
    )


preview.__signature__ = inspect.signature(distill).replace(return_annotation=Preview)  # type: ignore[attr-defined]


def in_words(seconds: float | int) -> str:
    """A length of time, as one says it.

    >>> in_words(1.2), in_words(300), in_words(9000)
    ('about 1 second', 'about 5 minutes', 'about 2.5 hours')
    """
    for unit, size in (("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.2g} {unit}s"
    count = max(1, round(seconds))
    return f"about {count} second{'s' if count > 1 else ''}"


def _probe(run: Run) -> tuple[float, float, torch.Tensor | None]:
    """Seconds and GiB that the run is expected to take, and one unguided image of each class."""
    plan, count = run.plan(run.files), run.settings["images_per_class"]
    labels = {label for label, _ in plan[0].keys}
    rows = first_rows(run.data.train.labels.tolist(), max(PROBED, count))
    few = run.data.train.take(rows)
    small = replace(run, data=replace(run.data, train=few), latents=None)
    started = time.perf_counter()
    clouds = encode_classes(small, [(label, 0) for label in labels])
    encoded = time.perf_counter() - started
    targets = cluster_classes(small, clouds)
    started = time.perf_counter()
    sample_batch(replace(small, settings=run.settings | {"steps": PROBE_STEPS}), plan[0], clouds, targets)
    sampled = time.perf_counter() - started
    share = len(run.data.train) / max(1, sum(len(cloud) for cloud in clouds.values()))
    steps = run.settings["steps"] / PROBE_STEPS
    seconds = sampled * steps * sum(len(batch.keys) for batch in plan) / len(plan[0].keys)
    seconds += 0 if run.latents is not None else encoded * share
    per_image = sampled * steps / len(plan[0].keys)
    samples = None
    if per_image * len(run.data.class_names) < PATIENCE:
        one = replace(small, settings=run.settings | {"images_per_class": 1})
        unguided = [replace(batch, wanted=[]) for batch in one.plan(one.files)]
        samples = torch.cat([sample_batch(one, batch, {}, {}) for batch in unguided])
    return seconds, _peak(run), samples


def _peak(run: Run) -> float:
    """The most memory that this process has held, in GiB: on the GPU where the pipeline is there."""
    if getattr(run.pipe.device, "type", "cpu") == "cuda":
        return torch.cuda.max_memory_allocated(run.pipe.device) / 2**30
    if sys.platform == "win32":
        return math.nan
    import resource

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / (2**30 if sys.platform == "darwin" else 2**20)
