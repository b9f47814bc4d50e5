"""Transport: no image is nailed to a target; at each step a plan shares the mass of the class among the images.

    γ = argmin Σ γⱼₗ ‖ẑ₀ⱼ - aₗ‖² + τ Σ γⱼₗ log γⱼₗ    with rows of sum 1 / B and columns of sum πₗ
    ẑ₀ⱼ ← ẑ₀ⱼ + λ (āⱼ - ẑ₀ⱼ),    āⱼ = B Σₗ γⱼₗ aₗ

Entropic optimal transport by Sinkhorn's iterations (Cuturi 2013), between the B images of a class and the centers aₗ
of a tree's leaves with their masses πₗ.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.clustering.trees import ClusterTree
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.guidance.pulls import check_targets, targets_for
from mgd_helpers.guidance.strengths import Strength, check_strength, value_at
from mgd_helpers.linalg import squared_distances

BLOCK = 10  # of Sinkhorn's iterations that scale one kernel


@dataclass(frozen=True, eq=False)
class TransportPull:
    """Pull each image of a class to its barycenter under the transport plan of the whole class.

    `centers` [K, ...] carry the `masses` [K], by default equal ones; `of_tree` takes both from a tree. `strength` (λ
    above) is a number or a function of the noise level; 1 puts every image on its barycenter. `epsilon` is the weight
    of the entropy, τ, in units of the mean cost: the smaller, the fewer centers an image shares; near 0, and with as
    many equal centers as images, the plan is an assignment, and the pull is `ModePull` under it. The last of the
    `n_iterations` of Sinkhorn makes the rows exact.

    Raises `ValueError` for centers or masses that are not finite, and for masses that are not positive.
    """

    centers: Float[Tensor, "k ..."]
    masses: Float[Tensor, " _"] | None = None
    strength: Strength = 0.5
    epsilon: float = 0.02
    n_iterations: int = 30
    _masses: Float[Tensor, " _"] = field(init=False, repr=False)
    _copies: dict[tuple, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_targets(self.centers, "centers")
        check_strength(self.strength)
        arguments.number("epsilon", self.epsilon, above=0)
        arguments.whole("n_iterations", self.n_iterations, at_least=1)
        masses = torch.ones(len(self.centers)) if self.masses is None else arguments.tensor("masses", self.masses)
        if masses.shape != (len(self.centers),) or not (torch.isfinite(masses) & (masses > 0)).all():
            raise ValueError(
                f"masses must be {len(self.centers)} positive numbers, one per center; got {list(masses.shape)}"
                f"{'' if masses.numel() == 0 else f', the least {masses.min():.4g}'}."
            )
        object.__setattr__(self, "_masses", masses)

    @classmethod
    def of_tree(
        cls, tree: ClusterTree, *, strength: Strength = 0.5, epsilon: float = 0.02, n_iterations: int = 30
    ) -> TransportPull:
        """Centers and masses from the leaves of a tree: their centroids, and how many latents each of them holds."""
        leaves = list(tree.leaves)
        masses = torch.tensor(tree.sizes)[leaves].float()
        return cls(tree.centroids[leaves], masses, strength, epsilon, n_iterations)

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        centers = targets_for(self.centers, denoised, self._copies, "centers", one_each=False)
        plan = self.plan(denoised)
        goals = (plan / plan.sum(1, keepdim=True)) @ centers.flatten(1)
        return denoised + value_at(self.strength, level) * (goals.view_as(denoised) - denoised)

    def plan(self, denoised: Float[Tensor, "n ..."]) -> Float[Tensor, "n k"]:
        """γ, the share of all mass that goes from each image to each center; rows sum to 1 / B."""
        place = denoised.device, denoised.dtype, "masses"
        if place not in self._copies:
            self._copies[place] = self._masses.to(denoised)
        centers = targets_for(self.centers, denoised, self._copies, "centers", one_each=False)
        cost = squared_distances(denoised.flatten(1), centers.flatten(1))
        return transport_plan(cost, self._copies[place], epsilon=self.epsilon, n_iterations=self.n_iterations)


def transport_plan(
    cost: Float[Tensor, "n k"], masses: Float[Tensor, " k"], *, epsilon: float, n_iterations: int
) -> Float[Tensor, "n k"]:
    """The entropic transport plan for a matrix of costs; `epsilon` in units of the mean cost, `masses` up to a factor.

    Rows sum to 1 / B exactly, columns to their share of `masses` up to what the iterations have left. Iterations scale
    a kernel, in blocks between which the scales go into its logarithm (Schmitzer 2019): as safe as logarithms all the
    way, with fewer operations.
    """
    scores = -cost / (epsilon * cost.mean().clamp_min(1e-20))
    rows, columns = torch.full_like(scores[:, 0], 1 / len(cost)), masses / masses.sum()
    floors = [torch.full_like(side, torch.finfo(side.dtype).tiny) for side in (rows, columns)]  # no division by zero
    g = columns.log() - torch.logsumexp(scores, 0)
    f = rows.log() - torch.logsumexp(scores + g, 1)
    for start in range(1, n_iterations, BLOCK):
        kernel, u = (scores + f[:, None] + g).exp(), torch.ones_like(f)
        for _ in range(min(BLOCK, n_iterations - start)):
            v = columns / torch.addmv(floors[1], kernel.T, u)
            u = rows / torch.addmv(floors[0], kernel, v)
        f, g = f + u.log(), g + v.log()
    return (scores + f[:, None] + g).exp()
