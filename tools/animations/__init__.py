"""The animations of the theory pages, one for each part of the book, drawn with the package itself.

A film is a row of frames, each with a line of text that says its numbers. `write` puts all frames of a film into one
picture, `NAME.webp`, and the last one into `NAME.png`: the still, which is what a printed page or a browser without
scripts shows. `films.js` tells the player, `book/_static/player.js`, how the frames lie and what their lines are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from tools.animations.film import Film
from tools.animations.luck import film_luck
from tools.animations.noise import film_noise
from tools.animations.sets import film_sets
from tools.figures.canvas import use_style

FILMS: dict[str, Callable[[], Film]] = {"noise": film_noise, "sets": film_sets, "luck": film_luck}
COLUMNS = 6  # frames beside each other
DPI, COLORS = 170, 96  # so many colors are enough for dots, lines and gray images
COMMENT = (
    "// Written by `python -m tools animations`: how the frames of each film lie, and the line under each frame.\n"
)


def write(folder: Path) -> None:
    """Draw all films into `folder`: a picture of all frames, a still, and the player's data."""
    torch.set_num_threads(1)  # sums depend on the number of threads, in their last digits
    folder.mkdir(parents=True, exist_ok=True)
    told = {}
    for name, make in FILMS.items():
        film = make()
        frames = [frame(film, index) for index in range(len(film.lines))]
        sheet = sheet_of(frames)
        width, height = frames[0].size
        sheet.save(folder / f"{name}.webp", lossless=True, quality=80, method=4)
        cut(sheet, len(frames) - 1, (width, height)).save(folder / f"{name}.png", optimize=True)
        told[name] = {
            "columns": COLUMNS,
            "width": width,
            "height": height,
            "milliseconds": film.milliseconds,
            "lines": film.lines,
        }
    text = json.dumps(told, indent=1, ensure_ascii=False)
    (folder / "films.js").write_text(f"{COMMENT}window.FILMS = {text};\n", encoding="utf-8")


def read(folder: Path) -> dict[str, dict]:
    """The player's data, as `write` left it."""
    text = (folder / "films.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix(COMMENT).removeprefix("window.FILMS = ").rstrip().removesuffix(";"))


def frame(film: Film, index: int) -> Image.Image:
    """Draw one frame."""
    with plt.rc_context():
        use_style()
        figure = film.draw(index)
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        plt.close(figure)
    return drawn


def sheet_of(frames: list[Image.Image]) -> Image.Image:
    """All frames in reading order on one picture, in colors that they share."""
    width, height = frames[0].size
    sheet = Image.new("RGB", (COLUMNS * width, -(-len(frames) // COLUMNS) * height), "white")
    for index, drawn in enumerate(frames):
        sheet.paste(drawn, (index % COLUMNS * width, index // COLUMNS * height))
    return sheet.quantize(COLORS, dither=Image.Dither.NONE).convert("RGB")


def cut(sheet: Image.Image, index: int, size: tuple[int, int]) -> Image.Image:
    """Cut one frame out of the picture of all."""
    x, y = index % COLUMNS * size[0], index // COLUMNS * size[1]
    return sheet.crop((x, y, x + size[0], y + size[1]))
