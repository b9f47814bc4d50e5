"""The figures of the page "What the numbers say": paired differences as series of intervals, in points of accuracy.

Where nothing has been measured, a line that says how to do it is displayed in place of the figure.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure

from mgd_helpers.evaluation.paired import Difference
from mgd_helpers.lab import plots
from studies import choose, report, tables
from studies.data_sets import DATA_SETS
from studies.html_tables import missing

Intervals = dict[str, tuple[float, float, float]]


def in_points(pairs: Mapping[str, Difference]) -> Intervals:
    """Row -> difference and the ends of its interval, in points."""
    return {row: (100 * pair.mean, 100 * pair.low, 100 * pair.high) for row, pair in pairs.items()}


def on_each_data_set(base: str, rows: Iterable[str], *, measure: str = "students") -> dict[str, Intervals]:
    """Differences of rows to one row, ten images per class and ConvNet-3: a series per data set that has this row."""
    series = {}
    for data, settings in DATA_SETS.items():
        found = report.main_scores(data, 10, measure=measure)
        if base in found:
            pairs = {row: report.difference(found, row, base) for row in rows if row in found and row != base}
            series[settings.title] = in_points(pairs)
    return series


def in_the_mean(base: str, rows: Iterable[str], conditions: Sequence[tuple[int, str]]) -> dict[str, Intervals]:
    """Differences of rows to one row, means over data sets: a series per (images per class, network) that has both."""
    rows, series = list(rows), {}
    for images_per_class, network in conditions:
        found = report.everywhere(images_per_class, network)
        pairs = {row: pair for row in rows if (pair := report.pooled(found, row, base))}
        if pairs:
            series[f"{images_per_class} per class, {report.NETWORKS[network]}"] = in_points(pairs)
    return series


PROMISES = {  # the results that the first page tells: row minus base
    "1. pull − unguided": ("mode", "unguided"),
    "2. projected pull − pull": ("tangent", "mode"),
    "3. pull − nearest real": ("mode", "nearest real"),
    "4. whole set − unguided": ("match+transport", "unguided"),
    "    whole set − nearest real": ("match+transport", "nearest real"),
}


def draw_promises() -> Figure | None:
    """The four results of the first page: means over the data sets, ten images per class, ConvNet-3."""
    if not (found := report.everywhere(10)):
        return display(missing("main"))
    pairs = {name: pair for name, (row, base) in PROMISES.items() if (pair := report.pooled(found, row, base))}
    figure = plots.draw_intervals({"ConvNet-3": in_points(pairs)}, xlabel="difference, points of accuracy")
    figure.set_size_inches(6.5, 2.6)
    figure.axes[0].set_ylim(len(pairs) - 0.5, -0.5)
    return figure


def draw_factor(factor: str) -> Figure | None:
    """Differences of the variants of one factor to the base of the ablations."""
    pairs = [report.factor_table(factor, measure) for measure in report.JUDGES.values()]
    return _by_judge(factor, pairs, "difference to the base, points of accuracy")


def draw_sampler_gains() -> Figure | None:
    """What guidance adds under each sampler."""
    pairs = [report.sampler_gains(measure) for measure in report.JUDGES.values()]
    return _by_judge("sampler, unguided", pairs, "guided minus unguided, points of accuracy")


def _by_judge(factor: str, pairs: Sequence[Mapping[str, Difference]], xlabel: str) -> Figure | None:
    """Means over the data sets on which a factor was measured: a series for students, and one for neighbors."""
    measured = [DATA_SETS[data].title for data in report.ablated(factor)]
    if not measured:
        return display(missing(f"ablations digits --factors {shlex.quote(factor)}"))
    series = {judge: in_points(found) for judge, found in zip(report.TITLES.values(), pairs, strict=True)}
    figure = plots.draw_intervals(series, xlabel=xlabel)
    figure.axes[0].set_title("mean over " * (len(measured) > 1) + ", ".join(measured), loc="left")
    return figure


def draw_scales(rows: Sequence[str]) -> Figure:
    """Validation accuracy against the scale of classifier-free guidance: a panel per data set, a line per row."""
    figure, axes = plt.subplots(1, len(DATA_SETS), figsize=(2.6 * len(DATA_SETS), 3.6), squeeze=False)
    for axis, (data, settings) in zip(axes[0], DATA_SETS.items(), strict=True):
        found = tables.scales(data)
        for marker, row in zip(plots.MARKERS, rows, strict=False):
            line = found[found.row == row]
            axis.plot(line.scale, 100 * line.accuracy, marker=marker, label=row)
        axis.set(xscale="log", title=settings.title, xlabel="scale")
        axis.set_xticks(ticks := choose.SIX_SCALES, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
    axes[0, 0].set_ylabel("accuracy, %")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
    return figure


def draw_set_ablations(factors: Iterable[str]) -> Figure | None:
    """Differences of every variant of some factors to the base of guidance on sets, both judges."""
    factors = list(factors)
    series: dict[str, Intervals] = {title: {} for title in report.TITLES.values()}
    for judge, title in report.TITLES.items():
        for factor in factors:
            pairs = report.factor_table(factor, judge, table="set_ablations")
            series[title] |= in_points({f"{factor}: {row}": pair for row, pair in pairs.items()})
    if not series["ConvNet-3"]:
        return display(missing("set_ablations cifar10"))
    return plots.draw_intervals(series, xlabel="difference to the base, points of accuracy")


def draw_autoencoders() -> Figure | None:
    """Accuracy of every row against the error of the autoencoder under it."""
    lines = tables.vae_table()
    if not len(lines):
        return display(missing("vae"))
    rows = [name for name in lines if name not in ("VAE steps", "error")]
    axis = lines.set_index("error")[rows].mul(100).plot(marker="o", logx=True, figsize=(6.5, 3.6))
    axis.set(xlabel="mean squared error of a round trip", ylabel="accuracy, %")
    return axis.get_figure()
