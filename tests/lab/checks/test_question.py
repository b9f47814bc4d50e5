"""The tasks of the first lab: planted slips are told apart, each by its own sentence; other right ways pass."""

import pytest
import torch
from readers import told

from mgd_helpers.lab import checks


def far_apart(images):
    chosen = [int(torch.cdist(images.mean(0, keepdim=True), images).argmin())]
    while len(chosen) < 10:
        chosen.append(int(torch.cdist(images, images[chosen]).min(1).values.argmax()))
    return chosen


SLIPS = [  # (task, answer, part of the sentence)
    ("nearest_label", lambda q, x, y: torch.cdist(q, x).argmin(1), "not the label that stands there"),
    ("nearest_label", lambda q, x, y: y[torch.cdist(q, x).argmax(1)], "farthest"),
    ("nearest_label", lambda q, x, y: y[torch.cdist(q, x).argmin(0) % 9], "wrong axis"),
    ("nearest_label", lambda q, x, y: y.mode().values.expand(len(q)), "most frequent"),
    ("nearest_label", lambda q, x, y: y[(q @ x.T).argmax(1)], "scalar product"),
    ("nearest_label", lambda q, x, y: y[:1].expand(len(q)) + 1, "not the labels of the nearest"),
    ("nearest_label", lambda q, x, y: y[0], "shape should be"),
    ("choose_ten", lambda x: torch.arange(9), "ten rows are wanted"),
    ("choose_ten", lambda x: torch.arange(10) + len(x), "whole numbers from 0"),
    ("choose_ten", lambda x: torch.zeros(10), "chosen twice"),
    ("choose_ten", lambda x: torch.cdist(x[:1], x)[0].argsort()[:10], "a rule should beat more than half"),
    ("promised_and_kept", lambda a, b: (a.max(), b.max()), "its own best"),
    ("promised_and_kept", lambda a, b: (a.mean(), b.mean()), "mean of all draws"),
    ("promised_and_kept", lambda a, b: (b[a.argmax()], a.max()), "exchanged"),
    ("promised_and_kept", lambda a, b: (b.max(), a[b.argmax()]), "second half has chosen"),
    ("promised_and_kept", lambda a, b: (a.min(), b[a.argmin()]), "looked worst"),
    ("promised_and_kept", lambda a, b: (a.max(), a.max()), "same half twice"),
    ("promised_and_kept", lambda a, b: (a[0], b[0]), "not the two values"),
    ("promised_and_kept", lambda a, b: (a, b), "one number each"),
    ("promised_and_kept", lambda a, b: a.max(), "should return promised and kept"),
]

RIGHT = [  # right in another way than the book's
    ("nearest_label", lambda q, x, y: [y[((row - x) ** 2).sum(1).argmin()] for row in q]),
    ("choose_ten", far_apart),
    ("promised_and_kept", lambda a, b: max(zip(a.tolist(), b.tolist(), strict=True))),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert told(SLIPS, name, answer) == [sentence]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."
