"""Sets: their targets, how they are sampled, and where they are kept, so that each is made once.

What `mgd.distill` does, in memory: the same targets, guidance, noise and rounding to eight bits.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable

import torch
from safetensors.torch import load_file, save_file

import mgd_helpers as mgd
from mgd_helpers.clustering.bisecting import bisect_classes
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.data.files import write
from mgd_helpers.data.images import from_uint8, to_uint8
from mgd_helpers.encoding.pipelines import Pipeline
from mgd_helpers.guidance import Guidance
from mgd_helpers.manifest import describe
from studies.data_sets import DATA_SETS
from studies.protocol import STEPS, Bench

BATCH = 100  # images denoised at once


@functools.lru_cache(maxsize=8)
def targets_of(
    bench: Bench,
    images_per_class: int,
    seed: int,
    *,
    strategy: str = "levels",
    representative: str = "centroid",
    space: str = "raw",
) -> tuple[mgd.Targets, ...]:
    """Targets of every class, from trees that all rows of one seed share."""
    clouds = [bench.cloud(label) for label in range(bench.n_classes)]
    if strategy == "kmeans":
        return tuple(_k_means(cloud, images_per_class, seed) for cloud in clouds)
    trees = bisect_classes(clouds, n_leaves=images_per_class, seed=seed, space=space)
    return tuple(
        mgd.pick_targets(tree, images_per_class=images_per_class, strategy=strategy, representative=representative)
        for tree in trees
    )


def _k_means(cloud: torch.Tensor, n_clusters: int, seed: int) -> mgd.Targets:
    """Flat k-means in place of a tree, by scikit-learn."""
    from sklearn.cluster import KMeans

    found = KMeans(n_clusters, n_init=5, random_state=seed).fit(cloud.flatten(1).numpy())
    labels = torch.from_numpy(found.labels_)
    members = tuple((labels == cluster).nonzero()[:, 0] for cluster in range(n_clusters))
    centers = torch.from_numpy(found.cluster_centers_).float().view(n_clusters, *cloud.shape[1:])
    return mgd.Targets(centers, tuple(range(n_clusters)), members)


def sample(
    bench: Bench,
    images_per_class: int,
    guidance_of: Callable[[int], Guidance | None] | None,
    *,
    seed: int,
    scale: float | None,
    steps: int = STEPS,
    pipe: Pipeline | None = None,
) -> mgd.ImageSet:
    """One set at a scale of classifier-free guidance, by default the one before it was tuned.

    `guidance_of(label)` gives the guidance of a class; `None` leaves it out.
    """
    classes = range(bench.n_classes)
    labels = PROFILES[bench.name].labels or tuple(classes)
    keys = [(label, image) for label in classes for image in range(images_per_class)]
    images = mgd.sample(
        pipe or bench.pipe,
        [labels[label] for label, _ in keys],
        keys=keys,
        guidance=guidance_of and {label: guidance_of(label) for label in classes},
        seed=seed,
        steps=steps,
        guidance_scale=DATA_SETS[bench.name].scale if scale is None else scale,
        batch_size=BATCH,
    )
    return mgd.ImageSet(eight_bits(images), torch.arange(bench.n_classes).repeat_interleave(images_per_class))


def eight_bits(images: torch.Tensor) -> torch.Tensor:
    """Images as a PNG would hold them."""
    return from_uint8(to_uint8(images))


def kept_set(bench: Bench, images_per_class: int, rule: Callable, seed: int) -> tuple[mgd.ImageSet, float]:
    """The set that `rule(bench, images_per_class, seed)` makes, and the seconds it took; made once, then kept."""
    key = hashlib.sha256(f"{describe(rule)} {bench.weights}".encode()).hexdigest()[:12]
    file = bench.kept / "sets" / bench.name / bench.part / str(images_per_class) / f"{key}_{seed}.safetensors"
    if not file.exists():
        started = time.perf_counter()
        made = rule(bench, images_per_class, seed)
        seconds = torch.tensor(time.perf_counter() - started)
        content = {"images": to_uint8(made.images), "labels": made.labels, "seconds": seconds}
        write(file, lambda path: save_file({name: part.contiguous() for name, part in content.items()}, path))
    kept = load_file(file)
    return mgd.ImageSet(from_uint8(kept["images"]), kept["labels"]), kept["seconds"].item()
