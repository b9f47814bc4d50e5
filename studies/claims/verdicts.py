"""What checks ask the results: verdicts of one row against another, and the page's tables with a line for each row."""

from __future__ import annotations

import pandas

from mgd_helpers.evaluation.paired import Difference
from studies import report
from studies.data_sets import DATA_SETS
from studies.report import GUIDED

SAME, BETTER, WORSE = report.NOT_TOLD_APART, "better", "worse"
MATCHING = "distribution matching"


def compared(data: str, row: str, base: str, measure: str = "students") -> Difference:
    """Row minus base on one data set, ten images per class, ConvNet-3."""
    return report.difference(report.main_scores(data, 10, measure=measure), row, base)


def on_each(row: str, base: str, measure: str = "students") -> list[str]:
    """The verdicts of `compared` on every data set."""
    return [compared(data, row, base, measure).verdict for data in DATA_SETS]


def in_the_mean(row: str, base: str, images_per_class: int = 10, network: str = "convnet3") -> str | None:
    """The verdict on row minus base, the mean over the data sets."""
    pair = report.pooled(report.everywhere(images_per_class, network), row, base)
    return pair.verdict if pair else None


def pooled(images_per_class: int, network: str = "convnet3", base: str = "unguided") -> pandas.DataFrame:
    """The table of means over the data sets, whose verdicts count all rows at once."""
    return report.pooled_table(images_per_class, network, base).set_index("row")


def single(data: str, images_per_class: int = 10, network: str = "convnet3") -> pandas.DataFrame:
    """The table of one data set, whose verdicts count all rows at once."""
    return report.main_table(data, images_per_class, network).set_index("row")


def verdicts_of_guided(table: pandas.DataFrame) -> set[str]:
    """The verdicts on guided rows."""
    return set(table.verdict[[*GUIDED]])


def lead_of_matching(network: str) -> float:
    """The lead of distribution matching over the unguided pipeline on CIFAR-10."""
    return single("cifar10", network=network).difference[MATCHING]
