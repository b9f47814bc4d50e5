"""A gallery to choose images from: by click where somebody can, and a few fixed choices on a page where nobody can."""

from __future__ import annotations

import base64
import io
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.lab.plots.sliders import is_live

STYLE = """<style>
.{name} button.widget-toggle-button {{
  background: url("data:image/png;base64,{picture}") 0 0 / {count}00% 100%; image-rendering: pixelated;
  border: 1px solid #888; opacity: 0.75; font-size: 0;  /* the name is for who does not see the image */
}}
.{name} button.widget-toggle-button.mod-active {{ outline: 3px solid #de8f05; outline-offset: -1px; opacity: 1; }}
.{name} button.widget-toggle-button.mod-active::after {{
  content: "✓" / ""; position: absolute; right: 0; bottom: 0; padding: 0 2px;
  background: #de8f05; color: black; font-size: 11px; line-height: 14px;
}}
.{name} button.widget-toggle-button:focus-visible {{ outline: 3px solid #0173b2; outline-offset: 2px; }}
.{name} button.widget-toggle-button {{ position: relative; }}
{places}
</style>"""


class Gallery:
    """What `show_gallery` shows: `chosen` are the rows that are chosen now, `text` says what they are worth.

    `box` holds the widgets where there is a front end, and `figure` the fixed choices where there is none; the other
    one is `None`.
    """

    def __init__(self, judge: Callable[[list[int]], str], wanted: int):
        self.judge, self.wanted = judge, wanted
        self.chosen: list[int] = []
        self.text = ""
        self.box: Any = None
        self.figure: Any = None

    def choose(self, rows: Sequence[int] | Int[Tensor, " k"]) -> None:
        """Choose these rows in place of all others."""
        self.chosen = sorted({int(row) for row in rows})
        number = f"{len(self.chosen)} of {self.wanted} chosen"
        if not self.chosen or len(self.chosen) > self.wanted:
            self.text = f"{number}: choose {'more' if not self.chosen else 'fewer'}."
        else:
            self.text = f"{number}: {self.judge(self.chosen)}"


def show_gallery(
    images: Float[Tensor, "n c h w"],
    judge: Callable[[list[int]], str],
    *,
    choices: Mapping[str, Sequence[int] | Int[Tensor, " k"]],
    wanted: int = 10,
    limit: int = 60,
) -> Gallery:
    """Let a reader choose rows of `images`; `judge(rows)` says in words what up to `wanted` of them are worth.

    `choices` are fixed ones by name, of which the first stands at the beginning. Before a live front end the images are
    buttons: those of all choices, and further ones up to `limit`. Everywhere else the choices stand one under the
    other, each under what the judge says.

    Raises `ValueError` where there is no choice, or where one names rows that are not there.
    """
    named = {name: [int(row) for row in rows] for name, rows in choices.items()}
    if not named or not all(rows and min(rows) >= 0 and max(rows) < len(images) for rows in named.values()):
        raise ValueError(f"choices must name rows of the {len(images)} images, each at least one; got {named}.")
    gallery = Gallery(judge, wanted)
    gallery.choose(next(iter(named.values())))
    if is_live():
        gallery.box = _buttons(gallery, images, named, limit)
    else:
        gallery.figure = _strips(images, judge, named)
    return gallery


def _strips(images: Tensor, judge: Callable[[list[int]], str], choices: Mapping[str, list[int]]) -> Any:
    import matplotlib.pyplot as plt

    from mgd_helpers.lab.plots.pictures import put_images

    figure, axes = plt.subplots(len(choices), 1, figsize=(6.5, 1.0 * len(choices)), squeeze=False)
    for axis, (name, rows) in zip(axes[:, 0], choices.items(), strict=True):
        put_images(axis, images[rows])
        axis.set_title(f"{name}: {judge(rows)}", fontsize=10.5, loc="left")
    return figure


def _buttons(gallery: Gallery, images: Tensor, choices: Mapping[str, list[int]], limit: int) -> Any:
    import ipywidgets
    from IPython.display import display

    of_choices = [row for rows in choices.values() for row in rows]
    rows = sorted(list(dict.fromkeys([*of_choices, *range(len(images))]))[: max(limit, len(set(of_choices)))])
    layout = ipywidgets.Layout(width="52px", height="52px", padding="0", margin="3px")
    toggles = {row: ipywidgets.ToggleButton(layout=layout) for row in rows}
    for place, toggle in enumerate(toggles.values()):
        toggle.add_class(f"place-{place}")
    line, setting = ipywidgets.HTML(), False

    def tell() -> None:
        line.value = f'<p role="alert"><b>{gallery.text}</b></p>'  # screen readers say it at each choice
        for row, toggle in toggles.items():
            toggle.description = f"image {row}, {'chosen' if toggle.value else 'not chosen'}"

    def choose(wanted: Sequence[int]) -> None:
        nonlocal setting
        setting = True  # the buttons that this sets are not clicks
        for row, toggle in toggles.items():
            toggle.value = row in wanted
        setting = False
        gallery.choose(wanted)
        tell()

    def clicked(change: Any) -> None:
        if not setting:
            gallery.choose([row for row, toggle in toggles.items() if toggle.value])
            tell()

    for toggle in toggles.values():
        toggle.observe(clicked, "value")
    presets, wrap = [], ipywidgets.Layout(flex_flow="row wrap")
    for name, wanted in {**choices, "none": []}.items():
        presets.append(ipywidgets.Button(description=name))
        presets[-1].on_click(lambda _, wanted=wanted: choose(wanted))
    grid = ipywidgets.Box([*toggles.values()], layout=ipywidgets.Layout(flex_flow="row wrap", max_width="720px"))
    name = f"gallery-{uuid.uuid4().hex[:8]}"
    grid.add_class(name)
    box = ipywidgets.VBox(
        [ipywidgets.HTML(_style(name, images[rows])), ipywidgets.Box(presets, layout=wrap), line, grid]
    )
    choose(gallery.chosen)
    display(box)
    return box


def _style(name: str, images: Tensor) -> str:
    """The look of the buttons: one picture of all images side by side, of which each button shows its part."""
    import matplotlib.pyplot as plt
    import torch

    from mgd_helpers.lab.plots.pictures import pixels_of

    file = io.BytesIO()
    plt.imsave(file, pixels_of(torch.cat(list(images), dim=-1)), cmap="gray_r", vmin=-1, vmax=1, format="png")
    count = len(images)
    places = "\n".join(
        f".{name} button.place-{place} {{ background-position-x: {100 * place / max(count - 1, 1):.4f}%; }}"
        for place in range(count)
    )
    picture = base64.b64encode(file.getvalue()).decode()
    return STYLE.format(name=name, picture=picture, count=count, places=places)
