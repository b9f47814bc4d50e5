"""Sentences on the parts of guidance on sets, each changed alone, and on what else was tried."""

from __future__ import annotations

from studies import report
from studies.claims.verdicts import SAME, WORSE


def points(factor: str, measure: str = "students") -> dict[str, float]:
    """Variant -> its difference to the base, in points."""
    found = report.factor_table(factor, measure, table="set_ablations")
    return {row: 100 * pair.mean for row, pair in found.items()}


def ahead_under_every_sampler() -> bool:
    gains = [report.sampler_gains(judge, table="set_ablations") for judge in report.JUDGES.values()]
    means = [{row: pair.mean for row, pair in found.items()} for found in gains]
    return all(
        len(found) == 6 and min(found.values()) > 0 and min(found, key=found.__getitem__) == "DDPM 50"
        for found in means
    )


def nothing_wins() -> bool:
    by_student, by_neighbor = (
        report.factor_table("variant", judge, table="set_ablations") for judge in report.JUDGES.values()
    )
    last = {min(found, key=lambda row: found[row].mean) for found in (by_student, by_neighbor)}
    ahead = [pair for pair in by_student.values() if pair.mean > 0]
    return (
        max(pair.mean for pair in ahead) < 0.005
        and {pair.verdict for pair in ahead} == {SAME}
        and last == {"on the tangent"}
        and by_neighbor["on the tangent"].verdict == WORSE
    )


CLAIMS = (
    (
        "One network a step is as good as one a look,",
        lambda: min(points("networks", judge)["one a step"] for judge in report.JUDGES.values()) > -0.3,
    ),
    (
        "Narrower or shallower networks see less, and three blocks leave a single pixel of these latents. A matching "
        "that stops at one half loses a point.",
        lambda: (
            points("width")["16"] < -1
            and points("depth")["1"] < -0.5
            and points("depth")["3"] < -2
            and -1.5 < points("window of matching")["above 0.5"] < -0.7
        ),
    ),
    (
        "We tried other rates, numbers of centres, entropies, scales, and strengths and windows of transport. None "
        "has a better mean than the base, as a ConvNet sees it.",
        lambda: all(
            max(points(factor).values()) <= 0
            for factor in ("rate", "centres", "entropy", "strength of transport", "window of transport", "scale")
        ),
    ),
    (
        "And under each of six samplers the guided sets are ahead of unguided ones by the same sampler, by both "
        "judges. The lead is least under fifty steps of DDPM.",
        ahead_under_every_sampler,
    ),
    (
        "None is ahead of the base by more than half a point in the mean. Three sets tell none of these from zero. "
        "The projection comes last by both judges, for a nearest neighbour beyond doubt.",
        nothing_wins,
    ),
)
