"""A figure with knobs: sliders where somebody turns them, small multiples where the page stands still."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mgd_helpers.progress import is_quiet


def slider(draw: Callable[..., object], /, **choices: Sequence[Any]) -> Any:
    """Show what `draw(axis, **values)` draws, with a slider for each of the `choices` and its list of values.

    Each slider begins in the middle of its list. Where a notebook runs unattended (in CI, or with MGD_QUIET set, as the
    book is built), small multiples take the place of the sliders: a row for each choice, a panel for each of its
    values, while the other choices stay at their middle. They are returned as a figure; with sliders, it is None.

    Raises `ValueError` for a choice without values.
    """
    empty = [name for name, values in choices.items() if not len(values)]
    if empty or not choices:
        raise ValueError(f"choices must have a list of values each; got {', '.join(empty) or 'no choice'}.")
    return small_multiples(draw, choices) if is_quiet() else _sliders(draw, choices)


def small_multiples(draw: Callable[..., object], choices: dict[str, Sequence[Any]]) -> Any:
    """The figure that stands for the sliders: one choice at a time."""
    import matplotlib.pyplot as plt

    start, width = _middle(choices), max(map(len, choices.values()))
    figure, axes = plt.subplots(len(choices), width, figsize=(2.3 * width, 2.3 * len(choices)), squeeze=False)
    for line, (name, values) in zip(axes, choices.items(), strict=True):
        for axis, value in zip(line, values, strict=False):
            draw(axis, **start | {name: value})
            axis.set_title(f"{name} = {value}", fontsize=9, fontweight="normal")
        for axis in line[len(values) :]:
            axis.axis("off")
    return figure


def _sliders(draw: Callable[..., object], choices: dict[str, Sequence[Any]]) -> None:
    """Display a slider for each choice, and below them the figure, drawn anew whenever one is let go."""
    import ipywidgets
    import matplotlib.pyplot as plt
    from IPython.display import display

    def show(**values: Any) -> None:
        _, axis = plt.subplots(figsize=(5.4, 4.2))
        draw(axis, **values)
        plt.show()

    start = _middle(choices)
    knobs = {
        name: ipywidgets.SelectionSlider(
            options=list(values), value=start[name], description=name, continuous_update=False
        )
        for name, values in choices.items()
    }
    display(ipywidgets.VBox([*knobs.values(), ipywidgets.interactive_output(show, knobs)]))


def _middle(choices: dict[str, Sequence[Any]]) -> dict[str, Any]:
    return {name: values[len(values) // 2] for name, values in choices.items()}
