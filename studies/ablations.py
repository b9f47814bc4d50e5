"""What does each part contribute? One at a time is changed, on the validation split: `python studies/ablations.py`.

    python studies/ablations.py digits

The base is the strict tangent pull with the settings that won in `tune.py`. Every variant is paired with the base: same
trees (unless they are what is changed), same noise, same students. The defaults of `ManifoldPull` follow from here, so
the test split stays out of it.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable

import protocol
import rules
import tune

from mgd_helpers.guidance import factories
from mgd_helpers.manifest import describe

PER_CLASS, SETS = 10, 5
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
    settings = tune.chosen(data)["tangent"].keywords
    base = functools.partial(rules.guided, pull=functools.partial(factories.manifold, **settings))

    def pull(**changed):
        return functools.partial(rules.guided, pull=functools.partial(factories.manifold, **(settings | changed)))

    def among(source):
        return functools.partial(rules.guided, pull=functools.partial(rules.manifold_among, source=source, **settings))

    def made(**changed):
        return functools.partial(base, **changed)

    strength = settings["strength"]
    factors = {
        "part": {
            "no guidance": rules.unguided,
            "mode, same strength": functools.partial(
                rules.guided, pull=functools.partial(factories.mode, strength=strength)
            ),
            "mode, same length": functools.partial(
                rules.guided, pull=functools.partial(rules.shortened_pull, **settings)
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


def cell(stand, rule, seed) -> dict:
    images, _ = protocol.kept_set(stand, PER_CLASS, rule, seed)
    how = protocol.recipe(stand.name, PER_CLASS, "convnet3")
    return {
        "students": protocol.student_scores(stand, images, how, protocol.student_seeds(seed, stand.name)[:1]),
        "nearest_neighbor": protocol.nearest_neighbor(stand, images),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=("digits", "fashion_mnist", "cifar10"))
    parser.add_argument("--factors", nargs="+", help="by default all")
    parser.add_argument("--sets", type=int, default=SETS)
    asked = parser.parse_args()
    stand = protocol.bench(asked.data, "validation")
    cells = protocol.Cells("ablations", asked.data, note=stand.data.note, images_per_class=PER_CLASS, students=1)
    factors, base = variants(asked.data)
    for seed in range(asked.sets):
        cells(f"base/base/{seed}", functools.partial(cell, stand, base, seed))
        for factor in asked.factors or factors:
            for name, rule in factors[factor].items():
                cells(f"{factor}/{name}/{seed}", functools.partial(cell, stand, rule, seed))


if __name__ == "__main__":
    main()
