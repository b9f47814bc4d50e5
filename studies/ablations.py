"""What does each part contribute? One at a time is changed, on the validation split.

    python -m studies ablations digits

The base is the strict tangent pull with the package's defaults, at the scale of classifier-free guidance that each
pipeline came with, before scales were tuned. Every variant is paired with the base: same trees (unless they are what is
changed), same noise, same students. The defaults of `ManifoldPull` follow from here, so the test split stays out of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from mgd_helpers.guidance import factories
from mgd_helpers.manifest import describe
from studies import rules
from studies.cells import Cells
from studies.protocol import Bench, load_bench
from studies.scores import nearest_neighbor, short_recipe, student_scores, student_seeds
from studies.sets import kept_set

PER_CLASS, SETS = 10, 5
TANGENT = {"strength": 1.0, "softness": 1.0, "n_neighbors": 24, "rank": 8}
SAMPLERS = {
    f"{name} {steps}": {"sampler": sampler, "steps": steps}
    for name, sampler, counts in (
        ("DDIM", "DDIMScheduler", (10, 50, 250)),
        ("DDPM", "DDPMScheduler", (50,)),
        ("DPM++", "DPMSolverMultistepScheduler", (10, 25)),
    )
    for steps in counts
}


def variants(data: str) -> tuple[dict[str, dict], Callable]:
    """Factor -> variant -> rule, and the base, which is left out of the factors."""

    def pull(**changed):
        return functools.partial(rules.guided, pull=functools.partial(factories.manifold, **(TANGENT | changed)))

    base = pull()

    def among(source):
        return functools.partial(rules.guided, pull=functools.partial(rules.manifold_among, source=source, **TANGENT))

    def made(**changed):
        return functools.partial(base, **changed)

    factors = {
        "part": {
            "no guidance": rules.unguided,
            "mode, same strength": functools.partial(
                rules.guided, pull=functools.partial(factories.mode, strength=TANGENT["strength"])
            ),
            "mode, same length": functools.partial(
                rules.guided, pull=functools.partial(rules.shortened_pull, **TANGENT)
            ),
            **{f"softness {value}": pull(softness=value) for value in (0.25, 0.5, 0.75)},
        },
        "targets": {
            "leaves": made(strategy="leaves"),
            "k-means": made(strategy="kmeans"),
            "tree on pooled latents": made(space="pooled"),
            "tree on principal components": made(space="pca"),
            "nearest member": made(representative="nearest_member"),
        },
        "tangent": {
            "at the target": pull(tangent="target"),
            "at the noisy sample": pull(tangent="sample"),
            "of tree nodes": among("tree"),
            "of points on spheres": among("spheres"),
        },
        "neighbourhood": {
            f"k {k}, d {d}": pull(n_neighbors=k, rank=d)
            for k, d in ((6, 2), (12, 3), (24, 8), (48, 16), (100, 32), ("auto", "auto"))
        },
        "strength": {f"{value}": pull(strength=value) for value in (0.05, 0.15, 0.4, 1.0)}
        | {
            "per log-SNR 0.3": pull(strength=functools.partial(rules.scheduled, rule="per_log_snr", rate=0.3)),
            "score 0.1": pull(strength=functools.partial(rules.scheduled, rule="score", rate=0.1)),
            "posterior 0.1": pull(strength=functools.partial(rules.scheduled, rule="posterior", rate=0.1)),
        },
        "stop": {f"noise share {value}": pull(above=value) for value in (0.0, 0.25, 0.75, 0.9)},
        "sampler": {name: made(**how) for name, how in SAMPLERS.items()},
        "sampler, unguided": {name: functools.partial(rules.unguided, **how) for name, how in SAMPLERS.items()},
    }
    same = describe(base)
    return {
        factor: {name: rule for name, rule in found.items() if describe(rule) != same}
        for factor, found in factors.items()
    }, base


def cell(bench: Bench, rule: Callable, seed: int) -> dict:
    """Accuracies of the first student of one set, and of its nearest neighbors."""
    images, _ = kept_set(bench, PER_CLASS, rule, seed)
    seeds = student_seeds(seed, bench.name)[:1]
    return {
        "students": student_scores(bench, images, short_recipe(PER_CLASS, "convnet3"), seeds),
        "nearest_neighbor": nearest_neighbor(bench, images),
    }


def run(data: str, *, factors: Sequence[str] | None = None, sets: int = SETS) -> None:
    """Compute what is missing."""
    bench = load_bench(data, "validation")
    cells = Cells("ablations", data, note=bench.data.note, images_per_class=PER_CLASS, students=1)
    variants_of, base = variants(data)
    for seed in range(sets):
        cells(functools.partial(cell, bench, base, seed), factor="base", row="base", seed=seed)
        for factor in factors or variants_of:
            for row, rule in variants_of[factor].items():
                cells(functools.partial(cell, bench, rule, seed), factor=factor, row=row, seed=seed)
