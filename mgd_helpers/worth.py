"""Is a set worth it? A short report after each run: beside real images, in seconds, with a plain sentence and remedies.

Students are the better judge, and take minutes (`evaluate`); this one is 1-nearest neighbour on small images. What it
says of a set is kept in the set's folder, `report.json`, and read from there while the images are the same.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgd_helpers.appraising import Parts, autoencoder_error, copies_of, parts_of, scores
from mgd_helpers.data.files import write
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.encoding.latents import decibels
from mgd_helpers.methods import DIFFUSION

REPORT = "report.json"
MUCH = 2.0  # times the error that an autoencoder was trained to: it does not know such images

STUDENTS = (
    "Students judge better, in minutes: mgd.evaluate(folder, against=data), or mgd evaluate FOLDER --against DATA."
)
# what a person can do, by the argument that it takes, best first; each as it is said in Python and on the command line
REMEDIES = {
    "guidance": 'another guidance: guidance="auto" (--guidance auto) tries some on a held-back part of the images',
    "strength": 'a pull all the way, to real images: guidance="mode", strength=1, representative="nearest_member" '
    "(--guidance mode --strength 1 --representative nearest_member)",
    "image_to_image": "begin at real images: image_to_image=0.3 (--image-to-image 0.3), where the pipeline does not "
    "know such images; less stays nearer to them",
    "pipeline": 'a pipeline of your own: mgd.train(data, "pipeline") (mgd train DATA --out pipeline), and then '
    'pipeline="pipeline" (--pipeline pipeline)',
    "method": 'real images themselves: method="nearest-real" (--method nearest-real)',
}


@dataclass(frozen=True)
class Worth:
    """What a set is worth beside real images; accuracies are of 1-nearest neighbour, on `tested_on`.

    `real` is the mean over `draws` of as many random real images, with its standard deviation; `nearest` is that of the
    real images nearest to the targets, `None` where no targets are known. `copies` of the images are nearer to a
    training image than held-out ones are. `error` is the autoencoder's mean square error on these images, `None` where
    it could not be measured, and `known_error` the one that it was trained to.
    """

    images: int
    accuracy: float
    real: float
    real_sd: float
    draws: int
    nearest: float | None
    copies: int
    tested_on: str
    error: float | None
    known_error: float | None
    guidance: str
    method: str
    chosen: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """`"better"` or `"worse"` than random real images by more than they differ among themselves, or `"equal"`."""
        gap = self.accuracy - self.real
        return "equal" if abs(gap) <= self.real_sd + 1e-9 else ("better" if gap > 0 else "worse")

    def __str__(self) -> str:
        rows = [("this set", f"{self.accuracy:.3f}")]
        rows.append((f"as many random real images, {self.draws} draws", f"{self.real:.3f} ± {self.real_sd:.3f}"))
        if self.nearest is not None:
            rows.append(("the real images nearest to the targets", f"{self.nearest:.3f}"))
        rows.append(("near copies of training images", f"{self.copies} of {self.images}"))
        rows.append(("error of the autoencoder on these images", self._error()))
        width = max(len(name) for name, _ in rows)
        lines = [f"Is it worth it? Accuracy of 1-nearest neighbour on {self.tested_on}:"]
        lines += [f"  {name:{width}}  {value}" for name, value in rows]
        lines += self.chosen
        return "\n".join([*lines, *self.sentences(), STUDENTS])

    def sentences(self) -> list[str]:
        """What follows, in words: whether random real images do better, and then the remedies in their order."""
        said = {
            "worse": "Random real images do better than this set.",
            "equal": "Random real images do as well as this set.",
            "better": "This set does better than as many random real images.",
        }[self.verdict]
        found = [said]
        is_foreign = bool(self.error and self.known_error and self.error > MUCH * self.known_error)
        if is_foreign:
            found.append("The autoencoder does not know such images: what it decodes is worth less than they are.")
        if self.verdict != "better" and self.method == DIFFUSION:
            order = sorted(REMEDIES, key=lambda key: is_foreign and key != "pipeline")  # no guidance mends a decoder
            ways = [REMEDIES[key] for key in order if key not in self.tried]
            found += ["What may help, in this order:", *(f"  {place}. {way};" for place, way in enumerate(ways, 1))]
            found[-1] = found[-1].rstrip(";") + "."
        return found

    def _error(self) -> str:
        if self.error is None:
            return "not measured"
        said = f"{self.error:.2g} mean square, {decibels(self.error):.1f} dB"
        if self.known_error:
            return f"{said}; {self.error / self.known_error:.1f} times what it was trained to"
        return f"{said}; what it was trained to is not known"


def weigh(folder: Path, data: Dataset, manifest: dict, *, pipe: Any = None, seed: int = 0) -> Worth | None:
    """Weigh the set of a folder that holds all images of its manifest; `pipe` is what made it.

    `None` where no class has an image that could judge: one image per class, and no test split.
    """
    settings = manifest["settings"]
    parts = parts_of(folder, data, manifest["images"], seed=seed)
    if len(parts.judges) == 0:
        return None
    accuracy, real, real_sd, nearest = scores(parts, seed=seed)
    error, known = autoencoder_error(pipe, data, seed=seed)
    tried = [key for key in ("image_to_image",) if settings.get(key) is not None]
    tried += ["guidance"] if settings.get("guidance") == "auto" else []
    all_the_way = ("mode", 1, "nearest_member")  # which "auto" tries, too
    if tuple(map(settings.get, ("guidance", "strength", "representative"))) == all_the_way or "guidance" in tried:
        tried.append("strength")
    return Worth(
        images=len(parts.generated),
        accuracy=accuracy,
        real=real,
        real_sd=real_sd,
        draws=Parts.draws,
        nearest=nearest,
        copies=copies_of(parts),
        tested_on=parts.said,
        error=error,
        known_error=known,
        guidance=str(settings.get("guidance", "")),
        method=settings.get("method", DIFFUSION),
        chosen=_chosen(manifest.get("chosen")),
        tried=tuple(tried),
    )


def kept_or_weighed(folder: Path, data: Dataset, manifest: dict, *, pipe: Any = None, seed: int = 0) -> Worth | None:
    """The report in the folder, where it is one of these images; else a new one, which is kept there."""
    of = hashlib.sha256("".join(str(image.get("sha256")) for image in manifest["images"]).encode()).hexdigest()
    try:
        before = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        if before["of"] == of:
            lists = {key: tuple(before["worth"][key]) for key in ("chosen", "tried")}
            return Worth(**before["worth"] | lists)
    except (OSError, ValueError, TypeError, KeyError):
        pass  # none, or another's
    worth = weigh(folder, data, manifest, pipe=pipe, seed=seed)
    if worth is None:
        return None
    content = json.dumps({"of": of, "text": str(worth), "worth": dataclasses.asdict(worth)}, indent=1)
    try:
        write(folder / REPORT, lambda path: path.write_text(content + "\n", encoding="utf-8"))
    except OSError as error:  # the images are there, and complete
        warnings.warn(f"the report could not be kept in {str(folder)!r}: {error}", stacklevel=3)
    return worth


def _chosen(chosen: dict | None) -> tuple[str, ...]:
    """The guidances that were tried, as lines of the report."""
    if not chosen:
        return ()

    def called(row: dict) -> str:
        values = {name: value if isinstance(value, str) else f"{value:g}" for name, value in row["options"].items()}
        options = ", ".join(f"{name} {value}" for name, value in values.items())
        return f"{row['guidance']} ({options})" if options else row["guidance"]

    width = max(len(called(row)) for row in chosen["tried"])
    rows = [f"  {called(row):{width}}  {row['student']:.3f}" for row in chosen["tried"]]
    return (f"Chosen was the guidance {called(chosen)}, by students on {chosen['on']}:", *rows)
