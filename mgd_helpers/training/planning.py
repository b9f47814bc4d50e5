"""How many steps fit into the minutes given: a few steps of either network are timed, and the time is shared out.

steps of a network = its share of the seconds / seconds of a step, at most as many as are usual; then more of the rest
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch

from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.threads import as_many_as_useful
from mgd_helpers.training.architectures import make_dit, make_scheduler, make_vae
from mgd_helpers.training.crew import Crew
from mgd_helpers.training.resumable import Descent
from mgd_helpers.training.settings import Settings, small_settings
from mgd_helpers.training.stages import LossOf, dit_loss_of, dit_work, seeded, vae_loss_of, vae_work

VAE_SHARE = 0.4, 0.6  # of the seconds of training: the usual, and the most where it would have too few steps
FIGURES = (0.2, 90.0)  # kept for reading, saving and the figures: a share of all seconds, and no more than so many
ENOUGH = (400, 1500)  # steps of either network below which a smaller one comes further
MOST = 3  # times the usual steps: more have no use
UNTIMED, TIMED = 3, 8  # steps of the probe: the first ones fetch memory


def plan(data: Dataset, minutes: float, *, settings: Settings, crew: Crew, smaller: bool) -> Settings:
    """`settings` with the steps of both networks that fit into `minutes` on this device, at most those they have.

    With `smaller`, these are `MOST` times the usual ones, and smaller networks take the place of those that would have
    too few steps. Takes a few seconds.
    """
    total = 60 * minutes
    seconds = total - min(FIGURES[0] * total, FIGURES[1])
    for one in (settings, small_settings(settings)) if smaller else (settings,):
        speed = seconds_per_step(data, one, crew=crew)
        most = one.vae_steps, one.dit_steps
        usual = (most[0] // MOST, most[1] // MOST) if smaller else most
        steps = share_out(seconds, speed, usual=usual, most=most)
        if steps[0] >= min(ENOUGH[0], one.vae_steps) and steps[1] >= min(ENOUGH[1], one.dit_steps):
            break
    # An average over more steps than there are would keep the weights of the start
    decay = min(one.ema_decay, max(0.5, 1 - 8 / steps[1]))
    return replace(one, vae_steps=steps[0], dit_steps=steps[1], ema_decay=decay)


def share_out(
    seconds: float, speed: tuple[float, float], *, usual: tuple[int, int], most: tuple[int, int]
) -> tuple[int, int]:
    """Steps of autoencoder and denoiser in so many seconds, from the seconds of one step of each; one at the least.

    The autoencoder has two fifths of the time, and up to three where it would otherwise have too few steps. Time that
    one of them has no use for goes to the other: at first for up to the `usual` steps, then for up to the `most`.

    >>> share_out(200.0, (0.1, 0.2), usual=(1000, 1000), most=(1000, 1000))
    (800, 600)
    >>> share_out(200.0, (0.1, 0.2), usual=(500, 500), most=(1000, 1000))  # of 50 seconds that are left, 20 and 30
    (700, 650)
    """
    vae_steps = dit_steps = 0
    for most_vae, most_dit in (usual, most):
        left = seconds - vae_steps * speed[0] - dit_steps * speed[1]
        room_vae, room_dit = (most_vae - vae_steps) * speed[0], (most_dit - dit_steps) * speed[1]  # seconds
        share, more = (share * left for share in VAE_SHARE)
        vae = min(room_vae, max(share, min(more, (ENOUGH[0] - vae_steps) * speed[0])))
        dit = min(room_dit, left - vae)
        vae = min(room_vae, left - dit)
        vae_steps, dit_steps = vae_steps + int(vae / speed[0] + 1e-6), dit_steps + int(dit / speed[1] + 1e-6)
    return max(1, vae_steps), max(1, dit_steps)


def seconds_per_step(data: Dataset, settings: Settings, *, crew: Crew) -> tuple[float, float]:
    """Seconds that a step of the autoencoder and of the denoiser take here."""
    few = data.train.take(range(min(len(data.train), 4 * settings.vae_batch))).to(crew.device)
    side = few.shape[-1] // 2 ** (len(settings.vae_channels) - 1)
    latents = torch.zeros(len(few), settings.latent_channels, side, side, device=crew.device)
    vae = seeded(0, lambda: make_vae(settings, few.shape[1], few.shape[-1]))
    dit = seeded(0, lambda: make_dit(settings, side))
    alphas = make_scheduler().alphas_cumprod
    return (
        _timed(vae, vae_loss_of(few, settings, crew=crew), crew, vae_work(vae, settings, few.shape[-1])),
        _timed(
            dit,
            dit_loss_of(latents, few.labels, settings, alphas=alphas, crew=crew),
            crew,
            dit_work(dit, settings, side),
        ),
    )


def _timed(network: Any, loss_of: LossOf, crew: Crew, multiply_adds: float) -> float:
    network = network.to(crew.device).train()
    descent = Descent(network, steps=1000, learning_rate=1e-5, ema_decay=0.999, crew=crew)
    generator = torch.Generator(crew.device).manual_seed(0)
    for step in range(UNTIMED + TIMED):  # as many in every process: they wait for each other
        if step == UNTIMED:
            begun = time.perf_counter()
        with as_many_as_useful(multiply_adds, device=crew.device):
            descent.step(loss_of, generator)
    return (time.perf_counter() - begun) / TIMED
