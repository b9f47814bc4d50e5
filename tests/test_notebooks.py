"""The labs keep their contract (`notebook_rules.py`), and nbval really compares what their checked cells print."""

import re
import subprocess

import forks
import nbformat
import pytest
from nbformat.v4 import new_notebook, new_output
from notebook_rules import CHECKED, ROOT, RULES, Lab, printed

LABS = sorted(path for path in (ROOT / "notebooks").glob("*.ipynb") if not path.name.startswith("_"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_lab_keeps_the_contract(path, rule):
    complaints = rule(Lab.read(path))
    assert not complaints, "\n".join([f"{path.name}: {rule.__doc__}", *complaints])


def test_every_lab_has_tasks():
    assert [path.stem for path in LABS if not Lab.read(path).tagged("task")] == []


def printing(text):
    """A cell that prints this text, whatever it is."""
    return f"print({text!r}, end='')"


def nbval(folder, cells):
    """How many cells of a notebook made of these pass and fail, as `make test` runs it."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "checked.ipynb")
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [*forks.python(), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env"]
    result = subprocess.run([*command, "checked.ipynb"], cwd=folder, capture_output=True, text=True, check=False)
    return {
        outcome: int(n) for n, outcome in re.findall(r"(\d+) (passed|failed|error)", result.stdout.splitlines()[-1])
    }


def test_checked_cells_are_really_compared(tmp_path):
    """Every checked cell of every lab, with its own tags and output: printed again it passes, corrupted it fails."""
    cells = [cell for path in LABS for cell in Lab.read(path).tagged(*CHECKED)]
    for number, cell in enumerate(cells):
        cell.update(id=f"cell-{number}", source=printing(printed(cell)))
    assert nbval(tmp_path, cells) == {"passed": len(cells)}
    for cell in cells:
        cell.outputs = [new_output("stream", name="stdout", text=printed(cell) + "corrupted\n")]
    assert nbval(tmp_path, cells) == {"failed": len(cells)}
