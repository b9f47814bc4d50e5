"""Tasks of lab 3: encoding by hand, the size of latents, classifier-free guidance, near latents of unlike images."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.encoding import decode, encode
from mgd_helpers.guidance.toys import tiny_pipeline
from mgd_helpers.lab.checks.answers import ask, numbers
from mgd_helpers.lab.checks.laws import alike, law, same
from mgd_helpers.lab.checks.predictions import Order
from mgd_helpers.lab.checks.tasks import task

PAGE = "From the plane to images"

SCALE = 0.4  # of the small autoencoder

PLANTED = (  # (row, its twin, distance of the latents, distance of the images); other rows lie far apart
    (7, 19, 0.8, 5.0),  # the answer
    (3, 11, 0.3, 3.0),
    (2, 8, 0.1, 0.3),
    (1, 14, 0.6, 0.1),
    (12, 13, 0.5, 2.0),
    (5, 21, 20.0, 0.1),
)

times_scaled = Order("times_scaled", "never", "once", "twice")


@task(
    chapter=3,
    refresher=f"{PAGE}, section 'One scale for all'",
    hints=(
        "`vae.encode(images).latent_dist` is the posterior. Which of its attributes is the same at every call?",
        "first take away `vae.config.shift_factor`; it is None where a VAE has none. Then scale.",
        "scaling multiplies by `vae.config.scaling_factor`; decoding is what divides.",
    ),
)
def encode_by_hand(answer: Any) -> None:
    """The latents [N, 4, h, w] of images [N, C, H, W] in [-1, 1], of (vae, images)."""
    images = 2 * torch.rand(3, 1, 16, 16) - 1
    shifted, plain = _vae(shift=0.3), _vae(shift=None)
    got, again = (numbers(ask(answer, shifted, images)) for _ in range(2))
    law(alike(got, again), "two calls give two answers: this is a draw from the posterior.")
    right, shift, scale = encode(shifted, images).double(), 0.3, SCALE
    with torch.no_grad():
        posterior = shifted.encode(images).latent_dist
    slips = {
        "the scale is missing: latents of this size are not what the denoiser knows.": right / scale,
        "this divides by the scale: that is the way back.": right / scale**2,
        "this scales twice.": right * scale,
        "the shift is missing: take it away before scaling.": right + scale * shift,
        "the shift is added; take it away.": right + 2 * scale * shift,
        "the shift is taken away after scaling; take it away before.": right + scale * shift - shift,
        "this is how wide the posterior is; where is its centre?": posterior.std,
        "this is mean and width at once, twice the channels: keep the mean.": posterior.parameters,
        "the images have values from -1 to 1 as they are: hand them over unchanged.": encode(shifted, (images + 1) / 2),
        "this is an image again: encoding ends with latents.": decode(shifted, right.float()),
    }
    same(got, right, slips=slips, otherwise="these are not the scaled means of the posterior.")
    without = numbers(ask(answer, plain, images))
    same(without, encode(plain, images), slips={}, otherwise="where a VAE has no shift, nothing is taken away.")


def _vae(shift: float | None) -> Any:
    """A small autoencoder with random weights."""
    vae = tiny_pipeline().vae
    vae.register_to_config(scaling_factor=SCALE, shift_factor=shift)
    return vae


@task(
    chapter=3,
    refresher=f"{PAGE}, section 'The parts of a pipeline'",
    hints=(
        "what does the class change? It is a difference of the two guesses.",
        "begin at the guess without the class. How far do you go for w = 1, how far for w = 2?",
        "w = 0 gives the guess without the class, w = 1 the one with it, and the way between is straight.",
    ),
)
def guided(answer: Any) -> None:
    """The guess [B, …] of classifier-free guidance, of (with_class, without_class, w)."""
    known, unknown = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    zero, one, two, three = (numbers(ask(answer, known, unknown, w)) for w in (0.0, 1.0, 2.0, 3.0))
    law(three.shape == known.shape, f"the shape should stay {list(known.shape)}; yours is {list(three.shape)}.")
    change = known - unknown
    slips = {
        "this leads away from the class: turn the difference round.": unknown - 3 * change,
        "the two guesses are exchanged: w = 1 should give the one with the class.": known - 3 * change,
        "this starts from the guess with the class, so w counts one too many.": known + 3 * change,
        "this is the change alone: it has to be added to a guess.": 3 * change,
        "the guess with the class is added whole; what it changes is wanted.": unknown + 3 * known,
        "w weighs the guess with the class, and the other plays no part.": 3 * known,
    }
    for slip, wrong in slips.items():
        law(not alike(three, wrong), slip)
    law(alike(zero, unknown), "at w = 0 the class should not count.")
    law(alike(one, known), "at w = 1 this should be the guess with the class.")
    steps = (three - two, two - one, one - zero)
    law(all(alike(step, steps[-1]) for step in steps), "every further unit of w should change as much as the first.")


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
