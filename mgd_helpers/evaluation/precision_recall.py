"""Scores of two sets of features by nearest neighbours: is every generated row near a real one, and the reverse?

A set is taken for the union of balls about its rows x, of radius r(x) = ‖x - its k-th nearest other row‖.
"""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.linalg import BLOCK_BYTES, squared_distances, two_sets

RIM = 1 - 1e-9  # shrinks squared radii, so that a row on the rim lies outside however its distance was rounded


def precision_recall(
    *, generated: Float[Tensor, "n d"], real: Float[Tensor, "m d"], n_neighbors: int = 5, block_bytes: int = BLOCK_BYTES
) -> dict[str, float]:
    """`precision` and `recall` (Kynkäänniemi et al., 2019), `density` and `coverage` (Naeem et al., 2020).

    Precision: the share of generated rows inside a real ball. Recall: the share of real rows inside a generated ball.
    Density: how many real balls hold a generated row, on average, over k; about 1 where the sets agree, and more where
    generated rows crowd in the middle. Coverage: the share of real balls that hold a generated row. One outlier with
    its wide ball spoils precision (among the real) or recall (among the generated), but neither density nor coverage.
    All depend on n, m and k = `n_neighbors`: compare at equal numbers only, and name your features.

    Balls are open; that about a row with k copies is empty. Runs in float64 and in blocks of about `block_bytes`.

    Raises `ValueError` where a set has no more than `n_neighbors` rows.
    """
    n_neighbors = arguments.whole("n_neighbors", n_neighbors, at_least=1)
    block_bytes = arguments.whole("block_bytes", block_bytes, at_least=1)
    remedy = "Lower n_neighbors, or generate more."
    generated, real = two_sets(generated, real, at_least=n_neighbors + 1, remedy=remedy)
    step = max(1, block_bytes // (real.element_size() * max(len(generated), len(real))))
    real_radii = _squared_radii(real, n_neighbors, step)
    generated_radii = _squared_radii(generated, n_neighbors, step)
    precise = inside = 0
    covered, recalled = torch.zeros(2, len(real), dtype=torch.bool, device=real.device)
    for rows, radii in zip(generated.split(step), generated_radii.split(step), strict=True):
        squares = squared_distances(rows, real)
        in_real = squares < real_radii
        precise += int(in_real.any(1).sum())
        inside += int(in_real.sum())
        covered |= in_real.any(0)
        recalled |= (squares < radii[:, None]).any(0)
    return {
        "precision": precise / len(generated),
        "recall": recalled.double().mean().item(),
        "density": inside / (n_neighbors * len(generated)),
        "coverage": covered.double().mean().item(),
    }


def representativeness(
    *, generated: Float[Tensor, "n d"], real: Float[Tensor, "m d"], quantile: float | None = None
) -> float:
    """How well the generated rows stand for the real ones: a mean of cosine similarities, at most 1.

    The highest similarity of a real row to a generated row is averaged over the real rows; or the `quantile` of these
    is taken instead, 0.05 for those served worst.

    Rises with n: compare at equal n only, best class by class (`fidelity.per_class`). Name your features. The word is
    that of Minimax Diffusion (Gu et al., CVPR 2024), which trains by a loss: it pulls a generated latent towards the
    *least* similar real one in memory. The score in the released code of ManifoldGD goes the other way: the highest
    similarity of a generated row to a real one, and of these the minimum, so that one row decides, and real rows that
    nothing stands for do not count. That is this function with the sets swapped and `quantile=0.0`.
    """
    generated, real = two_sets(generated, real, at_least=1)
    return _mean_or_quantile(_highest_similarities(real, generated), quantile)


def diversity(*, generated: Float[Tensor, "n d"], quantile: float | None = None) -> float:
    """How little the generated rows repeat each other: 0 where all are copies, at most 2.

    1 - the highest cosine similarity to another generated row, averaged; or the `quantile` of these instead, 0.05 for
    the closest pairs.

    Falls with n: compare at equal n only, best class by class. Noise is diverse, too: read it beside precision. Minimax
    Diffusion (Gu et al., CVPR 2024) has the similarity as a loss, of a generated latent to the most similar one in
    memory. The score in the released code of ManifoldGD is that of the one closest pair: `quantile=0.0`.
    """
    if len(generated) < 2:
        raise ValueError(f"generated must have at least 2 rows; got {len(generated)}. Generate more.")
    generated, _ = two_sets(generated, generated)
    return _mean_or_quantile(1 - _highest_similarities(generated), quantile)


def _squared_radii(rows: Tensor, n_neighbors: int, step: int) -> Tensor:
    """The squared distance of each row to its k-th nearest other row, just short of it."""
    found = []
    for start in range(0, len(rows), step):
        squares = squared_distances(rows[start : start + step], rows)
        squares.diagonal(start).fill_(-1)  # the row itself comes first, whatever the rounding
        found.append(squares.kthvalue(n_neighbors + 1, dim=1).values)
    return torch.cat(found) * RIM


def _highest_similarities(rows: Tensor, others: Tensor | None = None) -> Tensor:
    """For each row the highest cosine similarity to one of `others`, or without them to another row."""
    rows, within = torch.nn.functional.normalize(rows, dim=1), others is None
    others = rows if others is None else torch.nn.functional.normalize(others, dim=1)
    step = max(1, BLOCK_BYTES // (rows.element_size() * len(others)))
    found = []
    for start in range(0, len(rows), step):
        similarities = rows[start : start + step] @ others.mT
        if within:
            similarities.diagonal(start).fill_(-torch.inf)
        found.append(similarities.amax(1))
    return torch.cat(found).clamp(-1, 1)


def _mean_or_quantile(values: Tensor, quantile: Any) -> float:
    if quantile is None:
        return values.mean().item()
    return values.quantile(arguments.number("quantile", quantile, at_least=0, at_most=1)).item()
