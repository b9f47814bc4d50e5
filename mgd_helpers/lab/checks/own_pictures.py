"""The tasks of the lab on photographs: a square, prompts, a photograph per group, nearness, pixels; one prediction."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.lab.checks.answers import Slip, ask, numbers
from mgd_helpers.lab.checks.laws import law, same
from mgd_helpers.lab.checks.predictions import Prediction
from mgd_helpers.lab.checks.tasks import task

TARGETS = "'Targets: a tree, and whom it leaves out'"

own_nearest = Prediction("own_nearest", low=0, high=8, near=1.0)


@task(
    chapter=12,
    refresher="'From the plane to images', on what a pipeline is fed",
    hints=(
        "draw a wide photograph, and the largest square in its middle. How long is a side of the square?",
        "what is left over of the longer side is halved: one half on the left (or above), one half on the other side.",
        "`left = (width - side) // 2`, and `right = left + side`; the same for top and bottom.",
    ),
)
def crop_box(answer: Any) -> None:
    """The largest square in the middle of a photograph of `width` and `height`: (left, top, right, bottom)."""
    for width, height in ((640, 480), (480, 640), (500, 500), (4032, 3024)):
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        right = _row(left, top, left + side, top + side)
        longer = max(width, height)
        slips = {
            "this is the square in the corner; the one in the middle is wanted.": _row(0, 0, side, side),
            "this is the whole photograph, and no square.": _row(0, 0, width, height),
            "a square of the longer side does not fit in: take the shorter side.": _row(
                (width - longer) // 2, (height - longer) // 2, (width + longer) // 2, (height + longer) // 2
            ),
            "the last two are where the square ends, not how long it is.": _row(left, top, side, side),
            "left and top are exchanged: a wide photograph loses something on the left and on the right.": _row(
                top, left, top + side, left + side
            ),
            "what is left over goes to one side alone: halve it.": _row(width - side, height - side, width, height),
        }
        got = numbers(ask(answer, width, height))
        law(got.shape == (4,), f"four numbers are wanted: left, top, right, bottom; yours has shape {list(got.shape)}.")
        same(got, right, slips=slips, otherwise=f"this is not the square in the middle of {width} x {height}.")
    odd = numbers(ask(answer, 645, 480))
    law(bool((odd == odd.round()).all()), "pixels are whole numbers: what becomes of an odd remainder?")
    law(bool(odd[2] - odd[0] == 480), f"of 645 x 480, the square should be 480 wide; yours is {odd[2] - odd[0]:g}.")


@task(
    chapter=12,
    refresher="the lab's own section on prompts",
    hints=(
        "which template does image 0 get, which image 1, and which the one after the last template?",
        "`templates[number % len(templates)]` takes them in turn.",
        "`text.format(name=name)` puts the name in; collect `count` of them in a list.",
    ),
)
def prompts(answer: Any) -> None:
    """`count` prompts, of (templates, name, count): the templates in turn, with the name put in."""
    templates, name = ["a photo of {name}", "{name} and a {name} in the snow", "an old drawing of {name}"], "a dog"
    filled = ["a photo of a dog", "a dog and a a dog in the snow", "an old drawing of a dog"]
    for count in (5, 2):
        got = _texts(ask(answer, list(templates), name, count))
        law(not any("{" in text for text in got), f"a prompt still holds a brace: {_first(got, '{')!r}.")
        slips = {
            "the first template serves all: take them in turn.": [filled[0]] * count,
            "every template comes once; after the last, begin again.": filled,
            "each template is repeated on the spot: take them in turn instead.": sorted(
                (filled * count)[:count], key=filled.index
            ),
            "the turn begins with the second template.": [filled[(number + 1) % 3] for number in range(count)],
        }
        right = [filled[number % 3] for number in range(count)]
        if got != right:
            law(all(name in text for text in got), f"the name is missing in {_first(got, '', name)!r}.")
            for slip, wrong in slips.items():
                law(got != wrong, slip)
            law(len(got) == count, f"{count} prompts are wanted; these are {len(got)}.")
            raise Slip("these are not the templates in turn, with the name in each of its places.")


@task(
    chapter=12,
    refresher=f"{TARGETS}, on a centroid or a real member",
    hints=(
        "a group is a list of row numbers. Where is its middle, and which of *its* rows lies nearest to it?",
        "`latents[rows].flatten(1)` are the members, their `mean(0)` is the middle.",
        "`argmin` says a place within the group; `rows[place]` is the row of all photographs.",
    ),
)
def member_rows(answer: Any) -> None:
    """For each group of rows the one that lies nearest to the mean of its group: row numbers [K]."""
    latents = torch.randn(12, 2, 3, 3)
    groups = [torch.tensor([7, 1, 4, 9]), torch.tensor([0, 11, 3, 5]), torch.tensor([2, 6, 10])]
    for group, nearest in zip(groups, (9, 3, 6), strict=True):
        others = group[group != nearest]
        latents[others] += 2 * torch.randn(2, 3, 3)  # every group in a place of its own
        latents[nearest] = latents[others].mean(0) + 0.1 * torch.randn(2, 3, 3)
    latents[8] = latents[groups[0]].mean(0)  # of no group, and nearer than any member
    flat = latents.double().flatten(1)

    def far(group: Tensor, from_what: Tensor) -> Float[Tensor, " n"]:
        return (flat[group] - from_what).norm(dim=1)

    def rows(values: list[int]) -> Float[Tensor, " k"]:
        return torch.tensor(values, dtype=torch.float64)

    means = [flat[group].mean(0) for group in groups]
    pairs = list(zip(groups, means, strict=True))
    slips = {
        "these are places within each group; rows among all photographs are wanted.": rows(
            [int(far(group, mean).argmin()) for group, mean in pairs]
        ),
        "these lie farthest from the mean of their group.": rows(
            [int(group[far(group, mean).argmax()]) for group, mean in pairs]
        ),
        "these are nearest to the mean of all photographs: each group has a mean of its own.": rows(
            [int(group[far(group, flat.mean(0)).argmin()]) for group in groups]
        ),
        "one of these is no member of its group: look among the members only.": rows(
            [int((flat - mean).norm(dim=1).argmin()) for mean in means]
        ),
        "these are the first of each group.": rows([int(group[0]) for group in groups]),
    }
    got = numbers(ask(answer, latents, groups))
    law(
        got.shape == (3,),
        f"one row number for each group is wanted, shape [3]; yours has shape {list(got.shape)}. Means are no rows.",
    )
    same(got, rows([9, 3, 6]), slips=slips, otherwise="these are not the members nearest to the mean of their group.")


@task(
    chapter=12,
    refresher="'Measures', on copies",
    hints=(
        "how far is it from an image to the nearest photograph? And from a photograph to the nearest other one?",
        "the second is the unit. A photograph is at distance 0 from itself: leave that out.",
        "`torch.cdist(photographs, photographs).fill_diagonal_(inf)` leaves it out; `amin(1)`, then `median()`.",
    ),
)
def nearness(answer: Any) -> None:
    """Distances [B] to the nearest photograph, of (images [B, D], photographs [N, D]), in the photographs' unit."""
    photographs = torch.randn(9, 5) * torch.arange(1, 10).view(9, 1)
    images = torch.cat([photographs[:2], photographs[2:4] + 0.5 * torch.randn(2, 5), 3 * torch.randn(3, 5)])
    across, within = (torch.cdist(rows.double(), photographs.double()) for rows in (images, photographs))
    between = within[~torch.eye(9, dtype=torch.bool)].view(9, 8)
    nearest, unit = across.amin(1), between.amin(1).median()
    slips = {
        "this has no unit yet: divide by the median distance of a photograph to the nearest other one.": nearest,
        "the distance to all photographs is averaged; the nearest decides.": across.mean(1) / unit,
        "these are squared distances.": (nearest / unit) ** 2,
        "the unit is the mean over photographs; the median is wanted.": nearest / between.amin(1).mean(),
        "the unit is a distance between any two photographs; the nearest other one is wanted.": (
            nearest / between.flatten().median()
        ),
        "the unit is the mean distance between photographs; the nearest other one is wanted.": nearest / between.mean(),
        "the farthest photograph is taken; the nearest is wanted.": across.amax(1) / unit,
        "the unit is measured among the images; photographs set it.": nearest / _median_to_other(images.double()),
    }
    value = ask(answer, images, photographs)
    got = torch.as_tensor(value) if isinstance(value, Tensor) else None
    if got is not None and got.is_floating_point() and bool((got.isnan() | got.isinf()).any()) and got.numel() == 7:
        raise Slip("there is a division by zero: each photograph is its own nearest one, at distance 0.")
    got = numbers(value)
    law(got.shape == (7,), f"one number for each image is wanted, shape [7]; yours has shape {list(got.shape)}.")
    same(got, nearest / unit, slips=slips, otherwise="this is no distance to the nearest photograph, in that unit.")


