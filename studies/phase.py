"""Where would the tangent matter? A world of arcs, bent more and more, under denoisers more and more blunt.

    python -m studies phase toy digits

In the toy, the plain and the projected pull are sampled from the same noise, stopped at noise share one half or never,
and measured by their distance off the manifold, along it to the target, and to true points (MMD). The projection knows
the true tangent, the best that can happen to it. A place in this map has two coordinates, measured in the same way in
the toy and in the latents of a pipeline, with g_N = P_N (target - prediction) by local PCA:

    curvature   ‖P_N (target - nearest member)‖ / spread        spread = √ mean ‖member - target‖²
    bluntness   ⟨with kick - without, n⟩ / KICK                 n = g_N / ‖g_N‖

A kick moves the clean part of the sample by KICK n once, where the noise share falls to one half; what is left of it
is what the denoiser did not lead back. After the last of few steps nothing leads back: their bluntness is 1. Local PCA
may miss directions of a pipeline's manifold, and g_N lie along them, so a pipeline is also kicked in a random way,
n the normal part of Gaussian noise: its bluntness lies between the two.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable

import torch
from torch import Tensor

import mgd_helpers as mgd
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.evaluation.fidelity import mmd
from mgd_helpers.guidance import tangent_at
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.seeding import generator
from studies.arcs import Arcs, BluntPipeline
from studies.cells import Cells
from studies.data_sets import DATA_SETS
from studies.protocol import STEPS, Bench, load_bench
from studies.scores import rounded
from studies.sets import BATCH, targets_of

ANGLES = tuple(turn * math.pi for turn in (0, 0.5, 1, 1.5, 2))
BLURS = (0.0, 0.2, 0.4, 0.8)
FEW_STEPS = 5
STRENGTHS = (0.1, 0.3, 0.6, 1.0)
STOPS = {"never stopped": 0.0, "stopped at one half": 0.5}
TARGETS, EACH, POINTS, SEEDS = 10, 10, 1000, 5
PIPELINE_SEEDS = 3
KICK, HALF, FLAT = 0.5, 0.5, 1e-3


def run(data: str) -> None:
    """Compute what is missing."""
    torch.set_num_threads(1)
    if data != "toy":
        return _run_pipeline(data)
    settings = {"targets": TARGETS, "images_per_target": EACH, "strengths": list(STRENGTHS), "kick": KICK}
    cells = Cells("phase", data, **settings)
    worlds = [(angle, blur, STEPS) for angle in ANGLES for blur in BLURS]
    worlds += [(angle, 0.0, FEW_STEPS) for angle in ANGLES]
    for angle, blur, steps in worlds:
        place = {"row": "toy", "angle": round(angle, 4), "blur": blur, "steps": steps}
        for seed in range(SEEDS):
            cells(functools.partial(toy_cell, angle, blur, steps, seed), **place, seed=seed)


def _run_pipeline(data: str) -> None:
    bench = load_bench(data, "validation")
    cells = Cells("phase", data, note=bench.data.note, images_per_class=TARGETS, kick=KICK)
    for seed in range(PIPELINE_SEEDS):
        cells(functools.partial(pipeline_cell, bench, seed), row="pipeline", seed=seed)


def toy_cell(angle: float, blur: float, steps: int, seed: int) -> dict:
    """One world and one noise: where it lies on the map, and [off, along, MMD] of every pull."""
    from diffusers import DDIMScheduler

    arcs, drawn = Arcs(angle), generator(seed)
    cloud, true = arcs.draw(POINTS, drawn), arcs.draw(POINTS, drawn)
    found = mgd.pick_targets(
        mgd.bisect(cloud, n_leaves=TARGETS, seed=seed), images_per_class=TARGETS, strategy="leaves"
    )
    targets = found.latents.repeat_interleave(EACH, 0)
    pipe = BluntPipeline(arcs, blur, DDIMScheduler(clip_sample=False, timestep_spacing="trailing"))

    def sampled(guidance: mgd.Guidance | None) -> Tensor:
        with mgd.steer(pipe, guidance):
            return pipe(len(targets), steps, generator=generator(seed, 1)).images

    def measured(guidance: mgd.Guidance | None) -> list[float]:
        made = sampled(guidance)
        means = arcs.off(made).mean(), arcs.along(made, targets).mean()
        return [rounded(float(value)) for value in (*means, mmd(generated=made, real=true))]

    def pulled(rule: Callable, above: float) -> list[list[float]]:
        pulls = [mgd.window(rule(targets, strength=strength), above=above) for strength in STRENGTHS]
        return [measured(pull) for pull in pulls]

    rules = {"mode": mgd.ModePull, "tangent": functools.partial(mgd.ManifoldPull, tangent=arcs.tangent)}
    kick = Kick(targets, cloud)
    return {
        "curvature": rounded(normal_share(found, cloud)),
        "bluntness": rounded(kick.left(sampled(kick) - sampled(None))),
        "targets off": rounded(arcs.off(found.latents).mean().item()),
        "unguided": measured(None),
        **{name: {stop: pulled(rule, above) for stop, above in STOPS.items()} for name, rule in rules.items()},
    }


def pipeline_cell(bench: Bench, seed: int) -> dict:
    """Where a pipeline lies on the map: means over its classes."""
    targets, labels = targets_of(bench, TARGETS, seed), range(bench.n_classes)
    clouds = [bench.cloud(label) for label in labels]
    shares = [normal_share(found, cloud) for found, cloud in zip(targets, clouds, strict=True)]
    profile = PROFILES[bench.name]
    keys = [(label, image) for label in labels for image in range(TARGETS)]
    sampled = functools.partial(
        mgd.sample,
        bench.pipe,
        [(profile.labels or tuple(labels))[label] for label, _ in keys],
        keys=keys,
        seed=seed,
        steps=STEPS,
        guidance_scale=DATA_SETS[bench.name].scale,
        batch_size=BATCH,
        output="latents",
    )
    plain = sampled()

    def left(kicks: list[Kick]) -> float:
        moved = (sampled(guidance=dict(zip(labels, kicks, strict=True))) - plain).split(TARGETS)
        return rounded(statistics.mean(kick.left(rows) for kick, rows in zip(kicks, moved, strict=True)))

    pairs = [(found.latents, cloud) for found, cloud in zip(targets, clouds, strict=True)]
    return {
        "curvature": rounded(statistics.mean(shares)),
        "bluntness": left([Kick(*pair) for pair in pairs]),
        "bluntness, random way": left([Kick(*pair, drawn=generator(seed, label)) for label, pair in enumerate(pairs)]),
    }


def normal_share(targets: mgd.Targets, cloud: Tensor) -> float:
    """How far targets lie off the manifold, in units of the spread of their members; the mean over targets."""
    apart = torch.cdist(targets.latents.flatten(1), cloud.flatten(1))
    nearest = cloud[apart.argmin(1)]
    space = mgd.local_tangent(nearest, cloud, n_neighbors=tangent_at.N_NEIGHBORS, rank=tangent_at.RANK)
    normal = space.normal_part(targets.latents - nearest).flatten(1).norm(dim=1)
    spreads = [row[members].square().mean().sqrt() for row, members in zip(apart, targets.members, strict=True)]
    return (normal / torch.stack(spreads)).mean().item()


class Kick:
    """A guidance that moves every sample once by signal times KICK, at right angles to the manifold.

    The way is the normal part of that to its target or, with `drawn`, of a random one.
    """

    def __init__(self, targets: Tensor, cloud: Tensor, *, drawn: torch.Generator | None = None):
        self.targets, self.tangent, self.drawn = targets, tangent_at.denoised(cloud), drawn
        self.directions = torch.zeros_like(targets)

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        signal, noise = level.following
        if not level.share > HALF >= noise / torch.hypot(signal, noise):
            return denoised
        space, way = self.tangent(denoised, level), self.targets - denoised
        if self.drawn:
            way = torch.randn(denoised.shape, generator=self.drawn)
        normal = space.normal_part(way)
        flat = normal.flatten(1).norm(dim=1) < FLAT * way.flatten(1).norm(dim=1)  # no way leads off: any will do
        normal[flat] = space.normal_part(level.sample)[flat]
        self.directions = torch.nn.functional.normalize(normal.flatten(1)).view_as(normal)
        # a DDIM step takes signal' - signal noise' / noise of the clean prediction into the next sample
        return denoised + KICK * self.directions * signal / (signal - level.signal * noise / level.noise)

    def left(self, moved: Tensor) -> float:
        """What share of the kick is left of it in the end; the mean over images."""
        return ((moved * self.directions).flatten(1).sum(1) / KICK).mean().item()
