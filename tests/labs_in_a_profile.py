"""Run labs in a profile, cell by cell, in one process without a kernel, and keep what each cell printed.

    python tests/labs_in_a_profile.py cifar10 FOLDER 03_encode 04_cluster

writes each lab, as it ran, into FOLDER. A cell that raises ends its lab, and stands there with its error; the next lab
goes on. In the environment, `PER_CLASS=60` reads at most so many images of each class, and makes few; `IMAGE_SIZE=80`
makes them small; `SIZES=500,200` says how many images the sets of the profile hold, and `PIPELINE=FOLDER` where its
pipeline lies; and `PRETEND=float16` puts the lab on a GPU that is not there, with networks in that dtype.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_output

FEW = {"STEPS": 3, "PER_CLASS": 3, "DRAWS": 20, "STUDENT_STEPS": 4}  # with `PER_CLASS`: steps, images, tries
THIN = {'"width": 16': '"width": 4'}  # and students
SPARED = {  # labs 8 and 10 make sets of many seeds, and train students of digits, again and again in the same way
    "pair = make_sets(lab.seed + number)": "pair = make_sets(lab.seed + 1) if number == 1 else pair",
    "+ 5 + number for number in range(3)]": "+ 5 + number for number in range(1)]",
    "recipe = mgd.Recipe(steps=100, ": "recipe = mgd.Recipe(steps=10, ",
    "checks.project(folder)  # this is the look that counts": "checks.project.verify(folder)",
}
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def in_profile(lab: nbformat.NotebookNode, profile: str) -> nbformat.NotebookNode:
    """The lab with another word in the cell that is tagged `parameters`."""
    (cell,) = [cell for cell in lab.cells if "parameters" in cell.metadata.get("tags", [])]
    before, cell.source = cell.source, cell.source.replace('PROFILE = "digits"', f'PROFILE = "{profile}"')
    assert profile == "digits" or cell.source != before
    return lab


def shortened(
    lab: nbformat.NotebookNode, numbers: dict[str, int], words: dict[str, str] | None = None
) -> nbformat.NotebookNode:
    """The lab with other numbers for some of the names in capitals that it sets, some words, and some sets spared."""
    for cell in lab.cells:
        for long, short in (SPARED | (words or {})).items():
            cell.source = cell.source.replace(long, short)
        if cell.cell_type != "code" or not set(numbers) & set(re.findall("[A-Z_]+", cell.source)):
            continue
        lines = cell.source.splitlines()
        for found in ast.parse(TransformerManager().transform_cell(cell.source)).body:
            if isinstance(found, ast.Assign) and found.lineno == found.end_lineno:
                names, values = (_parts(side) for side in (found.targets[0], found.value))
                chosen = [str(numbers.get(name, value)) for name, value in zip(names, values, strict=False)]
                if set(names) & set(numbers) and len(names) == len(values):
                    lines[found.lineno - 1] = f"{', '.join(names)} = {', '.join(chosen)}"
        cell.source = "\n".join(lines)
    return lab


def _parts(side: ast.expr) -> list[str]:
    """The parts of a side of an assignment, as they are written."""
    return [ast.unparse(part) for part in (side.elts if isinstance(side, ast.Tuple) else [side])]


def run(lab: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The lab with what its cells print, on both streams; a cell that raises is the last to run."""
    import matplotlib.pyplot as plt

    plain, names = TransformerManager().transform_cell, {"__name__": "__main__"}
    for cell in lab.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, error = [], None
        streams = {"stdout": io.StringIO(), "stderr": io.StringIO()}
        with contextlib.redirect_stdout(streams["stdout"]), contextlib.redirect_stderr(streams["stderr"]):
            try:
                exec(compile(plain(cell.source), cell.id, "exec"), names)
            except Exception:
                error = traceback.format_exc()
        plt.close("all")
        cell.outputs += [new_output("stream", name=name, text=said.getvalue()) for name, said in streams.items()]
        if error:
            cell.outputs.append(new_output("error", ename="Error", evalue="", traceback=error.splitlines()))
            break
    return lab


def main(profile: str, folder: Path, names: list[str]) -> None:
    """Run labs by name, one after the other, and write them into a folder."""
    os.environ.update(MPLBACKEND="Agg", MGD_QUIET="1")
    from mgd_helpers.data.catalog import PROFILES

    known = {"per_class": "PER_CLASS", "image_size": "IMAGE_SIZE"}
    changed: dict = {field: int(os.environ[name]) for field, name in known.items() if name in os.environ}
    changed |= {"pipeline": os.environ["PIPELINE"]} if "PIPELINE" in os.environ else {}
    changed |= {"sizes": tuple(map(int, os.environ["SIZES"].split(",")))} if "SIZES" in os.environ else {}
    PROFILES[profile] = replace(PROFILES[profile], **changed)
    with on_a_gpu(os.environ["PRETEND"]) if "PRETEND" in os.environ else contextlib.nullcontext():
        _run_all(profile, folder, names)


@contextlib.contextmanager
def on_a_gpu(dtype: str):
    """Labs that are set up within the context lie on the pretended GPU."""
    import pretend_gpu
    import torch

    import mgd_helpers as mgd

    set_up = mgd.setup
    with pretend_gpu.on() as device:
        mgd.setup = lambda **options: replace(set_up(**options), device=device, dtype=getattr(torch, dtype))
        yield
    mgd.setup = set_up


def _run_all(profile: str, folder: Path, names: list[str]) -> None:
    from mgd_helpers.lab.checks import tasks

    for name in names:
        tasks.VERDICTS.clear()  # as in a kernel of its own
        started = time.process_time()
        lab = in_profile(nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4), profile)
        reads = any("per_class=PER_CLASS" in cell.source for cell in lab.cells)
        numbers = {name: number for name, number in FEW.items() if not (name == "PER_CLASS" and reads)}
        lab = run(shortened(lab, numbers, THIN) if "PER_CLASS" in os.environ else lab)
        nbformat.write(lab, folder / f"{name}.ipynb")
        print(f"{name}: {time.process_time() - started:.0f} s of a processor", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
