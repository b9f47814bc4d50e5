"""Sentences on guidance of whole sets, each row at the scale it won with."""

from __future__ import annotations

import pandas

from studies import choose, report
from studies.claims.verdicts import BETTER, SAME, WORSE
from studies.data_sets import DATA_SETS
from studies.report import mean

BOTH = "match+transport"


def against(data: str, base: str, network: str = "convnet3") -> pandas.Series:
    """Its line in the table of one data set against a base; the verdict counts all rows."""
    return report.main_table(data, 10, network, base, table="sets").set_index("row").loc[BOTH]


def verdicts(base: str, kind: str = "") -> list[str]:
    """The verdicts of these lines on every data set."""
    return [against(data, base)[f"{kind}verdict"] for data in DATA_SETS]


def in_the_mean(base: str, network: str = "convnet3") -> pandas.Series:
    """Its line in the table of means over the data sets."""
    return report.pooled_table(10, network, base, table="sets").set_index("row").loc[BOTH]


def gained_by_the_scale(data: str, row: str) -> float:
    """Points that a row is ahead of what it reached before its scale was tuned."""
    now, before = (mean(report.main_scores(data, 10, table=table)[row]) for table in ("sets", "main"))
    return 100 * (now - before)


def the_plain_pull_likes_large_scales() -> bool:
    return choose.chosen("fashion_mnist", ["mode"])["mode"] == {"scale": 4.0, "strength": 1.0}


CLAIMS = (
    (
        "**What helps is to steer the set.**",
        lambda: {in_the_mean(base).verdict for base in ("unguided", "mode", "nearest real")} == {BETTER},
    ),
    (
        "A ConvNet learns more from it than from unguided images at their own best scale, on each of the three data "
        "sets, by three to five points.",
        lambda: (
            verdicts("unguided") == [BETTER] * 3
            and all(0.03 < against(data, "unguided").difference < 0.05 for data in DATA_SETS)
        ),
    ),
    (
        "On digits it leads the tuned plain pull by two points, and the real images nearest to the targets by one and "
        "a half.",
        lambda: all(
            against("digits", base).verdict == BETTER and abs(against("digits", base).difference - lead) < 0.0025
            for base, lead in (("mode", 0.02), ("nearest real", 0.015))
        ),
    ),
    (
        "On CIFAR-10 it is three to five points ahead of both, by intervals that leave zero far out.",
        lambda: all(
            against("cifar10", base).verdict == BETTER
            and 0.03 < against("cifar10", base).difference < 0.05
            and against("cifar10", base).low > 0.02
            for base in ("mode", "nearest real")
        ),
    ),
    (
        "On Fashion-MNIST it leads both by less than a point, and is not told apart from them.",
        lambda: all(
            against("fashion_mnist", base).verdict == SAME and 0 < against("fashion_mnist", base).difference < 0.01
            for base in ("mode", "nearest real")
        ),
    ),
    (
        "In the mean over the data sets it is ahead of all three, after all rows are counted.",
        lambda: {in_the_mean(base).verdict for base in ("unguided", "mode", "nearest real")} == {BETTER},
    ),
    (
        "In the mean over the data sets they learn more from it than from unguided images, by four points, and than "
        "from the nearest real images, by more than two, after all rows are counted. From the tuned plain pull it is "
        "not told apart.",
        lambda: (
            in_the_mean("unguided", "resnet18").verdict == in_the_mean("nearest real", "resnet18").verdict == BETTER
            and abs(in_the_mean("unguided", "resnet18").difference - 0.04) < 0.005
            and in_the_mean("nearest real", "resnet18").difference > 0.02
            and in_the_mean("mode", "resnet18").verdict == SAME
        ),
    ),
    (
        "On Fashion-MNIST the nearest neighbour still prefers the plain pull.",
        lambda: against("fashion_mnist", "mode")["1-NN verdict"] == WORSE,
    ),
    (
        "The unguided pipeline wins two points on CIFAR-10, the plain pull two and a half on Fashion-MNIST, where its "
        "best scale and its best strength are the largest that were tried.",
        lambda: (
            1.5 < gained_by_the_scale("cifar10", "unguided") < 2.5
            and 2.25 < gained_by_the_scale("fashion_mnist", "mode") < 2.75
            and the_plain_pull_likes_large_scales()
        ),
    ),
)