@task(
    chapter=12,
    refresher="the lab's own section on the poster",
    hints=(
        "how many inches is the paper wide? An inch has 2.54 cm.",
        "so many inches, times the dots on an inch.",
        "`round(width_cm / 2.54 * dots_per_inch)`, and the same for the height.",
    ),
)
def poster_pixels(answer: Any) -> None:
    """Pixels (width, height) of a paper in centimetres at `dots_per_inch`, as whole numbers."""
    for width, height, dots in ((21.0, 29.7, 300), (10.16, 15.24, 100)):
        right = _row(width / 2.54 * dots, height / 2.54 * dots).round()
        slips = {
            "centimetres are taken for inches.": _row(width * dots, height * dots),
            "an inch is longer than a centimetre: divide by 2.54.": _row(
                width * 2.54 * dots, height * 2.54 * dots
            ).round(),
            "width comes first, then height.": right.flip(0),
            "these are inches; how many dots is that?": _row(width / 2.54, height / 2.54),
        }
        got = numbers(ask(answer, width, height, dots))
        law(got.shape == (2,), f"two numbers are wanted, width and height; yours has shape {list(got.shape)}.")
        for slip, wrong in slips.items():
            law(bool((got - wrong).abs().max() > 2), slip)
        law(bool((got - right).abs().max() <= 1), f"{width:g} cm at {dots} dots per inch are not {got[0]:.0f} pixels.")
        law(bool((got == got.round()).all()), "there is no part of a pixel: round to whole numbers.")


def _row(*values: float | int) -> Float[Tensor, " k"]:
    return torch.tensor(values, dtype=torch.float64)


def _median_to_other(rows: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    distances = torch.cdist(rows, rows)
    return distances.fill_diagonal_(torch.inf).amin(1).median()


def _texts(value: Any) -> list[str]:
    """A list of texts. Raises `Slip` for anything else."""
    if value is None:
        raise Slip("your function returns nothing: is there a `return`?")
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(text, str) for text in value):
        raise Slip(f"a list of texts is wanted; this is a value of type {type(value).__name__}.")
    return list(value)


def _first(texts: list[str], having: str, lacking: str = "\0") -> str:
    """The first of some texts that has one thing and lacks another, cut to a length that a line shows."""
    return next((text[:60] for text in texts if having in text and lacking not in text), "")
