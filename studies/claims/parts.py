"""Sentences on the parts of the method, each changed alone: the page's "Part by part"."""

from __future__ import annotations

from studies import report
from studies.claims.verdicts import BETTER, SAME, WORSE

STRAIGHTER = ("softness 0.75", "softness 0.5", "softness 0.25", "mode, same strength")
SIZES = ("k 6, d 2", "k 12, d 3", "k 48, d 16", "k 100, d 32")


def students(factor: str) -> dict[str, str]:
    """Variant -> verdict of students, the mean over the data sets."""
    return {row: pair.verdict for row, pair in report.factor_table(factor).items()}


def neighbors(factor: str) -> dict[str, str]:
    """Variant -> verdict of nearest neighbors, the mean over the data sets."""
    return {row: pair.verdict for row, pair in report.factor_table(factor, "nearest_neighbor").items()}


def neighbor_points(factor: str) -> dict[str, float]:
    """Variant -> difference by nearest neighbor, in points."""
    return {row: 100 * pair.mean for row, pair in report.factor_table(factor, "nearest_neighbor").items()}


def number_of_intervals() -> int:
    factors = ("part", "targets", "neighbourhood", "tangent", "strength", "stop", "sampler")
    return sum(len(report.factor_table(factor, measure)) for factor in factors for measure in report.JUDGES.values())


def rises(values: list[float]) -> bool:
    return values == sorted(values)


def targets_make_no_difference() -> bool:
    means = {row: verdict for row, verdict in neighbors("targets").items() if row != "nearest member"}
    return set(students("targets").values()) == set(means.values()) == {SAME}


def more_neighbors_are_better() -> bool:
    points, verdicts = neighbor_points("neighbourhood"), neighbors("neighbourhood")
    means = [points[size] for size in SIZES]
    judged = [verdicts[size] for size in SIZES] == [WORSE, SAME, BETTER, BETTER]
    return judged and rises(means) and -2.3 < means[0] < -1.9 and 1.2 < means[-1] < 1.6


def tree_nodes_are_as_good() -> bool:
    return (students("tangent")["of tree nodes"], neighbors("tangent")["of tree nodes"]) == (SAME, SAME)


def schedules_are_as_good_for_a_convnet() -> bool:
    rules = ("per log-SNR 0.3", "score 0.1", "posterior 0.1")
    return {(students("strength")[rule], neighbors("strength")[rule]) for rule in rules} == {(SAME, WORSE)}


def later_stops_are_better() -> bool:
    points = [*neighbor_points("stop").values()]
    return len(points) == 4 and rises(points[::-1])


def fast_samplers_cost_little() -> bool:
    by_student, by_neighbor = students("sampler"), neighbors("sampler")
    a_third = -0.004 < report.factor_table("sampler")["DPM++ 10"].mean < -0.003
    others = {verdict for row, verdict in by_student.items() if row != "DPM++ 10"}
    return a_third and by_student["DPM++ 10"] == WORSE and others == set(by_neighbor.values()) == {SAME}


def every_sampler_gains() -> bool:
    both = [report.sampler_gains(measure) for measure in report.JUDGES.values()]
    ahead = all(pair.mean > 0 for gains in both for pair in gains.values())
    as_far = all(abs(gains["DDIM 10"].mean - gains["DDIM 250"].mean) < 0.005 for gains in both)
    return ahead and as_far and [len(gains) for gains in both] == [7, 7]


def gains_of_ten_steps_are_certain() -> bool:
    by_student, by_neighbor = (report.sampler_gains(measure) for measure in report.JUDGES.values())
    certain = {by_neighbor[fast].verdict for fast in ("DDIM 10", "DPM++ 10")} == {BETTER}
    return certain and {pair.verdict for pair in by_student.values()} == {SAME}


