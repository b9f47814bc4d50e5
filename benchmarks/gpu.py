"""One go at a GPU, within minutes: what must hold there is checked, and what a run costs is timed.

Parts run in the order of their worth. Each is skipped, by name, once the budget will not hold it; one that fails is
told, and the others go on. Rows are in the file as soon as they are known. The exit status is 1 where a check failed.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
import traceback
from pathlib import Path

import torch

from benchmarks.harness import RESULTS, device_name, keep, made_on
from benchmarks.on_gpu import checks, labs, times

PARTS = {  # and how many seconds each must find left
    "tests": (checks.tests, 30),
    "stall": (checks.stall, 30),
    "agreement": (checks.agreement, 45),
    "batches": (times.batches, 45),
    "step": (times.step, 30),
    "geometry": (times.geometry, 20),
    "students": (times.students, 30),
    "labs": (labs.labs, 40),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command line asks beyond device, seed and quick."""
    parser.add_argument("--minutes", type=float, default=8.0, help="the budget; a part that it cannot hold is skipped")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="some of the parts alone")
    parser.add_argument("--out", type=Path, help="default: results/gpu/<device>.json, and nothing with --quick")


def main(options: argparse.Namespace) -> int:
    """Run the parts in their order; 1 where a check failed, else 0."""
    start = time.monotonic()
    if options.device == "cpu" and not options.quick:
        raise SystemExit("`gpu` needs a GPU, and the device is cpu. To see that it runs on a CPU, add --quick.")
    os.environ.setdefault("MGD_QUIET", "1")
    file = options.out or (None if options.quick else RESULTS / "gpu" / f"{device_name(options.device)}.json")
    made_by, summary = made_on(options), []

    def left() -> float:
        return 60 * options.minutes - (time.monotonic() - start)

    def write(name, rows, **more):
        if file is not None:
            keep(file, name, {"rows": rows, **more, **made_by})

    print(f"{made_by}\nresults: {file}", flush=True)
    for name in options.parts:
        part, needed = PARTS[name]
        began = time.monotonic()
        if left() < needed:
            told = f"{max(left(), 0):.0f} s are left, and it needs {needed}"
            print(f"\n[{began - start:3.0f} s] {name}: skipped, {told}", flush=True)
            summary.append({"part": name, "state": "skipped", "seconds": 0.0, "told": told})
            continue
        print(f"\n[{began - start:3.0f} s] {name}: {part.__doc__.splitlines()[0]}", flush=True)
        rows, faults = [], []
        try:
            for row in part(options, left):
                rows.append(row)
                faults += [row["fault"]] if row["fault"] else []
                write(name, rows)
        except Exception as error:  # the others go on
            faults.append(f"{type(error).__name__}: {error}")
            print(traceback.format_exc(), flush=True)
        took = time.monotonic() - began
        write(name, rows, faults=faults, seconds=took)
        print(text_table(rows), flush=True)
        state = "failed" if faults else "done"
        summary.append({"part": name, "state": state, "seconds": took, "told": "; ".join(faults)})
        if options.device != "cpu":
            gc.collect()
            torch.cuda.empty_cache()
    write("summary", summary)
    print(
        f"\n[{time.monotonic() - start:3.0f} s of {60 * options.minutes:.0f}] summary\n{text_table(summary)}",
        flush=True,
    )
    return int(any(row["state"] == "failed" for row in summary))


def text_table(rows: list[dict]) -> str:
    """Rows to be read, without columns that say nothing; by hand, for a machine that has little more than torch."""
    names = dict.fromkeys(name for row in rows for name in row)
    names = [name for name in names if any(_cell(row, name) for row in rows)]
    cells = [names] + [[_cell(row, name) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def _cell(row, name) -> str:
    value = row.get(name)
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)[:300]
