"""Runs of the tiny DiTPipeline, and single steps, under a guidance: what the tests of `steer` share."""

import functools

import torch
from tiny import decoded

from mgd_helpers import seeding
from mgd_helpers.guidance.steering import steer

LATENT = (4, 8, 8)
LABELS = [0, 1, 1]


def run(pipe, guidance, *, images=(0, 1, 2), guidance_scale=1.0, steps=4):
    """Images and the latents they are decoded from, for some images of a seed."""
    generators = seeding.generators(0, 0, images)
    with decoded(pipe) as latents, steer(pipe, guidance, generators=generators):
        found = pipe(
            class_labels=[LABELS[image] for image in images],
            generator=generators,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            output_type="pt" if pipe.vae.dtype == torch.bfloat16 else "np",
        ).images
    return torch.as_tensor(found), latents[-1]


def images_of(pipe, seed=0):
    generators = seeding.generators(seed, 0, range(3))
    return torch.as_tensor(
        pipe(class_labels=LABELS, generator=generators, num_inference_steps=3, output_type="np").images
    )


def steps_of(pipe, guidance, output, sample, timestep=500):
    """What one steered step hands to the scheduler's own step."""
    seen = []

    @functools.wraps(type(pipe.scheduler).step)
    def step(model_output, timestep, sample, *args, **kwargs):
        seen.append(model_output)

    pipe.scheduler.step = step
    try:
        with steer(pipe, guidance):
            pipe.scheduler.step(output, timestep, sample)
    finally:
        del pipe.scheduler.step
    return seen[0]
