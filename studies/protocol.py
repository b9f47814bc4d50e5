"""What every row of a table stands on: a data set, the pipeline that distils it, latents, and images held back.

Validation images are a fifth of the training images, at most 2,000, as many of each class as there are in proportion.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import mgd_helpers as mgd
from mgd_helpers.data.files import write
from mgd_helpers.encoding.pipelines import LatentPipeline, weights_hash
from mgd_helpers.seeding import generator
from studies.data_sets import LARGEST_SHARE, VALIDATION

KEPT = Path(__file__).resolve().parent.parent / "build" / "studies"  # large, and made again by the same commands
SETS = 5
STEPS = 25  # DDIM steps, unless a row says otherwise


@dataclass(frozen=True, eq=False)
class Bench:
    """A data set, the pipeline that distils it and the latents of its training images.

    `part` says which images the students are tested on: "test", or "validation", held back from the training images.
    Sets and networks are kept in the folder `kept`, and made only where it lacks them.
    """

    name: str
    part: str
    data: mgd.Dataset
    pipe: LatentPipeline
    latents: torch.Tensor
    n_classes: int
    weights: str
    kept: Path

    def cloud(self, label: int) -> torch.Tensor:
        """The latents of one class."""
        return self.latents[self.data.train.rows_of(label)]


@functools.lru_cache(maxsize=2)
def load_bench(name: str, part: str = "test", *, kept: Path = KEPT) -> Bench:
    """The bench of one data set, read once per process."""
    data = mgd.load_data(name)
    pipe = mgd.load_pipeline(name)
    weights = weights_hash(pipe)
    file = kept / f"latents_{name}_{weights[:12]}.safetensors"
    if file.exists():
        latents = load_file(file)["latents"]
    else:
        latents = mgd.encode(pipe.vae, data.train.images)
        write(file, lambda path: save_file({"latents": latents}, path))
    if part == "validation":
        held, rest = held_back(data.train)
        train, latents = data.train.take(rest), latents[rest]
        data = replace(data, train=train, test=data.train.take(held))
    return Bench(name, part, data, pipe, latents, len(data.class_names), weights, kept)


def held_back(images: mgd.ImageSet) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of the validation split, as many of each class as there are in proportion, and the rows that remain."""
    share = min(VALIDATION / len(images), LARGEST_SHARE)
    members_held = []
    for label in images.labels.unique().tolist():
        members = images.rows_of(label)
        order = torch.randperm(len(members), generator=generator(0, label))
        members_held.append(members[order[: round(share * len(members))]])
    held = torch.cat(members_held).sort().values
    rest = torch.ones(len(images), dtype=torch.bool)
    rest[held] = False
    return held, rest.nonzero()[:, 0]
