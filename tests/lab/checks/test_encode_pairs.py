"""The last task of lab 3: planted slips are told apart, each by its own sentence; other right ways pass."""

import pytest
import torch
from readers import told

from mgd_helpers.lab import checks
from mgd_helpers.lab.checks.encode_pairs import PLANTED


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
