"""What a run costs on a GPU: images per second and memory by batch, guidance's share, the tree, tangents, students.

Each part is a generator of rows `(options, left) -> rows`; `left()` are the seconds that the budget still holds. A row
with a `fault` is a check that failed.
"""

from __future__ import annotations

import re
import warnings
from functools import partial
from types import SimpleNamespace

import torch
from harness import peak_mib, seconds, seconds_each
from models import denoiser, dit_pipeline, working_dtype
from on_gpu.worlds import among_noise

from mgd_helpers import bisect, local_tangent, steer
from mgd_helpers.guidance import factories
from mgd_helpers.guidance.pulls import ManifoldPull
from mgd_helpers.seeding import generator
from mgd_helpers.students.training import Recipe, train_students
from mgd_helpers.tangent.local_pca import TangentSpaces

STEPS, FEWER = 25, 10


def batches(options, left):
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
            took[name] = seconds(run, device=options.device, repeats=3 if few else 1, warm_up=int(few)) * STEPS / steps
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
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        peak = peak_mib(lambda: run(steps=2, batch_size=batch), device=device)
    halved = [int(size) for one in caught for size in re.findall(r"going on with batch_size=(\d+)", str(one.message))]
    return peak, min([batch, *halved])


def step(options, left):
    """What guidance adds to one step, beside one call of the denoiser without classifier-free guidance."""
    from diffusers import DDIMScheduler

    device, dtype = options.device, working_dtype(options.device)
    torch.manual_seed(options.seed)
    model, draw = denoiser(device, quick=options.quick), generator(options.seed)
    scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    scheduler.set_timesteps(50)
    timestep = scheduler.timesteps[12]  # in the noisy half, where guidance acts
    stand_in = SimpleNamespace(scheduler=scheduler, transformer=model, device=torch.device(device))
    for batch in (1, 2) if options.quick else (1, 8, 32):
        world = among_noise(stand_in, images=batch, seed=options.seed, points=60 if options.quick else 1300)
        noisy, output = torch.randn(2, *world.targets.latents.shape, generator=draw).to(device, dtype)
        inputs = {"timestep": timestep.to(device).expand(batch), "class_labels": torch.arange(batch, device=device)}

        def call(noisy=noisy, inputs=inputs):
            with torch.no_grad():
                return model(noisy, **inputs).sample

        def stepped(step=scheduler.step, noisy=noisy, output=output):
            return step(output, timestep, noisy)

        def steered(noisy=noisy, output=output):
            return scheduler.step(output, timestep, noisy)  # the one that steer has put there

        denoising = seconds(call, device=device, repeats=2 if options.quick else 15, warm_up=3)
        for name in ("none", "mode", "manifold", "released"):
            repeats = 2 if options.quick else 7 if name == "released" else 31  # that one draws on the CPU
            with steer(SimpleNamespace(scheduler=scheduler), world.guidance(factories.GUIDANCES[name], seed=0)):
                bare, guided = seconds_each([stepped, steered], device=device, repeats=repeats, warm_up=2)
            yield {
                "batch": batch,
                "guidance": name,
                "denoiser_ms": 1e3 * denoising,
                "step_ms": 1e3 * bare,
                "guided_step_ms": 1e3 * guided,
                "share_percent": 100 * (guided - bare) / denoising,
                "fault": None,
            }


def geometry(options, left):
    """The tree of one class, here and on the CPU, and tangent spaces with the projection on them."""
    from tree import mixture

    device, seed = options.device, options.seed
    count, dim, n_leaves = (300, 64, 10) if options.quick else (5000, 4096, 50)
    latents, inertia, took = mixture(count, dim, seed=seed), {}, {}
    for place in dict.fromkeys((device, "cpu")):
        rows = latents.to(place)

        def grow(rows=rows, place=place):
            tree = bisect(rows, n_leaves=n_leaves, seed=seed)
            inertia[place] = tree.inertias[list(tree.leaves)].sum().item()

        here = place == device
        took[place] = seconds(grow, device=place, repeats=3 if here else 1, warm_up=int(here))
    ratio = inertia[device] / inertia["cpu"]
    fault = f"the tree's inertia is {ratio:.3g} times that on the CPU" if ratio > 1.02 else None
    yield {"operation": "tree", "size": f"{count} x {dim}, {n_leaves} leaves", "ms": 1e3 * took[device],
           "cpu_ms": 1e3 * took["cpu"], "fault": fault}  # fmt: skip
    sizes = {"n_neighbors": ManifoldPull.n_neighbors, "rank": ManifoldPull.rank}
    draw, images = generator(seed), 2 if options.quick else 32
    points, vectors = torch.randn(2, images, dim, generator=draw).to(device)
    for size in (60, 120) if options.quick else (1300, 10000):
        cloud = torch.randn(size, dim, generator=draw).to(device)
        ready = TangentSpaces(cloud, **sizes)
        ways = {
            "tangent step": lambda ready=ready: ready(points).tangent_part(vectors),  # as at each step of a run
            "local_tangent": lambda cloud=cloud: local_tangent(points, cloud, **sizes).tangent_part(vectors),
        }
        taken = seconds_each(list(ways.values()), device=device, repeats=3 if options.quick else 31, warm_up=2)
        for name, one in zip(ways, taken, strict=True):
            yield {"operation": name, "size": f"{images} among {size} x {dim}", "ms": 1e3 * one, "fault": None}


def students(options, left):
    """Ten students at once against one after the other, in seconds, as `make bench` has it at more sizes."""
    many, width, steps = (2, 4, 2) if options.quick else (10, 128, 50)
    draw = generator(options.seed)
    images = torch.randn(100, 3, 32, 32, generator=draw).clamp(-1, 1).to(options.device)
    labels = (torch.arange(100) % 10).to(options.device)
    recipe = Recipe(steps=steps, network="convnet3", width=width)
    train = partial(train_students, images, labels, n_classes=10, recipe=recipe, seeds=range(many))
    ways = [partial(train, together=1), partial(train, together=many)]
    looped, at_once = seconds_each(ways, device=options.device, repeats=1)
    yield {
        "students": many,
        "network": f"convnet3, width {width}, {steps} steps",
        "looped_seconds": looped,
        "at_once_seconds": at_once,
        "times_faster": looped / at_once,
        "fault": None,
    }
