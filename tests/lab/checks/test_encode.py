"""The first tasks of lab 3: planted slips are told apart, each by its own sentence; other right ways pass."""

import pytest
from readers import told

import mgd_helpers as mgd
from mgd_helpers.lab import checks
from mgd_helpers.lab.checks.encode import times_scaled


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
]

RIGHT = [  # right in another way than the book's
    ("encode_by_hand", mgd.encode),
    ("encode_by_hand", lambda vae, images: encoded(lambda m, b, s: s * m - s * b)(vae, images).double()),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert set(told(SLIPS, name, answer)) == {sentence}


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."


def test_three_sizes_of_latents_are_put_in_order(capsys):
    times_scaled.lock(["once", "twice"])
    assert "a list is wanted, of never, once, twice" in capsys.readouterr().out
