"""What the rules choose is in tests/baselines/test_real_images.py, by images; here, that rows say the same."""

import pytest
import torch

from mgd_helpers import baselines
from mgd_helpers.data.image_sets import ImageSet
from mgd_helpers.evaluation.chosen_rows import herding_rows, k_center_rows, nearest_each, nearest_rows, random_rows

RULES = {
    "random": (lambda train, k: random_rows(train, images_per_class=k, seed=3), "random_real", {"seed": 3}),
    "herding": (lambda train, k: herding_rows(train, images_per_class=k), "herding", {}),
    "k-center": (lambda train, k: k_center_rows(train, images_per_class=k), "k_center", {}),
}


@pytest.fixture
def train(randn):
    labels = torch.arange(40) % 2
    return ImageSet((randn(40, 1, 4, 4) + labels[:, None, None, None]) / 8, labels)


@pytest.mark.parametrize(("rule", "name", "options"), RULES.values(), ids=RULES)
def test_rows_are_those_of_the_images_that_the_baseline_gives(train, rule, name, options):
    rows = rule(train, 5)
    chosen = getattr(baselines, name)(train, images_per_class=5, **options)
    assert torch.equal(train.images[rows], chosen.images)
    assert train.labels[rows].tolist() == [0] * 5 + [1] * 5


@pytest.mark.parametrize(("rule", "name", "options"), RULES.values(), ids=RULES)
def test_classes_may_have_their_own_counts_and_do_not_see_each_other(train, rule, name, options):
    assert torch.equal(rule(train, [3, 5])[:3], rule(train, 3)[:3])
    assert torch.equal(rule(train, [3, 5])[3:], rule(train, 5)[5:])
    with pytest.raises(ValueError, match=r"images_per_class must be .* from 1 to 20; got 21. Class 1 has no more"):
        rule(train, [3, 21])


def test_nearest_rows_are_the_nearest_of_each_class(train):
    targets = [train.of_class(label)[[4, 4, 7]] for label in (0, 1)]
    rows = nearest_rows(train, train.images, targets)
    assert rows[[0, 2]].tolist() == train.rows_of(0)[[4, 7]].tolist()
    assert len(set(rows.tolist())) == 6
    assert nearest_each(targets[1], train.of_class(1))[[0, 2]].tolist() == [4, 7]
