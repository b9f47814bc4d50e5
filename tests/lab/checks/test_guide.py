"""The tasks of the lab on guidance: planted slips are told apart, each by its own sentence; other right ways pass."""

import pytest
import torch
from readers import told

from mgd_helpers.lab import checks


def two_stage(targets, mean, strength, *, use=True):
    def guide(denoised, level):
        goal = level.share * mean + (1 - level.share) * targets
        return denoised + (strength if use else 0.5) * (goal - denoised)

    return guide


def in_place(targets, mean, strength):
    return lambda denoised, level: denoised.add_(strength * (targets - denoised))


def by_signal(targets, mean, strength):
    return lambda denoised, level: denoised + strength * (level.sample / level.signal - denoised)


def manifold(d, c, along, s, b, *, keep=None):
    pull = c - d
    normal = pull - along(pull) if keep is None else keep(pull, along)
    return d + s * (pull - b * normal)


def fit(off, stops, limit):
    return [stop for stop in stops if off(stop) <= limit]


SLIPS = [  # (task, answer, part of the sentence)
    ("mode_pull", lambda d, c, s: d - s * (c - d), "moves away"),
    ("mode_pull", lambda d, c, s: d + s * c, "adds the target itself"),
    ("mode_pull", lambda d, c, s: c + s * (d - c), "at strength 0"),
    ("mode_pull", lambda d, c, s: d + s**2 * (c - d), "three tenths"),
    ("mode_pull", lambda d, c, s: d + s * (c - d) / (c - d).flatten(1).norm(dim=1).view(-1, 1, 1, 1), "equally far"),
    ("mode_pull", lambda d, c, s: (d + s * (c - d)).mean(0), "keeps its shape"),
    ("mode_pull", lambda d, c, s: d + min(s, 0.3) * (c - d), "land on its target"),
    ("shift_epsilon", lambda e, x, a, n: e + a / n * x, "mind the sign"),
    ("shift_epsilon", lambda e, x, a, n: e - n / a * x, "upside down"),
    ("shift_epsilon", lambda e, x, a, n: -a / n * x, "the change alone"),
    ("shift_epsilon", lambda e, x, a, n: e - a * x, "divide by it"),
    ("shift_epsilon", lambda e, x, a, n: e - x / n, "of its own, the signal"),
    ("shift_epsilon", lambda e, x, a, n: e + x, "as if it were the clean"),
    ("shift_epsilon", lambda e, x, a, n: e, "not the shifted one"),
    ("shift_v_or_flow", lambda o, x, a, n, kind: o + x / n, "less of the output"),
    ("shift_v_or_flow", lambda o, x, a, n, kind: o - a / n * x, "the factor for epsilon"),
    ("shift_v_or_flow", lambda o, x, a, n, kind: -x / n, "the change alone"),
    ("shift_v_or_flow", lambda o, x, a, n, kind: o - n * x, "divide by it"),
    ("shift_v_or_flow", lambda o, x, a, n, kind: o + x, "as if it were the clean"),
    ("shift_v_or_flow", lambda o, x, a, n, kind: o - x / (n if kind == "v" else a), "for kind 'flow'"),
    ("shift_v_or_flow", lambda o, x, a, n, kind: o - x / a, "for kind 'v'"),
    ("own_guidance", lambda *x: two_stage(*x, use=False), "is it used"),
    ("own_guidance", lambda c, m, s: c, "returns latents"),
    ("own_guidance", in_place, "in place"),
    ("own_guidance", by_signal, "NaN or infinite"),
    ("own_guidance", lambda c, m, s: lambda d, level: d, "at any noise share"),
    ("own_guidance", lambda c, m, s: lambda d, level: d.mean(0), "keeps the shape"),
    ("own_guidance", lambda c, m, s: 3.0, "return a function that takes .denoised, level.\\."),
    ("manifold_pull", lambda d, c, p, s, b: d + s * (c - d - p(c - d)), "keeps the normal part"),
    ("manifold_pull", lambda d, c, p, s, b: d + s * (c - d), "the mode pull: softness"),
    ("manifold_pull", lambda d, c, p, s, b: d + s * (p(c) - d), "projects the target"),
    ("manifold_pull", lambda d, c, p, s, b: s * p(c - d), "the shift alone"),
    ("manifold_pull", lambda d, c, p, s, b: d + s * p(c - d), "plays no part"),
    ("manifold_pull", lambda d, c, p, s, b: manifold(d, c, p, s, 1.0 if b == 1 else 1 - b), "wrong way round"),
    ("manifold_pull", lambda d, c, p, s, b: manifold(d, c, p, s, b**2), "blends two"),
    ("manifold_pull", lambda d, c, p, s, b: manifold(d, c, p, 2 * s, b), "only the tangent part"),
    ("smallest_stop", lambda off, stops, limit: min(stops, key=off), "least distance"),
    ("smallest_stop", lambda off, stops, limit: max(fit(off, stops, limit)), "the largest stop"),
    ("smallest_stop", lambda off, stops, limit: off(min(fit(off, stops, limit))), "this is a distance"),
    ("smallest_stop", lambda off, stops, limit: stops.index(min(fit(off, stops, limit))), "a place in the list"),
    ("smallest_stop", lambda off, stops, limit: min(x for x in stops if off(x) > limit), "wrong way round"),
    ("smallest_stop", lambda off, stops, limit: min(x for x in stops if off(x) < limit), "equals the limit"),
    ("smallest_stop", lambda off, stops, limit: fit(off, stops, limit)[0], "in any order"),
]

RIGHT = [  # right in another way than the book's
    ("mode_pull", lambda d, c, s: (1 - s) * d + s * c),
    ("mode_pull", lambda d, c, s: torch.lerp(d, c, s)),
    ("shift_epsilon", lambda e, x, a, n: (e * n - a * x) / n),
    ("shift_v_or_flow", lambda o, x, a, n, kind: (o * n - x) / n),
    ("own_guidance", two_stage),
    ("own_guidance", lambda c, m, s: lambda d, level: d if level.share < 0.5 else d + s * (m - d)),
    ("manifold_pull", manifold),
    ("manifold_pull", lambda d, c, p, s, b: d + s * ((1 - b) * (c - d) + b * p(c - d))),
    ("smallest_stop", lambda off, stops, limit: next(x for x in sorted(stops) if off(x) <= limit)),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert told(SLIPS, name, answer) == [sentence]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."
