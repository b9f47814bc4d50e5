"""Noise levels by their share, and the shape of the latents that pulls are tried on."""

import torch

from mgd_helpers.guidance.noise import NoiseLevel

LATENT = (2, 3, 4)


def level_of(share, sample=None, *, timestep=0, variance=None):
    sample = torch.zeros(3, *LATENT) if sample is None else sample
    noise = torch.tensor(share, device=sample.device)
    return NoiseLevel((1 - noise**2).sqrt(), noise, timestep, sample, variance=variance)
