"""Cells: the entries of a table, each computed once and kept in `results/<table>_<data>.json` as soon as it is known.

{"settings": {"images_per_class": 10, "network": "convnet3", "row": "tangent", "seed": 0}, "result": {"students": […]}}

A study that was interrupted goes on where it stopped, on another machine as well; its cells then name that one.
Settings are compared as they are, and never put into a text.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from mgd_helpers.data.files import write
from mgd_helpers.provenance import hardware, package_versions

RESULTS = Path(__file__).resolve().parent / "results"


def read(table: str, data: str) -> dict:
    """What `results/` holds of one table and one data set; without cells where the study has not been run."""
    file = RESULTS / f"{table}_{data}.json"
    if not file.exists():
        return {"cells": []}
    return json.loads(file.read_text(encoding="utf-8"))


def select(cells: Iterable[dict], **settings: object) -> list[dict]:
    """The cells that have these settings, whatever their others are."""
    return [cell for cell in cells if settings.items() <= cell["settings"].items()]


class Cells:
    """The cells of one table and one data set, written after each.

    `settings` hold for the whole table, which is computed on `device`. Raises `ValueError` where the file was made with
    other settings.
    """

    def __init__(self, table: str, data: str, *, note: str = "", device: str = "cpu", **settings: object):
        self.file = RESULTS / f"{table}_{data}.json"
        made_on = {"hardware": hardware(device), "versions": package_versions()}
        self.hardware = made_on["hardware"]
        if self.file.exists():
            self.content = read(table, data)
            before = {key: self.content["settings"].get(key) for key in settings}
            if before != settings:
                raise ValueError(
                    f"{self.file} holds cells of other settings ({before}, now {settings}). Delete it to start afresh."
                )
        else:
            self.content = {"table": table, "data": data, "note": note, "settings": settings, **made_on, "cells": []}

    def find(self, **settings: object) -> dict | None:
        """The result of the cell with exactly these settings, or `None`."""
        return next((cell["result"] for cell in self.content["cells"] if cell["settings"] == settings), None)

    def __call__(self, compute: Callable[[], dict], **settings: object) -> dict:
        """The result of the cell with these settings; computed and written where it is not known."""
        result = self.find(**settings)
        if result is None:
            started = time.perf_counter()
            result = compute()
            elsewhere = {} if self.hardware == self.content["hardware"] else {"hardware": self.hardware}
            self.content["cells"].append({"settings": settings, "result": result, **elsewhere})
            write(self.file, lambda path: path.write_text(text_of(self.content), encoding="utf-8"))
            seconds = time.perf_counter() - started
            shown = ", ".join(map(str, settings.values()))
            print(f"{self.file.stem} {shown}: {json.dumps(result)} ({seconds:.1f} s)", flush=True)
        return result


def text_of(content: dict) -> str:
    """A results file as JSON, sorted and with a line for each cell: a difference of two versions shows cells."""
    cells = sorted(content["cells"], key=lambda cell: list(map(str, cell["settings"].values())))
    head = json.dumps(content | {"cells": []}, indent=1).removesuffix("[]\n}")
    return head + "[\n" + ",\n".join(f"  {json.dumps(cell)}" for cell in cells) + "\n ]\n}\n"
