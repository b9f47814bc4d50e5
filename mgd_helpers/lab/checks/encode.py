"""The first tasks of lab 3: encoding by hand, and what latents of the wrong size do."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers.encoding import decode, encode
from mgd_helpers.guidance.toys import tiny_pipeline
from mgd_helpers.lab.checks.answers import ask, numbers
from mgd_helpers.lab.checks.laws import alike, law, same
from mgd_helpers.lab.checks.predictions import Order
from mgd_helpers.lab.checks.tasks import task

PAGE = "From the plane to images"

SCALE = 0.4  # of the small autoencoder

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
    law(got.numel() > 0, "the answer is empty: is every image encoded?")
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
