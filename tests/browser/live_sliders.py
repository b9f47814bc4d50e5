"""Run a lab up to its last slider as if a person sat before it, and set each slider to its last and its first values.

`python live_sliders.py lab.ipynb`. It runs in one process without a kernel: what a slider's callback raises ends it,
where a kernel would only print it; and as at a reader's, nobody checks annotations.
"""

import os
import sys
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

CALL = "plots.show_slider("


def up_to_slider(path: Path) -> nbformat.NotebookNode:
    """The lab up to the last cell that shows a slider."""
    lab = nbformat.read(path, as_version=4)
    last = max(place for place, cell in enumerate(lab.cells) if cell.cell_type == "code" and CALL in cell.source)
    lab.cells = lab.cells[: last + 1]
    return lab


def main(path: Path) -> None:
    """Run the lab, move its sliders, and print how often they drew."""
    os.environ.update(JPY_SESSION_NAME=path.name, MPLBACKEND="Agg", MGD_QUIET="1")
    from mgd_helpers.lab import plots
    from mgd_helpers.lab.plots import sliders

    shown, drawn = [], []

    def watched(draw, **options):
        def counted(axis, **values):
            draw(axis, **values)
            drawn.append(values)

        shown.append(sliders.show_slider(counted, **options))
        return shown[-1]

    plots.show_slider = watched
    plain, names = TransformerManager().transform_cell, {"__name__": "__main__"}
    for cell in up_to_slider(path).cells:
        if cell.cell_type == "code":
            exec(compile(plain(cell.source), path.name, "exec"), names)
    assert shown and len(drawn) == len(shown), "each shows one panel to begin with"
    for *controls, _ in (box.children for box in shown):
        for end in (-1, 0):
            for control in controls:
                control.value = control.options[end]
            assert drawn[-1] == {control.description: control.options[end] for control in controls}
    print(f"{len(shown)} live: {len(drawn)} panels drawn")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
