"""What checks ask the results: verdicts of one row against another, and the page's tables with a line for each row."""

from __future__ import annotations

import functools

import pandas

from mgd_helpers.evaluation.paired import Difference
from studies import report
from studies.data_sets import DATA_SETS
from studies.report import GUIDED

SAME, BETTER, WORSE = report.NOT_TOLD_APART, "better", "worse"
MATCHING, SHORT, BOTH = "distribution matching", "distribution matching, short", "match+transport"


def compared(data: str, row: str, base: str, measure: str = "students") -> Difference:
    """Row minus base on one data set, ten images per class, ConvNet-3."""
    return report.difference(report.main_scores(data, 10, measure=measure), row, base)


def in_the_mean(row: str, base: str, images_per_class: int = 10, network: str = "convnet3") -> str | None:
    """The verdict on row minus base, the mean over the data sets."""
    pair = report.pooled(report.everywhere(images_per_class, network), row, base)
    return pair.verdict if pair else None


@functools.cache
def pooled(images_per_class: int, network: str = "convnet3", base: str = "unguided") -> pandas.DataFrame:
    """The table of means over the data sets, whose verdicts count all rows at once."""
    return report.pooled_table(images_per_class, network, base).set_index("row")


@functools.cache
def single(
    data: str, images_per_class: int = 10, network: str = "convnet3", base: str = "unguided"
) -> pandas.DataFrame:
    """The table of one data set, whose verdicts count all rows at once."""
    return report.main_table(data, images_per_class, network, base).set_index("row")


def verdicts_of_guided(table: pandas.DataFrame) -> set[str]:
    """The verdicts on guided rows."""
    return set(table.verdict[[*GUIDED]].dropna())


def leads(table: pandas.DataFrame, *rows: str) -> list[float]:
    """How many points the base of a table is ahead of some rows."""
    return [*(-100 * table.difference[[*rows]])]


def on_all(verdict: str, row: str, base: str = "unguided") -> bool:
    """Whether the table of each data set has this verdict on a row."""
    return all(single(data, base=base).verdict[row] == verdict for data in DATA_SETS)
