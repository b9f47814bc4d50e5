"""The three labs for a GPU, each in a short form, outside Jupyter; the runs are kept as the labs' reference runs.

Where the network or a folder of photographs is missing, the forms that need it are told as not run, and fail nothing.
"""

from __future__ import annotations

import re
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from tools import reference

# (lab, its parameters, the seconds that it must find left). As they stand the labs take bundled parts alone: that is
# every line on this device, and no reference run is kept of it
FORMS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("13", {}, 40),
    ("11", {}, 40),
    ("12", {}, 40),
    ("11", {"PROFILE": "imagenette"}, 150),
    ("13", {"BUDGET": "full"}, 150),
    ("12", {"PROFILE": "photographs", "FOLDER": str(reference.ROOT / "photographs")}, 150),
)
QUICK = (("13", {"read": 30, "VAE_STEPS, DIT_STEPS": (3, 3), "PER_CLASS, STEPS": (2, 2)}, 1),)
MISSING = (FileNotFoundError, ModuleNotFoundError)  # weights, data or photographs; transformers


def labs(options: Namespace, left: Callable[[], float]) -> Iterator[dict]:
    """The labs for a GPU in a short form: how long, how much memory, and the reference run of each."""
    on_gpu = options.device != "cpu"
    for number, changes, needed in QUICK if options.quick else FORMS:
        form = ", ".join(f"{name} {value}" for name, value in changes.items() if name != "FOLDER")
        row: dict[str, Any] = {"lab": number, "form": form or "as it stands", "seconds": None, "peak_mib": None}
        row |= {"fault": None, "told": None}
        if left() < needed:
            yield row | {"told": f"skipped: {left():.0f} s are left"}
            continue
        if "FOLDER" in changes and not Path(changes["FOLDER"]).is_dir():
            yield row | {"told": "not run: it needs a folder 'photographs' with 20 to 50 of them beside the Makefile"}
            continue
        started = time.monotonic()
        if on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(options.device)
        try:
            with tempfile.TemporaryDirectory() as folder:
                heard = reference.run(reference.find_lab(number), changes, folder=Path(folder))
        except MISSING as error:
            yield row | {"told": f"not run: {_line(error)}"}
            continue
        except Exception as error:  # the other labs go on
            yield row | {"fault": f"{type(error).__name__}: {_line(error)}"}
            continue
        row["seconds"] = time.monotonic() - started
        if on_gpu:
            row["peak_mib"] = torch.cuda.max_memory_allocated(options.device) / 2**20
        if changes and not options.quick:
            row["told"] = f"kept: {reference.keep(heard, command='python -m benchmarks gpu --parts labs').name}"
        yield row


def _line(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))[:200]
