"""Sliders over a figure: live where somebody can move them, and small multiples on a page that nobody can."""

from __future__ import annotations

import html
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

# Set where a person sits before the kernel: JupyterLab, Colab, VS Code, Kaggle. A build of the book sets none.
FRONT_ENDS = ("JPY_SESSION_NAME", "COLAB_RELEASE_TAG", "VSCODE_PID", "KAGGLE_KERNEL_RUN_TYPE")
WIDTH = 6.6  # of the page, in inches: there text of 10 points is still readable on a phone


def is_live() -> bool:
    """Whether a person sits before the kernel, who can move and click."""
    return any(name in os.environ for name in FRONT_ENDS)


def show_slider(
    draw: Callable[..., None],
    *,
    panel: tuple[float, float] = (2.6, 2.6),
    columns: int = 4,
    static: Mapping[str, Sequence[Any]] | None = None,
    **choices: Sequence[Any],
) -> Figure | Any:
    """Show what `draw(axis, name=value, …)` draws for every choice, with a slider for each name.

    Before a live front end there is one panel, and the sliders change it. Everywhere else the choices stand side by
    side: of one name in rows of `columns`, of two names in a grid; further names keep their first value. `static` names
    the values that this twin shows, where they are not all. `panel` is width and height of one panel in inches.

    Raises `ValueError` where nothing is to be chosen.

    >>> figure = show_slider(lambda axis, k: axis.plot([0, k]), k=(1, 2, 3))
    >>> [axis.get_title() for axis in figure.axes]
    ['k = 1', 'k = 2', 'k = 3']
    """
    if not choices or not all(len(values) for values in choices.values()):
        raise ValueError(f"choices must name values to choose from, as in show_slider(draw, k=(4, 8)); got {choices}.")
    if is_live():
        return _live(draw, choices, panel)
    return _twin(draw, {**choices, **(static or {})}, panel, columns)


def _twin(
    draw: Callable[..., None], choices: Mapping[str, Sequence[Any]], panel: tuple[float, float], columns: int
) -> Figure:
    varied = [name for name, values in choices.items() if len(values) > 1][:2]
    fixed = {name: values[0] for name, values in choices.items() if name not in varied}
    panels = [dict(zip(varied, values, strict=True)) for values in itertools.product(*(choices[n] for n in varied))]
    if len(varied) == 2:
        columns = len(choices[varied[1]])
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    shrink = min(1.0, WIDTH / (panel[0] * columns))  # so that a page shows it at its own size
    size = panel[0] * columns * shrink, (panel[1] * shrink + 0.25 * len(varied)) * rows
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for axis, values in itertools.zip_longest(axes.flat, panels):
        if values is None:
            axis.axis("off")
            continue
        draw(axis, **fixed, **values)
        axis.set_title("\n".join(f"{name} = {value}" for name, value in values.items()), fontsize=10.5)
    return figure


def _live(draw: Callable[..., None], choices: Mapping[str, Sequence[Any]], panel: tuple[float, float]) -> Any:
    import ipywidgets
    from IPython.display import display

    told = ipywidgets.HTML()

    def redraw(**values: Any) -> None:
        line = ", ".join(f"{name} = {value}" for name, value in values.items())
        told.value = f'<p role="alert">{html.escape(line)}</p>'  # screen readers say it; the slider itself says a place
        figure, axis = plt.subplots(figsize=(1.8 * panel[0], 1.8 * panel[1]))
        draw(axis, **values)
        display(figure)
        plt.close(figure)  # or the inline backend shows it once more

    controls = {
        name: ipywidgets.SelectionSlider(options=list(values), description=name, continuous_update=False)
        for name, values in choices.items()
    }
    shown = ipywidgets.VBox([told, ipywidgets.interactive_output(redraw, controls)])
    box = ipywidgets.VBox([*controls.values(), shown])
    display(box)
    return box
