"""The rows of the tables: rules that make a set of `images_per_class` images per class from one seed.

Each rule is a function `(bench, images_per_class, seed) -> ImageSet`; those with settings are bound with
`functools.partial`, so that a kept set is one of these settings.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

import mgd_helpers as mgd
from mgd_helpers.baselines import finetune_minimax, match_distributions, real_images
from mgd_helpers.encoding.latents import decoded
from mgd_helpers.encoding.pipelines import Pipeline
from mgd_helpers.guidance import factories, strengths, tangent_at
from mgd_helpers.guidance.clouds import sphere_points
from mgd_helpers.guidance.pulls import ManifoldPull
from mgd_helpers.guidance.windows import window
from mgd_helpers.seeding import generator
from mgd_helpers.students.augmentation import apply_augmentation, random_augmentation
from studies.protocol import STEPS, Bench
from studies.sets import eight_bits, sample, targets_of

TREE_LEAVES = 50  # 99 nodes
SPHERE_RADIUS = 0.1  # of the released settings, most often
PIXELS_BELOW = 0.6  # the noise share below which images are matched

# --- factories beside those of `mgd_helpers.guidance.factories`, for one class at a time


def manifold_among(targets, cloud, seed, *, source, **settings):
    """The manifold pull with neighbours among the nodes of a `"tree"`, or points on `"spheres"` around the targets."""
    if source == "tree":
        cloud = mgd.bisect(cloud, n_leaves=TREE_LEAVES, seed=seed).centroids
    elif source == "spheres":
        cloud = sphere_points(targets.latents, radius=SPHERE_RADIUS, seed=seed, keys=targets.nodes)
    else:
        raise ValueError(f"source must be 'tree' or 'spheres'; got {source!r}.")
    return factories.manifold(targets, cloud, seed, **settings)


def shortened_pull(targets, cloud, seed, *, above=0.5, **settings):
    """Straight at the target, but only as far as the manifold pull goes: its length without its direction."""
    manifold = ManifoldPull(targets.latents, cloud, **settings)

    def pull(denoised, level):
        straight = targets.latents.to(denoised) - denoised
        lengths = [part.flatten(1).norm(dim=1) for part in (manifold(denoised, level) - denoised, straight)]
        share = lengths[0] / lengths[1].clamp_min(1e-12)
        return denoised + share.view(-1, *[1] * (denoised.ndim - 1)) * straight

    return window(pull, above=above)


def both(targets, cloud, seed, *, match, transport):
    """Transport and matching, each with settings of its own."""
    first = factories.transport(targets, cloud, seed, **transport)
    return mgd.chain(first, factories.match(targets, cloud, seed, **match))


def on_tangent(targets, cloud, seed, **settings):
    """Transport and matching, of whose move the part along the tangent space stays: the paper's idea on whole sets."""
    pulls, tangent = factories.match_transport(targets, cloud, seed, **settings), tangent_at.denoised(cloud)

    def pull(denoised, level):
        return denoised + tangent(denoised, level).tangent_part(pulls(denoised, level) - denoised)

    return pull


def scheduled(level, *, rule, rate):
    """A strength of `mgd_helpers.guidance.strengths` by name, so that a kept set is one of this rate."""
    return getattr(strengths, rule)(rate)(level)


# --- sets without a generator


