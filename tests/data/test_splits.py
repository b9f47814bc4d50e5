import pytest
import torch

from mgd_helpers.data.splits import split_rows


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.99])
def test_every_row_is_on_one_side_and_every_class_on_both(share):
    labels = torch.arange(300) % 7
    train, held = split_rows(labels, share, 3)
    assert torch.cat([train, held]).sort().values.tolist() == list(range(300))
    assert train.tolist() == sorted(train.tolist()) and held.tolist() == sorted(held.tolist())
    for side, part in ((train, 1 - share), (held, share)):
        counts = labels[side].bincount(minlength=7)
        assert (counts >= 1).all() and ((counts - part * labels.bincount()).abs() <= 1).all()


def test_what_is_drawn_goes_by_the_seed_and_by_the_class_alone():
    labels = [0, 1] * 20
    first = split_rows(labels, 0.5, 0)[1]
    assert torch.equal(first, split_rows(labels, 0.5, 0)[1]) and not torch.equal(first, split_rows(labels, 0.5, 1)[1])
    without = split_rows([0, 2] * 20, 0.5, 0)[1]
    assert first[first % 2 == 0].tolist() == without[without % 2 == 0].tolist()


def test_the_only_image_of_a_class_is_trained_on():
    assert [rows.tolist() for rows in split_rows([0, 1], 0.5)] == [[0, 1], []]


@pytest.mark.parametrize("share", [0, 1, -0.2, float("nan"), True])
def test_a_share_lies_between_nothing_and_all(share):
    with pytest.raises(ValueError, match="share must be a number"):
        split_rows([0, 0], share)
