"""Sentences of the first page: the four results, means over three data sets as a ConvNet sees them."""

from __future__ import annotations

from studies.claims.rows import training_the_pixels_is_best
from studies.claims.verdicts import BETTER, BOTH, SAME, WORSE, pooled


def told(row: str, base: str, points: float, verdict: str, images_per_class: int = 10) -> bool:
    """Whether row minus base is so many points in the mean, with this verdict among all rows."""
    line = pooled(images_per_class, base=base).loc[row]
    return (round(100 * line.difference, 1), line.verdict) == (points, verdict)


CLAIMS = (
    (
        "Images that were pulled teach a network 1.8 points more than unguided ones.",
        lambda: told("mode", "unguided", 1.8, BETTER),
    ),
    (
        "Images that were pulled along the manifold only teach 0.7 points less.",
        lambda: told("tangent", "mode", -0.7, WORSE),
    ),
    (
        "The plain pull is 0.3 points ahead of it, and that is not told apart from zero.",
        lambda: told("mode", "nearest real", 0.3, SAME),
    ),
    (
        "It is 4.0 points ahead of unguided images, and 2.5 points ahead of the real ones.",
        lambda: told(BOTH, "unguided", 4.0, BETTER) and told(BOTH, "nearest real", 2.5, BETTER),
    ),
    (
        "With one image of each class the pull gains 6.0 points.",
        lambda: told("mode", "unguided", 6.0, BETTER, images_per_class=1),
    ),
    (
        "Training the pixels still beats all four, for the kind of network that it was made with.",
        training_the_pixels_is_best,
    ),
)
