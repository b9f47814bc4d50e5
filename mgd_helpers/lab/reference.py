"""Yours beside the reference run: what a lab measured here, next to a stored run of the same lab.

`reference_runs/<lab>.json` holds, for each setting of the lab, the values of one run, with its hardware, versions, seed
and the command that made it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mgd_helpers.data import files
from mgd_helpers.lab.claims import as_text
from mgd_helpers.provenance import hardware, package_versions

RUNS = Path(__file__).with_name("reference_runs")
NOT_MEASURED = "what is expected, nobody has measured"


def show_reference(
    lab: str,
    yours: Mapping[str, object],
    *,
    setting: str,
    expected: Mapping[str, object] | None = None,
    folder: Path = RUNS,
) -> None:
    """Print a row for each name in `yours`: its value here, and its value in the stored run of this lab and setting.

    `lab` is the name of the notebook without its suffix. Below the table stand hardware, versions, seed and command of
    the stored run. Where there is none, `expected` takes its place, and the table says that nobody has measured it.
    A value is what `print_claims` takes, or None where there is nothing to tell.

    >>> show_reference("00_none", {"minutes": 2.5, "images": 30}, setting="digits", expected={"minutes": "about 2"})
             yours  expected
    minutes  2.50   about 2
    images   30     –
    No reference run yet (setting digits): what is expected, nobody has measured.
    """
    run = read_runs(lab, folder=folder).get(setting)
    other, beside = ("expected", expected or {}) if run is None else ("reference", run["values"])
    rows = [("", "yours", other)] + [(name, _cell(name, yours[name]), _cell(name, beside.get(name))) for name in yours]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, here, there in rows:
        print(f"{name:{first}}  {here:{second}}  {there}")
    print(f"Reference: {_made_by(run)}." if run else f"No reference run yet (setting {setting}): {NOT_MEASURED}.")


def keep_reference(
    lab: str,
    yours: Mapping[str, object],
    *,
    setting: str,
    device: str,
    seed: int,
    command: str,
    load: float | None = None,
    folder: Path = RUNS,
) -> Path:
    """Store a run of a lab as the reference for one setting, in place of an earlier one, and return the file.

    `device` is where the lab ran, `command` what makes the run anew, and `load` the machine's load average before it:
    where that is high, minutes were longer than they need be. Numbers keep four significant digits.
    """
    made = {"hardware": hardware(device), "versions": package_versions(), "seed": seed, "command": command}
    made |= {} if load is None else {"load_before": _kept(load)}
    runs = read_runs(lab, folder=folder) | {setting: {"values": {k: _kept(v) for k, v in yours.items()}} | made}
    file, text = folder / f"{lab}.json", json.dumps(dict(sorted(runs.items())), indent=1) + "\n"
    files.write(file, lambda part: part.write_text(text, encoding="utf-8"))
    return file


def read_runs(lab: str, *, folder: Path = RUNS) -> dict[str, Any]:
    """The stored runs of a lab by setting; empty where none is stored."""
    file = folder / f"{lab}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def _made_by(run: Mapping[str, Any]) -> str:
    found, versions = run["hardware"], run["versions"]
    where = found.get("gpu") or f"{found['processor']}, {found['cores']} cores, threads: {found['threads']}"
    packages = ", ".join(f"{name} {versions[name]}" for name in ("python", "torch", "diffusers"))
    load = f"load average before it {run['load_before']:.1f}; " if "load_before" in run else ""
    return f"{where}; {packages}; {load}seed {run['seed']}; made by `{run['command']}`"


def _cell(name: str, value: object) -> str:
    return "–" if value is None else as_text(name, value)


def _kept(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return float(f"{value:.4g}") if isinstance(value, float) else value
