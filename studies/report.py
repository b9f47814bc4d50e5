"""From cells to comparisons: rows against one another, with intervals, on one data set and in the mean over all.

A row's scores are a list of its sets, each a list of what its students reached. Row minus base pairs set with set.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Sequence

import pandas

from mgd_helpers.evaluation.paired import Difference, holm, paired_difference, pooled_difference
from studies import cells
from studies.cells import select
from studies.data_sets import DATA_SETS, test_images, validation_images

GUIDED = ("mgd3", "mode", "tangent", "soft", "released")  # each image towards a target of its own
WHOLE = ("match", "transport", "match+transport", "both on the tangent", "match on pixels")  # all of a class at once
TRAINED = ("distribution matching", "distribution matching, short", "minimax")
ROWS = (
    *("random real", "herding", "k-centre", "nearest real", "round trip", "decoded targets"),
    *("unguided", "unguided, DDPM", *GUIDED, *WHOLE, *TRAINED),
)
NETWORKS = {"convnet3": "ConvNet-3", "resnet18": "ResNet-18", "resnetap10": "ResNetAP-10"}
JUDGES = {"": "students", "1-NN ": "nearest_neighbor"}  # how tables name what cells hold
TITLES = dict(zip(JUDGES.values(), ("ConvNet-3", "1-NN"), strict=True))  # of judges, in figures and beside variants
COLUMNS = {"": "accuracy", "1-NN ": "1-NN"}
NOT_TOLD_APART = "not told apart"

Scores = dict[str, list[list[float]]]


def read(table: str, data: str) -> dict:
    """A results file, with shares of images made exact.

    Cells keep five digits, and sets that differ by equally many images must differ equally.
    """
    content = cells.read(table, data)
    tested = table.startswith(("main", "students"))
    if tested or table in ("ablations", "set_ablations", "vae"):
        images = test_images(data) if tested else validation_images(data)
        for cell in content["cells"]:
            for measure in JUDGES.values():
                if measure in cell["result"]:
                    cell["result"][measure] = _exact(cell["result"][measure], images)
    return content


def _exact(share: float | list, images: int) -> float | list:
    return [_exact(one, images) for one in share] if isinstance(share, list) else round(share * images) / images


def scores(found: Iterable[dict], measure: str = "students", **settings: object) -> Scores:
    """Row -> its sets in order of their seeds -> what was measured, of the cells with these settings."""
    rows: dict[str, dict[int, list]] = {}
    for cell in select(found, **settings):
        if measure in cell["result"]:
            value = cell["result"][measure]
            sets = rows.setdefault(cell["settings"]["row"], {})
            sets[cell["settings"]["seed"]] = value if isinstance(value, list) else [value]
    return {row: [rows[row][seed] for seed in sorted(rows[row])] for row in sorted(rows, key=place)}


def place(row: str) -> tuple:
    """Rows in the order of the protocol, then variants in the order of their numbers."""
    parts = re.split(r"(\d+(?:\.\d+)?)", row)  # text and number in turn
    numbered = [float(part) if index % 2 else part for index, part in enumerate(parts)]
    return ROWS.index(row) if row in ROWS else len(ROWS), numbered


def mean(sets: Iterable[Sequence[float]]) -> float:
    """The mean over sets and students."""
    return statistics.mean(value for values in sets for value in values)


def difference(found: Scores, row: str, base: str) -> Difference:
    """Row minus base over the sets that both have."""
    count = min(len(found[row]), len(found[base]))
    a, b = found[row][:count], found[base][:count]
    if count < 2:  # no interval
        return Difference(mean(a) - mean(b), math.nan, math.nan, count, len(a[0]), "", math.nan)
    return paired_difference(a, b)


def pooled(found: Sequence[Scores], row: str, base: str) -> Difference | None:
    """Row minus base, the mean over data sets; `None` where one of them, or none, has two sets of both."""
    pairs = [list(zip(sets.get(row, []), sets.get(base, []), strict=False)) for sets in found]
    if not pairs or any(len(pair) < 2 for pair in pairs):
        return None
    return pooled_difference([tuple(zip(*pair, strict=True)) for pair in pairs])


def table_of(network: str, images_per_class: int) -> str:
    """The table that holds what a network has learned from sets of this size."""
    return "main" if network == "convnet3" else f"students_{network}_{images_per_class}"


def main_scores(data: str, images_per_class: int, network: str = "convnet3", measure: str = "students") -> Scores:
    """`scores` of one number of images and one network."""
    found = read(table_of(network, images_per_class), data)["cells"]
    return scores(found, measure, images_per_class=images_per_class, network=network)


def measured_on(images_per_class: int, network: str = "convnet3") -> list[str]:
    """The data sets whose sets of this size this network has learned from."""
    return [data for data in DATA_SETS if main_scores(data, images_per_class, network)]


def everywhere(images_per_class: int, network: str = "convnet3", measure: str = "students") -> list[Scores]:
    """`main_scores` of every data set of `measured_on`."""
    found = measured_on(images_per_class, network)
    return [main_scores(data, images_per_class, network, measure) for data in found]


def main_table(data: str, images_per_class: int, network: str = "convnet3", base: str = "unguided") -> pandas.DataFrame:
    """One line per row: accuracy by students and by 1-NN, each with its paired difference to `base` and the interval.

    The verdict is stricter than the interval: "better" or "worse" at 5 % for all rows of the table at once (Holm).
    """
    found = {kind: main_scores(data, images_per_class, network, judge) for kind, judge in JUDGES.items()}
    lines = []
    for row, sets in found[""].items():
        line: dict[str, object] = {"row": row, "sets": len(sets)}
        for kind, column in COLUMNS.items():
            line[column] = mean(found[kind][row])
            if base in found[kind] and row != base:
                line |= _compared(kind, difference(found[kind], row, base))
        lines.append(line)
    return _judged(lines)


def pooled_table(images_per_class: int, network: str = "convnet3", base: str = "unguided") -> pandas.DataFrame:
    """`main_table` for the mean over the data sets that were measured, of the rows that each of them has sets of."""
    found = {kind: everywhere(images_per_class, network, judge) for kind, judge in JUDGES.items()}
    lines = []
    for row in ROWS:
        if found[""] and all(row in sets for sets in found[""]):
            line: dict[str, object] = {"row": row, "sets": min(len(sets[row]) for sets in found[""])}
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
            line |= {f"{kind}p": p, f"{kind}verdict": line[f"{kind}verdict"] if p < 0.05 else NOT_TOLD_APART}
    return pandas.DataFrame(lines)


def full_real(data: str, network: str = "convnet3") -> float | None:
    """The mean accuracy of students of all real training images, where it was measured."""
    found = select(read("main", data)["cells"], row="full real", network=network)
    return statistics.mean(cell["result"]["accuracy"] for cell in found) if found else None


# --- the ablations: a row is a variant of one factor


def factor_table(factor: str, measure: str = "students", *, table: str = "ablations") -> dict[str, Difference]:
    """Variant -> its paired difference to the base of the ablations; the mean over the data sets of `ablated`."""
    found = [_variants(data, factor, measure, table) for data in ablated(factor, table=table)]
    rows = [row for row in (found[0] if found else {}) if row != "base"]
    return {row: pair for row in rows if (pair := pooled(found, row, "base"))}


def sampler_gains(measure: str = "students", *, table: str = "ablations") -> dict[str, Difference]:
    """Sampler -> base minus no guidance, both with this sampler; the mean over the data sets of `ablated`."""
    found = []
    for data in ablated("sampler, unguided", table=table):
        guided, plain = (_variants(data, factor, measure, table) for factor in ("sampler", "sampler, unguided"))
        unguided = plain.pop("DDIM 25", None) or _variants(data, "part", measure, table).get("no guidance", [])
        standard = {"DDIM 25": guided.pop("base"), "DDIM 25, unguided": unguided}
        found.append(guided | standard | {f"{row}, unguided": sets for row, sets in plain.items() if row != "base"})
    rows = sorted({row for sets in found for row in sets if f"{row}, unguided" in sets}, key=place)
    return {row: pair for row in rows if (pair := pooled(found, row, f"{row}, unguided"))}


def ablated(factor: str, *, table: str = "ablations") -> list[str]:
    """The data sets on which a factor has been measured with two sets at least."""
    return [
        data
        for data in DATA_SETS
        if (found := _variants(data, factor, "students", table))
        and len(found) > 1
        and all(len(sets) > 1 for sets in found.values())
    ]


def _variants(data: str, factor: str, measure: str, table: str = "ablations") -> Scores:
    found = read(table, data)["cells"]
    return scores(found, measure, factor=factor) | scores(found, measure, factor="base")
