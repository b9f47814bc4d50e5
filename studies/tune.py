"""Choose the settings of every guided row with one budget, on real training images held back: `python studies/tune.py`.

    python studies/tune.py digits

Every row gets the same number of candidates, sets and students. Sets are made without the images held back, so that
nothing is measured on what it was made from; the pipeline itself was trained on them, for all rows alike. The test
split is not looked at.
"""

from __future__ import annotations

import argparse
import functools
import statistics

import protocol
import rules

from mgd_helpers.guidance import factories

PER_CLASS, SETS = 10, 3

# six candidates for each row; strengths about evenly spaced in their logarithm
NEAR, WIDE = {"n_neighbors": 12, "rank": 3}, {"n_neighbors": 24, "rank": 8}
CANDIDATES = {
    "mode": [functools.partial(factories.mode, strength=strength) for strength in (0.03, 0.06, 0.12, 0.25, 0.5, 1.0)],
    "tangent": [
        functools.partial(factories.manifold, strength=strength, softness=1.0, **neighborhood)
        for neighborhood in (NEAR, WIDE)
        for strength in (0.12, 0.35, 1.0)
    ],
    "soft": [
        functools.partial(factories.manifold, strength=strength, softness=0.5, **neighborhood)
        for neighborhood in (NEAR, WIDE)
        for strength in (0.06, 0.2, 0.6)
    ],
    "released": [
        functools.partial(factories.released, strength=strength) for strength in (0.01, 0.03, 0.06, 0.1, 0.2, 0.5)
    ],
}
MATCHING = [
    functools.partial(rules.distribution_matching, steps=100, learning_rate=learning_rate)
    for learning_rate in (1.0, 3.0, 10.0)
]  # one set each: what it does to the pixels differs by more than sets do


def scores(cells: protocol.Cells, stand: protocol.Bench, name: str, pull) -> list[float]:
    """Validation accuracy of each set, the mean over its students."""
    rule = functools.partial(rules.guided, pull=pull) if pull else rules.unguided
    return [
        statistics.mean(cells(f"{name}/{options(pull)}/{seed}", functools.partial(cell, stand, rule, seed)))
        for seed in range(SETS)
    ]


def cell(stand: protocol.Bench, rule, seed: int) -> list[float]:
    images, _ = protocol.kept_set(stand, PER_CLASS, rule, seed)
    how = protocol.recipe(stand.name, PER_CLASS, "convnet3")
    return protocol.student_scores(stand, images, how, protocol.student_seeds(seed, stand.name))


def options(pull) -> str:
    """The settings of a bound guidance or rule, in one line."""
    return ", ".join(f"{key} {value}" for key, value in pull.keywords.items()) if pull else "-"


def chosen(data: str) -> dict[str, functools.partial]:
    """The winner of each row, from the committed cells; raises where the data set has not been tuned."""
    cells = protocol.Cells("tune", data, **settings(data))
    means = {
        (name, options(pull)): [cells.content["cells"].get(f"{name}/{options(pull)}/{seed}") for seed in range(SETS)]
        for name, pulls in CANDIDATES.items()
        for pull in pulls
    }
    if any(value is None for found in means.values() for value in found):
        raise ValueError(f"{data!r} is not tuned yet: run `python studies/tune.py {data}` first.")
    average = {key: statistics.mean(map(statistics.mean, found)) for key, found in means.items()}
    return {name: max(pulls, key=lambda pull: average[name, options(pull)]) for name, pulls in CANDIDATES.items()}


def matching(data: str) -> functools.partial:
    """Distribution matching with the learning rate that won; raises where the data set has not been tuned."""
    cells = protocol.Cells("tune", data, **settings(data)).content["cells"]
    found = [cells.get(f"distribution matching/{options(rule)}/0") for rule in MATCHING]
    if None in found:
        raise ValueError(f"{data!r} is not tuned yet: run `python studies/tune.py {data}` first.")
    return max(zip(map(statistics.mean, found), range(len(MATCHING)), MATCHING, strict=True))[2]


def settings(data: str) -> dict:
    students = protocol.STUDENTS[data]
    return {"images_per_class": PER_CLASS, "sets": SETS, "students": students, "network": "convnet3", "seed": 0}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=("digits", "fashion_mnist", "cifar10"))
    data = parser.parse_args().data
    stand = protocol.bench(data, "validation")
    cells = protocol.Cells("tune", data, note=stand.data.note, **settings(data))
    scores(cells, stand, "unguided", None)
    for name, pulls in CANDIDATES.items():
        for pull in pulls:
            scores(cells, stand, name, pull)
    for rule in MATCHING:
        cells(f"distribution matching/{options(rule)}/0", functools.partial(cell, stand, rule, 0))
    for name, pull in chosen(data).items():
        print(f"{data} {name}: {options(pull)}")


if __name__ == "__main__":
    main()