def random_real(bench: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    return real_images.random_real(bench.data.train, images_per_class=images_per_class, seed=seed)


def herding(bench: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    return real_images.herding(bench.data.train, images_per_class=images_per_class)


def k_center(bench: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    return real_images.k_center(bench.data.train, images_per_class=images_per_class)


def nearest_real(bench: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    """The training image nearest to each target."""
    return real_images.nearest_real(bench.data.train, bench.latents, _target_latents(bench, images_per_class, seed))


def round_trip(bench: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    """The same images after encoding and decoding."""
    decoded = real_images.round_trip(bench.pipe.vae, nearest_real(bench, images_per_class, seed))
    return mgd.ImageSet(eight_bits(decoded.images), decoded.labels)


def decoded_targets(bench: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    decoded = real_images.decoded_targets(bench.pipe.vae, _target_latents(bench, images_per_class, seed))
    return mgd.ImageSet(eight_bits(decoded.images), decoded.labels)


def _target_latents(bench: Bench, images_per_class: int, seed: int) -> list[torch.Tensor]:
    return [targets.latents for targets in targets_of(bench, images_per_class, seed)]


REAL = {  # rows of the tables by name: none of them draws from the pipeline
    "random real": random_real,
    "herding": herding,
    "k-centre": k_center,
    "nearest real": nearest_real,
    "round trip": round_trip,
    "decoded targets": decoded_targets,
}


# --- sets made by the pipeline, at a scale of classifier-free guidance, by default that of before it was tuned


def unguided(
    bench: Bench,
    images_per_class: int,
    seed: int,
    *,
    scale: float | None = None,
    steps: int = STEPS,
    sampler: str | None = None,
) -> mgd.ImageSet:
    pipe = with_sampler(bench.pipe, sampler) if sampler else None
    return sample(bench, images_per_class, None, seed=seed, scale=scale, steps=steps, pipe=pipe)


def guided(
    bench: Bench,
    images_per_class: int,
    seed: int,
    *,
    scale: float | None = None,
    pull: Callable,
    steps: int = STEPS,
    sampler: str | None = None,
    **targets: str,
) -> mgd.ImageSet:
    """Under a guidance: `pull` is one of `guidance.factories`, bound; the rest says where targets come from."""
    found = targets_of(bench, images_per_class, seed, **targets)

    def guidance_of(label: int) -> mgd.Guidance | None:
        return pull(found[label], bench.cloud(label), generator(seed, label).initial_seed())

    pipe = with_sampler(bench.pipe, sampler) if sampler else None
    return sample(bench, images_per_class, guidance_of, seed=seed, scale=scale, steps=steps, pipe=pipe)


def mgd3(bench: Bench, images_per_class: int, seed: int, *, scale: float | None = None) -> mgd.ImageSet:
    """The mode guidance of MGD3 as published: 0.1 times a DDPM step's deviation, 50 steps; only the scale is tuned."""
    return guided(bench, images_per_class, seed, scale=scale, pull=factories.mgd3, steps=50, sampler="DDPMScheduler")


def pixel_match(
    bench: Bench, images_per_class: int, seed: int, *, rate: float, scale: float | None = None, above: float = 0.0
) -> mgd.ImageSet:
    """Matching through the decoder, on images under one random change (`dsa`) for all: distribution matching's energy.

    It acts while the noise share is at most 0.6, where the decoder shows something.
    """
    decode = functools.partial(decoded, bench.pipe.vae)

    def guidance_of(label: int) -> mgd.Guidance:
        real, class_seed = bench.data.train.of_class(label), generator(seed, label).initial_seed()
        pull = mgd.MatchPull(real, rate, inner_steps=4, depth=3, seed=class_seed, fresh=True, decode=decode, change=dsa)
        return window(pull, above=above, below=PIXELS_BELOW)

    return sample(bench, images_per_class, guidance_of, seed=seed, scale=scale)


def dsa(images: torch.Tensor, drawn: torch.Generator) -> torch.Tensor:
    """All images under one random change."""
    one = random_augmentation("dsa", (1, *images.shape[1:]), generator=drawn)
    return apply_augmentation(images, {name: row.expand(len(images), *row.shape[1:]) for name, row in one.items()})


def with_sampler(pipe: Any, name: str) -> Pipeline:
    """The same networks under another of diffusers' schedulers."""
    import diffusers

    scheduler = getattr(diffusers, name).from_config(pipe.scheduler.config)
    other = diffusers.DiTPipeline(pipe.transformer, pipe.vae, scheduler)
    other.set_progress_bar_config(disable=True)
    return other


# --- sets whose making needs training


def distribution_matching(
    bench: Bench, images_per_class: int, seed: int, *, steps: int, learning_rate: float
) -> mgd.ImageSet:
    start, real = random_real(bench, images_per_class, seed), bench.data.train
    made = match_distributions(start, real, steps=steps, learning_rate=learning_rate, seed=seed)
    return mgd.ImageSet(eight_bits(made.images), made.labels)


def minimax(bench: Bench, images_per_class: int, seed: int, *, steps: int, scale: float | None = None) -> mgd.ImageSet:
    """Unguided images of the pipeline after a Minimax-style fine-tune, which is made once per data set."""
    return sample(bench, images_per_class, None, seed=seed, scale=scale, pipe=_finetuned(bench, steps))


@functools.lru_cache(maxsize=1)
def _finetuned(bench: Bench, steps: int) -> Pipeline:
    folder = bench.kept / f"minimax_{bench.name}_{bench.part}_{bench.weights[:12]}_{steps}"
    if not (folder / "model_index.json").exists():
        labels = range(bench.n_classes)
        pipe = finetune_minimax(
            bench.pipe, bench.data.train, latents=bench.latents, class_labels=labels, steps=steps, seed=0
        )
        pipe.save_pretrained(folder, safe_serialization=True)
    return mgd.load_pipeline(folder)
