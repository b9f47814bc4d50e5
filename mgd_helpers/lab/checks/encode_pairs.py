"""The last task of lab 3: of all near latents those with the most unlike images."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.lab.checks.answers import ask, numbers
from mgd_helpers.lab.checks.encode import PAGE
from mgd_helpers.lab.checks.laws import law
from mgd_helpers.lab.checks.tasks import task

PLANTED = (  # (row, its twin, distance of the latents, distance of the images); other rows lie far apart
    (7, 19, 0.8, 5.0),  # the answer
    (3, 11, 0.3, 3.0),
    (2, 8, 0.1, 0.3),
    (1, 14, 0.6, 0.1),
    (12, 13, 0.5, 2.0),
    (5, 21, 20.0, 0.1),
)


@task(
    chapter=3,
    refresher=f"{PAGE}, section 'What distances tell'",
    hints=(
        "`torch.cdist` of the flattened latents gives all distances between them; do the same for the images.",
        "keep the pairs whose latents are near. No latent makes a pair with itself.",
        "give all other pairs of images the distance −1. `argmax` finds the largest, `divmod` its row and column.",
    ),
)
def unlike_pair(answer: Any) -> None:
    """Rows i, j: of all pairs with latents at most `near` apart the one with the most unlike images."""
    latents, images = 3 * torch.randn(30, 2, 4, 4), 3 * torch.randn(30, 1, 8, 8)
    for first, second, apart, unlike in PLANTED:
        latents[second] = latents[first] + apart * _unit(latents[first])
        images[second] = images[first] + unlike * _unit(images[first])
    got = numbers(ask(answer, latents, images, 1.0)).squeeze()
    law(got.numel() == 2, f"two rows are wanted, i and j; yours has shape {list(got.shape)}.")
    pair = sorted(got.flatten().tolist())
    law(all(row in range(len(latents)) for row in pair), "these are not two rows: whole numbers from 0 are wanted.")
    law(pair[0] != pair[1], "a latent makes no pair with itself.")
    slips = {
        "these are the two nearest latents; how unlike their images are should decide.": [2, 8],
        "this pair is the most unlike for its distance; among near pairs the distance does not count.": [3, 11],
        "of all near pairs this one has the most alike images.": [1, 14],
        "these images are alike, and their latents lie far apart: near latents are wanted.": [5, 21],
    }
    for slip, wrong in slips.items():
        law(pair != wrong, slip)
    near = torch.dist(latents[int(pair[0])], latents[int(pair[1])]) <= 1
    law(near, "these latents lie farther apart than `near`.")
    law(pair == [7, 19], "there is a near pair with images more unlike than these.")


def _unit(like: Tensor) -> Tensor:
    direction = torch.randn(like.shape)
    return direction / direction.norm()
