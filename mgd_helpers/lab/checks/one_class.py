"""The tasks of the lab on one ImageNet class: memory, noise of a column, share of the way, a rule; an order."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.lab.checks.answers import ask, numbers
from mgd_helpers.lab.checks.laws import alike, law, same
from mgd_helpers.lab.checks.predictions import Order
from mgd_helpers.lab.checks.tasks import task

narrowest = Order("narrowest", "none", "manifold", "mode", "match+transport")


@task(
    chapter=11,
    refresher="the page 'With a GPU'",
    hints=(
        "a number of 16 bits takes 2 bytes, one of 32 bits takes 4. Which of the two is it? Ask the tensor.",
        "`tensor.numel()` is how many numbers it holds, `tensor.element_size()` is the bytes of each.",
        "add up the products over all tensors, and divide once, by `2**30`.",
    ),
)
def weights_gib(answer: Any) -> None:
    """GiB of memory that tensors take, of different types."""
    half, single = torch.float16, torch.float32
    weights = [torch.zeros(300, 200, dtype=half), torch.zeros(77, dtype=single), torch.zeros(40, 50, dtype=single)]
    count = sum(weight.numel() for weight in weights)
    size = sum(weight.untyped_storage().nbytes() for weight in weights)
    got = numbers(ask(answer, weights))
    slips = {
        "this counts numbers, not bytes.": count / 2**30,
        "every number is taken for 4 bytes; some of them have 2.": 4 * count / 2**30,
        "every number is taken for 2 bytes; some of them have 4.": 2 * count / 2**30,
        "these are gigabytes of 1000³ bytes; a GiB has 1024³.": size / 1000**3,
        "these are bytes; divide them by 1024³.": size,
        "these are MiB; divide by 1024 once more.": size / 2**20,
        "these are bits: a byte has eight.": 8 * size / 2**30,
        "this is the largest tensor alone: all of them lie in memory at once.": 120_000 / 2**30,
    }
    law(got.numel() == 1, f"one number is wanted; yours has shape {list(got.shape)}.")
    wrong = {slip: _number(value) for slip, value in slips.items()}
    same(got.squeeze(), _number(size / 2**30), slips=wrong, otherwise="this is not what these tensors take.")


@task(
    chapter=11,
    refresher="'Luck: is it better, or was it lucky?', on pairs",
    hints=(
        "the noise must follow from the three numbers alone, whatever was drawn before. What can be started anew?",
        "a generator of its own for each column: `seeding.generator(seed, label, column)`.",
        "`torch.randn(shape, generator=…)`, and nothing else.",
    ),
)
def column_noise(answer: Any) -> None:
    """The noise of a shape from which image `column` of class `label` starts, of (seed, label, column, shape)."""
    shape = (4, 24, 24)

    def drawn(seed: int, label: int, column: int) -> Float[Tensor, ...]:
        return numbers(ask(answer, seed, label, column, shape))

    before = torch.get_rng_state()
    one = drawn(0, 3, 1)
    spoiled = not torch.equal(before, torch.get_rng_state())
    law(one.shape == shape, f"the shape should be {list(shape)}; yours is {list(one.shape)}.")
    law(torch.equal(one, drawn(0, 3, 1)), "asked twice, a column gets two noises: start a generator anew each time.")
    law(
        not spoiled,
        "this changes the random numbers of the rest of the lab: a generator of its own leaves them alone.",
    )
    for what, other in {"columns": (0, 3, 2), "seeds": (1, 3, 1), "classes": (0, 4, 1)}.items():
        law(not torch.equal(one, drawn(*other)), f"two {what} get the same noise.")
    law(
        not (torch.equal(one, drawn(1, 3, 0)) or torch.equal(one, drawn(0, 1, 3))),
        "different requests meet: a sum of seed, class and column does not tell them apart.",
    )
    law(bool(one.mean().abs() < 0.1), f"the mean should be about 0; it is {float(one.mean()):.2f}. Is it normal noise?")
    law(bool((one.std() - 1).abs() < 0.1), f"the standard deviation should be about 1; it is {float(one.std()):.2f}.")


@task(
    chapter=11,
    refresher="'Guidance: moving the best guess', on strength",
    hints=(
        "how far was an image from its target, and how far is it now? Both are distances, one number per image.",
        "what is left of the way is the quotient of the two. What has been gone is the rest.",
        "`flatten(1)` makes a row of each image, and `.norm(dim=1)` its length.",
    ),
)
def share_of_way(answer: Any) -> None:
    """The share of the way to its target that each image has gone: [B], of (guided, unguided, targets), [B, ...]."""
    unguided, targets = (
        torch.randn(5, 4, 6, 6),
        torch.randn(5, 4, 6, 6) * torch.tensor([0.2, 1, 2, 3, 4]).view(5, 1, 1, 1),
    )
    shares = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).view(5, 1, 1, 1)
    straight = torch.lerp(unguided, targets, shares)
    law_of = numbers(ask(answer, straight, unguided, targets))
    law(law_of.shape == (5,), f"one number for each image is wanted, shape [5]; yours has shape {list(law_of.shape)}.")
    wanted = shares.flatten()
    law(not alike(law_of, 1 - wanted), "this is the share that is left; what has been gone is wanted.")
    law(not alike(law_of, 1 - (1 - wanted) ** 2), "these are squared distances: take the lengths themselves.")
    law(not alike(law_of, 100 * wanted), "these are parts of a hundred; shares are wanted, from 0 to 1.")
    guided = straight + 0.3 * torch.randn(5, 4, 6, 6)  # aside, too

    def lengths(vectors: Tensor) -> Float[Tensor, " b"]:
        return vectors.double().flatten(1).norm(dim=1)

    left, way, moved = (lengths(a - b) for a, b in ((guided, targets), (unguided, targets), (guided, unguided)))
    together = (guided - targets).double().norm() / (unguided - targets).double().norm()
    slips = {
        "this is how far an image moved, wherever to; how much nearer it came is wanted.": moved / way,
        "one way is measured for all images together: each image has its own.": (1 - together).expand(5),
        "the way is measured over all images together: each image has its own.": 1 - left / way.mean(),
        "this is the distance gone; divide it by the whole way.": way - left,
    }
    same(
        numbers(ask(answer, guided, unguided, targets)),
        1 - left / way,
        slips=slips,
        otherwise="this is not the share of the way: 0 for an image that stayed, 1 for one that is on its target.",
    )


@task(
    chapter=11,
    refresher="'The verdict', on rules that are fixed before the numbers are known",
    hints=(
        "two things decide, one after the other. First: which strengths keep enough spread?",
        "of these, and of no others, take the one with the least distance.",
        "`allowed = spreads >= floor`; give the distances of all others the value infinity, then `argmin`.",
    ),
)
def choose_strength(answer: Any) -> None:
    """Of all strengths [K] whose spread is at least `floor` the one with the least distance: one number."""
    strengths = torch.tensor([0.0, 0.1, 0.3, 0.5, 1.0, 1.5])
    distances = torch.tensor([0.9, 0.7, 0.5, 0.6, 0.2, 0.1])
    spreads = torch.tensor([0.8, 0.9, 0.5, 0.45, 0.3, 0.1])

    def chosen(floor: float) -> Float[Tensor, ""]:
        got = numbers(ask(answer, strengths, distances, spreads, floor))
        law(got.numel() == 1, f"one strength is wanted; yours has shape {list(got.shape)}.")
        return got.squeeze()

    got = chosen(0.4)
    slips = {
        "the rule comes first: a strength that keeps too little spread is out, however near it is.": _number(1.5),
        "this is a row number; the strength that stands there is wanted.": _number(2),
        "this is a distance; the strength that has it is wanted.": _number(0.5),
        "of the strengths that are allowed, this is the one with the most spread.": _number(0.1),
        "this is the first that is allowed; the least distance decides.": _number(0.0),
    }
    # 0.5 is a distance and a strength: the strongest of those that are allowed is another slip
    if alike(got, _number(0.5)):
        law(not alike(chosen(0.2), _number(1.0)), "this is the strongest that is allowed; the least distance decides.")
    same(got, _number(0.3), slips=slips, otherwise="this is not the nearest of the strengths that keep enough spread.")
    law(alike(chosen(0.5), _number(0.3)), "a spread of exactly `floor` is enough.")
    law(alike(chosen(0.85), _number(0.1)), "with another `floor` the choice goes wrong.")


def _number(value: float | int) -> Float[Tensor, ""]:
    return torch.tensor(float(value), dtype=torch.float64)
