"""Is one way of making sets better than another? Paired differences of accuracy with intervals; robust scores.

δ_g = mean over students t of (a_gt - b_gt); the answer is mean(δ) ± t(G - 1) · sd(δ) / √G over the G generated sets.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.evaluation.intervals import middle

METHODS = ("t", "bootstrap")
UNKNOWN = (math.nan, math.nan), 1.0  # interval and p-value where all sets differ by the same


@dataclass(frozen=True)
class Difference:
    """Mean of a - b with its interval, from `sets` pairs of sets with `students` students each.

    `verdict` is "better" or "worse" (of a) where the interval leaves zero out, else "not told apart"; `p_value` is
    two-sided, for `holm`. Pooled over data sets, `sets` is the number of all, `students` the least. Where all sets
    differ by the same, their spread is not known: the interval is NaN, the p-value 1.
    """

    mean: float
    low: float
    high: float
    sets: int
    students: int
    verdict: str
    p_value: float

    def __str__(self) -> str:
        return (
            f"{self.mean:+.4f} ({self.low:+.4f} to {self.high:+.4f}; {self.sets} sets, {self.students} students each): "
            f"{self.verdict}"
        )


def paired_difference(
    a: Float[Tensor, "sets students"] | Sequence[Sequence[float]],
    b: Float[Tensor, "sets students"] | Sequence[Sequence[float]],
    *,
    confidence: float = 0.95,
    method: str = "t",
    rounds: int = 10_000,
    seed: int = 0,
) -> Difference:
    """Compare accuracies [G, T] of two ways `a` and `b`: G sets, the same noise in row g, the same student in [g, t].

    `"t"` (default) is Student's interval on the G differences of set means. `"bootstrap"` draws sets with replacement,
    then students within each set drawn, the same for a and b, and takes percentiles of `rounds` means.

    Few sets make the bootstrap too narrow: no percentile of means of G numbers leaves their range, so with one student
    it covers at most 1 - 2^(1 - G), 75 % for three sets. Simulated coverage of nominal 95 % (1,500 normal draws, sets
    spread as much as students):

    ====  ====  ====  ==========  ==================  ====
    G     T     t     bootstrap   of set means alone  BCa
    ====  ====  ====  ==========  ==================  ====
    3     1     95    74          74                  72
    3     3     95    84          75                  73
    5     1     95    84          84                  84
    5     3     94    90          82                  82
    10    1     94    90          90                  89
    10    3     95    94          89                  90
    ====  ====  ====  ==========  ==================  ====

    Where sets do not differ at all, drawing students too makes the bootstrap too wide (98 % for G = 10, T = 3); t stays
    at 95. Neither sees what all sets share: where the same T student seeds serve every set and favour one way, half as
    much as sets differ, t covers 84 to 95 % (worst for ten sets and one student). Give every set student seeds of its
    own, the same for a and b, and this is gone.

    Raises `ValueError` for less than two sets, unequal shapes, or accuracies that are not finite.
    """
    differences = _differences(a, b)
    confidence, method = _confidence(confidence), arguments.one_of("method", method, METHODS)
    rounds, seed = arguments.whole("rounds", rounds, at_least=1), arguments.whole("seed", seed, at_least=0)
    if method == "t":
        return _difference([differences], confidence)
    if _variance(differences.flatten()) == 0:
        return _judged([differences], *UNKNOWN)
    means = _resampled_means(differences, rounds, seed)
    beyond = min((means <= 0).sum().item(), (means >= 0).sum().item())
    p_value = min(1.0, 2 * (beyond + 1) / (rounds + 1))  # never zero: more rounds might have found one
    return _judged([differences], middle(means, share=confidence), p_value)


def pooled_difference(
    pairs: Sequence[tuple[Float[Tensor, "_ _"] | Sequence[Sequence[float]], ...]], *, confidence: float = 0.95
) -> Difference:
    """The mean over data sets of `paired_difference`: what a user of another one may expect, were they alike.

    `pairs` has (a, b) of each data set, both [sets, students]; numbers of sets may differ. Every data set counts as
    much and keeps its own spread, so the interval is Welch's (Welch 1947), and for one data set Student's. It speaks of
    these data sets and other seeds of them, not of data sets unseen.

    Raises `ValueError` like `paired_difference`, and for no pairs.

    >>> print(pooled_difference([([[0.5], [0.6]], [[0.4], [0.4]]), ([[0.7], [0.8]], [[0.7], [0.7]])]))
    +0.1000 (-0.0521 to +0.2521; 4 sets, 1 students each): not told apart
    """
    if len(pairs) == 0 or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"pairs must hold (a, b) of each data set, one at least; got {[len(pair) for pair in pairs]}.")
    return _difference([_differences(a, b) for a, b in pairs], _confidence(confidence))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values for all comparisons of a table at once (Holm, 1979): below 0.05, each errs in 5 % of tables at most.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    p_values = [arguments.number(f"p_values[{i}]", p, at_least=0, at_most=1) for i, p in enumerate(p_values)]
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def label_robust_score(
    *, real_hard: float, generated_hard: float, generated_any: float, random_any: float, weight: float = 0.5
) -> float:
    """DD-Ranking's label-robust score (arXiv 2505.13300), in [0, 1]: what images are worth apart from soft labels.

    α = w (generated_any - random_any) - (1 - w) (real_hard - generated_hard), normalised as (e^α - e^-1) / (e - e^-1).
    `hard` is trained on hard labels; `any` with the labels of the method's own recipe, which `random_any` gives to
    random real images, as many. Accuracies are fractions: no gain and no loss is 0.269. The original code feeds
    percentages, for which the exponential saturates: every α below -5 points reads -0.156, and +5 points read 63.

    Raises `ValueError` for accuracies outside [0, 1].
    """
    _check_fractions(locals())
    gain, gap = generated_any - random_any, real_hard - generated_hard
    return _normalized(weight * gain - (1 - weight) * gap)


def augmentation_robust_score(
    *,
    generated_augmented: float,
    random_augmented: float,
    generated_plain: float,
    random_plain: float,
    weight: float = 0.5,
) -> float:
    """DD-Ranking's augmentation-robust score (arXiv 2505.13300), in [0, 1]: the gain over random images, twice.

    β = w (generated_augmented - random_augmented) + (1 - w) (generated_plain - random_plain), with and without data
    augmentation; normalised like `label_robust_score`, and as much in need of fractions.
    """
    _check_fractions(locals())
    augmented, plain = generated_augmented - random_augmented, generated_plain - random_plain
    return _normalized(weight * augmented + (1 - weight) * plain)


def _differences(a: Any, b: Any) -> Tensor:
    """a - b as float64 on the CPU, once both are found fit."""
    a, b = (_accuracies(side) for side in (a, b))
    if a.shape != b.shape or a.ndim != 2 or len(a) < 2 or a.shape[1] == 0:
        raise ValueError(
            f"a and b must be accuracies [sets, students] of equal shape, of two sets at least; got {list(a.shape)} "
            f"and {list(b.shape)}. One student per set is a column, [sets, 1]."
        )
    if not (a.isfinite().all() and b.isfinite().all()):
        raise ValueError("a and b must be finite; got NaN or infinite accuracies. Find out where they arise.")
    return a - b


def _accuracies(side: Any) -> Tensor:
    try:
        if torch.as_tensor(side).dtype != torch.bool:  # right and wrong answers are no accuracies
            return torch.as_tensor(side, dtype=torch.float64).detach().cpu()
    except (ValueError, TypeError, RuntimeError):  # text, or rows of unequal length
        pass
    raise ValueError(
        f"a and b must be accuracies [sets, students], numbers in rows of equal length; got {side!r}. Compare only the "
        "students that both have."
    )


def _confidence(confidence: Any) -> float:
    return arguments.number("confidence", confidence, above=0, below=1)


def _difference(groups: list[Tensor], confidence: float) -> Difference:
    """Student's interval of one group of differences, Welch's of several."""
    from scipy import stats

    of_sets = [differences.mean(1) for differences in groups]
    mean = statistics.mean(values.mean().item() for values in of_sets)
    squares = [_variance(values) / len(values) for values in of_sets]  # of the standard error of each group's mean
    error = math.sqrt(sum(squares)) / len(groups)
    if error == 0:
        return _judged(groups, *UNKNOWN)
    freedom = sum(squares) ** 2 / sum(
        square**2 / (len(values) - 1) for square, values in zip(squares, of_sets, strict=True)
    )
    half = stats.t.ppf((1 + confidence) / 2, freedom) * error
    return _judged(groups, (mean - half, mean + half), float(2 * stats.t.sf(abs(mean) / error, freedom)))


def _variance(values: Tensor) -> float:
    """The variance; zero for values that are equal but for rounding.

    Accuracies are counts of images, so differences of few sets are often equal by luck, which is no certainty.
    """
    return values.var().item() if values.max() - values.min() > 1e-9 else 0.0


def _judged(groups: list[Tensor], interval: tuple[float, float], p_value: float) -> Difference:
    low, high = interval
    verdict = "better" if low > 0 else "worse" if high < 0 else "not told apart"
    mean = statistics.mean(differences.mean().item() for differences in groups)
    sets, students = sum(map(len, groups)), min(differences.shape[1] for differences in groups)
    return Difference(mean, low, high, sets, students, verdict, p_value)


def _resampled_means(differences: Tensor, rounds: int, seed: int) -> Tensor:
    sets, students = differences.shape
    generator = seeding.generator(seed)
    rows = torch.randint(sets, (rounds, sets, 1), generator=generator)
    return differences[rows, torch.randint(students, (rounds, sets, students), generator=generator)].mean((1, 2))


def _check_fractions(values: dict[str, Any]) -> None:
    for name, value in values.items():
        arguments.number(name, value, at_least=0, at_most=1, remedy="Divide percentages by 100.")


def _normalized(exponent: float) -> float:
    return (math.exp(exponent) - math.exp(-1)) / (math.e - math.exp(-1))
