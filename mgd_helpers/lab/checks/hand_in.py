"""The project of lab 10: one image per class that teaches more than the nearest real image, on the digits.

`project(folder)` says in one sentence what is wrong with a folder that is handed in. Where nothing is, it looks at
test images that nobody tuned on, counts the look, and prints the paired interval of the difference to the nearest real
image. What it cannot find: copies that were turned or mirrored, and images that were made from held-back ones.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.data.datasets import load_data, read_generated
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.data.records import faults, is_record, read_manifest
from mgd_helpers.distillation import distill
from mgd_helpers.evaluation.copies import find_copies, nearest_images
from mgd_helpers.lab.checks.answers import NotStarted, Slip, told, untouched
from mgd_helpers.lab.checks.held_back import DATA, count_look, latents_of_training, outcome
from mgd_helpers.lab.checks.laws import law
from mgd_helpers.lab.checks.tasks import print_hint
from mgd_helpers.manifest import data_hash

REACH = 2  # pixels by which a copy may be moved and is still found
ROUNDING = 2  # gray levels by which an image that is made again may differ, on another machine
HINTS = (
    "one image has to stand for a whole class. Which image is near to all of its members?",
    "a real image has one person's hand in it. What is left if you take a mean over many?",
    "write a class mean, of pixels or of decoded latents, by `mgd.write_images`, and go on from there.",
)


class Project:
    """`project(folder)` checks a folder and looks at the held-back half; `project.verify(folder)` only checks it."""

    name = "project"

    def __call__(self, folder: object) -> None:
        """Print what is wrong, or that nothing is and how the ten images do. Nothing that is handed in raises."""
        if handed := self._verified(folder):
            images, note = handed
            try:
                lines = outcome(images, *count_look(Path(str(folder)), images))
            except (Slip, OSError) as slip:
                lines = [f"no look: {slip}"]
            print("\n".join([note, *lines]))

    def verify(self, folder: object) -> None:
        """Print what is wrong, or that nothing is."""
        self._verified(folder)

    def hint(self, step: int) -> None:
        """Print hint 1, 2 or 3; each says more than the one before."""
        print_hint(self.name, HINTS, step)

    def _verified(self, folder: object) -> tuple[ImageSet, str] | None:
        handed, sentence = None, "nothing is wrong with this folder."
        try:
            handed = read(folder)
        except NotStarted:
            sentence = f"not started. A first hint: checks.{self.name}.hint(1)"
        except Slip as slip:
            sentence = str(slip)
        except Exception as error:
            sentence = f"this folder cannot be read ({told(error)})."
        print(f"{self.name}: {sentence}")
        return handed


project = Project()


def read(folder: object) -> tuple[ImageSet, str]:
    """The ten images of a folder in the order of the classes, and what its manifest proves about seeds.

    Everything that can be checked without the held-back half is then found right.

    Raises `Slip` with a sentence for the first thing that is wrong, and `NotStarted` for None.
    """
    if untouched(folder):
        raise NotStarted
    kind = f"{folder!r} is none" if isinstance(folder, str | Path) else f"this is of type {type(folder).__name__}"
    law(isinstance(folder, str | Path) and Path(folder).is_dir(), f"a folder is wanted; {kind}.")
    path, data = Path(str(folder)), load_data(DATA)
    try:
        manifest = read_manifest(path)
        law(manifest is not None, "there is no manifest: write the images by `mgd.write_images` or `mgd.distill`.")
        law(is_record(manifest), "the manifest is none of `mgd.write_images` or `mgd.distill`.")
        law("made_by" in manifest, "the manifest has no checksums: write the folder anew.")
        for file, why in faults(path, manifest).items():
            raise Slip(f"{file} is not what the manifest lists: {why}.")
        images = read_generated(path, data)
    except ValueError as error:
        raise Slip(f"{error}") from None
    counts = torch.bincount(images.labels, minlength=len(data.class_names)).tolist()
    for name, count in zip(data.class_names, counts, strict=True):
        law(count == 1, f"one image per class is wanted; class {name} has {count}.")
    images = images.take(images.labels.argsort())
    _check_copies(images, data)
    return images, _seeds(manifest, images, data)


def _check_copies(images: ImageSet, data: Dataset) -> None:
    """Refuse images nearer to a real one than all test images are to the training images, also moved or faded."""
    for row, of in find_copies(images, data)["near_duplicates"]:
        raise Slip(f"the {data.class_names[row]} copies training image {of}, or nearly so.")
    near = _nearest_test_image()
    for part, real in (("training", data.train), ("test", data.test)):
        for row in (moved_distances(images.images, real.images) < near).nonzero()[:, 0].tolist():
            name = data.class_names[row]
            raise Slip(f"the {name} is a {part} image, moved, faded or changed by very little.")


@functools.cache
def _nearest_test_image() -> float:
    data = load_data(DATA)
    return moved_distances(data.test.images, data.train.images).min().item()


def moved_distances(images: Float[Tensor, "n c h w"], real: Float[Tensor, "m c h w"]) -> Float[Tensor, " n"]:
    """Distance to the nearest real image, whatever the contrast, and moved by up to `REACH` pixels."""
    steps, known = range(-REACH, REACH + 1), _standard(real)
    moved = (images.roll((down, right), dims=(2, 3)) for down in steps for right in steps)
    return torch.stack([nearest_images(_standard(some), known)[0] for some in moved]).amin(0)


def _standard(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    less_mean = images - images.mean((1, 2, 3), keepdim=True)
    return less_mean / less_mean.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)


def _seeds(manifest: dict, images: ImageSet, data: Dataset) -> str:
    """What the manifest proves about seeds: images of `distill` are made again from it, where that can be done."""
    settings = manifest["settings"]
    if "seed" not in settings:
        return "seeds: the manifest has checksums and no seeds. So nobody can make these images again from it."
    law(settings.get("data_hash") == data_hash(data), "they were distilled from others than the training images.")
    for label, image in enumerate(sorted(manifest["images"], key=lambda image: data.class_names.index(image["class"]))):
        wanted = [settings["seed"], label, 0]
        law(
            image.get("generator") == wanted,
            f"the manifest contradicts itself: seed {settings['seed']}, but {image.get('generator')} for "
            f"{image['file']} where {wanted} is due.",
        )
    try:
        again = _made_again(settings)
    except ValueError as error:
        return f"seeds: not tried. These images cannot be made again here, so take them on trust ({told(error)})."
    levels = ((again.images - images.images).abs() * 127.5).amax((1, 2, 3)).round()
    law(
        levels.max() <= ROUNDING,
        f"seed {settings['seed']} and the settings of the manifest make other images: made again, the "
        f"{data.class_names[int(levels.argmax())]} differs by {levels.max():.0f} gray levels.",
    )
    return f"seeds: all ten were made again from the manifest, the same up to {levels.max():.0f} gray levels."


def _made_again(settings: dict) -> ImageSet:
    """The images that these settings make. Raises `ValueError` for settings that are not of the bundled pipeline."""
    if settings.get("guidance_code"):
        raise ValueError("the guidance is no named one")
    names = ("guidance", "strategy", "representative", "steps", "guidance_scale", "set_size", "seed")
    latents = None if settings.get("latents") is None else latents_of_training()
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "again"
        chosen = {name: settings[name] for name in names if name in settings}
        made = distill(DATA, images_per_class=1, out=out, latents=latents, **chosen).manifest["settings"]
        for name in ("weights", "scheduler_config"):
            if made[name] != settings.get(name):
                raise ValueError(f"{name} are not those of the bundled pipeline")
        return read_generated(out, load_data(DATA))
