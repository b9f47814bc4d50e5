"""Run the labs as Colab does: each alone in an empty folder, the package installed by the lab's own second cell.

This rehearses the next release: a copy of the project is prepared as `make release` would, and its labs are run with
its wheel, which `stand_in` serves under the address of the release page. Between releases the labs of `main` name the
last one, so only here is the new state of labs and package seen together.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

from tools import release, stand_in

FILES = ("pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "_config.yml", ".gitignore")
FOLDERS = ("mgd_helpers", "notebooks")
NBVAL = ("-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env")


def rehearse(root: Path, work: Path) -> tuple[list[Path], Path]:
    """Prepare a copy of the project in `work` for release; returns its labs, and the folder that holds its wheel."""
    copy, page = work / "copy", work / "page"
    for old in (copy, page):
        shutil.rmtree(old, ignore_errors=True)
    page.mkdir(parents=True)
    copy.mkdir()
    for name in FILES:
        shutil.copy(root / name, copy)
    for name in FOLDERS:
        shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"].split(".dev")[0]
    release.prepare(copy, version, page)
    return sorted((copy / "notebooks").glob("[0-9]*.ipynb")), page


def run(labs: Sequence[Path], page: Path, work: Path, *, tag: str | None = "rehearsal") -> list[str]:
    """Run labs with this Python, as on a Colab, and return what went wrong; their checked cells are compared.

    A `tag` of None is a machine that is no Colab: there the wheel is installed once, before the labs.
    """
    if _editable():
        raise ValueError(
            "mgd_helpers is installed editable here, and would be lost: use an environment made by .ci/colab."
        )
    wheel, *_ = page.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wrong = []
    with stand_in.release_page(page, work) as (environment, seen):
        environment |= {"MGD_QUIET": "1"} | ({"COLAB_RELEASE_TAG": tag} if tag else {})
        environment.pop("PYTHONPATH", None)  # what was installed, not what stands here
        if not tag:
            subprocess.run([*pip, "install", "--no-deps", "--force-reinstall", wheel], check=True)
        for lab in labs:
            if tag:
                subprocess.run([*pip, "uninstall", "--yes", "mgd-helpers"], check=True)
            folder = work / "alone"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            shutil.copy(lab, folder)
            (folder / "pytest.ini").write_text("[pytest]\n")  # or pytest would go up and find that of the repository
            before = len(seen.served)
            command = [sys.executable, "-m", "pytest", *NBVAL, lab.name]
            result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            print(f"{lab.name}: {result.stdout.strip().splitlines()[-1]}", flush=True)
            if result.returncode:
                wrong.append(f"{lab.name}: a cell failed, or printed something else\n{result.stdout[-6000:]}")
            if len(seen.served) != before + bool(tag):
                wrong.append(f"{lab.name}: the wheel was taken {len(seen.served) - before} times from the release page")
        asked = sorted({*seen.refused, *seen.missing})
        wrong += [f"a lab asked for {one}; bundled data need no network" for one in asked]
    return wrong


def _editable() -> bool:
    """Whether this Python has the package from a working tree."""
    found = [one.read_text("direct_url.json") or "" for one in distributions(name="mgd-helpers")]
    return any('"editable": true' in text for text in found)
