"""Distances between two sets of features, `generated` first: MMD, Fréchet, kernel (KID) and class-mean distance.

MMD² = E k(x, x') + E k(y, y') - 2 E k(x, y), with the kernel k(x, y) = exp(-‖x - y‖² / (2 h²)).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.image_sets import ImageSet, at
from mgd_helpers.data.images import to_uint8
from mgd_helpers.linalg import BLOCK_BYTES, at_least_float32, squared_distances, two_sets
from mgd_helpers.progress import progress

FeatureFunction = Callable[[Tensor], Tensor]  # of a batch of images, a row for each
NamedFeatures = tuple[str, FeatureFunction]  # what to call them, and the function

LARGEST_FOR_BANDWIDTH = 2000  # real rows whose median distance is the default bandwidth
LARGEST_SUBSET = 1000  # rows per subset of the kernel distance, as in the paper


def mmd(
    *,
    generated: Float[Tensor, "n d"],
    real: Float[Tensor, "m d"],
    bandwidth: float | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> float:
    """The unbiased squared maximum mean discrepancy (Gretton et al., 2012, Eq. 3) with a Gaussian kernel.

    Zero in expectation where both sets come from one distribution, hence at times slightly negative. `bandwidth` h
    defaults to the median distance among the real features, or among 2,000 of more, drawn once and for all: values
    compare only against the same real set. Say of which features you speak. Needs two rows on each side; runs in
    float64, in blocks of about `block_bytes` beside the features; costs (n + m)² d.
    """
    generated, real = two_sets(generated, real)
    block_bytes = arguments.whole("block_bytes", block_bytes, at_least=1)
    if bandwidth is None:
        few = real
        if len(real) > LARGEST_FOR_BANDWIDTH:
            order = torch.randperm(len(real), generator=seeding.generator(0))
            few = real[order[:LARGEST_FOR_BANDWIDTH].to(real.device)]
        squares = squared_distances(few, few)
        rows = squares.flatten()[1:].view(len(few) - 1, len(few) + 1)[:, :-1]  # all but the diagonal
        bandwidth = rows.median().sqrt().item()
    bandwidth = arguments.number("bandwidth", bandwidth, above=0, remedy="Pass one where most real features are equal.")

    def kernel_sum(rows: Tensor, others: Tensor) -> float:
        room, dim = block_bytes // rows.element_size(), rows.shape[1]
        step = max(1, int((dim**2 + room) ** 0.5) - dim)  # step² distances of twice step centered rows
        total = 0.0
        for some in rows.split(step):
            for other in others.split(step):
                squares = squared_distances(some, other)
                if some.data_ptr() == other.data_ptr():
                    squares.fill_diagonal_(0)  # but for rounding it is
                total += (squares / (-2 * bandwidth**2)).exp().sum().item()
        return total

    def unbiased_mean(rows: Tensor) -> float:  # without the diagonal, which is 1 on every row
        return (kernel_sum(rows, rows) - len(rows)) / (len(rows) * (len(rows) - 1))

    across = kernel_sum(generated, real) / (len(generated) * len(real))
    return unbiased_mean(generated) + unbiased_mean(real) - 2 * across


def frechet_distance(*, generated: Float[Tensor, "n d"], real: Float[Tensor, "m d"]) -> float:
    """The squared Fréchet distance between the Gaussians of both sets (Heusel et al., 2017), through torchmetrics.

    ‖μ - μ'‖² + tr(S + S' - 2 (S S')^½), in float64, with covariances S over n - 1. It is called FID where the features
    are those of Inception-v3 (`inception_features`), and nowhere else: name yours. It is biased by the number of rows,
    upwards for few: compare at equal n and equal m only. Never negative. Costs min(n + m, d)³: ten seconds for 1024
    features on one core, a minute or two for 2048.

    Raises `ImportError` without torchmetrics.
    """
    try:
        from torchmetrics.image.fid import FrechetInceptionDistance
    except ImportError as error:
        raise ImportError("frechet_distance needs torchmetrics: pip install torchmetrics.") from error
    generated, real = two_sets(generated, real)
    rows = torch.cat([generated, real]) - real.mean(0)  # torchmetrics sums squares: an offset would cost digits
    if len(rows) < rows.shape[1]:  # coordinates in the rows' own span: the same distances, smaller matrices
        rows = torch.linalg.qr(rows.mT).R.mT
    as_they_are: Any = torch.nn.Identity()
    as_they_are.num_features = rows.shape[1]
    metric = FrechetInceptionDistance(feature=as_they_are).to(rows.device)
    metric.update(rows[: len(generated)], real=False)
    metric.update(rows[len(generated) :], real=True)
    return max(metric.compute().item(), 0.0)


def kernel_distance(
    *,
    generated: Float[Tensor, "n d"],
    real: Float[Tensor, "m d"],
    subsets: int = 50,
    subset_size: int | None = None,
    seed: int = 0,
) -> float:
    """The unbiased squared MMD with the kernel (x·y / d + 1)³ (KID; Bińkowski et al., 2018), through torchmetrics.

    The mean over `subsets` draws, without replacement and by `seed`, of `subset_size` rows from each set. The default,
    the size of the smaller set but at most 1000, wastes no generated row. Its expectation depends on neither size nor
    number of subsets, which only make it steadier: unlike `frechet_distance` it compares across unequal n. Near zero
    it is at times negative. Where a subset holds all rows of both sets, one is enough. Runs in float64. Name your
    features.

    Raises `ImportError` without torchmetrics.
    """
    try:
        from torchmetrics.image.kid import poly_mmd
    except ImportError as error:
        raise ImportError("kernel_distance needs torchmetrics: pip install torchmetrics.") from error
    generated, real = two_sets(generated, real)
    fewest = min(len(generated), len(real))
    size = min(fewest, LARGEST_SUBSET) if subset_size is None else subset_size
    size = arguments.whole("subset_size", size, at_least=2, at_most=fewest, remedy="The smaller set has no more rows.")
    subsets, seed = arguments.whole("subsets", subsets, at_least=1), arguments.whole("seed", seed, at_least=0)
    if size == len(generated) == len(real):
        return poly_mmd(real, generated).item()
    total = 0.0
    for subset in progress(range(subsets), "kernel distance", unit="subset"):
        generator = seeding.generator(seed, subset)
        chosen, other = (torch.randperm(len(rows), generator=generator)[:size] for rows in (generated, real))
        total += poly_mmd(real[other.to(real.device)], generated[chosen.to(generated.device)]).item()
    return total / subsets


def embedding_distance(
    *,
    generated: Float[Tensor, "n d"],
    real: Float[Tensor, "m d"],
    generated_labels: Int[Tensor, " n"],
    real_labels: Int[Tensor, " m"],
) -> float:
    """The Euclidean distance between the mean unit-length feature of a class in both sets, averaged over classes.

    Between 0 and 2; every class counts the same, however many rows it has. Both sets need the same classes. Name your
    features.
    """

    def between_means(*, generated: Tensor, real: Tensor) -> float:
        one, other = (torch.nn.functional.normalize(rows.double(), dim=1).mean(0) for rows in (generated, real))
        return torch.dist(one, other).item()

    found = per_class(
        between_means, generated=generated, real=real, generated_labels=generated_labels, real_labels=real_labels
    )
    return sum(found.values()) / len(found)


def per_class(
    metric: Callable[..., Any],
    *,
    generated: Float[Tensor, "n d"],
    real: Float[Tensor, "m d"],
    generated_labels: Int[Tensor, " n"],
    real_labels: Int[Tensor, " m"],
) -> dict[int, Any]:
    """What `metric(generated=…, real=…)` says of each class alone, by label; both sets need the same classes.

    Options go in by `functools.partial`. The Fréchet distance of a class is the more biased, the fewer rows it has.
    """
    arguments.function("metric", metric)
    arguments.tensor("generated_labels", generated_labels)
    arguments.tensor("real_labels", real_labels)
    if (len(generated_labels), len(real_labels)) != (len(generated), len(real)):
        raise ValueError(
            "generated_labels and real_labels must hold one label per row, "
            f"{len(generated)} and {len(real)}; got {len(generated_labels)} and {len(real_labels)}."
        )
    classes = sorted(set(generated_labels.tolist()))
    if odd := set(classes) ^ set(real_labels.tolist()):
        raise ValueError(
            f"generated and real must hold the same classes; got {sorted(odd)[:5]} in one of them only. "
            "Leave these rows out of both."
        )
    return {
        label: metric(generated=generated[generated_labels == label], real=real[real_labels == label])
        for label in classes
    }


def name_and_function(features: Any) -> tuple[str, FeatureFunction | None]:
    """The two halves of a pair of `NamedFeatures`; of None, those of the pixels themselves.

    >>> name_and_function(None)
    ('pixels', None)
    """
    if features is None:
        return "pixels", None
    if not (isinstance(features, tuple | list) and len(features) == 2 and isinstance(features[0], str)):
        raise ValueError(f"features must be a pair (name, function of images); got {features!r}. Name your features.")
    return features[0], arguments.function("features[1]", features[1])


def feature_rows(
    images: Float[Tensor, "n c h w"] | ImageSet, function: FeatureFunction | None = None, *, batch_size: int = 500
) -> Float[Tensor, "n d"]:
    """Features as rows: of `function`, called with batches and without gradients; by default the pixels themselves."""
    batch_size = arguments.whole("batch_size", batch_size, at_least=1)
    if function is None:
        return at_least_float32(at(images, slice(None)).detach().flatten(1))
    arguments.function("features", function)
    found = []
    with torch.no_grad():
        for start in range(0, max(len(images), 1), batch_size):
            block = at(images, slice(start, start + batch_size))
            rows = arguments.tensor("what features return", function(block))
            if rows.ndim < 2 or len(rows) != len(block):
                raise ValueError(f"features must give a row per image; got {list(rows.shape)} of {len(block)} images.")
            found.append(rows.flatten(1))
    return at_least_float32(torch.cat(found))


def inception_features(images: Float[Tensor, "n c h w"], *, batch_size: int = 64) -> Float[Tensor, "n 2048"]:
    """The 2048 pooled features of Inception-v3 with the weights of FID, through torchmetrics; images in [-1, 1].

    Images become bytes, grey ones three equal channels, and the network resizes them to 299 pixels as torchmetrics
    does by default. The first call downloads the weights (about 90 MB).

    Raises `ImportError` where torchmetrics or torch-fidelity is missing.
    """
    batch_size = arguments.whole("batch_size", batch_size, at_least=1)
    if images.shape[1] not in (1, 3):
        raise ValueError(f"images must have 1 or 3 channels; got {images.shape[1]}. Decode latents first.")
    try:
        network = _inception(images.device)
    except ImportError as error:
        raise ImportError(
            "inception_features needs torchmetrics and torch-fidelity: pip install torchmetrics torch-fidelity."
        ) from error
    batches = progress(images.split(batch_size), "Inception features", unit="batch")
    with torch.no_grad():
        return torch.cat([network(to_uint8(batch).expand(-1, 3, -1, -1)) for batch in batches])


@functools.lru_cache(maxsize=1)
def _inception(device: torch.device) -> Any:
    from torchmetrics.image.fid import NoTrainInceptionV3

    return NoTrainInceptionV3(name="inception-v3-compat", features_list=["2048"]).to(device)
