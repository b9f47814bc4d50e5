"""What lab 10 holds its dots against: a few results as a small file of the package, which has no studies beside it.

    python -m studies.verdict

writes `mgd_helpers/lab/verdict.json` from `studies/results/`; do it after a study has changed.
"""

from __future__ import annotations

import json
from pathlib import Path

from mgd_helpers.data.files import write
from studies import choose, report
from studies.data_sets import DATA_SETS
from studies.protocol import STEPS
from studies.rules import REAL

FILE = Path(__file__).resolve().parents[1] / "mgd_helpers" / "lab" / "verdict.json"
IMAGES_PER_CLASS = 10
CELLS = (("mode", "unguided"), ("tangent", "mode"), ("match+transport", "nearest real"))


def content() -> dict:
    """For each data set what `of_set` gives, and the p-values of the first figure.

    Those are of ConvNets, mean over the data sets, each row against unguided images, before they are counted together.
    """
    everywhere = report.everywhere(IMAGES_PER_CLASS)
    pairs = {row: report.pooled(everywhere, row, "unguided") for row in report.ROWS if row != "unguided"}
    return {
        "images_per_class": IMAGES_PER_CLASS,
        "steps": STEPS,
        "sets": {data: of_set(data) for data in DATA_SETS},
        "p_values": {row: float(f"{pair.p_value:.3g}") for row, pair in pairs.items() if pair},
    }


def of_set(data: str) -> dict:
    """Settings that won on a data set, and single cells of the three figures by nearest neighbour.

    Differences are in points, one per seed from 0 on.
    """
    found = report.main_scores(data, IMAGES_PER_CLASS, measure="nearest_neighbor")
    rows = [row for row in dict.fromkeys(row for pair in CELLS for row in pair) if row not in REAL]
    cells = {}
    for row, base in CELLS:
        pair = report.difference(found, row, base)
        each = [100 * (a[0] - b[0]) for a, b in zip(found[row], found[base], strict=True)]
        ends = {name: round(100 * value, 4) for name, value in (("low", pair.low), ("high", pair.high))}
        cells[f"{row} less {base}"] = {
            "row": row,
            "base": base,
            "differences": [round(value, 4) for value in each],
            "mean": round(100 * pair.mean, 4),
            **ends,
        }
    return {"settings": choose.chosen(data, rows), "cells": cells}


def main() -> None:
    """Write the file."""
    text = json.dumps(content(), indent=1) + "\n"
    write(FILE, lambda path: path.write_text(text, encoding="utf-8"))
    print(f"{FILE.name}: {len(text)} characters")


if __name__ == "__main__":
    main()
