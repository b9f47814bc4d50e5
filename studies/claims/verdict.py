"""Sentences of the page "The verdict" (chapter 10), which says in three figures what the report says in full."""

from __future__ import annotations

from collections.abc import Iterable

from studies import report
from studies.claims import parts, phase
from studies.claims.rows import no_single_pull_is_told_from_real_images
from studies.claims.verdicts import (
    BETTER,
    BOTH,
    MATCHING,
    SAME,
    SHORT,
    WORSE,
    leads,
    pooled,
    verdicts_of_guided,
)
from studies.phase_figure import NEVER, OFF
from studies.report import GUIDED

PROJECTED = ["tangent", "soft", "released"]
SIZES = (1, 10, 50)


def apart_in_the_first_figure() -> list[str]:
    """The rows whose interval of the difference to unguided images leaves zero out."""
    table = pooled(10)
    return [*table.index[(table.low > 0) | (table.high < 0)]]


def counted_in_the_first_figure() -> list[str]:
    """Those of them that are still told apart once all rows are counted."""
    return [*pooled(10).index[pooled(10).verdict.isin([BETTER, WORSE])]]


def guided_gain_one_to_two_points() -> bool:
    gains = 100 * pooled(10).difference[[*GUIDED]]
    return verdicts_of_guided(pooled(10)) == {BETTER} and round(gains.min()) == 1 and round(gains.max()) == 2


def seventeen_and_sixteen() -> bool:
    apart, counted = apart_in_the_first_figure(), counted_in_the_first_figure()
    return len(pooled(10)) - 1 == 20 and (len(apart), len(counted)) == (17, 16)


def random_real_is_lost() -> bool:
    lost = set(apart_in_the_first_figure()) - set(counted_in_the_first_figure())
    return lost == {"random real"} and pooled(10).difference["random real"] > 0


def projecting(sizes: Iterable[int]) -> list[str]:
    """The verdicts on the strict projection against the plain pull, by images per class."""
    return [pooled(size, base="mode").verdict["tangent"] for size in sizes]


def projection_costs_most_of_a_point() -> bool:
    difference = pooled(10, base="mode").difference["tangent"]
    return projecting([10]) == [WORSE] and -0.0095 < difference < -0.005


def no_projected_rule_is_ahead() -> bool:
    return all(BETTER not in set(pooled(size, base="mode").verdict[PROJECTED]) for size in SIZES)


def the_set_is_ahead_of_both(network: str = "convnet3") -> bool:
    verdicts = pooled(10, network, BOTH).verdict[["nearest real", "mode"]]
    return set(verdicts) == {WORSE}


def two_rows_are_ahead_of_the_set() -> bool:
    table = pooled(10, base=BOTH)
    return {*table.index[table.verdict == BETTER]} == {MATCHING, SHORT}


def a_resnet_prefers_two_pulls() -> bool:
    line = pooled(10, "resnet18", "nearest real").loc[["mgd3", "mode"]]
    return set(line.verdict) == {BETTER} and [*(100 * line.difference).round()] == [1, 1]


def real_images_lead_with_fifty() -> bool:
    table = pooled(50, base="nearest real")
    return verdicts_of_guided(table) == {WORSE} and len(table.verdict[[*GUIDED]].dropna()) == len(GUIDED) == 5


CLAIMS = (
    (
        "All five are ahead of the unguided pipeline, by one to two points.",
        guided_gain_one_to_two_points,
    ),
    (
        "With one image per class the plain pull is ahead by six points.",
        lambda: pooled(1).verdict["mode"] == BETTER and round(100 * pooled(1).difference["mode"]) == 6,
    ),
    ("Of the twenty intervals, seventeen leave zero out. Sixteen of them survive the counting.", seventeen_and_sixteen),
    ("The one that is lost is a gain of random real images over unguided ones.", random_real_is_lost),
    (
        "With ten images, the strict projection (*tangent*) is behind the plain pull, by most of a point.",
        projection_costs_most_of_a_point,
    ),
    (
        "With one image and with fifty it is not told apart from it.",
        lambda: projecting([1, 50]) == [SAME, SAME],
    ),
    ("No projected rule is ahead, whatever the number of images.", no_projected_rule_is_ahead),
    (
        "A ConvNet does not tell it from a straight pull that is *as short*.",
        lambda: parts.students("part")["mode, same length"] == SAME,
    ),
    (
        "A nearest neighbour prefers the straight one.",
        lambda: parts.neighbors("part")["mode, same length"] == BETTER,
    ),
    (
        "With ten images, no pull to a single target is told apart from the nearest real image.",
        no_single_pull_is_told_from_real_images,
    ),
    (
        "It is ahead of the real image by two and a half points, and of the plain pull by two.",
        lambda: (
            the_set_is_ahead_of_both()
            and [round(2 * lead) / 2 for lead in leads(pooled(10, base=BOTH), "nearest real", "mode")] == [2.5, 2]
        ),
    ),
    ("A ResNet-18 puts it ahead of both as well.", lambda: the_set_is_ahead_of_both("resnet18")),
    (
        "But it also puts *mgd3* and the plain pull a point ahead of the real image.",
        a_resnet_prefers_two_pulls,
    ),
    ("With fifty images, all five single pulls are behind the nearest real images.", real_images_lead_with_fifty),
    (
        "*match+transport* is not told apart from them.",
        lambda: pooled(50, base="nearest real").verdict[BOTH] == SAME,
    ),
    (
        "For a ConvNet, two rows are ahead of *match+transport*: distribution matching, long and short.",
        two_rows_are_ahead_of_the_set,
    ),
    (
        "A ResNet-18 sees no such lead: with ten images its highest mean is that of *match+transport*.",
        lambda: pooled(10, "resnet18").accuracy.idxmax() == BOTH,
    ),
    (
        "A nearest neighbour has another best row than a ConvNet.",
        lambda: pooled(10)["1-NN"].idxmax() != pooled(10).accuracy.idxmax(),
    ),
    (
        "Both pulls then end equally far from the manifold: the denoiser projects in the steps that are left.",
        phase.an_exact_denoiser_projects,
    ),
    (
        "Never stop, or take only five steps, and projecting stays closer to a bent manifold.",
        lambda: phase.projecting_stays_closer() and phase.FEW_STEPS == 5,
    ),
    (
        "Blur the denoiser much, and the plain pull ends closer.",
        lambda: phase.verdicts(list(phase.toys(blur=0.8)), (phase.HALF, NEVER), OFF) == {WORSE},
    ),
    (
        "1. With ten images, pulls to single targets gain one to two points over the unguided pipeline.",
        guided_gain_one_to_two_points,
    ),
    (
        "2. Projecting them gains nothing that was measured, and loses most of a point with ten.",
        lambda: no_projected_rule_is_ahead() and projection_costs_most_of_a_point(),
    ),
    (
        "3. For a ConvNet and ten images, no single pull is told apart from the nearest real image.",
        no_single_pull_is_told_from_real_images,
    ),
    (
        "4. Steering the whole set is ahead of both with ten images, and trains nothing.",
        the_set_is_ahead_of_both,
    ),
    (
        "5. Count all comparisons: of seventeen intervals that left zero out, sixteen survived.",
        seventeen_and_sixteen,
    ),
    (
        "*mgd3*, *mode*, *tangent*, *soft* and *released*.",
        lambda: report.GUIDED == ("mgd3", "mode", "tangent", "soft", "released"),
    ),
)
