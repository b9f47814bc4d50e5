"""What lab 10 holds its dots against: a few results as a small file of the package, which has no studies beside it.

    python -m studies.verdict

writes `mgd_helpers/lab/verdict.json` from `studies/results/`; do it after a study has changed.
"""

from __future__ import annotations

import json
from pathlib import Path

from mgd_helpers.data.files import write
from studies import choose, report
from studies.protocol import STEPS
from studies.rules import REAL

FILE = Path(__file__).resolve().parents[1] / "mgd_helpers" / "lab" / "verdict.json"
DATA, IMAGES_PER_CLASS = "digits", 10
CELLS = (("mode", "unguided"), ("tangent", "mode"), ("match+transport", "nearest real"))


def content() -> dict:
    """Settings that won, single cells of the three figures by nearest neighbour, and the p-values of the first one.

    Differences are in points, one per seed from 0 on. The p-values are those of ConvNets, mean over the data sets,
    each row against unguided images, before they are counted together.
    """
    found = report.main_scores(DATA, IMAGES_PER_CLASS, measure="nearest_neighbor")
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
    everywhere = report.everywhere(IMAGES_PER_CLASS)
    pairs = {row: report.pooled(everywhere, row, "unguided") for row in report.ROWS if row != "unguided"}
    return {
        "data": DATA,
        "images_per_class": IMAGES_PER_CLASS,
        "steps": STEPS,
        "settings": choose.chosen(DATA, rows),
        "cells": cells,
        "p_values": {row: float(f"{pair.p_value:.3g}") for row, pair in pairs.items() if pair},
    }


def main() -> None:
    """Write the file."""
    text = json.dumps(content(), indent=1) + "\n"
    write(FILE, lambda path: path.write_text(text, encoding="utf-8"))
    print(f"{FILE.name}: {len(text)} characters")


if __name__ == "__main__":
    main()