CLAIMS = (
    (
        "A plain pull merely *as short* as the projected one does as well for a ConvNet, and better for a nearest "
        "neighbour.",
        lambda: (students("part")["mode, same length"], neighbors("part")["mode, same length"]) == (SAME, BETTER),
    ),
    ("Some eighty intervals stand below.", lambda: 70 < number_of_intervals() < 90),
    (
        "How much of the normal part is taken out changes nothing that a ConvNet can tell.",
        lambda: set(students("part").values()) == {SAME} and len(report.ablated("part")) == 3,
    ),
    (
        "A nearest neighbour can: the less, the better, step by step from the strict projection to the plain pull.",
        lambda: (
            rises([neighbor_points("part")[degree] for degree in STRAIGHTER])
            and {neighbors("part")[degree] for degree in STRAIGHTER} == {BETTER}
        ),
    ),
    (
        "The ConvNet cannot tell these two apart either, and the nearest neighbour prefers the straight one.",
        lambda: (students("part")["mode, same length"], neighbors("part")["mode, same length"]) == (SAME, BETTER),
    ),
    (
        "Leaves, flat k-means, trees that grow on pooled latents or on principal components: neither judge tells one "
        "of them from the base.",
        targets_make_no_difference,
    ),
    (
        "Real members in place of means are half a point behind by nearest neighbour,",
        lambda: (
            neighbors("targets")["nearest member"] == WORSE
            and -0.7 < neighbor_points("targets")["nearest member"] < -0.4
        ),
    ),
    ("A ConvNet tells none of them apart.", lambda: set(students("neighbourhood").values()) == {SAME}),
    (
        "For a nearest neighbour more is better, step by step. Thus *k 6, d 2* is two points behind, and *k 100, d "
        "32* a good point ahead.",
        more_neighbors_are_better,
    ),
    (
        "The automatic choice is level with the tuned one for the ConvNet, and ahead by nearest neighbour.",
        lambda: (
            students("neighbourhood")["k auto, d auto"] == SAME
            and neighbors("neighbourhood")["k auto, d auto"] == BETTER
        ),
    ),
    (
        "No choice of the tangent is told apart by the ConvNet. The nearest neighbour tells most of them apart.",
        lambda: (
            set(students("tangent").values()) == {SAME}
            and [*neighbors("tangent").values()].count(WORSE) == len(students("tangent")) - 1 == 3
        ),
    ),
    (
        "The tangent at the noisy sample, among noisy neighbours, is Eq. 5 of the paper, and two points behind.",
        lambda: -2.3 < neighbor_points("tangent")["at the noisy sample"] < -1.8,
    ),
    (
        "That of points drawn on spheres, as in the released code, is nearly three behind.",
        lambda: -2.9 < neighbor_points("tangent")["of points on spheres"] < -2.5,
    ),
    (
        "A tangent taken once and for all at the target loses one point.",
        lambda: -1.2 < neighbor_points("tangent")["at the target"] < -0.8,
    ),
    ("The nodes of a tree, on the other hand, span tangents as good as all latents do:", tree_nodes_are_as_good),
    (
        "To pull all the way is better than 0.4 of the way, by both judges.",
        lambda: students("strength")["0.4"] == neighbors("strength")["0.4"] == WORSE,
    ),
    (
        "The three schedules, each at one rate that was not tuned, are as good as the constant for a ConvNet. They "
        "are worse for a nearest neighbour,",
        schedules_are_as_good_for_a_convnet,
    ),
    (
        "For a ConvNet it does not show when the pull ends.",
        lambda: [*students("stop").values()] == [SAME] * 4,
    ),
    ("By nearest neighbour longer is better, step by step.", later_stops_are_better),
    (
        "Ten steps of DDIM cost nothing that can be told, ten of DPM-Solver++ a third of a point for a ConvNet. Two "
        "hundred and fifty steps gain nothing.",
        fast_samplers_cost_little,
    ),
    (
        "Under every sampler the guided sets are ahead of the unguided ones in the mean, by both judges. With ten "
        "steps they are about as far ahead as with two hundred and fifty.",
        every_sampler_gains,
    ),
    (
        "A ConvNet's intervals are too wide to call any of these gains certain; by nearest neighbour, those of ten "
        "steps are.",
        gains_of_ten_steps_are_certain,
    ),
)
