"""Run a lab outside Jupyter, with some of its parameters changed, and keep what it measured as the reference run.

A lab ends with `show_reference(name, {row: value}, setting=…)`. Here its code cells run one after the other in this
process, and the call is heard; `mgd_helpers/lab/reference_runs/<lab>.json` keeps its rows with hardware and versions.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mgd_helpers.lab import reference

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Heard:
    """What a lab measured: its rows, the name of its setting, its seed and device, and the machine's load before it."""

    lab: str
    setting: str
    rows: dict[str, Any]
    seed: int
    device: str
    load: float


def find_lab(name: str) -> Path:
    """The notebook of a lab, by its number or its name."""
    found = sorted((ROOT / "notebooks").glob(f"{name}*.ipynb"))
    if len(found) != 1:
        raise ValueError(f"lab must be the number or name of one lab; got {name!r}, which fits {len(found)}.")
    return found[0]


def run(lab: Path, changes: Mapping[str, Any], *, folder: Path) -> Heard:
    """Run the code of a lab in `folder`, with other values of its parameters, `{"PROFILE": "imagenette"}`.

    A parameter is a line `NAME = value` of a cell; of `A, B = 1, 2` the name is "A, B". Raises `ValueError` for one
    that is not there exactly once, and for a lab that does not call `show_reference` exactly once.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    heard: list[Heard] = []

    def listen(name: str, yours: Mapping[str, object], *, setting: str, **shown: Any) -> None:
        session = scope["lab"]
        heard.append(Heard(name, setting, dict(yours), session.seed, str(session.device), load))
        reference.show_reference(name, yours, setting=setting, **shown)

    cells, scope, load = changed(code_of(lab), changes), {"__name__": "__main__"}, os.getloadavg()[0]
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MGD_QUIET", "1")
    with chdir(folder), patch("mgd_helpers.lab.show_reference", listen), plt.rc_context():
        for cell in cells:
            exec(compile(cell, lab.name, "exec"), scope)
            plt.close("all")
    if len(heard) != 1:
        raise ValueError(f"lab must call show_reference once; {lab.name} did so {len(heard)} times.")
    return heard[0]


def code_of(lab: Path) -> list[str]:
    """The code cells of a lab as plain Python: the installation of the set-up cell is left out."""
    found = json.loads(lab.read_text(encoding="utf-8"))["cells"]  # by hand, for a machine with little more than torch
    cells = ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]
    return [re.sub(r"^( *)%pip .*$", r"\1pass", cell, flags=re.MULTILINE) for cell in cells]


def changed(cells: list[str], changes: Mapping[str, Any]) -> list[str]:
    """Cells with other values of parameters."""
    for name, value in changes.items():
        text = f"{name} = {value!r}"
        found = [re.subn(rf"^{re.escape(name)} = .*$", lambda _, text=text: text, one, flags=re.M) for one in cells]
        if (times := sum(count for _, count in found)) != 1:
            raise ValueError(f"changes must name parameters that are set once; {name!r} is set {times} times.")
        cells = [cell for cell, _ in found]
    return cells


def keep(heard: Heard, *, command: str) -> Path:
    """Store what was heard as the reference run of its setting."""
    made = {"setting": heard.setting, "device": heard.device, "seed": heard.seed, "load": heard.load}
    return reference.keep_reference(heard.lab, heard.rows, command=command, **made)


def main(name: str, given: list[str], *, folder: Path | None = None) -> Path:
    """Run a lab with parameters as texts, `["BUDGET=full"]`, keep its reference run, and return the file."""
    lab = find_lab(name)
    changes = dict(one.split("=", 1) for one in given)
    heard = run(lab, changes, folder=folder or ROOT / "build" / "reference" / lab.stem)
    words = "".join(f" --set {key}={value}" for key, value in changes.items())
    return keep(heard, command=f"python -m tools reference {lab.stem[:2]}{words}")
