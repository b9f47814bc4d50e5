"""Small work on a quiet machine and beside a neighbour that keeps as many threads busy as there are cores.

Each column is a fresh process that imports torch before this package, without OMP_* in its environment: then nothing
but the number of threads can still be set. The neighbour multiplies matrices with torch. Work without a promise is
there to see: it is shared among threads, which a neighbour disturbs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import torch
from harness import arguments, report, seconds

from mgd_helpers import ManifoldPull, bisect, encode, load_data, load_pipeline, pick_targets, sample, window
from mgd_helpers.seeding import generator
from mgd_helpers.students.training import Recipe, train_student

PROMISED = 3.0
NEIGHBOUR = """
import os, torch
torch.set_num_threads(os.cpu_count())
matrix = torch.randn(800, 800)
print("busy", flush=True)
while True:
    matrix @ matrix
"""


def main() -> None:
    options = arguments(__doc__.splitlines()[0])
    with neighbour():
        busy = in_a_fresh_process(options)
    quiet = in_a_fresh_process(options)
    rows = [
        {
            "work": work,
            "quiet_seconds": quiet[work],
            "busy_seconds": busy[work],
            "ratio": busy[work] / quiet[work],
            "promised": PROMISED if is_small(work) else None,
        }
        for work in quiet
    ]
    report("busy", rows, options=options, neighbour_threads=os.cpu_count())


def is_small(work: str) -> bool:
    return "wide" not in work


@contextmanager
def neighbour():
    """A process that is busy with all cores until the context ends."""
    command = [sys.executable, "-c", NEIGHBOUR]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            process.stdout.readline()
            yield
        finally:
            process.kill()


def in_a_fresh_process(options) -> dict[str, float]:
    command = [sys.executable, __file__, "work", options.device, str(options.seed), str(int(options.quick))]
    made = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(made.stdout.splitlines()[-1])


def environment() -> dict[str, str]:
    """As a user's who has set nothing."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "MKL_"))}
    return kept | {"MGD_QUIET": "1"}


def work(device: str, seed: int, quick: bool) -> dict[str, float]:
    """The seconds of each kind of work, in this process."""
    repeats = 1 if quick else 3
    draw = generator(seed)
    found = {}

    per_class, steps, classes = (2, 2, 1) if quick else (10, 50, 10)
    pipe, data = load_pipeline("digits", device=device), load_data("digits").train
    clouds = [encode(pipe.vae, data.of_class(label)) for label in range(classes)]
    trees = [bisect(cloud, n_leaves=per_class, seed=seed) for cloud in clouds]
    targets = [pick_targets(tree, images_per_class=per_class).latents for tree in trees]

    guidance = {
        label: window(ManifoldPull(targets[label], clouds[label].to(device)), above=0.5) for label in range(classes)
    }
    asked = [label for label in range(classes) for _ in range(per_class)]

    def digits():
        return sample(pipe, asked, guidance=guidance, seed=seed, steps=steps, guidance_scale=1.5)

    found[f"{len(asked)} digits"] = seconds(digits, device=device, repeats=1, warm_up=0)

    images = torch.randn(100, 1, 32, 32, generator=draw).clamp(-1, 1).to(device)
    labels = (torch.arange(100) % 10).to(device)
    for name, recipe in {
        "a student": Recipe(steps=2 if quick else 150),
        "steps of a wide student": Recipe(steps=1 if quick else 10, width=8 if quick else 128),
    }.items():

        def student(recipe=recipe):
            return train_student(images, labels, n_classes=10, recipe=recipe, seed=seed)

        found[name] = seconds(student, device=device, repeats=1, warm_up=0)

    latents = torch.randn(150, 256, generator=draw).to(device)
    found["a tree"] = seconds(lambda: bisect(latents, n_leaves=10, seed=seed), device=device, repeats=repeats)
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        print(json.dumps(work(sys.argv[2], int(sys.argv[3]), sys.argv[4] == "1")))
    else:
        main()
