"""What guidance adds to one denoising step, beside one call of a denoiser shaped like DiT-XL/2-256."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.harness import hot_spots, record, seconds, seconds_each
from benchmarks.models import denoiser, working_dtype
from benchmarks.worlds import among_noise
from mgd_helpers import ManifoldPull, seeding, steer
from mgd_helpers.guidance.noise import noise_level, prediction_type, to_denoised

N_NEIGHBORS, RANK = 12, 3


@dataclass(frozen=True, eq=False)
class StandIn:
    """All of a pipeline that `steer` and a world look at; its steps are called one by one, and it never is."""

    scheduler: Any
    transformer: Any
    device: torch.device

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


def stand_in(options: argparse.Namespace) -> StandIn:
    """The denoiser on its device, and 50 steps of DDIM."""
    from diffusers import DDIMScheduler

    torch.manual_seed(options.seed)
    model = denoiser(options.device, quick=options.quick)
    scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    scheduler.set_timesteps(50)
    return StandIn(scheduler, model, torch.device(options.device))


def timestep_of(pipe: StandIn) -> torch.Tensor:
    """In the noisy half, where guidance acts."""
    return pipe.scheduler.timesteps[12]


def calls(pipe: StandIn, noisy: torch.Tensor, output: torch.Tensor) -> tuple[Callable[[], object], ...]:
    """What is timed: the denoiser's call, the scheduler's own step, and the one that `steer` has put there by then."""
    timestep, own_step = timestep_of(pipe), pipe.scheduler.step
    rows = {"timestep": timestep.to(noisy.device).expand(len(noisy))}
    rows["class_labels"] = torch.arange(len(noisy), device=noisy.device)

    def denoise():
        with torch.no_grad():
            return pipe.transformer(noisy, **rows).sample

    return denoise, lambda: own_step(output, timestep, noisy), lambda: pipe.scheduler.step(output, timestep, noisy)


def main(options: argparse.Namespace) -> None:
    """The step alone, guided, and the pull alone, by turns, at several batches."""
    device, dtype = options.device, working_dtype(options.device)
    batches = (1, 2) if options.quick else (1, 8, 32)
    pipe, generator = stand_in(options), seeding.generator(options.seed)
    rows, profile = [], []
    for batch in batches:
        world = among_noise(pipe, images=batch, seed=options.seed, points=50 if options.quick else 1300)
        pull = ManifoldPull(world.targets.latents, world.cloud, n_neighbors=N_NEIGHBORS, rank=RANK)
        noisy, output = torch.randn(2, *world.targets.latents.shape, generator=generator).to(device, dtype)
        denoise, plain, guided = calls(pipe, noisy, output)
        level = noise_level(pipe.scheduler, timestep_of(pipe), noisy)
        denoised = to_denoised(output, level, prediction_type(pipe.scheduler))

        # one call takes a minute on a CPU at batch 32: there the first batch alone warms up and repeats
        many = device != "cpu" or batch == batches[0]
        denoising = seconds(denoise, repeats=3 if many else 1, warm_up=int(many))
        timed = [plain, guided, lambda pull=pull, denoised=denoised, level=level: pull(denoised, level)]
        with steer(pipe, pull):
            took = seconds_each(timed, repeats=3 if options.quick else 31, warm_up=3)
            if batch == batches[-1]:
                profile = hot_spots(guided, device=device)
        rows.append(
            {
                "batch": batch,
                "denoiser_seconds": denoising,
                "step_seconds": took[0],
                "guided_step_seconds": took[1],
                "pull_seconds": took[2],
                "share": (took[1] - took[0]) / denoising,
                "promised": 0.02 if device == "cpu" else 0.03 if batch == 32 else None,
            }
        )
    record(
        "step",
        rows,
        options=options,
        cloud=list(world.cloud.shape),
        n_neighbors=N_NEIGHBORS,
        rank=RANK,
        dtype=str(dtype).removeprefix("torch."),
        parameters=sum(weights.numel() for weights in pipe.transformer.parameters()),
        profile=profile,
    )
