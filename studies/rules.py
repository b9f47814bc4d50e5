"""The rows of the tables: rules that make a set of `images_per_class` images per class from one seed.

Each rule is a function `(bench, images_per_class, seed) -> ImageSet`; those with settings are bound with
`functools.partial`, so that their settings are part of their name.
"""

from __future__ import annotations

import functools

import torch
from protocol import KEPT, STEPS, Bench, eight_bits, sample, targets_of

import mgd_helpers as mgd
from mgd_helpers.baselines import real_images, trained
from mgd_helpers.guidance import factories
from mgd_helpers.guidance.clouds import sphere_points
from mgd_helpers.guidance.pulls import ManifoldPull
from mgd_helpers.guidance.windows import window

TREE_LEAVES = 50  # 99 nodes
SPHERE_RADIUS = 0.1  # of the released settings, most often

# --- factories beside those of `mgd_helpers.guidance.factories`: guidances for the images of one class at a time


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


def scheduled(level, *, rule, rate):
    """A strength of `mgd_helpers.guidance.strengths` by name, so that its rate is part of a cell's key."""
    return getattr(mgd.schedules, rule)(rate)(level)


# --- sets without a generator


def random_real(stand: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    return real_images.random_real(stand.data.train, images_per_class=images_per_class, seed=seed)


def herding(stand: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    return real_images.herding(stand.data.train, images_per_class=images_per_class)


def k_center(stand: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    return real_images.k_center(stand.data.train, images_per_class=images_per_class)


def nearest_real(stand: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    """The training image nearest to each target."""
    return real_images.nearest_real(stand.data.train, stand.latents, _target_latents(stand, images_per_class, seed))


def round_trip(stand: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    """The same images after encoding and decoding."""
    decoded = real_images.round_trip(stand.pipe.vae, nearest_real(stand, images_per_class, seed))
    return mgd.ImageSet(eight_bits(decoded.images), decoded.labels)


def decoded_targets(stand: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    decoded = real_images.decoded_targets(stand.pipe.vae, _target_latents(stand, images_per_class, seed))
    return mgd.ImageSet(eight_bits(decoded.images), decoded.labels)


def _target_latents(stand: Bench, images_per_class: int, seed: int) -> list[torch.Tensor]:
    return [targets.latents for targets in targets_of(stand, images_per_class, seed)]


# --- sets made by the pipeline


def unguided(
    stand: Bench, images_per_class: int, seed: int, *, steps: int = STEPS, sampler: str | None = None
) -> mgd.ImageSet:
    pipe = sampler and with_sampler(stand.pipe, sampler)
    return sample(stand, targets_of(stand, images_per_class, seed), None, seed=seed, steps=steps, pipe=pipe)


def guided(
    stand: Bench, images_per_class: int, seed: int, *, pull, steps: int = STEPS, sampler: str | None = None, **targets
) -> mgd.ImageSet:
    """Under a guidance: `pull` is one of `guidance.factories`, bound; the rest says where targets come from."""
    found = targets_of(stand, images_per_class, seed, **targets)
    return sample(stand, found, pull, seed=seed, steps=steps, pipe=sampler and with_sampler(stand.pipe, sampler))


def mgd3(stand: Bench, images_per_class: int, seed: int) -> mgd.ImageSet:
    """The mode guidance of MGD3 as published: 0.1 times a DDPM step's deviation, 50 steps, and not tuned."""
    return guided(stand, images_per_class, seed, pull=factories.mgd3, steps=50, sampler="DDPMScheduler")


def with_sampler(pipe, name: str):
    """The same networks under another of diffusers' schedulers."""
    import diffusers

    scheduler = getattr(diffusers, name).from_config(pipe.scheduler.config)
    other = diffusers.DiTPipeline(pipe.transformer, pipe.vae, scheduler)
    other.set_progress_bar_config(disable=True)
    return other


# --- sets whose making needs training


def distribution_matching(
    stand: Bench, images_per_class: int, seed: int, *, steps: int, learning_rate: float
) -> mgd.ImageSet:
    start, real = random_real(stand, images_per_class, seed), stand.data.train
    made = trained.match_distributions(start, real, steps=steps, learning_rate=learning_rate, seed=seed)
    return mgd.ImageSet(eight_bits(made.images), made.labels)


def minimax(stand: Bench, images_per_class: int, seed: int, *, steps: int) -> mgd.ImageSet:
    """Unguided images of the pipeline after a Minimax-style fine-tune, which is made once per data set."""
    targets = targets_of(stand, images_per_class, seed)
    return sample(stand, targets, None, seed=seed, pipe=_finetuned(stand, steps))


@functools.cache
def _finetuned(stand: Bench, steps: int):
    folder = KEPT / f"minimax_{stand.name}_{stand.part}_{stand.weights[:12]}_{steps}"
    if not (folder / "model_index.json").exists():
        labels = range(stand.n_classes)
        pipe = trained.finetune_minimax(
            stand.pipe, stand.data.train, latents=stand.latents, class_labels=labels, steps=steps, seed=0
        )
        pipe.save_pretrained(folder, safe_serialization=True)
    return mgd.load_pipeline(folder)
