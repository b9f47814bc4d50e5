"""A held-out part of data that come without one: of each class the same share, drawn by a seed."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real

import torch

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Int, Tensor
from mgd_helpers.data.free_memory import check_memory
from mgd_helpers.data.image_sets import Dataset

SHARE = 0.2  # that is held out, unless told otherwise


def split_rows(
    labels: Int[Tensor, " n"], share: float | Real, seed: int
) -> tuple[Int[Tensor, " k"], Int[Tensor, " m"]]:
    """Rows that stay for training, and rows that are held out, each ascending; no class depends on another one.

    Of each class `share` is held out, rounded, but at least one image where it has two, and never all of them.

    >>> import torch
    >>> kept, held_out = split_rows(torch.tensor([0, 0, 0, 0, 1, 1, 2]), 0.25, seed=0)
    >>> len(kept), len(held_out)
    (5, 2)
    """
    share = arguments.number("split", share, above=0, below=1)
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique().tolist():
        rows = (labels.cpu() == label).nonzero()[:, 0]
        count = min(max(round(share * len(rows)), 1), len(rows) - 1)
        held_out[rows[torch.randperm(len(rows), generator=seeding.generator(seed, label))[:count]]] = True
    return (~held_out).nonzero()[:, 0].to(labels.device), held_out.nonzero()[:, 0].to(labels.device)


def with_test(data: Dataset, share: float | Real | None) -> tuple[Dataset, str]:
    """The data with a test split, and a sentence where it is new: `share` of each class, drawn by seed 0.

    Data that have one stay as they are, and so do all where `share` is `None`.
    """
    if len(data.test) or share is None:
        return data, ""
    check_memory(len(data.train), data.train.shape[1:], data.name, bytes_each=data.train.kept.itemsize)  # copies
    kept, held_out = split_rows(data.train.labels, share, seed=0)
    said = f"{data.name!r} has no test split: {len(held_out)} of its {len(data.train)} images are held out for it."
    return replace(data, train=data.train.take(kept), test=data.train.take(held_out)), said


def hold_out(data: Dataset, share: float | Real) -> Dataset:
    """The data with a test split of `share` of each class; `note` and `found` say so.

    Raises `ValueError` for data that have one.
    """
    if len(data.test):
        raise ValueError(f"split must be left out for data with a test split; {data.name!r} has one. Got {share!r}.")
    held_out, said = with_test(data, share)
    join = " ".join
    return replace(
        held_out,
        note=join(filter(None, [data.note, said])),
        found=join(filter(None, [data.found, said])),
    )
