"""Small work on a quiet machine and beside a neighbour that keeps as many threads busy as there are cores.

Each column is a fresh process that imports torch before this package, without OMP_* in its environment: then nothing
but the number of threads can still be set. The neighbour multiplies matrices with torch. Work without a promise is
there to see: it is shared among threads, which a neighbour disturbs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import torch

from benchmarks.harness import record, seconds
from benchmarks.students import random_set
from mgd_helpers import ManifoldPull, bisect, encode, load_data, load_pipeline, pick_targets, sample, seeding, window
from mgd_helpers.students.training import Recipe, train_student

ROOT = Path(__file__).parents[1]
PROMISED = 3.0
PYTHON = [sys.executable]  # tests have a quicker way
NEIGHBOR = """
import os, torch
torch.set_num_threads(os.cpu_count())
matrix = torch.randn(800, 800)
print("busy", flush=True)
while True:
    matrix @ matrix
"""
WORK = """
import torch
import json
from benchmarks import busy
print(json.dumps(busy.timed({device!r}, seed={seed}, quick={quick}, beside={beside})))
"""


def main(options: argparse.Namespace) -> None:
    """Each kind of work beside the neighbour, and alone."""
    busy, quiet = (in_a_fresh_process(options, beside=beside) for beside in (True, False))
    rows = [
        {
            "work": work,
            "quiet_seconds": quiet[work],
            "busy_seconds": busy[work],
            "ratio": busy[work] / quiet[work],
            "promised": None if "wide" in work else PROMISED,
        }
        for work in quiet
    ]
    record("busy", rows, options=options, neighbour_threads=os.cpu_count())


@contextmanager
def neighbor() -> Iterator[subprocess.Popen]:
    """A process that is busy with all cores until the context ends."""
    command = [*PYTHON, "-c", NEIGHBOR]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            process.stdout.readline()
            yield process
        finally:
            process.kill()


def in_a_fresh_process(options: argparse.Namespace, *, beside: bool) -> dict[str, float]:
    """What `timed` finds in a process of its own."""
    code = WORK.format(device=options.device, seed=options.seed, quick=options.quick, beside=beside)
    command = [*PYTHON, "-c", code]
    made = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(made.stdout.splitlines()[-1])


def environment() -> dict[str, str]:
    """As a user's who has set nothing."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "MKL_"))}
    return kept | {"MGD_QUIET": "1"}


def timed(device: str, *, seed: int, quick: bool, beside: bool) -> dict[str, float]:
    """The seconds of each kind of work, in this process, `beside` a neighbour or alone."""
    ready = work(device, seed=seed, quick=quick)
    with neighbor() if beside else nullcontext():
        return {name: seconds(run, repeats=repeats, warm_up=repeats > 1) for name, (run, repeats) in ready.items()}


def work(device: str, *, seed: int, quick: bool) -> dict[str, tuple[Callable[[], object], int]]:
    """Each kind of work, ready to be called, and how often."""
    generator = seeding.generator(seed)

    per_class, steps, classes = (2, 2, 1) if quick else (10, 50, 10)
    pipe, data = load_pipeline("digits", device=device), load_data("digits").train
    guidance = {}
    for label in range(classes):
        cloud = encode(pipe.vae, data.of_class(label)[: 30 if quick else None])
        targets = pick_targets(bisect(cloud, n_leaves=per_class, seed=seed), images_per_class=per_class)
        guidance[label] = window(ManifoldPull(targets.latents, cloud.to(device)), above=0.5)
    asked = [label for label in range(classes) for _ in range(per_class)]
    digits = partial(sample, pipe, asked, guidance=guidance, seed=seed, steps=steps, guidance_scale=1.5)

    images, labels = random_set(device, generator=generator, channels=1)
    train = partial(train_student, images, labels, n_classes=10, seed=seed)
    small, wide = Recipe(steps=2), Recipe(steps=1, width=8)
    if not quick:
        small, wide = Recipe(steps=150), Recipe(steps=10, width=128)
    latents = torch.randn(150, 256, generator=generator).to(device)
    return {
        f"{len(asked)} digits": (digits, 1),
        "a student": (partial(train, recipe=small), 1),
        "steps of a wide student": (partial(train, recipe=wide), 1),
        "a tree": (partial(bisect, latents, n_leaves=10, seed=seed), 1 if quick else 3),
    }
