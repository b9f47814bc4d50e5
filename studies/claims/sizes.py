"""Sentences on another student, and on one image per class and on fifty."""

from __future__ import annotations

import statistics

from studies import report
from studies.claims.verdicts import BETTER, BOTH, MATCHING, SAME, SHORT, WORSE, leads, pooled, single
from studies.data_sets import DATA_SETS
from studies.report import GUIDED

RESNET = "resnet18"
LEVEL = ("mgd3", "mode", "both on the tangent")


def scatter(data: str) -> float:
    """The standard deviation of ResNets that learned from one set, over all sets of ten per class, in points."""
    found = report.main_scores(data, 10, RESNET).values()
    return 100 * statistics.mean(statistics.variance(ours) for sets in found for ours in sets) ** 0.5


def spread_of_sets(data: str) -> float:
    """The standard deviation of sets of one row, each the mean of its ResNets, over rows that draw, in points."""
    found = report.main_scores(data, 10, RESNET)
    drawn = [sets for row, sets in found.items() if row not in ("herding", "k-centre")]
    return 100 * statistics.mean(statistics.variance(map(statistics.mean, sets)) for sets in drawn) ** 0.5


def luck_of_resnets() -> bool:
    of_three = [scatter(data) / 3**0.5 for data in DATA_SETS]
    spread = statistics.mean(map(spread_of_sets, DATA_SETS))
    everything = [sets for data in DATA_SETS for sets in report.main_scores(data, 10, RESNET).values()]
    of_each_set = {len(ours) for sets in everything for ours in sets}
    return of_each_set == {3} and {round(one, 1) for one in of_three} == {0.8} and max(of_three) < spread < 1.2


def set_counts() -> set[int]:
    return {len(sets) for data in DATA_SETS for sets in report.main_scores(data, 10, RESNET).values()}


CLAIMS = (
    # another student
    (
        "Within one set they scatter by one and a half points (a standard deviation), so the mean of three still has "
        "0.8 points of luck in it, a little less than sets of one row differ.",
        luck_of_resnets,
    ),
    ("(Some rows have four sets in place of five.)", lambda: set_counts() == {4, 5}),
    (
        "In the mean over the data sets a ResNet learns more from *match+transport* than from any other row of the "
        "table, after all of them are counted, and those that train their pixels are among them.",
        lambda: set(pooled(10, RESNET, BOTH).verdict.dropna()) == {WORSE},
    ),
    (
        "Unguided images are three points behind, the nearest real ones two, the published mode guidance and the tuned "
        "plain pull one.",
        lambda: (
            [round(lead) for lead in leads(pooled(10, RESNET, BOTH), "unguided", "nearest real", "mgd3", "mode")]
            == [3, 2, 1, 1]
        ),
    ),
    (
        "What changes most is distribution matching: more than five points ahead of unguided images for a ConvNet, it "
        "is one point ahead for a ResNet, and not told apart.",
        lambda: (
            pooled(10).difference[MATCHING] > 0.05
            and round(100 * pooled(10, RESNET).difference[MATCHING]) == 1
            and pooled(10, RESNET).verdict[MATCHING] == SAME
        ),
    ),
    (
        "A ResNet sees no such lead: it learns more from steered sets than from any other row.",
        lambda: (
            set(pooled(10, RESNET, BOTH).verdict.dropna()) == {WORSE}
            and set(pooled(10, RESNET).verdict[[MATCHING, SHORT]]) == {SAME}
        ),
    ),
    (
        "Guidance to single targets helps a ResNet as it helps a ConvNet: *mgd3*, *mode* and *soft* are ahead of "
        "unguided images after counting; *tangent* and *released* are not.",
        lambda: [pooled(10, RESNET).verdict[row] for row in GUIDED] == [BETTER, BETTER, SAME, BETTER, SAME],
    ),
    (
        "On CIFAR-10 alone, *mgd3*, *mode* and both on the tangent are level with it.",
        lambda: (
            set(single("cifar10", 10, RESNET, BOTH).verdict[[*LEVEL]]) == {SAME}
            and single("cifar10", 10, RESNET, BOTH).difference[[*LEVEL]].abs().max() < 0.006
        ),
    ),
)
