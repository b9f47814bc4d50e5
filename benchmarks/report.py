"""What the page on performance shows: reads the kept results, lays out their tables, draws how times grow.

`found` is what `read` gives: by device, the results of each benchmark. Every table comes once per device.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas
from IPython.display import HTML, Markdown
from matplotlib.figure import Figure

from benchmarks.harness import RESULTS
from mgd_helpers.lab import plots

PROMISES = {  # the column that a promise is about, and 1 where it must be at least that large, else -1
    "tangent": ("times_faster", 1),
    "tree": ("times_faster", 1),
    "step": ("share", -1),
    "sampling": ("difference", -1),
    "sets": ("ratio", -1),
    "busy": ("ratio", -1),
}


def read(folder: Path = RESULTS) -> dict[str, dict]:
    """The kept results of each device."""
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))}


def table(found: dict[str, dict], name: str, setting: str = "", **columns: tuple[str, float]) -> HTML:
    """The tables of one benchmark.

    `setting` is a sentence with fields of the result. `columns` are key=(title, factor); without any, all are shown as
    they are.
    """
    tables = []
    for made in _of(found, name):
        rows = []
        for row in made["rows"]:
            chosen = columns or {key: (key.replace("_", " "), 1) for key in row}
            told = made | row  # what no row says holds for the whole run
            shown = {
                title: told[key] if factor == 1 or told[key] is None else factor * told[key]
                for key, (title, factor) in chosen.items()
            }
            rows.append(shown | ({"kept": keeps_promise(name, row)} if name in PROMISES else {}))
        tables.append(_table(rows, f"{setting.format(**made)} {conditions(made)}".strip()))
    return _html(tables)


def profile(found: dict[str, dict], name: str) -> HTML:
    """The operations of one benchmark that take most themselves."""
    tables = []
    for made in _of(found, name):
        rows = [
            {"operation": row["operation"], "calls": row["calls"], "on the CPU, ms": row["cpu_ms"]}
            | ({"on the GPU, ms": row["gpu_ms"]} if "gpu" in made["hardware"] else {})
            for row in made["profile"]
        ]
        tables.append(_table(rows, conditions(made)))
    return _html(tables)


def net_pulls(found: dict[str, dict]) -> HTML:
    """The net pull of each rule by sampler and number of steps, and the rule's spread."""
    tables = []
    for made in _of(found, "strengths"):
        rows = pandas.DataFrame(made["rows"])
        wide = rows.pivot(index=["rule", "sampler"], columns="steps", values="net_pull").reset_index()
        wide.columns = [name if isinstance(name, str) else f"{name} steps" for name in wide.columns]
        wide["spread of the rule"] = wide["rule"].map(rows.groupby("rule")["spread"].first())
        caption = f"{made['images']} images, denoiser {made['denoiser']}. {conditions(made)}"
        tables.append(_table(wide.to_dict("records"), caption))
    return _html(tables)


def draw_growth(found: dict[str, dict]) -> Figure:
    """Time against size, both relative to the smallest size of an axis; a row of panels per device."""
    grown = {device: results["growth"] for device, results in found.items() if "growth" in results}
    figure, grid = plt.subplots(len(grown), 2, figsize=(9, 3.8 * len(grown)), squeeze=False, sharex=True)
    for (device, made), line in zip(grown.items(), grid, strict=True):
        rows = pandas.DataFrame(made["rows"])
        for axis, (operation, part) in zip(line, rows.groupby("operation", sort=False), strict=True):
            for marker, (name, values) in zip(plots.MARKERS, part.groupby("axis", sort=False), strict=False):
                size, time = values["size"] / values["size"].iloc[0], values["seconds"] / values["seconds"].iloc[0]
                axis.plot(size, time, marker=marker, label=f"{name}: {values['time_exponent'].iloc[0]:.2f}")
            axis.plot(size, size, color=plots.INK, linestyle=":", zorder=0)
            axis.set(xscale="log", yscale="log", title=f"{operation}, {device}", xlabel="size, relative")
            axis.set_xticks(size, [f"{value:.0f}" for value in size])
            axis.minorticks_off()
            axis.legend(title="exponent")
        line[0].set_ylabel("time, relative")
    return figure


