"""What a run costs on a GPU: images per second and memory by batch, guidance's share, the tree, tangents, students.

Each part is a generator of rows `(options, left) -> rows`; `left()` are the seconds that the budget still holds. A row
with a `fault` is a check that failed.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial

import torch

from benchmarks.harness import peak_mib, seconds, seconds_each
from benchmarks.models import dit_pipeline, working_dtype
from benchmarks.step import calls, stand_in
from benchmarks.students import CLASSES, random_set
from benchmarks.tree import mixture
from benchmarks.worlds import among_noise
from mgd_helpers import bisect, local_tangent, seeding, steer
from mgd_helpers.encoding import batching, memory
from mgd_helpers.guidance import factories
from mgd_helpers.guidance.pulls import ManifoldPull
from mgd_helpers.students.training import Recipe, train_students
from mgd_helpers.tangent.local_pca import TangentSpaces

STEPS, FEWER = 25, 10


def batches(options: Namespace, left: Callable[[], float]) -> Iterator[dict]:
    """Images per second at DiT-XL/2's shapes, all images of a call under one guidance, decoding included.

    Where the budget does not hold 25 steps it takes 10, and images per second are as if each of 25 took as long.
    """
    sizes = (1, 2) if options.quick else (1, 8, 32, 64, 128)
    torch.manual_seed(options.seed)
    pipe = dit_pipeline(options.device, quick=options.quick)
    world = among_noise(pipe, images=sizes[-1], seed=options.seed, points=60 if options.quick else 1300)
    expected = 0.0  # seconds of a bare run of one image
    for asked in sizes:
        needed = 2.3 * expected * asked  # both runs, and what warms up
        if needed * FEWER / STEPS > left():
            yield {"batch": asked, "told": f"skipped: {left():.0f} s are left", "fault": None}
            continue
        steps = 2 if options.quick else STEPS if needed < left() else FEWER
        took, peak, batch = {}, {}, asked
        for name in ("none", "manifold"):
            guidance = world.guidance(factories.GUIDANCES[name], seed=options.seed, images=asked)
            run = partial(world.sample, guidance, images=asked, seed=options.seed)
            peak[name], batch = _within_memory(run, batch, options.device)
            run = partial(run, steps=steps, batch_size=batch)
            few = asked <= 8  # quick, and so the most disturbed by what a process does for the first time
            took[name] = seconds(run, repeats=3 if few else 1, warm_up=int(few)) * STEPS / steps
        expected = took["none"] / asked
        yield {
            "batch": asked,
            "fits": batch,
            "steps": steps,
            "images_per_second": asked / took["none"],
            "images_per_second_guided": asked / took["manifold"],
            "guidance_percent": 100 * (took["manifold"] / took["none"] - 1),
            "peak_mib": peak["none"],
            "peak_mib_guided": peak["manifold"],
            "fault": None,
        }


def _within_memory(run, batch, device) -> tuple[float, int]:
    """What a short run takes beyond the weights, and how many images at once the memory held: `sample` halves."""
    said: list[str] = []
    with batching.replaced(memory, "tell", said.append):
        peak = peak_mib(lambda: run(steps=2, batch_size=batch), device=device)
    halved = [int(size) for line in said for size in re.findall(r"going on with batch_size=(\d+)", line)]
    return peak, min([batch, *halved])


def step(options: Namespace, left: Callable[[], float]) -> Iterator[dict]:
    """What guidance adds to one step, beside one call of the denoiser without classifier-free guidance."""
    device, dtype = options.device, working_dtype(options.device)
    pipe, generator = stand_in(options), seeding.generator(options.seed)
    for batch in (1, 2) if options.quick else (1, 8, 32):
        world = among_noise(pipe, images=batch, seed=options.seed, points=60 if options.quick else 1300)
        noisy, output = torch.randn(2, *world.targets.latents.shape, generator=generator).to(device, dtype)
        denoise, plain, guided = calls(pipe, noisy, output)
        denoising = seconds(denoise, repeats=2 if options.quick else 15, warm_up=3)
        for name in ("none", "mode", "manifold", "released", "match", "transport"):
            repeats = 2 if options.quick else 7 if name == "released" else 31  # that one draws on the CPU
            with steer(pipe, world.guidance(factories.GUIDANCES[name], seed=0)):
                bare, steered = seconds_each([plain, guided], repeats=repeats, warm_up=2)
            yield {
                "batch": batch,
                "guidance": name,
                "denoiser_ms": 1e3 * denoising,
                "step_ms": 1e3 * bare,
                "guided_step_ms": 1e3 * steered,
                "share_percent": 100 * (steered - bare) / denoising,
                "fault": None,
            }


def geometry(options: Namespace, left: Callable[[], float]) -> Iterator[dict]:
    """The tree of one class, here and on the CPU, and tangent spaces with the projection on them."""
    device, seed = options.device, options.seed
    count, dim, n_leaves = (300, 64, 10) if options.quick else (5000, 4096, 50)
    latents, inertia, took = mixture(count, dim, seed=seed), {}, {}
    for place in dict.fromkeys((device, "cpu")):
        rows = latents.to(place)

        def grow(rows=rows, place=place):
            tree = bisect(rows, n_leaves=n_leaves, seed=seed)
            inertia[place] = tree.inertias[list(tree.leaves)].sum().item()

        here = place == device
        took[place] = seconds(grow, repeats=3 if here else 1, warm_up=int(here))
    ratio = inertia[device] / inertia["cpu"]
    fault = f"the tree's inertia is {ratio:.3g} times that on the CPU" if ratio > 1.02 else None
    told = f"{count} x {dim}, {n_leaves} leaves"
    yield {"operation": "tree", "size": told, "ms": 1e3 * took[device], "cpu_ms": 1e3 * took["cpu"], "fault": fault}
    sizes = {"n_neighbors": ManifoldPull.n_neighbors, "rank": ManifoldPull.rank}
    generator, images = seeding.generator(seed), 2 if options.quick else 32
    points, vectors = torch.randn(2, images, dim, generator=generator).to(device)
    for size in (60, 120) if options.quick else (1300, 10000):
        cloud = torch.randn(size, dim, generator=generator).to(device)
        ready = TangentSpaces(cloud, **sizes)
        ways = {
            "tangent step": lambda ready=ready: ready(points).tangent_part(vectors),  # as at each step of a run
            "local_tangent": lambda cloud=cloud: local_tangent(points, cloud, **sizes).tangent_part(vectors),
        }
        taken = seconds_each(list(ways.values()), repeats=3 if options.quick else 31, warm_up=2)
        for name, one in zip(ways, taken, strict=True):
            yield {"operation": name, "size": f"{images} among {size} x {dim}", "ms": 1e3 * one, "fault": None}


def students(options: Namespace, left: Callable[[], float]) -> Iterator[dict]:
    """Ten students at once against one after the other, in seconds, as `make bench` has it at more sizes."""
    many, width, steps = (2, 4, 2) if options.quick else (10, 128, 50)
    images, labels = random_set(options.device, generator=seeding.generator(options.seed))
    recipe = Recipe(steps=steps, network="convnet3", width=width)
    train = partial(train_students, images, labels, n_classes=CLASSES, recipe=recipe, seeds=range(many))
    ways = [partial(train, together=1), partial(train, together=many)]
    looped, at_once = seconds_each(ways, repeats=1)
    yield {
        "students": many,
        "network": f"convnet3, width {width}, {steps} steps",
        "looped_seconds": looped,
        "at_once_seconds": at_once,
        "times_faster": looped / at_once,
        "fault": None,
    }
