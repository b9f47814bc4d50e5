"""From cells to tables: what the book's page "What the numbers say" and the tests read out of `results/`."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

import pandas

from mgd_helpers.evaluation.paired import (
    Difference,
    augmentation_robust_score,
    holm,
    label_robust_score,
    paired_difference,
    pooled_difference,
)

RESULTS = Path(__file__).resolve().parent / "results"
TITLES = {"digits": "digits", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10 (JPEG copy)"}
TESTED = {"digits": (297, 300), "fashion_mnist": (10_000, 2_000), "cifar10": (10_000, 2_000)}  # test, validation images
ROWS = (
    *("random real", "herding", "k-centre", "nearest real", "round trip", "decoded targets"),
    *("unguided", "unguided, DDPM", "mgd3", "mode", "tangent", "soft", "released", "distribution matching", "minimax"),
)
NETWORKS = {"convnet3": "ConvNet-3", "resnet18": "ResNet-18"}
JUDGES = {"": "students", "1-NN ": "nearest_neighbor"}  # how tables name what cells hold
COLUMNS = {"": "accuracy", "1-NN ": "1-NN"}
CLAIMED = {  # for CIFAR-10, in a widely copied summary of the paper; no reading of the paper finds them there
    "training-free baseline": {"frechet_distance": 38.2, "embedding_distance": 0.84, "accuracy": 0.713},
    "training-based baseline": {"frechet_distance": 31.5, "embedding_distance": 0.71, "accuracy": 0.789},
    "ManifoldGD": {"frechet_distance": 27.1, "embedding_distance": 0.58, "accuracy": 0.824},
}
KINDS = {  # the rows of ours that each of them stands for
    "training-free baseline": (*ROWS[: ROWS.index("tangent")],),
    "training-based baseline": ("distribution matching", "minimax"),
    "ManifoldGD": ("tangent", "soft", "released"),
}


def read(table: str, data: str) -> dict:
    """A results file; without cells where the study has not been run. Shares of images become exact: cells keep five
    digits, and sets that differ by equally many images must differ equally.
    """
    file = RESULTS / f"{table}_{data}.json"
    if not file.exists():
        return {"cells": {}}
    content = json.loads(file.read_text(encoding="utf-8"))
    images = TESTED[data][table in ("ablations", "vae")]

    def exact(share):
        return [exact(one) for one in share] if isinstance(share, list) else round(share * images) / images

    for cell in content["cells"].values():
        if isinstance(cell, dict):
            cell |= {measure: exact(cell[measure]) for measure in JUDGES.values() if measure in cell}
    return content


def scores(cells: dict, prefix: str, measure: str = "students") -> dict[str, list]:
    """Row -> its sets in order -> what was measured, of all cells whose key is `prefix`/row/set."""
    found: dict[str, dict[int, object]] = {}
    for key, cell in cells.items():
        match = re.fullmatch(re.escape(prefix) + r"/([^/]+)/(\d+)", key)
        if match and measure in cell:
            value = cell[measure]
            found.setdefault(match[1], {})[int(match[2])] = value if isinstance(value, list) else [value]
    return {row: [found[row][seed] for seed in sorted(found[row])] for row in sorted(found, key=place)}


def place(row: str) -> tuple:
    """Rows in the order of the protocol, then variants in the order of their numbers."""
    parts = re.split(r"(\d+(?:\.\d+)?)", row)  # text and number in turn
    numbered = [float(part) if index % 2 else part for index, part in enumerate(parts)]
    return ROWS.index(row) if row in ROWS else len(ROWS), numbered


def difference(found: dict[str, list], row: str, base: str) -> Difference:
    """Row minus base over the sets that both have."""
    count = min(len(found[row]), len(found[base]))
    a, b = found[row][:count], found[base][:count]
    if count < 2:  # no interval
        return Difference(mean(a) - mean(b), math.nan, math.nan, count, len(a[0]), "", math.nan)
    return paired_difference(a, b)


def pooled(found: Sequence[dict[str, list]], row: str, base: str) -> Difference | None:
    """Row minus base, the mean over data sets; None where one of them has less than two sets of both."""
    pairs = [list(zip(sets.get(row, []), sets.get(base, []), strict=False)) for sets in found]
    if any(len(pair) < 2 for pair in pairs):
        return None
    return pooled_difference([tuple(zip(*pair, strict=True)) for pair in pairs])


def everywhere(images_per_class: int, network: str, measure: str = "students") -> list[dict[str, list]]:
    """`scores` of the main table, of every data set."""
    return [scores(read("main", data)["cells"], f"{images_per_class}/{network}", measure) for data in TITLES]


def tuning(data: str) -> pandas.DataFrame:
    """One line per candidate and set: rule, strength and validation accuracy beyond that of the unguided pipeline."""
    cells = read("tune", data)["cells"]
    lines = []
    for key, students in cells.items():
        name, settings, seed = key.split("/")
        found = dict(setting.split() for setting in settings.split(", ")) if settings != "-" else {}
        if "strength" in found:
            rule = name + (f", k {found['n_neighbors']}, d {found['rank']}" if "rank" in found else "")
            gain = statistics.mean(students) - statistics.mean(cells[f"unguided/-/{seed}"])
            line = {"data": TITLES[data], "rule": rule, "strength": float(found["strength"])}
            lines.append(line | {"difference": 100 * gain})
    return pandas.DataFrame(lines)


def main_table(data: str, images_per_class: int, network: str = "convnet3", base: str = "unguided") -> pandas.DataFrame:
    """One line per row: accuracy by students and by 1-NN, each with its paired difference to `base` and the interval.

    The verdict is stricter than the interval: "better" or "worse" at 5 % for all rows of the table at once (Holm).
    """
    cells = read("main", data)["cells"]
    found = {kind: scores(cells, f"{images_per_class}/{network}", measure) for kind, measure in JUDGES.items()}
    lines = []
    for row, sets in found[""].items():
        line = {"row": row, "sets": len(sets)}
        for kind, column in COLUMNS.items():
            line[column] = mean(found[kind][row])
            if base in found[kind] and row != base:
                line |= _compared(kind, difference(found[kind], row, base))
        lines.append(line)
    return _judged(lines)


def pooled_table(images_per_class: int, network: str = "convnet3", base: str = "unguided") -> pandas.DataFrame:
    """`main_table` for the mean over the data sets, of the rows that each of them has sets of."""
    found = {kind: everywhere(images_per_class, network, measure) for kind, measure in JUDGES.items()}
    lines = []
    for row in ROWS:
        if all(row in sets for sets in found[""]):
            line = {"row": row, "sets": min(len(sets[row]) for sets in found[""])}
            for kind, column in COLUMNS.items():
                line[column] = statistics.mean(mean(sets[row]) for sets in found[kind])
                if row != base and (pair := pooled(found[kind], row, base)):
                    line |= _compared(kind, pair)
            lines.append(line)
    return _judged(lines)


def _compared(kind: str, pair: Difference) -> dict:
    values = {"difference": pair.mean, "low": pair.low, "high": pair.high, "verdict": pair.verdict, "p": pair.p_value}
    return {f"{kind}{name}": value for name, value in values.items()}


def _judged(lines: list[dict]) -> pandas.DataFrame:
    """Lines as a table, with p-values and verdicts that count all of them at once."""
    for kind in JUDGES:
        compared = [line for line in lines if not math.isnan(line.get(f"{kind}p", math.nan))]
        for line, p in zip(compared, holm([line[f"{kind}p"] for line in compared]), strict=True):
            line |= {f"{kind}p": p, f"{kind}verdict": line[f"{kind}verdict"] if p < 0.05 else "not told apart"}
    return pandas.DataFrame(lines)


def full_real(data: str, network: str = "convnet3") -> float | None:
    """The mean accuracy of students of all real training images, where it was measured."""
    cells = read("main", data)["cells"]
    found = [value for key, value in cells.items() if key.startswith(f"full real/{network}/")]
    return statistics.mean(found) if found else None


def factor_table(factor: str, measure: str = "students", data: Sequence[str] | None = None) -> dict[str, Difference]:
    """Variant -> its paired difference to the base of the ablations; the mean over `data`, by default `ablated`."""
    found = [_variants(name, factor, measure) for name in (ablated(factor) if data is None else data)]
    rows = [row for row in (found[0] if found else {}) if row != "base"]
    return {row: pair for row in rows if (pair := pooled(found, row, "base"))}


def sampler_gains(measure: str = "students") -> dict[str, Difference]:
    """Sampler -> base minus no guidance, both with this sampler; the mean over the data sets of `ablated`."""
    found = []
    for data in ablated("sampler, unguided"):
        guided, plain = (_variants(data, factor, measure) for factor in ("sampler", "sampler, unguided"))
        unguided = _variants(data, "part", measure).get("no guidance", [])
        standard = {"DDIM 25": guided.pop("base"), "DDIM 25, unguided": unguided}
        found.append(guided | standard | {f"{row}, unguided": sets for row, sets in plain.items() if row != "base"})
    rows = sorted({row for sets in found for row in sets if f"{row}, unguided" in sets}, key=place)
    return {row: pair for row in rows if (pair := pooled(found, row, f"{row}, unguided"))}


def ablated(factor: str) -> list[str]:
    """The data sets on which a factor has been measured with two sets at least."""
    return [
        data
        for data in TITLES
        if (found := _variants(data, factor, "students"))
        and len(found) > 1
        and all(len(sets) > 1 for sets in found.values())
    ]


def _variants(data: str, factor: str, measure: str) -> dict[str, list]:
    cells = read("ablations", data)["cells"]
    return scores(cells, factor, measure) | scores(cells, "base", measure)


def mean(sets: list[list[float]]) -> float:
    return statistics.mean(value for values in sets for value in values)


def made_on(content: dict) -> str:
    """The line that stands under every table."""
    hardware, versions = content["hardware"], content["versions"]
    machine = hardware.get("gpu", f"{hardware['processor']}, threads: {hardware['threads']}")
    note = f" {content['note']}" if content.get("note") else ""
    return (
        f"{machine}; torch {versions['torch']}, diffusers {versions['diffusers']}, Python {versions['python']}; "
        f"sets from seeds 0, 1, 2, …{note}"
    )


def measures_table(cells: dict, images_per_class: int, columns: dict[str, str]) -> pandas.DataFrame:
    """One line per row: means over its sets of the measures that need no student."""
    found = {measure: scores(cells, str(images_per_class), measure) for measure in columns}
    rows = next(iter(found.values()))
    return pandas.DataFrame(
        [{"row": row} | {title: mean(found[measure][row]) for measure, title in columns.items()} for row in rows]
    )


def audit_table(cells: dict, images_per_class: int) -> pandas.DataFrame:
    """One line per row: what the audit of its first set found."""
    lines = []
    for key, cell in cells.items():
        match = re.fullmatch(rf"{images_per_class}/audit/(.+)/0", key)
        if match:
            low, high = cell["nearer_share_interval"]
            bottom, top = cell["membership_auc_interval"]
            lines.append(
                {
                    "row": match[1],
                    "distance, median": f"{cell['median']:.3f} (held-out {cell['held_out_median']:.3f})",
                    "nearer than 5 % of held-out": f"{cell['nearer_share']:.0%} [{low:.0%}, {high:.0%}]",
                    "near duplicates": cell["near_duplicates"],
                    "membership AUC": f"{cell['membership_auc']:.3f} [{bottom:.3f}, {top:.3f}]",
                }
            )
    return pandas.DataFrame(sorted(lines, key=lambda line: place(line["row"])))


def robust_table(data: str) -> pandas.DataFrame:
    """One line per row: accuracies on soft labels and without augmentation, and DD-Ranking's two scores, set by set."""
    hard, real = scores(read("main", data)["cells"], "10/convnet3"), full_real(data)
    cells = {row: soft_and_plain(data, row) for row in hard}
    lines = []
    for row, sets in cells.items():
        both = range(min(len(sets), len(cells["random real"])))
        label, augmentation = [], []
        for seed in both:
            own, random = sets[seed], cells["random real"][seed]
            first, first_random = hard[row][seed][0], hard["random real"][seed][0]  # the student of `robust.py`
            accuracies = {"real_hard": real, "generated_hard": first}
            label.append(label_robust_score(**accuracies, generated_any=own["soft"], random_any=random["soft"]))
            accuracies = {"generated_augmented": first, "random_augmented": first_random}
            plain = {"generated_plain": own["plain"], "random_plain": random["plain"]}
            augmentation.append(augmentation_robust_score(**accuracies, **plain))
        if label:
            line = {"row": row, "sets": len(label)}
            line |= {kind: statistics.mean(sets[seed][kind] for seed in both) for kind in ("soft", "plain")}
            line |= {"label_robust": statistics.mean(label), "augmentation_robust": statistics.mean(augmentation)}
            lines.append(line)
    return pandas.DataFrame(lines)