def growth(found: dict[str, dict]) -> HTML:
    """Times, memory and exponents between the smallest and the largest size of each axis."""
    tables = []
    for made in _of(found, "growth"):
        rows = []
        for (operation, axis), part in pandas.DataFrame(made["rows"]).groupby(["operation", "axis"], sort=False):
            first, last = part.iloc[0], part.iloc[-1]
            rows.append(
                {
                    "operation": operation,
                    "axis": axis,
                    "from": int(first["size"]),
                    "to": int(last["size"]),
                    "ms, from": 1e3 * first["seconds"],
                    "ms, to": 1e3 * last["seconds"],
                    "exponent, time": last["time_exponent"],
                    "MiB, from": first["peak_mib"],
                    "MiB, to": last["peak_mib"],
                    "exponent, memory": abs(round(last["memory_exponent"], 2)),
                }
            )
        fixed = "; ".join(
            f"{operation} at {', '.join(f'{axis} {size:,}' for axis, size in sizes.items())}"
            for operation, sizes in made["fixed"].items()
        )
        note = f"Unless varied: {fixed}. Fitted through the largest {made['fitted_sizes']} sizes. {conditions(made)}"
        tables.append(_table(rows, note))
    return _html(tables)


def promises(found: dict[str, dict]) -> Markdown:
    """How many of the promised figures are kept, which are missed and by how much, and on which GPUs."""
    promised = [
        (name, device, row)
        for device, results in found.items()
        for name in PROMISES
        for row in results.get(name, {"rows": []})["rows"]
        if keeps_promise(name, row) is not None
    ]
    missed = [
        f"- {name} on {device}: {PROMISES[name][0]} is {number(row[PROMISES[name][0]])}, promised was "
        f"{number(row['promised'])} ({_label(row)})"
        for name, device, row in promised
        if not keeps_promise(name, row)
    ]
    kept = len(promised) - len(missed)
    told = f"Of {len(promised)} promised figures {kept} are kept on {' and '.join(found)}."
    told += "\n\nMissed:\n\n" + "\n".join(missed) if missed else ""
    gpus = [device for device in found if device != "cpu"]
    if gpus:
        return Markdown(f"{told}\n\nMeasured on a GPU: {', '.join(gpus)}.")
    return Markdown(
        f"{told}\n\n**No figure for a GPU has been measured.** The benchmarks take `--device cuda`, but no GPU was at "
        "hand when these files were made. What is promised for a GPU is therefore neither kept nor broken."
    )


def on_gpus(folder: Path = RESULTS / "gpu") -> HTML:
    """The tables of every part that `make gpu` kept."""
    tables = []
    for part, made in ((part, made) for results in read(folder).values() for part, made in results.items()):
        if made["rows"] and part != "summary":
            rows = [
                # what a failed test says is long, and stands in the file
                {key.replace("_", " "): value for key, value in row.items() if value is None or len(str(value)) < 90}
                for row in made["rows"]
            ]
            tables.append(_table(rows, f"{part}. {conditions(made)}"))
    return _html(tables)


def keeps_promise(name: str, row: dict) -> bool | None:
    """Whether a row keeps its promise; None where nothing was promised."""
    if row.get("promised") is None:
        return None
    column, sign = PROMISES[name]
    return sign * row[column] >= sign * row["promised"]


def number(value: Any) -> str:
    """A value as a table shows it: three digits, thousands with commas, nothing for what is missing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value != value:
        return ""
    if isinstance(value, str | int):
        return f"{value:,}" if isinstance(value, int) else value
    digits = f"{value:.3g}" if 1e-3 <= abs(value) < 1e3 else f"{value:.1e}" if abs(value) < 1e-3 else f"{value:,.0f}"
    return "0" if value == 0 else digits


def conditions(made: dict) -> str:
    """What made a result: machine, versions, seed and load."""
    hardware, versions = made["hardware"], made["versions"]
    machine = hardware.get("gpu", f"{hardware['processor']}, {hardware['cores']} cores, {hardware['threads']} threads")
    return (
        f"{machine}; torch {versions['torch']}, diffusers {versions['diffusers']}, Python {versions['python']}; "
        f"seed {made['seed']}; load average before the run {made['load_before']}"
    )


def _of(found, name):
    return [results[name] for results in found.values() if name in results]


def _label(row) -> str:
    label = row.get("method") or row.get("work") or (f"batch {row['batch']}" if "batch" in row else None)
    if "guidance" in row:
        label = f"{row['guidance']}, {row['pipeline']}"
    restarts = f", {row['n_init']} restarts" if "n_init" in row else ""
    return label or f"seed {row['seed']}, against seeding {row['sklearn_init']}{restarts}"


def _table(rows: Iterable[dict], caption: str) -> str:
    cells = pandas.DataFrame([{column: number(value) for column, value in row.items()} for row in rows])
    html = cells.to_html(index=False, border=0, justify="left")
    return html.replace("<thead>", f"<caption>{caption}</caption><thead>", 1)


def _html(tables) -> HTML:
    return HTML("\n".join(tables))
