import pytest
import torch
import torch.nn.functional as F

from mgd_helpers.data.image_sets import ImageSet
from mgd_helpers.evaluation.intervals import auc
from mgd_helpers.evaluation.membership import membership_auc
from mgd_helpers.students.recipes import Recipe
from mgd_helpers.students.training import train_student

SHORT = Recipe(steps=40, batch_size=20, network="convnet1", width=4, max_shift=0)


def rows_of(part, rows):
    return ImageSet(part.images[rows], part.labels[rows])


@pytest.mark.slow
def test_the_attack_knows_what_a_student_was_trained_on(little):
    rows = torch.arange(0, 1500, 30)
    options = {"students": 1, "recipe": Recipe(steps=150, batch_size=25, network="convnet1", width=8, max_shift=0)}
    found, interval = membership_auc(rows_of(little.train, rows), little, members=rows, **options)
    assert found > 0.65
    assert interval[0] > 0.5
    rest = torch.ones(1500, dtype=torch.bool)
    rest[rows] = False
    _, interval = membership_auc(rows_of(little.train, rows), little, members=rest.nonzero()[:, 0], **options)
    assert interval[0] < 0.5 < interval[1]


@pytest.mark.slow
def test_the_attack_is_the_auc_of_the_losses(little):
    part, members = rows_of(little.train, range(60)), torch.tensor([2, 3, 5, 7])
    found, interval = membership_auc(part, little, members=members, students=2, recipe=SHORT, seed=4)
    losses = {"train": 0, "test": 0}
    for seed in (4, 5):
        student = train_student(part.images, part.labels, n_classes=10, recipe=SHORT, seed=seed)
        for name in losses:
            split = getattr(little, name)
            with torch.no_grad():
                losses[name] = losses[name] + F.cross_entropy(student(split.images), split.labels, reduction="none") / 2
    expected = auc(-losses["train"][members], -losses["test"], seed=4)
    assert found == pytest.approx(expected[0])
    assert interval == pytest.approx(expected[1])
