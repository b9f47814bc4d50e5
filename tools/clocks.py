"""Three clocks for each lab: minutes to read it with its page, minutes to do its tasks, seconds that the machine needs.

Reading is counted from the words, doing is an estimate from the tasks, and the machine's seconds are measured by
`python -m tools clocks`, which runs every lab and writes `tools/clocks.json`. The page "How to use this book" shows
all three.
"""

from __future__ import annotations

import json
import re
import resource
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
import pandas
import yaml
from nbclient import NotebookClient

from mgd_helpers.provenance import hardware, package_versions
from tools.student import tags

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT / "tools" / "clocks.json"
WORDS_A_MINUTE = 150  # of a text that is followed, not skimmed
MINUTES_A_TASK, MINUTES_A_SMALL_TASK, MINUTES_A_PREDICTION = 10, 5, 5  # estimates; small are those of lab 0


def labs(root: Path = ROOT) -> list[Path]:
    """The labs in their order."""
    return sorted((root / "notebooks").glob("[0-9]*.ipynb"))


def measure(paths: Sequence[Path]) -> dict:
    """Run labs on one thread and return the seconds of processor time of each, with what they were taken on.

    Processor time and not time on the wall: on one thread the two agree where nothing else runs, and the first hardly
    depends on what else does. Set OMP_NUM_THREADS=1.
    """
    seconds = {}
    for path in paths:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with tempfile.TemporaryDirectory() as folder:
            lab = nbformat.read(path, as_version=4)
            NotebookClient(lab, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds[path.stem] = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1)
        print(f"{path.stem}: {seconds[path.stem]} s", flush=True)
    return {"hardware": hardware("cpu"), "versions": package_versions(), "seconds": seconds}


def words(text: str) -> int:
    """How many words of prose a text in Markdown has: no formula or code, no options of directives, no addresses."""
    text = re.sub(r"\A---\n.*?^---\n|^```\{(?:code-cell|math)\}.*?^```$", " ", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^:\w+:.*$|^```.*$|\]\([^)]*\)", " ", text, flags=re.MULTILINE)
    text = re.sub(r"\$\$[^$]*\$\$|\$[^$]*\$", " ", text)
    return len(re.findall(r"\w[\w’'-]*", text))


def theory_of(lab: Path, root: Path = ROOT) -> list[Path]:
    """The pages that go with a lab: the chapter above it, or of a lab that is a chapter the pages below it."""
    parts = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    for chapter in [chapter for part in parts for chapter in part["chapters"]]:
        below = [section["file"] for section in chapter.get("sections", [])]
        if chapter["file"] == f"notebooks/{lab.stem}":
            return [root / f"{page}.md" for page in below]
        if f"notebooks/{lab.stem}" in below:
            return [root / f"{chapter['file']}.md"]
    return []


def minutes_to_read(lab: Path, root: Path = ROOT) -> int:
    """Minutes for the prose of a lab and of its page; of lab 0 for the lab alone, for its pages are read at need."""
    cells = nbformat.read(lab, as_version=4).cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    pages = [] if lab.stem.startswith("00") else theory_of(lab, root)
    return round(sum(map(words, [text, *(page.read_text(encoding="utf-8") for page in pages)])) / WORDS_A_MINUTE)


def tasks(lab: Path) -> tuple[int, int]:
    """How many functions a lab asks for, and how many predictions."""
    cells = nbformat.read(lab, as_version=4).cells
    asked = sum("task" in tags(cell) for cell in cells)
    predictions = sum(".lock(" in cell.source for cell in cells if cell.cell_type == "code")
    return asked - predictions, predictions


def minutes_to_do(lab: Path) -> int:
    """An estimate: so many minutes a task, so many a prediction."""
    functions, predictions = tasks(lab)
    each = MINUTES_A_SMALL_TASK if lab.stem.startswith("00") else MINUTES_A_TASK
    return functions * each + predictions * MINUTES_A_PREDICTION


def table(root: Path = ROOT) -> pandas.DataFrame:
    """A row for each lab: its name as a link from a page in `book/`, what it asks for, and the three clocks."""
    seconds = json.loads(MEASURED.read_text(encoding="utf-8"))["seconds"]
    rows = []
    for lab in labs(root):
        heading, *_ = nbformat.read(lab, as_version=4).cells[0].source.splitlines()
        title, *_ = re.split(r"[:?]", heading.removeprefix("# "))
        title = title if title.startswith("Lab") else f"Lab {int(lab.stem[:2])} · {title}"
        functions, predictions = tasks(lab)
        rows.append(
            {
                "lab": f'<a href="../notebooks/{lab.stem}.html">{title}</a>',
                "tasks": f"{functions} + {predictions}",
                "read": f"{minutes_to_read(lab, root)} min",
                "do": f"{minutes_to_do(lab)} min",
                "machine": f"{seconds[lab.stem]:.0f} s" if lab.stem in seconds else "not measured",
            }
        )
    return pandas.DataFrame(rows)


def in_words() -> str:
    """How the clocks of the table were set, as a list in Markdown."""
    machine = json.loads(MEASURED.read_text(encoding="utf-8"))["hardware"]["processor"]
    return (
        "- *Tasks*: functions to write, and predictions.\n"
        f"- *Read*: words of the lab and of its page, at {WORDS_A_MINUTE} a minute.\n"
        f"- *Do*: an estimate, {MINUTES_A_TASK} minutes a task and {MINUTES_A_PREDICTION} a prediction; "
        f"{MINUTES_A_SMALL_TASK} a task in lab 0, whose tasks are small.\n"
        f"- *Machine*: measured, processor time on one thread of an {machine}."
    )


def write() -> None:
    """Run all labs and keep their seconds."""
    MEASURED.write_text(json.dumps(measure(labs()), indent=1) + "\n", encoding="utf-8")
