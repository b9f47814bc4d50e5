"""The tasks of the lab on sets: an energy, a step of fixed length, a transport plan, barycentres; two predictions."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.guidance.matching import MatchPull
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.guidance.transport import TransportPull, transport_plan
from mgd_helpers.lab.checks.answers import ask, numbers, parts
from mgd_helpers.lab.checks.laws import alike, law, same
from mgd_helpers.lab.checks.predictions import Prediction
from mgd_helpers.lab.checks.tasks import task

SETS = "From targets to sets"

spread_kept = Prediction("spread_kept", low=0, high=1, near=0.05)
mode_nearer = Prediction("mode_nearer", low=0, high=10, near=1.0)


@task(
    chapter=7,
    refresher=f"{SETS}, section 'Matching: do the two sets look alike?'",
    hints=(
        "the two sets may differ in size. What can be compared that does not grow with the size of a set?",
        "take the mean over each set first, and only then the difference. The order matters.",
        "the energy is the squared length of the difference of the two means: square every entry, and add up.",
    ),
)
def set_energy(answer: Any) -> None:
    """J of features of a set [B, F] and of real features [M, F]."""
    ours, real = torch.randn(4, 3), torch.randn(7, 3) + 1

    def of(a: Tensor, b: Tensor) -> Float[Tensor, ...]:
        return numbers(ask(answer, a, b)).squeeze()

    one, other = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]])
    law(of(one, other).ndim == 0, f"an energy is one number; yours has shape {list(of(one, other).shape)}.")
    zero = of(ours, ours)
    law(
        alike(of(ours.repeat(3, 1), real), of(ours, real)),
        "three copies of a set should have the energy of the set: is there a sum where a mean belongs?",
    )
    law(
        alike(of(real.mean(0).expand(5, 3), real) + 1, torch.tensor(1.0)),
        "five copies of the real mean should have energy 0 here: compare the two means, not single features.",
    )
    law(bool(zero.abs() < 1e-6), "a set compared with itself should have energy 0.")
    same(
        of(one, other),
        torch.tensor(25.0),
        slips={
            "this is a length, not its square.": torch.tensor(5.0),
            "differences of opposite sign cancel: square each entry before you add them up.": torch.tensor(1.0),
            "this is the mean of the squared entries: the sum is wanted.": torch.tensor(12.5),
            "this adds up absolute values, not squares.": torch.tensor(7.0),
        },
        otherwise="a set of the one feature (3, 0) and a real one of (0, 4) are 5 apart; this is not 5 squared.",
    )


@task(
    chapter=7,
    refresher=f"{SETS}, section 'A step of fixed length'",
    hints=(
        "what should happen to the step when the gradient becomes a thousand times longer?",
        "divide the gradient by its root mean square over all its entries; then add half of the old velocity.",
        "each of the looks moves by its share of the rate, down the gradient, along the new velocity.",
    ),
)
def matching_step(answer: Any) -> None:
    """Latents and velocity after one look, of (latents, velocity, gradient, rate, looks)."""
    latents = torch.randn(5, 2, 4, 4)
    real, nothing, rate = torch.randn(9, 2, 4, 4), torch.zeros(5, 2, 4, 4), 0.3
    level = NoiseLevel(torch.tensor(0.6), torch.tensor(0.8), 500, latents)
    helper = MatchPull(real, rate, 2, width=8, depth=1)
    gradient = helper.gradient(latents, level)

    def step(*given: Any) -> list[Float[Tensor, ...]]:
        return parts(ask(answer, *given), "latents", "velocity")

    once, velocity = step(latents, nothing, gradient, rate, 2)
    law(
        once.shape == velocity.shape == latents.shape,
        f"latents and velocity should keep the shape {list(latents.shape)}; yours are {list(once.shape)} and "
        f"{list(velocity.shape)}.",
    )
    law(
        alike(step(latents, nothing, gradient, 0.0, 2)[0], latents),
        "at rate 0 nothing should move.",
    )
    law(
        alike(step(latents, nothing, 1000 * gradient, rate, 2)[0], once),
        "a longer gradient makes a longer step: keep its direction, and choose the length.",
    )
    moved, size = once - latents.double(), float(latents.square().mean().sqrt())
    length = float(moved.square().mean().sqrt())
    law(float((moved * gradient).sum()) < 0, "this climbs: the energy grows along its gradient.")
    law(abs(length - rate) > 1e-4, "each look moves by the whole rate: all looks together should.")
    each = (moved.flatten(1).square().mean(1).sqrt() - rate / 2).abs().max()
    law(
        float(each) > 1e-4,
        "every image moves equally far: the root mean square runs over all entries of all images.",
    )
    law(
        abs(length - rate / 2) < 1e-3,
        f"a first look should move an entry by {rate / 2:.2f} in the root mean square, and moves it by {length:.2f}; "
        f"latents measure {size:.2f}.",
    )
    twice, _ = step(once.float(), velocity.float(), helper.gradient(once.float(), level), rate, 2)
    forgets, _ = step(once.float(), nothing, helper.gradient(once.float(), level), rate, 2)
    slips = {
        "the second look has forgotten the first: keep half of the old velocity.": forgets,
        "the old velocity keeps its full weight: half of it is wanted.": forgets + moved,
    }
    right = helper(latents, level).double()
    same(twice, right, slips=slips, otherwise="the second look goes wrong: check what becomes of the velocity.")


@task(
    chapter=7,
    refresher=f"{SETS}, section 'Transport: who carries what?'",
    hints=(
        "three lines: a kernel that is small where cost is large, then columns and rows are scaled in turn.",
        "the kernel is exp(-cost / (epsilon · mean cost)). Which sum must each column have, and which each row?",
        "columns sum to `masses`, rows to one over the number of images. Divide by the sum that is there, and multiply "
        "by the one that is wanted; rows last.",
    ),
)
def sinkhorn(answer: Any) -> None:
    """The plan [B, K] for costs [B, K] and masses [K], of (cost, masses, epsilon, rounds)."""
    cost = (torch.randn(5, 2)[:, None] - 2 * torch.randn(7, 2)).square().sum(-1).double()
    masses = torch.tensor([1.0, 1, 2, 3, 5, 8, 13], dtype=torch.float64) / 33
    epsilon, rounds, mean = 0.3, 30, float(cost.mean())

    def plan(cost: Tensor, masses: Tensor, epsilon: float, rounds: int) -> Float[Tensor, ...]:
        return numbers(ask(answer, cost, masses, epsilon, rounds))

    def helper(cost: Tensor, masses: Tensor, epsilon: float) -> Float[Tensor, ...]:
        return transport_plan(cost, masses, epsilon=epsilon, n_iterations=rounds)

    got, right = plan(cost, masses, epsilon, rounds), helper(cost, masses, epsilon)
    law(got.shape == cost.shape, f"a plan has an entry for each pair, {list(cost.shape)}; yours is {list(got.shape)}.")
    law(bool((got >= 0).all()), "no entry of a plan is negative: mass is carried, or not.")
    rows, columns = got.sum(1), got.sum(0)
    law(
        not alike(rows, torch.ones(5), tolerance=1e-3),
        "each row sums to 1, and all images together carry 5: the mass of the whole class is 1.",
    )
    law(
        not alike(columns, torch.full((7,), 1 / 7), tolerance=1e-2),
        "all centres get the same: `masses` plays no part.",
    )
    law(
        alike(rows, torch.full((5,), 0.2), tolerance=1e-6),
        f"each row should sum to 0.20, one over the number of images; the first sums to {float(rows[0]):.2f}. Are rows "
        "the last to be scaled?",
    )
    slips = {
        "mass goes where it costs most: mind the sign in the exponent.": helper(
            cost.max() - cost, masses, epsilon * mean / float((cost.max() - cost).mean())
        ),
        "epsilon counts in units of the mean cost.": helper(cost, masses, epsilon / mean),
        "epsilon multiplies the cost: it should divide it.": helper(cost, masses, 1 / (epsilon * mean)),
    }
    same(
        got,
        right,
        slips=slips,
        tolerance=1e-3,
        otherwise="rows are right, but this is not the plan: check the kernel, the columns, and how many rounds run.",
    )


@task(
    chapter=7,
    refresher=f"{SETS}, equation of the barycentre",
    hints=(
        "an image serves several centres. Where is the mean of what it serves, if each counts by its share?",
        "a row of the plan sums to 1 / B. By what must it be multiplied to become weights?",
        "weights times centres is a product of matrices: [B, K] @ [K, D].",
    ),
)
def barycenters(answer: Any) -> None:
    """The barycentres [B, D] of a plan [B, K] and centres [K, D]."""
    centers, masses, images = 2 * torch.randn(6, 3), torch.tensor([1.0, 2, 3, 4, 5, 6]), torch.randn(4, 3)
    pull = TransportPull(centers, masses, strength=1.0, epsilon=0.5)
    level = NoiseLevel(torch.tensor(0.6), torch.tensor(0.8), 500, images)
    plan, right = pull.plan(images), pull(images, level)
    got = numbers(ask(answer, plan, centers))
    slips = {
        "these are four times too short: a row of the plan sums to a quarter, and weights sum to 1.": right / 4,
        "this takes the one centre that gets most; the others count, too.": centers[plan.argmax(1)],
        "this divides by the columns: weights of one image sum to 1 along its row.": (plan / plan.sum(0)) @ centers,
        "every image goes to the same place, the mean of all centres: use its own row of the plan.": (
            (plan.sum(0) @ centers).expand(4, 3)
        ),
        "this counts all centres alike, whatever the plan says.": centers.mean(0).expand(4, 3),
    }
    same(got, right, slips=slips, otherwise="these are not the means of the centres, weighted by the rows of the plan.")
