"""Sets that no denoiser made, by the names that `method=` of `distill` takes.

Real images that a rule chooses, and what an autoencoder makes of targets or of real images: what any guidance must
beat, in a folder of the same shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.clustering.targets import Targets
from mgd_helpers.data.files import tensor_hash
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.encoding.compatibility import check_images, check_latents
from mgd_helpers.encoding.kinds import encoder_dtype, kind_of
from mgd_helpers.encoding.latents import decode, encode
from mgd_helpers.encoding.pipelines import weights_hash
from mgd_helpers.evaluation.chosen_rows import herding_rows, k_center_rows, nearest_each, random_rows
from mgd_helpers.manifest import data_hash
from mgd_helpers.provenance import package_versions

DIFFUSION = "diffusion"
WITH_TARGETS = ("nearest-real", "decoded-targets")
DECODED = ("decoded-targets", "round-trip")
METHODS = (DIFFUSION, "nearest-real", "random-real", "herding", "k-center", *DECODED)


@dataclass(frozen=True, eq=False)
class Picks:
    """The finished images of a class; for the record, the tree's `nodes` and the `members`, rows within the class."""

    images: Float[Tensor, "k c h w"]
    nodes: tuple[int | None, ...]
    members: tuple[Int[Tensor, " _"], ...]


def takes_pipeline(method: str, pipeline: Any) -> bool:
    """Whether a method looks at a pipeline: always to decode, and for the nearest images where one is given.

    Raises `ValueError` where one is given to a method that cannot use it.
    """
    if method not in (DIFFUSION, *WITH_TARGETS, *DECODED) and pipeline is not None:
        raise ValueError(
            f"pipeline must be left out with method={method!r}, which looks at pixels alone; got {pipeline!r}."
        )
    return method in (DIFFUSION, *DECODED) or pipeline is not None


def prepare(method: str, data: Dataset, pipe: Any, latents: Any, asked: dict) -> tuple[Tensor | None, dict]:
    """What a method without a denoiser needs: latents, and the settings; `pipe` has its autoencoder, or is `None`.

    `asked` are numbers and words of the call, checked; those that count for this method are settings.
    """
    counting = ["images_per_class", "seed", "split"]
    counting += ["strategy", "representative"] if method in WITH_TARGETS else []
    settings: dict[str, Any] = {
        "data": data.name,
        "data_hash": data_hash(data),
        "classes": list(data.class_names),
        "method": method,
        "package": package_versions()["mgd-helpers"],
        **{key: asked[key] for key in counting if key in asked},
    }
    if pipe is None:
        return None, settings
    if not kind_of(pipe).latent and method in DECODED:
        raise ValueError(f"pipeline must have an autoencoder for method={method!r}; {type(pipe).__name__} has none.")
    if latents is None or method == "round-trip":
        check_images(pipe, data.train)
    if latents is not None:
        latents = check_latents(pipe, latents, len(data.train))
    settings |= {
        "latents": None if latents is None else tensor_hash(latents),
        "weights": weights_hash(pipe),
        "encoder_dtype": encoder_dtype(pipe),
    }
    return latents, settings


def pick(
    data: Dataset,
    settings: dict,
    labels: Iterable[int],
    clouds: dict[int, Tensor],
    targets: dict[int, Targets],
    vae: Any,
) -> dict[int, Picks]:
    """The images of these classes by `settings["method"]`; methods `WITH_TARGETS` are given `clouds` and `targets`."""
    method, train = settings["method"], data.train
    if method == "decoded-targets":
        return {
            label: Picks(decode(vae, targets[label].latents), targets[label].nodes, targets[label].members)
            for label in labels
        }
    picks = {}
    nodes: tuple[int | None, ...]
    chosen = None if method == "nearest-real" else _rows(method, data, settings)
    for label in labels:
        own = train.rows_of(label)
        if chosen is None:
            members, nodes = nearest_each(targets[label].latents, clouds[label]), targets[label].nodes
        else:
            members = torch.searchsorted(own, chosen[train.labels[chosen] == label])
            nodes = (None,) * len(members)
        images = train.at(own[members.to(own.device)])
        images = decode(vae, encode(vae, images)) if method == "round-trip" else images
        picks[label] = Picks(images, nodes, tuple(members.cpu()[:, None]))
    return picks


def _rows(method: str, data: Dataset, settings: dict) -> Tensor:
    count, train = settings["images_per_class"], data.train
    if method == "herding":
        return herding_rows(train, images_per_class=count)
    if method == "k-center":
        return k_center_rows(train, images_per_class=count)
    return random_rows(train, images_per_class=count, seed=settings["seed"])
