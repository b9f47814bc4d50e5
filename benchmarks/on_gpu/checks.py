"""What must hold on a GPU: the tests pass, guidance lets it run on, and half precision agrees with single.

Each part is a generator of rows `(options, left) -> rows`; `left()` are the seconds that the budget still holds. A row
with a `fault` is a check that failed.
"""

from __future__ import annotations

import copy
import inspect
import os
import re
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import torch

from benchmarks.models import dit_pipeline
from benchmarks.on_gpu.stalls import stalls
from benchmarks.worlds import LABEL, among_noise, digits
from mgd_helpers import Targets, decode
from mgd_helpers.guidance import factories
from mgd_helpers.linalg import gram_eigh

ROOT = Path(__file__).parents[2]
QUICK_TESTS = ("tests/test_linalg.py",)
DEVICE_TEST = re.compile(r"^def test_\w+\([^)]*\bdevice\b", re.MULTILINE)

# --- tests -----------------------------------------------------------------------------------------------------------


def device_tests() -> list[str]:
    """The files with tests that take a device."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(path.relative_to(ROOT)) for path in paths if DEVICE_TEST.search(path.read_text())]


def tests(options: Namespace, left: Callable[[], float]) -> Iterator[dict]:
    """The tests that take a device, on this one."""
    if find_spec("pytest") is None:
        yield {"passed": 0, "failed": 0, "fault": None, "told": "not run: pytest is not installed"}
        return
    missing = [name for name in ("beartype", "jaxtyping") if find_spec(name) is None]
    files = [file for file in device_tests() if not options.quick or file in QUICK_TESTS]
    command = [sys.executable, "-m", "pytest", "-v", "-rfE", "--tb=line", "-p", "no:cacheprovider", *files]
    command += ["--continue-on-collection-errors"]  # a package may be missing that few of them need
    command += ["-k", options.device.partition(":")[0]] + (["-o", "addopts="] if missing else [])
    limit = min(150.0, left())
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    try:
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=limit)
        output, fault = ran.stdout.decode(), None
        if ran.returncode:
            told = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
            fault = "; ".join(told[:10]) or (output + ran.stderr.decode()).strip().rpartition("\n")[2]
    except subprocess.TimeoutExpired as late:
        output, fault = (late.stdout or b"").decode(), f"not through after {limit:.0f} s"
    ends = re.findall(r"^tests/.* (PASSED|FAILED|ERROR|SKIPPED)\b", output, re.MULTILINE)
    told = f"without {' and '.join(missing)}: shapes in signatures unchecked" if missing else None
    failed = ends.count("FAILED") + ends.count("ERROR")
    yield {"passed": ends.count("PASSED"), "failed": failed, "fault": fault, "told": told}


# --- stalls ----------------------------------------------------------------------------------------------------------


def source_lines(function: Callable) -> range:
    """The numbers of the lines of a function."""
    lines, first = inspect.getsourcelines(function)
    return range(first, first + len(lines))


def by_class(targets: Targets, cloud: torch.Tensor, seed: int) -> dict:
    """A mapping, as `distill` passes one, in place of one guidance for all."""
    return {LABEL: factories.manifold(targets, cloud, seed, above=0.0)}


GUIDED = {
    "none": factories.none,
    "mode": partial(factories.mode, above=0.0),
    "mgd3": factories.mgd3,
    "manifold": partial(factories.manifold, above=0.0),
    "manifold, by class": by_class,
    "manifold, auto": partial(factories.manifold, above=0.0, n_neighbors="auto", rank="auto"),
    "manifold, at the target": partial(factories.manifold, above=0.0, tangent="target"),
    "manifold, at the sample": partial(factories.manifold, above=0.0, tangent="sample"),
    "match": factories.match,
    "transport": partial(factories.transport, above=0.0),
    "released": partial(factories.released, above=0.0),
}  # each at all steps, but for mgd3, whose window belongs to it
STEPS = (4, 8)
# torch.linalg.eigh looks at its own error code, and nobody can ask it not to: one wait each, known and told
EIGH = [f"linalg.py:{line}" for line in source_lines(gram_eigh)]
CONTROL = "reads at each step"


def reading(targets: Targets, cloud: torch.Tensor, seed: int) -> Callable:
    """A guidance that stops the device: what the count must find."""
    return lambda denoised, level: denoised * (1 if denoised.mean().item() > -1e9 else 0)


def stall(options: Namespace, left: Callable[[], float]) -> Iterator[dict]:
    """How often a run waits for the device, with guidance and without: guidance may add to a run, not to a step."""
    images = 2 if options.quick else 4
    world = digits(options.device, images=images, seed=options.seed)

    def waits(factory, steps):
        guidance = world.guidance(factory, seed=options.seed)
        run = partial(world.sample, guidance, images=images, seed=options.seed, steps=steps, output="latents")
        return stalls(run, device=options.device)

    waits(factories.manifold, 2)  # warms up
    bare = {steps: waits(factories.none, steps) for steps in STEPS}
    for name, factory in (GUIDED | {CONTROL: reading}).items():
        guided = {steps: waits(factory, steps) for steps in STEPS}
        known = {steps: sum(guided[steps][place] for place in EIGH) for steps in STEPS}
        more = {steps: guided[steps] - bare[steps] for steps in STEPS}
        added = {steps: guided[steps].total() - known[steps] - bare[steps].total() for steps in STEPS}
        per_step = (added[STEPS[1]] - added[STEPS[0]]) / (STEPS[1] - STEPS[0])
        where = ", ".join(f"{place} x{count}" for place, count in (more[STEPS[1]] - more[STEPS[0]]).most_common(4))
        fault = f"waits {per_step:.3g} times more at each step: {where}" if per_step > 0 else None
        if name == CONTROL:
            fault = None if per_step >= 1 else f"a guidance that reads was counted {per_step:.3g} times a step"
        for steps in STEPS:
            counts = {"waits_bare": bare[steps].total(), "waits_guided": guided[steps].total(), "in_eigh": known[steps]}
            row = {"guidance": name, "steps": steps, **counts, "added_per_step": per_step}
            yield row | {"fault": fault if steps == STEPS[1] else None}


# --- agreement -------------------------------------------------------------------------------------------------------

AGREES = {"float16": 0.02, "bfloat16": 0.1, "float32 on the CPU": 0.01}  # of the bundled pipeline's latents
STEERED = {name: factories.GUIDANCES[name] for name in ("none", "manifold", "match+transport")}


def agreement(options: Namespace, left: Callable[[], float]) -> Iterator[dict]:
    """Latents and 8-bit pixels in half precision, and those of a CPU, beside float32 on this device."""
    device, seed = options.device, options.seed
    images, steps = (2, 5) if options.quick else (8, 25)
    placed = {
        "float32": (device, torch.float32),
        "float16": (device, torch.float16),
        "bfloat16": (device, torch.bfloat16),
        "float32 on the CPU": ("cpu", torch.float32),
    }

    def small(place, dtype):
        return digits(place, images=images, seed=seed, dtype=dtype)

    yield from _compared(small, placed, AGREES, images=images, steps=steps, seed=seed)
    images, steps = (2, 2) if options.quick else (2, 8)
    torch.manual_seed(seed)
    drawn = dit_pipeline("cpu", quick=options.quick, dtype=torch.float32)  # or each device had other weights

    def large(place, dtype):
        pipe = copy.deepcopy(drawn).to(place, dtype)
        return among_noise(pipe, images=images, seed=seed, points=60 if options.quick else 1300)

    if not options.quick and left() < 150:
        del placed["float32 on the CPU"]  # a minute
    yield from _compared(large, placed, {}, images=images, steps=steps, seed=seed)


def _drawn_in_single(shape, generator, device, dtype):
    """Noise that is the same in every precision: some versions of torch draw other numbers in half precision."""
    return torch.cat([torch.randn(1, *shape[1:], generator=one) for one in generator]).to(device, dtype)


def _compared(make, placed, promised, *, images, steps, seed):
    first = {}
    for name, (place, dtype) in placed.items():
        world = make(place, dtype)
        for steering, factory in STEERED.items():
            row = {"pipeline": world.name, "guidance": steering, "compared": name, "difference": None}
            row |= {"equal_pixels": None, "finite": True, "promised": promised.get(name), "fault": None}
            try:
                guidance = world.guidance(factory, seed=seed)
                with patch("diffusers.pipelines.dit.pipeline_dit.randn_tensor", _drawn_in_single):
                    latents = world.sample(guidance, images=images, seed=seed, steps=steps, output="latents")
                pixels = (127.5 * (decode(world.pipe.vae, latents, batch_size=images) + 1)).round()
            except ValueError as error:  # it refuses what is not finite
                yield row | {"finite": False, "fault": str(error)}
                continue
            if not pixels.isfinite().all():
                row |= {"finite": False, "fault": "the decoder's images are not finite"}
            latents_0, pixels_0 = first.setdefault(steering, (latents, pixels))
            row["difference"] = ((latents - latents_0).norm() / latents_0.norm()).item()
            row["equal_pixels"] = (pixels == pixels_0).float().mean().item()
            if row["promised"] is not None and row["difference"] > row["promised"]:
                row["fault"] = f"latents differ by {row['difference']:.3g}, promised was {row['promised']}"
            if name != "float32" or row["fault"]:
                yield row
        del world