def soft_and_plain(data: str, row: str) -> list[dict[str, float]]:
    """What `robust.py` found for the sets of a row, in order."""
    cells = read("robust", data)["cells"]
    keys = sorted(key for key in cells if re.fullmatch(re.escape(row) + r"/\d+", key))
    return [{kind: value for kind, [value] in cells[key].items()} for key in keys]


def cost_table() -> pandas.DataFrame:
    """One line per row and data set: what a set of ten images per class takes."""
    lines = [
        {"data": title, "row": row} | cell
        for data, title in TITLES.items()
        for row, cell in read("cost", data)["cells"].items()
    ]
    return pandas.DataFrame(lines)


def vae_table() -> pandas.DataFrame:
    """One line per autoencoder, from the best to the worst: its error, and the accuracy of every row on it."""
    cells = read("vae", "digits")["cells"]
    lines = []
    for key in cells:
        if match := re.fullmatch(r"(\d+)/error", key):
            found = scores(cells, match[1])
            line = {"VAE steps": int(match[1]), "error": cells[key]["error"]}
            lines.append(line | {row: mean(sets) for row, sets in found.items()})
    return pandas.DataFrame(sorted(lines, key=lambda line: -line["VAE steps"]))


def claimed_table() -> pandas.DataFrame:
    """The rows that are passed around, and beside them what was measured for the best rule of each kind."""
    main, measures = read("main", "cifar10")["cells"], read("measures", "cifar10")["cells"]
    accuracies = {row: mean(sets) for row, sets in scores(main, "10/resnet18").items()}
    lines = []
    for kind, claims in CLAIMED.items():
        line = {
            "row": kind,
            "claimed FID": claims["frechet_distance"],
            "claimed embedding distance": claims["embedding_distance"],
            "claimed accuracy": f"{100 * claims['accuracy']:.1f} %",
        }
        if measured := [name for name in KINDS[kind] if name in accuracies]:
            best = max(measured, key=accuracies.get)
            line |= {"measured row": best, "accuracy": f"{100 * accuracies[best]:.1f} %"}
            for measure, title in (("frechet_distance", "Fréchet"), ("embedding_distance", "embedding distance")):
                line[title] = f"{mean(scores(measures, '10', measure)[best]):.3g}"
        lines.append(line)
    return pandas.DataFrame(lines)
