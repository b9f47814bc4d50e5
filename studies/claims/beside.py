"""Sentences on what stands beside the main table: autoencoders, measures, robust scores, cost, copies."""

from __future__ import annotations

import pandas

from studies import report, tables
from studies.claims.verdicts import BOTH, MATCHING, SHORT, single
from studies.data_sets import DATA_SETS
from studies.report import GUIDED, WHOLE

GRAY, PHOTOGRAPHS = ("digits", "fashion_mnist"), "cifar10"
PULLED = ["mode", "tangent", "soft"]


# --- a worse autoencoder


def autoencoders() -> list[pandas.Series]:
    """The lines of the table, from the best to the worst."""
    return [line for _, line in tables.vae_table().iterrows()]


def ten_times_the_error() -> bool:
    best, second, *_ = autoencoders()
    rows = ["decoded targets", "mode", "tangent"]
    return 9 < second.error / best.error < 13 and (best[rows] - second[rows]).abs().max() < 0.005


def four_hundred_times_the_error() -> bool:
    best, _, third, _ = autoencoders()
    rows = ["decoded targets", "mode", "tangent"]
    return 300 < third.error / best.error < 400 and (best[rows] - third[rows]).between(0.03, 0.055).all()


def a_blur_is_left() -> bool:
    worst = autoencoders()[-1]
    return worst.error > 0.5 and worst[["decoded targets", "mode", "tangent", "unguided"]].max() < 0.3


def guidance_is_worth_ten_points() -> bool:
    best = autoencoders()[0]
    return best["tangent"] - best["unguided"] > 0.095 and best["mode"] - best["unguided"] > 0.1


# --- measures without a student


def measures(data: str) -> pandas.DataFrame:
    return tables.measures_table(data).set_index("row")


def typical_but_alike(data: str) -> bool:
    found = measures(data)
    return (
        found.precision["mode"] > found.precision["unguided"] and found.diversity["mode"] < found.diversity["unguided"]
    )


def wide_and_precise(data: str) -> bool:
    found = measures(data).loc[[BOTH, "mode", "unguided"]].T
    both, mode, unguided = (found[row] for row in found)
    return both.diversity > mode.diversity and both.precision > unguided.precision and both.coverage > unguided.coverage


def near_and_no_teacher() -> bool:
    second = measures(PHOTOGRAPHS).frechet_distance.sort_values().index[1]
    taught = single(PHOTOGRAPHS).accuracy
    return second == "random real" and taught[second] < taught[[*GUIDED, *WHOLE]].min()


# --- robust scores


def robust(data: str) -> pandas.DataFrame:
    return tables.robust_table(data).set_index("row")[["label_robust", "augmentation_robust"]]


def within_two_hundredths(data: str) -> bool:
    found = robust(data)
    return (found.loc[[*GUIDED]] - found.loc["random real"]).abs().max(axis=None) < 0.02


def two_sets_each(data: str) -> bool:
    table = tables.robust_table(data)
    return len(table) == len(report.ROWS) and table.sets.min() == 2


# --- cost


def cost(data: str) -> pandas.DataFrame:
    table = tables.cost_table()
    return table[table.data == DATA_SETS[data].title].set_index("row")


def as_cheap_as_unguided(data: str) -> bool:
    table = cost(data)
    share = table.seconds_per_image[PULLED].mean() / table.seconds_per_image["unguided"]
    evaluations = table.evaluations_per_image
    return set(evaluations[PULLED]) == {evaluations["unguided"]} and 0.7 < share < 1.4


def twice_the_evaluations(data: str) -> bool:
    evaluations = cost(data).evaluations_per_image
    return evaluations["mgd3"] == 2 * evaluations["unguided"]


def matching_to_guided(data: str) -> float:
    """Seconds of distribution matching for one of guided sampling."""
    seconds = cost(data).seconds_per_image
    return seconds["distribution matching"] / seconds[PULLED].mean()


def tangent_to_soft(data: str) -> float:
    seconds = cost(data).seconds_per_image
    return seconds["tangent"] / seconds["soft"]


# --- copies


def audits(data: str) -> dict[str, dict]:
    return tables.audits(data)


def nearer(data: str, row: str) -> tuple[float, float]:
    """The interval of the share of images that lie very near a training image."""
    low, high = audits(data)[row]["nearer_share_interval"]
    return low, high


def nearer_than_chance(data: str, row: str) -> bool:
    low, _ = nearer(data, row)
    return low > 0.05 and low > nearer(data, "unguided")[1]


