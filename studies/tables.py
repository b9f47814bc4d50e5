"""From cells to the tables beside the main one: settings, measures, audits, robust scores, cost, autoencoders."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import pandas

from mgd_helpers.evaluation.paired import augmentation_robust_score, label_robust_score
from studies import choose
from studies.cells import select
from studies.data_sets import DATA_SETS
from studies.report import ROWS, TRAINED, full_real, main_scores, mean, place, read, scores

MEASURES = {
    "frechet_distance": "Fréchet",
    "kernel_distance": "kernel",
    "mmd": "MMD",
    "embedding_distance": "embedding",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "representativeness": "representative",
    "diversity": "diverse",
}
CLAIMED = {  # for CIFAR-10, in a widely copied summary of the paper; no reading of the paper finds them there
    "training-free baseline": {"frechet_distance": 38.2, "embedding_distance": 0.84, "accuracy": 0.713},
    "training-based baseline": {"frechet_distance": 31.5, "embedding_distance": 0.71, "accuracy": 0.789},
    "ManifoldGD": {"frechet_distance": 27.1, "embedding_distance": 0.58, "accuracy": 0.824},
}
KINDS = {  # the rows of ours that each of them stands for
    "training-free baseline": (*ROWS[: ROWS.index("tangent")],),
    "training-based baseline": TRAINED,
    "ManifoldGD": ("tangent", "soft", "released"),
}


def made_on(content: dict) -> str:
    """The line that stands under every table."""
    hardware, versions = content["hardware"], content["versions"]
    machine = hardware.get("gpu", f"{hardware['processor']}, threads: {hardware['threads']}")
    others = [cell["hardware"]["processor"] for cell in content["cells"] if "hardware" in cell]
    if others:
        machine += f" ({len(others)} of {len(content['cells'])} cells: {', '.join(sorted(set(others)))})"
    note = f" {content['note']}" if content.get("note") else ""
    return (
        f"{machine}; torch {versions['torch']}, diffusers {versions['diffusers']}, Python {versions['python']}; "
        f"sets from seeds 0, 1, 2, …{note}"
    )


def scales(data: str) -> pandas.DataFrame:
    """One line per row and scale of classifier-free guidance: validation accuracy at the first setting of the row."""
    found = read("choose", data)["cells"]
    lines = []
    for row, tried in choose.ROWS.items():
        for scale in choose.scales_of(row):
            sets = scores(found, row=row, scale=scale, **tried.settings[0]).get(row, [])
            if sets:
                lines.append({"row": row, "scale": scale, "accuracy": mean(sets)})
    return pandas.DataFrame(lines, columns=["row", "scale", "accuracy"])


def winners() -> pandas.DataFrame:
    """One line per row that was tuned: the settings that won on every data set."""
    won = {settings.title: choose.chosen(data) for data, settings in DATA_SETS.items()}
    lines = [{"row": row} | {data: in_words(found[row]) for data, found in won.items()} for row in choose.ROWS]
    return pandas.DataFrame(sorted(lines, key=lambda line: place(line["row"])))


def in_words(settings: Mapping[str, float]) -> str:
    """Settings as the page names them."""
    names = {"n_neighbors": "k", "rank": "d", "learning_rate": "learning rate"}
    return ", ".join(f"{names.get(name, name)} {value:g}" for name, value in settings.items())


def measures_table(data: str, images_per_class: int = 10) -> pandas.DataFrame:
    """One line per row: means over its sets of the measures that need no student."""
    found = read("measures", data)["cells"]
    of_measure = {name: scores(found, name, kind="distances", images_per_class=images_per_class) for name in MEASURES}
    rows = next(iter(of_measure.values()))
    return pandas.DataFrame([{"row": row} | {name: mean(of_measure[name][row]) for name in MEASURES} for row in rows])


def audits(data: str, images_per_class: int = 10) -> dict[str, dict]:
    """Row -> what the audit of its first set found."""
    found = select(read("measures", data)["cells"], kind="audit", images_per_class=images_per_class, seed=0)
    by_row = {cell["settings"]["row"]: cell["result"] for cell in found}
    return {row: by_row[row] for row in sorted(by_row, key=place)}


def robust_table(data: str) -> pandas.DataFrame:
    """One line per row: accuracies on soft labels and without augmentation, and DD-Ranking's two scores, set by set."""
    cells, real = read("robust", data)["cells"], full_real(data)
    found = {"hard": main_scores(data, 10), "soft": scores(cells, "soft"), "plain": scores(cells, "plain")}

    def sets_of(row: str) -> list[dict[str, float]]:
        """Accuracies of the first student of each set, the only one that the study of robustness has."""
        return [{kind: found[kind][row][index][0] for kind in found} for index in range(len(found["soft"][row]))]

    lines = []
    for row in found["soft"]:
        pairs = list(zip(sets_of(row), sets_of("random real"), strict=False))
        label = [
            label_robust_score(
                real_hard=real, generated_hard=own["hard"], generated_any=own["soft"], random_any=random["soft"]
            )
            for own, random in pairs
        ]
        augmentation = [
            augmentation_robust_score(
                generated_augmented=own["hard"],
                random_augmented=random["hard"],
                generated_plain=own["plain"],
                random_plain=random["plain"],
            )
            for own, random in pairs
        ]
        accuracies = {kind: statistics.mean(own[kind] for own, _ in pairs) for kind in ("soft", "plain")}
        robust = {"label_robust": statistics.mean(label), "augmentation_robust": statistics.mean(augmentation)}
        lines.append({"row": row, "sets": len(pairs)} | accuracies | robust)
    return pandas.DataFrame(lines)


def cost_table() -> pandas.DataFrame:
    """One line per row and data set: what a set of ten images per class takes."""
    return pandas.DataFrame(
        [
            {"data": settings.title, "row": cell["settings"]["row"]} | cell["result"]
            for data, settings in DATA_SETS.items()
            for cell in read("cost", data)["cells"]
        ]
    )


def vae_table() -> pandas.DataFrame:
    """One line per autoencoder, from the best to the worst: its error, and the accuracy of every row on it."""
    found = read("vae", "digits")["cells"]
    lines = []
    for cell in select(found, row="autoencoder"):
        steps = cell["settings"]["vae_steps"]
        rows = {row: mean(sets) for row, sets in scores(found, vae_steps=steps).items()}
        lines.append({"VAE steps": steps, "error": cell["result"]["error"]} | rows)
    return pandas.DataFrame(sorted(lines, key=lambda line: -line["VAE steps"]))


def claimed_table() -> pandas.DataFrame:
    """The rows that are passed around, and beside them what was measured for the best rule of each kind."""
    measured = {row: mean(sets) for row, sets in main_scores("cifar10", 10, "resnet18").items()}
    lines = []
    for kind, claims in CLAIMED.items():
        line = {
            "row": kind,
            "claimed FID": claims["frechet_distance"],
            "claimed embedding distance": claims["embedding_distance"],
            "claimed accuracy": f"{100 * claims['accuracy']:.1f} %",
        }
        if rows := [row for row in KINDS[kind] if row in measured]:
            best = max(rows, key=lambda row: measured[row])
            distances = measures_table("cifar10").set_index("row").loc[best]
            line |= {"measured row": best, "accuracy": f"{100 * measured[best]:.1f} %"}
            line |= {"Fréchet": f"{distances.frechet_distance:.3g}"}
            line |= {"embedding distance": f"{distances.embedding_distance:.3g}"}
        lines.append(line)
    return pandas.DataFrame(lines)
