"""How far a strength pulls in the end, under several samplers and numbers of steps: which rule means the same in all?

The denoiser is exact: the latents of one class of digits are the whole world of `toys.PointCloudPipeline`. The mode
pull acts while the noise share exceeds one half, on 200 images and ten targets. The net pull is the share of the mean
distance to the targets that an unguided run of the same sampler, the same steps and the same noise ends with and the
guided run does not. Nothing is timed.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import torch

import mgd_helpers as mgd
from benchmarks.harness import record
from mgd_helpers import seeding
from mgd_helpers.guidance import strengths
from mgd_helpers.guidance.toys import PointCloudPipeline

RULES = {
    "constant 0.5": 0.5,
    "per log-SNR 0.25": strengths.per_log_snr(0.25),
    "score 0.06": strengths.score(0.06),
    "posterior 0.04": strengths.posterior(0.04),
}  # about the same net pull under 50 steps of DDIM
LABEL, IMAGES = 3, 200


def schedulers() -> dict[str, object]:
    """The samplers, all with the noise levels of the same training."""
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler

    trained = {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 2e-2, "timestep_spacing": "trailing"}
    return {
        "DDIM": DDIMScheduler(clip_sample=False, **trained),
        "DPM-Solver++": DPMSolverMultistepScheduler(**trained),
        "Euler": EulerDiscreteScheduler(**trained),
    }


def ends(pipe: PointCloudPipeline, guidance: Callable | None, *, steps: int, seed: int) -> torch.Tensor:
    """Where the images of a run end: always the same noise."""
    with mgd.steer(pipe, guidance):
        return pipe(IMAGES, steps, generator=seeding.generator(seed, LABEL)).images


def main(options: argparse.Namespace) -> None:
    """The net pull of each rule under each sampler and number of steps, and the spread of a rule over them."""
    counts = (10, 25) if options.quick else (10, 25, 50, 100, 250)
    data, vae = mgd.load_data("digits"), mgd.load_pipeline("digits", device="cpu").vae
    latents = mgd.encode(vae, data.train.of_class(LABEL))
    tree = mgd.bisect(latents, n_leaves=10, seed=options.seed)
    targets = tree.centroids[list(tree.leaves)].repeat(IMAGES // 10, 1, 1, 1)

    def to_target(images):
        return (images - targets).flatten(1).norm(dim=1).mean().item()

    rows = []
    for sampler, scheduler in schedulers().items():
        pipe = PointCloudPipeline(latents, scheduler)
        free = {steps: to_target(ends(pipe, None, steps=steps, seed=options.seed)) for steps in counts}
        for rule, strength in RULES.items():
            pull = mgd.window(mgd.ModePull(targets, strength=strength), above=0.5)
            for steps in counts:
                guided = to_target(ends(pipe, pull, steps=steps, seed=options.seed))
                rows.append({"rule": rule, "sampler": sampler, "steps": steps, "net_pull": 1 - guided / free[steps]})
    for row in rows:
        same = [other["net_pull"] for other in rows if other["rule"] == row["rule"]]
        row["spread"] = (max(same) - min(same)) / statistics.mean(same)  # of the rule, over samplers and steps
    record("strengths", rows, options=options, images=IMAGES, window=0.5, denoiser="exact, digits latents of one class")
