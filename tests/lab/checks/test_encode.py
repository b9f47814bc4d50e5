"""Tasks of lab 3: planted slips are told apart, each by its own sentence; other right ways pass."""

import pytest
import torch
from readers import told

import mgd_helpers as mgd
from mgd_helpers.lab import checks
from mgd_helpers.lab.checks.encode import PLANTED, times_scaled


def parts(vae, images):
    """Posterior, shift and scale."""
    return vae.encode(images).latent_dist, vae.config.shift_factor or 0.0, vae.config.scaling_factor


def encoded(formula):
    """An answer that makes latents of mean, shift and scale by a formula."""

    def answer(vae, images):
        posterior, shift, scale = parts(vae, images)
        return formula(posterior.mean, shift, scale)

    return answer


def drawn(vae, images):
    posterior, shift, scale = parts(vae, images)
    return (posterior.sample() - shift) * scale


def needs_a_shift(vae, images):
    return (vae.encode(images).latent_dist.mean - vae.config.shift_factor) * vae.config.scaling_factor


def invents_a_shift(vae, images):
    posterior, shift, scale = parts(vae, images)
    return (posterior.mean - (shift or 1.0)) * scale


def distances(latents, images):
    far = torch.cdist(latents.flatten(1), latents.flatten(1)).fill_diagonal_(float("inf"))
    return far, torch.cdist(images.flatten(1), images.flatten(1))


def place(table, pick):
    return divmod(int(pick(table)), len(table))


def among(near_to, then, pick, *, else_value):
    """The pair that `pick` finds in one table, of those that are near in the other."""

    def answer(latents, images, near):
        tables = distances(latents, images)
        return place(torch.where(tables[near_to] <= near, tables[then], else_value), pick)

    return answer


def alike_images(latents, images, near):
    far, unlike = distances(latents, images)
    unlike.fill_diagonal_(float("inf"))
    return place(torch.where(unlike <= near, far, -1.0), torch.argmax)


def biggest_ratio(latents, images, near):
    far, unlike = distances(latents, images)
    return place(unlike / far, torch.argmax)


SLIPS = [  # (task, answer, part of the sentence)
    ("encode_by_hand", drawn, "draw from the posterior"),
    ("encode_by_hand", encoded(lambda m, b, s: m - b), "scale is missing"),
    ("encode_by_hand", encoded(lambda m, b, s: (m - b) / s), "divides by the scale"),
    ("encode_by_hand", encoded(lambda m, b, s: (m - b) * s * s), "scales twice"),
    ("encode_by_hand", encoded(lambda m, b, s: m * s), "shift is missing"),
    ("encode_by_hand", encoded(lambda m, b, s: (m + b) * s), "shift is added"),
    ("encode_by_hand", encoded(lambda m, b, s: m * s - b), "after scaling"),
    ("encode_by_hand", lambda vae, images: parts(vae, images)[0].std, "how wide the posterior"),
    ("encode_by_hand", lambda vae, images: parts(vae, images)[0].parameters, "twice the channels"),
    ("encode_by_hand", lambda vae, images: mgd.encode(vae, (images + 1) / 2), "hand them over unchanged"),
    ("encode_by_hand", lambda vae, images: mgd.decode(vae, mgd.encode(vae, images)), "an image again"),
    ("encode_by_hand", invents_a_shift, "nothing is taken away"),
    ("encode_by_hand", needs_a_shift, "raised TypeError"),
    ("encode_by_hand", lambda vae, images: mgd.encode(vae, images)[:1], r"shape should be \[3, 4, 8, 8\]"),
    ("encode_by_hand", lambda vae, images: -mgd.encode(vae, images), "not the scaled means"),
    ("encode_by_hand", lambda vae, images: parts(vae, images)[0], "made of numbers"),
    ("guided", lambda c, n, w: n - w * (c - n), "leads away from the class"),
    ("guided", lambda c, n, w: c + w * (n - c), "exchanged"),
    ("guided", lambda c, n, w: c + w * (c - n), "one too many"),
    ("guided", lambda c, n, w: w * (c - n), "the change alone"),
    ("guided", lambda c, n, w: n + w * c, "added whole"),
    ("guided", lambda c, n, w: w * c, "plays no part"),
    ("guided", lambda c, n, w: n + w**2 * (c - n), "as much as the first"),
    ("guided", lambda c, n, w: (c + n) / 2, "at w = 0"),
    ("guided", lambda c, n, w: n, "at w = 1"),
    ("guided", lambda c, n, w: (c + w * (c - n))[:1], "shape should stay"),
    ("unlike_pair", among(0, 0, torch.argmin, else_value=float("inf")), "two nearest latents"),
    ("unlike_pair", among(0, 1, torch.argmin, else_value=float("inf")), "most alike images"),
    ("unlike_pair", biggest_ratio, "for its distance"),
    ("unlike_pair", lambda z, x, near: place(distances(z, x)[1], torch.argmax), "apart than `near`"),
    ("unlike_pair", alike_images, "near latents are wanted"),
    ("unlike_pair", lambda z, x, near: (13, 12), "more unlike than these"),
    ("unlike_pair", lambda z, x, near: (7, 7), "no pair with itself"),
    ("unlike_pair", lambda z, x, near: (0.5, 2), "whole numbers"),
    ("unlike_pair", lambda z, x, near: 7, "two rows are wanted"),
]

RIGHT = [  # right in another way than the book's
    ("encode_by_hand", mgd.encode),
    ("encode_by_hand", lambda vae, images: encoded(lambda m, b, s: s * m - s * b)(vae, images).double()),
    ("guided", lambda c, n, w: w * c + (1 - w) * n),
    ("guided", lambda c, n, w: torch.lerp(n, c, w)),
    ("unlike_pair", lambda z, x, near: torch.tensor([[19, 7]])),
    ("unlike_pair", among(0, 1, torch.argmax, else_value=-1.0)),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert set(told(SLIPS, name, answer)) == {sentence}


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."


def test_the_planted_pairs_are_what_the_judge_takes_them_for():
    """The answer is the most unlike of the near pairs, and none of the slips."""
    near = [pair for pair in PLANTED if pair[2] <= 1]
    assert max(near, key=lambda pair: pair[3])[:2] == (7, 19)
    assert min(near, key=lambda pair: pair[2])[:2] == (2, 8) and min(near, key=lambda pair: pair[3])[:2] == (1, 14)
    assert max(near, key=lambda pair: pair[3] / pair[2])[:2] == (3, 11)


def test_three_sizes_of_latents_are_put_in_order(capsys):
    times_scaled.lock(["once", "twice"])
    assert "a list is wanted, of never, once, twice" in capsys.readouterr().out
