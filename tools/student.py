"""The student edition: labs without their solutions, a wheel of the package, and a page that says how to begin.

The labs of the repository are the source. What is cut is what carries the tag `solution`, and every stored output.
Links stay as they are: they lead to the published book.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import nbformat

from tools import address

TITLE = "# Labs to work on"
README = f"""\
{TITLE}

Each notebook holds tasks. A task is a function without a body: write it, run the cell, and run the check below it. The
check says in one line that nothing is wrong, or what is. `checks.NAME.hint(1)` gives a first hint, 2 and 3 say more.

{{labs}}

## Before the first lab

You need Python 3.11, 3.12 or 3.13. In this folder:

```bash
python3 -m venv .venv
.venv/bin/python -m pip install {{package}} jupyterlab
.venv/bin/jupyter lab
```

On Windows, `.venv\\Scripts\\` takes the place of `.venv/bin/`. The installation downloads PyTorch, which is large: do
it once, on a good network. On Linux without a graphics card, `PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu`
in front of the second line takes the small build. The labs themselves need no network.

The book that belongs to the labs, with its theory pages and the solutions: {{book}}
"""


def write(root: Path, folder: Path, *, wheel: bool = True) -> list[Path]:
    """Write the student edition of the labs in `root` into `folder`, and return the labs written.

    Labs without tasks are left out. An older edition in the folder is removed. A wheel takes a build backend, which pip
    may have to fetch; where that fails, this is said, and the page names the repository as the place to install from.

    Raises `ValueError` for a folder that holds anything but an older edition.
    """
    page = folder / "README.md"
    if folder.exists() and any(folder.iterdir()) and not (page.exists() and page.read_text().startswith(TITLE)):
        raise ValueError(f"folder must be empty, or an older student edition; {folder} holds something else.")
    here = address.read(root)
    labs = {path: nbformat.read(path, as_version=4) for path in sorted((root / "notebooks").glob("[0-9]*.ipynb"))}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    written = []
    for path, lab in labs.items():
        if any("task" in tags(cell) for cell in lab.cells):
            nbformat.write(without_solutions(lab), folder / path.name)
            written.append(folder / path.name)
    built = make_wheel(root, folder) if wheel else None
    listed = "\n".join(f"- `{path.name}`" for path in written)
    package = built.name if built else f'"mgd-helpers @ git+{here.repository}"'
    page.write_text(README.format(labs=listed, package=package, book=here.page("book/intro")), encoding="utf-8")
    return written


def without_solutions(lab: Any) -> Any:
    """A copy of a lab without solutions, outputs and Colab badge."""
    lab = copy.deepcopy(lab)
    lab.cells = [cell for cell in lab.cells if "solution" not in tags(cell)]
    for cell in lab.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = re.sub(r"\[!\[Open in Colab\][^\n]*\n*", "", cell.source)  # it opens the lab with solutions
    return lab


def tags(cell: Any) -> Sequence[str]:
    """The tags of a cell."""
    return cell.metadata.get("tags", [])


def make_wheel(root: Path, folder: Path) -> Path | None:
    """Build a wheel of the package into `folder`; where pip cannot, say why and return None.

    The same state gives the same bytes: every file in it carries one date. The backend that `pyproject.toml` names is
    in the environment of `make`; elsewhere pip fetches it.
    """
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(root)]
    with (root / "pyproject.toml").open("rb") as file:
        wanted = tomllib.load(file)["build-system"]["requires"]
    if [f"{one.name}=={one.version}" for one in distributions(name="hatchling")] == wanted:
        command.append("--no-build-isolation")  # no network for what is there
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1580601600"}  # what hatchling takes where nobody says anything
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    built = sorted(folder.glob("*.whl"))
    if result.returncode == 0 and built:
        return built[0]
    reason = next((line for line in result.stderr.splitlines() if line.startswith("ERROR")), "pip gave no reason.")
    print(f"No wheel was built ({reason}) The page for students names the repository in its place.")
    return None
