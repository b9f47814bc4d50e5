"""Sentences on one image per class and on fifty, and on another student."""

from __future__ import annotations

from studies import report
from studies.claims.verdicts import (
    BETTER,
    MATCHING,
    SAME,
    in_the_mean,
    lead_of_matching,
    pooled,
    single,
    verdicts_of_guided,
)
from studies.data_sets import test_images
from studies.report import GUIDED


def one_image_of_a_resnet() -> bool:
    table = pooled(1, "resnet18")
    far_behind = table.difference.abs().idxmax() == MATCHING and table.high[MATCHING] < -0.1
    return far_behind and set(table.verdict.dropna()) == {SAME}


def lucky_interval() -> bool:
    tangent = single("fashion_mnist", 50, "resnet18").loc["tangent"]
    sets = report.main_scores("fashion_mnist", 50, "resnet18")
    first, second = (ours - theirs for [ours], [theirs] in zip(sets["tangent"], sets["unguided"], strict=True))
    images_apart = round(abs(first - second) * test_images("fashion_mnist"), 3)
    return tangent.verdict == BETTER and tangent.high - tangent.low < 0.0015 and images_apart == 1


CLAIMS = (
    # one image, fifty images
    (
        "and the decoded target itself, blurred as it is, is at least as good as any of them.",
        lambda: pooled(1).accuracy["decoded targets"] > pooled(1).accuracy[[*GUIDED]].max(),
    ),
    ("An image drawn at random is worth least.", lambda: pooled(1).accuracy.idxmin() == "random real"),
    (
        "With fifty images, no guided row is told apart from the unguided pipeline, and there are two sets only to "
        "tell.",
        lambda: verdicts_of_guided(pooled(50)) == {SAME} and set(pooled(50).sets) == {2},
    ),
    (
        "Fifty real images drawn at random are now as good as those nearest to the targets, and the interval of their "
        "lead over the unguided pipeline leaves zero out:",
        lambda: (
            in_the_mean("random real", "nearest real", 50) == SAME
            and in_the_mean("random real", "unguided", 50) == BETTER
        ),
    ),
    (
        "A ConvNet still learns most from distribution matching.",
        lambda: pooled(50).accuracy.idxmax() == MATCHING,
    ),
    # another student
    (
        "The plain pull is again ahead of the unguided pipeline, by an interval that leaves zero out but does not "
        "survive the counting of all rows.",
        lambda: (
            in_the_mean("mode", "unguided", network="resnet18") == BETTER
            and pooled(10, "resnet18").verdict["mode"] == SAME
        ),
    ),
    (
        "On CIFAR-10 its lead over the unguided pipeline shrinks from nine points to one or two:",
        lambda: lead_of_matching("convnet3") > 0.09 and 0.01 < lead_of_matching("resnet18") < 0.02,
    ),
    (
        "With one image per class there are two sets, and between two seeds rows move by many points.",
        lambda: (pooled(1, "resnet18").high - pooled(1, "resnet18").low).drop(["nearest real", "minimax"]).min() > 0.15,
    ),
    (
        "The widest gap is that of distribution matching, far behind an unguided sample; it, too, does not survive "
        "the counting of all rows.",
        one_image_of_a_resnet,
    ),
    (
        "With fifty there are two sets as well, and over the three data sets no row is told apart.",
        lambda: set(pooled(50, "resnet18").verdict.dropna()) == {SAME} and set(pooled(50, "resnet18").sets) == {2},
    ),
    (
        "Distribution matching, six points ahead for a ConvNet, is not one point ahead for a ResNet.",
        lambda: pooled(50).difference[MATCHING] > 0.06 and 0 < pooled(50, "resnet18").difference[MATCHING] < 0.01,
    ),
    (
        "a ResNet learns more from the unguided pipeline than from as many real images drawn at random, by an interval "
        "that leaves zero out.",
        lambda: single("cifar10", 50, "resnet18").high["random real"] < 0,
    ),
    (
        "On Fashion-MNIST the two differences of the *tangent* happen to agree within one test image in ten thousand. "
        "Student's interval takes this for precision, and even survives the counting.",
        lucky_interval,
    ),
)
