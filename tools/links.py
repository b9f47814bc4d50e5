"""Ask the web for every address that the book's pages and labs link to. It takes minutes and a network.

Sphinx does the asking (its builder `linkcheck`); here the labs are kept from running, and what it found is read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

PYTHON = [sys.executable]  # tests have a quicker way
DEAD = ("broken", "timeout")
SETTINGS = {
    "linkcheck_retries": 3,
    "linkcheck_timeout": 30,
    "linkcheck_workers": 4,
    "linkcheck_report_timeouts_as_broken": False,
    "linkcheck_anchors": False,  # pages that write their text by JavaScript have none to be found
    # Publishers keep programs out (403), and the address itself lasts: that is what a DOI is for
    "linkcheck_ignore": [r"https://doi\.org/.*"],
}


def without_running(root: Path) -> dict[str, Any]:
    """The book's configuration, but no lab runs, and with the settings of the check."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    config["execute"] = {"execute_notebooks": "off"}
    config.setdefault("sphinx", {}).setdefault("config", {}).update(SETTINGS)
    return config


def dead(output: str) -> list[str]:
    """What is wrong, a line for each address, in the lines of JSON that Sphinx wrote."""
    found = [json.loads(line) for line in output.splitlines()]
    return [
        f"{one['filename']}:{one['lineno']}: {one['uri']} ({one['info']})" for one in found if one["status"] in DEAD
    ]


def check(root: Path) -> int:
    """Ask for all addresses, list those that do not answer, and return 0 where all do."""
    out = root / "_build" / "links"
    out.mkdir(parents=True, exist_ok=True)
    config = out / "config.yml"
    config.write_text(yaml.safe_dump(without_running(root)), encoding="utf-8")
    command = "from jupyter_book.cli.main import main; main()"
    options = [
        "build",
        str(root),
        "--path-output",
        str(out),
        "--config",
        str(config),
        "--builder",
        "linkcheck",
        "--all",
    ]
    python_path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    report = out / "_build" / "html" / "output.json"  # Jupyter Book names the folder so
    report.unlink(missing_ok=True)
    said = subprocess.run(
        [*PYTHON, "-c", command, *options],
        env=os.environ | {"PYTHONPATH": python_path},
        capture_output=True,
        text=True,
        check=False,
    )
    if not report.exists():
        print(said.stdout + said.stderr)
        return 1
    lines = report.read_text(encoding="utf-8")
    complaints = dead(lines)
    print("\n".join([*complaints, f"{len(lines.splitlines())} links, {len(complaints)} of them dead"]))
    return int(bool(complaints))