CLAIMS = (
    ("Ten times the error of the best autoencoder changes next to nothing.", ten_times_the_error),
    (
        "At nearly four hundred times, guided rows and decoded targets lose three to five points.",
        four_hundred_times_the_error,
    ),
    ("At two thousand times, a blur is left and everything falls together.", a_blur_is_left),
    (
        "These denoisers are weak, and here guidance is worth ten points and not two.",
        guidance_is_worth_ten_points,
    ),
    (
        "And the plain pull, which tells the most, is ahead of the projected one in every mean.",
        lambda: all(line["mode"] > line["tangent"] for line in autoencoders()),
    ),
    (
        "On all three data sets, sets pulled straight to their targets have a higher precision than unguided ones and "
        "a lower diversity.",
        lambda: all(map(typical_but_alike, DATA_SETS)),
    ),
    (
        "The projected pull gives up less of the spread.",
        lambda: all(measures(data).diversity["mode"] < measures(data).diversity["tangent"] for data in DATA_SETS),
    ),
    (
        "A set steered by *match+transport* keeps more of it than the plain pull. It has a higher precision and a "
        "larger coverage than the unguided pipeline, on all three.",
        lambda: all(map(wide_and_precise, DATA_SETS)),
    ),
    (
        "On CIFAR-10, real images drawn at random have the second smallest Fréchet distance of all rows. They teach "
        "a ConvNet less than every guided one.",
        near_and_no_teacher,
    ),
    (
        "Distribution matching has the highest scores of both kinds on Fashion-MNIST and on CIFAR-10,",
        lambda: all(set(robust(data).idxmax()) == {"distribution matching"} for data in ("fashion_mnist", PHOTOGRAPHS)),
    ),
    (
        "Pulls to single targets stay within two hundredths of random real images, on every data set and by either "
        "score. On digits and on CIFAR-10, *match+transport* is above all of them.",
        lambda: (
            all(map(within_two_hundredths, DATA_SETS))
            and all(
                (robust(data).loc[BOTH] > robust(data).loc[[*GUIDED]].max()).all() for data in ("digits", PHOTOGRAPHS)
            )
        ),
    ),
    (
        "(Two sets each, and no intervals: scores this close are not an order.)",
        lambda: all(map(two_sets_each, DATA_SETS)),
    ),
    (
        "A guided image takes as many evaluations as an unguided one, and about as long:",
        lambda: all(map(as_cheap_as_unguided, DATA_SETS)),
    ),
    (
        "*Soft* and *tangent* do the same work, and differ by as much as two fifths.",
        lambda: 1.35 < tangent_to_soft(PHOTOGRAPHS) < 1.45,
    ),
    (
        "Through the decoder it is expensive: *match on pixels* takes longer than *match+transport* on each data set.",
        lambda: all(cost(data).seconds_per_image[["match on pixels", BOTH]].idxmax() != BOTH for data in DATA_SETS),
    ),
    (
        "The published setting of *mgd3* takes twice the evaluations.",
        lambda: all(map(twice_the_evaluations, DATA_SETS)),
    ),
    (
        "Distribution matching takes longer than guided sampling on the two grey sets. Its price does not depend on "
        "the size of the denoiser, so on CIFAR-10 the two are level.",
        lambda: min(map(matching_to_guided, GRAY)) > 1.5 and 0.8 < matching_to_guided(PHOTOGRAPHS) < 1.25,
    ),
    (
        "Spread over a hundred images, as here, it makes it the most expensive row.",
        lambda: all(cost(data).seconds_per_image.idxmax() == "minimax" for data in DATA_SETS),
    ),
    (
        "On digits, more images of the plain pull than chance allows lie very near one. On CIFAR-10 more of *soft*, "
        "*transport* and *match+transport* do, four in ten of the last.",
        lambda: (
            nearer_than_chance("digits", "mode")
            and all(nearer_than_chance(PHOTOGRAPHS, row) for row in ("soft", "transport", BOTH))
            and audits(PHOTOGRAPHS)[BOTH]["nearer_share"] == 0.4
        ),
    ),
    (
        "The decoded targets, which are such means, show the same and more.",
        lambda: all(
            audits(data)["decoded targets"]["nearer_share"] > max(audits(data)[row]["nearer_share"] for row in PULLED)
            for data in DATA_SETS
        ),
    ),
    (
        "Matching alone comes no nearer than held-out images do.",
        lambda: all(nearer(data, "match")[0] < 0.05 for data in DATA_SETS),
    ),
    (
        "On CIFAR-10 nearly all of its images are still very near one. With half the steps most count as near "
        "duplicates.",
        lambda: (
            audits(PHOTOGRAPHS)[MATCHING]["nearer_share"] > 0.95 and audits(PHOTOGRAPHS)[SHORT]["near_duplicates"] > 50
        ),
    ),
    (
        "Membership is not given away: no AUC is far from one half.",
        lambda: all(abs(audit["membership_auc"] - 0.5) < 0.05 for data in DATA_SETS for audit in audits(data).values()),
    ),
    (
        "pulls come closer to them than unguided samples do. That of `mgd.distill`'s default is among them.",
        lambda: all(
            audits(data)[row]["median"] < audits(data)["unguided"]["median"]
            for data in DATA_SETS
            for row in ("mode", BOTH)
        ),
    ),
)
