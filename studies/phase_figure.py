"""The map of the toy worlds: where projecting the pull wins, and where the pipelines lie.

A gain is what was measured of the plain minus that of the projected pull, seed by seed; positive where projecting wins.
It is taken at equal strength, or at equal nearness: the plain pull is then read off its own line, over its strengths
and without guidance, where that is as near to the targets, along the manifold, as the projected pull in question.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mgd_helpers.evaluation.paired import Difference, paired_difference
from mgd_helpers.lab.plots.style import INK, MARKERS
from studies import cells
from studies.data_sets import DATA_SETS
from studies.html_tables import missing
from studies.phase import STOPS, STRENGTHS
from studies.protocol import STEPS

OFF, ALONG, MMD = range(3)  # places in what a cell holds of a pull
NEVER = "never stopped"
SHOWN = (0.3, 1.0)  # strengths with panels
MEASURES = {OFF: ("distance off", 1), MMD: ("100 MMD", 100)}
LARGEST = 2  # where colors end
RANDOM = "bluntness, random way"
ROUNDING = 6  # digits that are more than the rounding of samples


@dataclass(frozen=True)
class World:
    """A place on the map, means over seeds, and its results, one for each seed."""

    settings: dict
    results: tuple[dict, ...]

    @property
    def place(self) -> tuple[float, float]:
        return self.mean("curvature"), self.mean("bluntness")

    def mean(self, name: str) -> float:
        """Of one result, over seeds."""
        return statistics.mean(one[name] for one in self.results)

    def gain(self, stop: str, strength: float, measure: int = MMD, *, equally_near: bool = True) -> Difference:
        """What the projection gains, with its interval over seeds."""
        index, pairs = STRENGTHS.index(strength), []
        for one in self.results:
            plain, projected = one["mode"][stop], one["tangent"][stop][index]
            ours = plain[index][measure]
            if equally_near:
                line = sorted((point[ALONG], point[measure]) for point in (one["unguided"], *plain))
                ours = numpy.interp(projected[ALONG], *zip(*line, strict=True))
            pairs.append(([round(float(ours), ROUNDING)], [round(projected[measure], ROUNDING)]))
        return paired_difference(*zip(*pairs, strict=True))


def worlds() -> list[World]:
    """The worlds of the toy."""
    return _gathered("toy")


def pipelines() -> dict[str, World]:
    """Data set -> where its pipeline lies."""
    return {data: world for data in DATA_SETS for world in _gathered(data)}


def _gathered(data: str) -> list[World]:
    found: dict[tuple, list[dict]] = {}
    for cell in cells.read("phase", data)["cells"]:
        settings = {name: value for name, value in cell["settings"].items() if name != "seed"}
        found.setdefault(tuple(settings.items()), []).append(cell["result"])
    return [World(dict(settings), tuple(results)) for settings, results in found.items()]


def draw_phases() -> Figure | None:
    """A row of panels for each measure: a colored mark for every world, a bar for every pipeline."""
    known = worlds()
    if not known:
        return display(missing("phase toy"))
    conditions = [(stop, strength) for stop in STOPS for strength in SHOWN]
    figure, rows = plt.subplots(2, len(conditions), figsize=(9.6, 5.6), sharex=True, sharey=True)
    for (measure, (name, times)), axes in zip(MEASURES.items(), rows, strict=True):
        gains = [[world.gain(*condition, measure) for world in known] for condition in conditions]
        for (stop, strength), pairs, axis in zip(conditions, gains, axes, strict=True):
            for world, pair in zip(known, pairs, strict=True):
                few = world.settings["steps"] != STEPS
                if few and stop != NEVER:
                    continue  # few steps have no quiet half that a stop could spare
                certain = pair.verdict != "not told apart"
                colored = axis.scatter(
                    *world.place,
                    c=[times * pair.mean],
                    cmap="PuOr_r",
                    vmin=-LARGEST,
                    vmax=LARGEST,
                    s=95,
                    marker="s" if few else "o",
                    edgecolors="black" if certain else "0.7",
                    linewidths=1.6 if certain else 0.6,
                )
            _mark_pipelines(axis)
            axis.set_title(f"{stop},\nstrength {strength:g}", fontsize=9)
        figure.colorbar(colored, ax=axes, label=f"{name},\nmode minus tangent", aspect=14, extend="both")
    figure.supxlabel("curvature", fontsize=11)
    figure.supylabel("bluntness", fontsize=11)
    figure.legend(*rows[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def _mark_pipelines(axis: Axes) -> None:
    """A bar from the bluntness in a random way, hollow, to that towards the targets."""
    for marker, (data, world) in zip(MARKERS[2:], pipelines().items(), strict=False):
        x, towards = world.place
        style = {"marker": marker, "s": 55, "zorder": 4}
        axis.plot([x, x], [world.mean(RANDOM), towards], color=INK, linewidth=1.2, zorder=3)
        axis.scatter(x, world.mean(RANDOM), facecolors="white", edgecolors=INK, **style)
        axis.scatter(x, towards, color=INK, edgecolors="white", linewidths=0.8, label=DATA_SETS[data].title, **style)
