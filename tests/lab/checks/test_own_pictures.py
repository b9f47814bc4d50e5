"""The tasks of the lab on photographs: each planted slip is told by its own sentence; other right ways pass."""

import pytest
import torch
from readers import told

from mgd_helpers.lab import checks


def box(width, height, *, side=None, share=0.5):
    side = min(width, height) if side is None else side
    left, top = int((width - side) * share), int((height - side) * share)
    return left, top, left + side, top + side


def filled(templates, name, count, *, first=0, each=1):
    return [templates[(first + number // each) % len(templates)].format(name=name) for number in range(count)]


def members(latents, groups, *, of=None, best=torch.argmin, within=False):
    found = []
    for rows in groups:
        flat = latents[rows].flatten(1)
        mean = flat.mean(0) if of is None else of(latents)
        place = int(best((flat - mean).norm(dim=1)))
        found.append(place if within else int(rows[place]))
    return found


def of_all(latents, groups):
    return [int((latents - latents[rows].mean(0)).flatten(1).norm(dim=1).argmin()) for rows in groups]


def unit(rows):
    return torch.cdist(rows, rows).fill_diagonal_(torch.inf).amin(1).median()


def near(images, photographs, *, over=torch.median, pick=torch.amin, power=1, leave_out=True):
    within = torch.cdist(photographs, photographs)
    if leave_out:
        within.fill_diagonal_(torch.inf)
    return (pick(torch.cdist(images, photographs), 1) / over(within.amin(1))) ** power


def dots(width, height, per_inch, *, inch=2.54):
    return round(width / inch * per_inch), round(height / inch * per_inch)


SLIPS = [  # (task, answer, part of the sentence)
    ("crop_box", lambda w, h: (0, 0, min(w, h), min(w, h)), "in the corner"),
    ("crop_box", lambda w, h: (0, 0, w, h), "the whole photograph"),
    ("crop_box", lambda w, h: box(w, h, side=max(w, h)), "take the shorter side"),
    ("crop_box", lambda w, h: (*box(w, h)[:2], min(w, h), min(w, h)), "where the square ends"),
    ("crop_box", lambda w, h: [box(w, h)[place] for place in (1, 0, 3, 2)], "left and top are exchanged"),
    ("crop_box", lambda w, h: box(w, h, share=1), "halve it"),
    ("crop_box", lambda w, h: ((w - h) / 2, 0, (w + h) / 2, h) if w > h else box(w, h), "whole numbers"),
    ("crop_box", lambda w, h: (round((w - h) / 3), 0, h, h), "not the square in the middle"),
    ("crop_box", lambda w, h: box(w, h)[:2], "four numbers are wanted"),
    ("crop_box", lambda w, h: ((w - h) // 2, 0, -(-(w + h) // 2), h) if w > h else box(w, h), "480 wide"),
    ("prompts", lambda t, name, count: (t * count)[:count], "still holds a brace"),
    ("prompts", lambda t, name, count: [one.replace("{name}", "cat") for one in t], "the name is missing"),
    ("prompts", lambda t, name, count: [t[0].format(name=name)] * count, "first template serves all"),
    ("prompts", lambda t, name, count: [one.format(name=name) for one in t], "after the last, begin again"),
    ("prompts", lambda *x: filled(*x, each=2), "repeated on the spot"),
    ("prompts", lambda *x: filled(*x, first=1), "begins with the second"),
    ("prompts", lambda t, name, count: filled(t, name, count + 1), "5 prompts are wanted"),
    ("prompts", lambda t, name, count: " ".join(filled(t, name, count)), "a list of texts"),
    ("prompts", lambda t, name, count: filled(t, name, count)[::-1], "not the templates in turn"),
    ("member_rows", lambda *x: members(*x, within=True), "places within each group"),
    ("member_rows", lambda *x: members(*x, best=torch.argmax), "farthest from the mean"),
    ("member_rows", lambda *x: members(*x, of=lambda z: z.flatten(1).mean(0)), "mean of all photographs"),
    ("member_rows", of_all, "no member of its group"),
    ("member_rows", lambda z, groups: [rows[0] for rows in groups], "the first of each group"),
    ("member_rows", lambda z, groups: torch.stack([z[rows].mean(0) for rows in groups]), "Means are no rows"),
    ("member_rows", lambda z, groups: [rows[1] for rows in groups], "not the members nearest"),
    ("nearness", lambda a, b: torch.cdist(a, b).amin(1), "has no unit yet"),
    ("nearness", lambda *x: near(*x, pick=torch.mean), "is averaged; the nearest decides"),
    ("nearness", lambda *x: near(*x, power=2), "squared distances"),
    ("nearness", lambda *x: near(*x, over=torch.mean), "the median is wanted"),
    ("nearness", lambda *x: near(*x, leave_out=False), "division by zero"),
    ("nearness", lambda a, b: torch.cdist(a, b).amin(1) / unit(a), "measured among the images"),
    ("nearness", lambda *x: near(*x, pick=torch.amax), "the farthest photograph"),
    ("nearness", lambda *x: near(*x).mean(), "one number for each image"),
    ("nearness", lambda *x: near(*x) + 1, "no distance to the nearest"),
    ("poster_pixels", lambda w, h, d: (w * d, h * d), "taken for inches"),
    ("poster_pixels", lambda *x: dots(*x, inch=1 / 2.54), "divide by 2.54"),
    ("poster_pixels", lambda *x: dots(*x)[::-1], "width comes first"),
    ("poster_pixels", lambda w, h, d: (w / 2.54, h / 2.54), "these are inches"),
    ("poster_pixels", lambda w, h, d: (w / 2.54 * d, h / 2.54 * d), "no part of a pixel"),
    ("poster_pixels", lambda *x: dots(*x, inch=2.5), "are not 2520 pixels"),
    ("poster_pixels", lambda *x: dots(*x)[0] * dots(*x)[1], "two numbers are wanted"),
]

RIGHT = [  # right in another way than the book's
    ("crop_box", lambda w, h: torch.tensor(box(w, h))),
    ("crop_box", lambda w, h: ((w - h + 1) // 2, 0, (w - h + 1) // 2 + h, h) if w > h else box(w, h)),
    ("prompts", lambda *x: tuple(filled(*x))),
    ("member_rows", lambda *x: torch.tensor(members(*x))),
    ("nearness", near),
    ("nearness", lambda *x: near(*x).numpy()),
    ("poster_pixels", lambda w, h, d: (int(w / 2.54 * d), int(h / 2.54 * d))),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert told(SLIPS, name, answer) == [sentence]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."
