import dataclasses

import pytest
import torch

from mgd_helpers.data.splits import hold_out, split_rows, with_test

LABELS = torch.tensor([0] * 10 + [1] * 50 + [2] + [3] * 2)[
    torch.randperm(63, generator=torch.Generator().manual_seed(0))
]


@pytest.mark.parametrize(("share", "counts"), [(0.2, [2, 10, 0, 1]), (0.01, [1, 1, 0, 1]), (0.99, [9, 49, 0, 1])])
def test_every_class_gives_its_share_and_keeps_one_image_at_least(share, counts):
    kept, held_out = split_rows(LABELS, share, seed=0)
    assert LABELS[held_out].bincount(minlength=4).tolist() == counts
    assert torch.cat([kept, held_out]).sort().values.tolist() == list(range(63))
    assert kept.tolist() == sorted(kept.tolist())
    assert held_out.tolist() == sorted(held_out.tolist())


def test_the_seed_decides_and_classes_do_not_see_each_other():
    _, first = split_rows(LABELS, 0.2, seed=0)
    assert torch.equal(first, split_rows(LABELS, 0.2, seed=0)[1])
    assert not torch.equal(first, split_rows(LABELS, 0.2, seed=1)[1])
    only_ones = split_rows(LABELS[LABELS == 1], 0.2, seed=0)[1]
    rows = (LABELS == 1).nonzero()[:, 0]
    assert rows[only_ones].tolist() == [row for row in first.tolist() if LABELS[row] == 1]


@pytest.mark.parametrize("share", [0, 1, -0.2, 20, float("nan")])
def test_other_shares_are_refused(share):
    with pytest.raises(ValueError, match="split must be a number > 0 and < 1; got"):
        split_rows(LABELS, share, seed=0)


def test_data_with_a_test_split_stay_and_others_get_one(waves):
    assert with_test(waves, 0.2) == (waves, "")
    alone = dataclasses.replace(waves, test=waves.test.take([]))
    data, said = with_test(alone, 0.2)
    kept, held_out = split_rows(waves.train.labels, 0.2, 0)
    assert torch.equal(data.train.images, waves.train.images[kept])
    assert torch.equal(data.test.images, waves.train.images[held_out])
    assert said == "'waves' has no test split: 2 of its 12 images are held out for it."


def test_a_split_asks_for_the_memory_of_its_copies(kept, monkeypatch):
    monkeypatch.setattr("mgd_helpers.data.free_memory.available_memory", lambda: 100.0)
    data = dataclasses.replace(kept[0], test=kept[0].test.take([]))
    with pytest.raises(MemoryError, match=r"'waves' takes .* as 12 images of 1x16x16, and this machine has"):
        hold_out(data, 0.5)
