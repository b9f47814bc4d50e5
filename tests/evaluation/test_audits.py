import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mgd_helpers.data.datasets import Dataset, ImageSet
from mgd_helpers.evaluation.audits import _matched, audit, nearest_real
from mgd_helpers.evaluation.intervals import auc
from mgd_helpers.students.training import Recipe, train_student

SHORT = Recipe(steps=40, batch_size=20, network="convnet1", width=4, max_shift=0)


def small(part):
    """Digits at 8x8: they were made from that size, and students are ten times as fast."""
    return ImageSet(F.avg_pool2d(part.images, 4), part.labels)


@pytest.fixture(scope="module")
def little(digits):
    return Dataset("little", small(digits.train), small(digits.test), digits.class_names)


def rows_of(part, rows):
    return ImageSet(part.images[rows], part.labels[rows])


def test_nearest_real_is_the_naive_loop(draw, device):
    images, real = draw(7, 2, 3, 3), draw(11, 2, 3, 3)
    distances, indices = nearest_real(images.to(device), real.to(device))
    for image, distance, index in zip(images, distances.tolist(), indices.tolist(), strict=True):
        gaps = [((image - other) ** 2).mean().sqrt().item() for other in real]
        assert index == gaps.index(min(gaps))
        assert distance == pytest.approx(min(gaps), rel=1e-5)


def test_distances_compare_across_sizes_and_are_zero_for_copies_far_from_the_origin(draw):
    images, real = draw(5, 1, 4, 4) + 100, draw(6, 1, 4, 4) + 100

    def larger(x):
        return x.repeat_interleave(3, -1).repeat_interleave(3, -2)

    torch.testing.assert_close(nearest_real(larger(images), larger(real))[0], nearest_real(images, real)[0])
    distances, indices = nearest_real(real, real)
    assert distances.tolist() == [0] * 6
    assert indices.tolist() == list(range(6))


def test_features_decide_what_is_near(draw):
    images, real = draw(5, 1, 4, 4), draw(6, 1, 4, 4)
    distances, _ = nearest_real(images, real, features=("mean", lambda x: x.mean((2, 3))))
    expected = (images.mean((1, 2, 3))[:, None] - real.mean((1, 2, 3))).abs().min(1).values
    torch.testing.assert_close(distances, expected)


@pytest.mark.parametrize(
    "shapes", [((0, 1, 2, 2), (3, 1, 2, 2)), ((3, 1, 2, 2), (0, 1, 2, 2)), ((3, 1, 2, 2), (3, 1, 4, 4))]
)
def test_images_that_do_not_compare_are_refused(shapes):
    with pytest.raises(ValueError, match="images and real must be images of one size, at least one each"):
        nearest_real(*map(torch.zeros, shapes))


def test_copies_of_training_images_are_caught(little):
    rows = list(range(0, 1500, 25))
    found = audit(rows_of(little.train, rows), against=little, students=0)
    assert found.median == found.low == 0
    assert found.nearer_share == 1
    assert found.nearer_share_interval[0] > 0.9
    assert found.near_duplicates == tuple(enumerate(rows))
    assert found.repeats == ()


def test_nearly_exact_copies_are_caught_among_other_images(little, draw):
    rows = list(range(0, 600, 25))
    nearly = (little.train.images[rows] + 0.01 * draw(24, 1, 8, 8)).clamp(-1, 1)
    images = torch.cat([little.test.images[:200], nearly])
    found = audit(ImageSet(images, torch.cat([little.test.labels[:200], little.train.labels[rows]])),
                  against=little, students=0)  # fmt: skip
    assert found.near_duplicates == tuple((200 + place, row) for place, row in enumerate(rows))


def test_a_copy_is_a_near_duplicate_even_where_held_out_images_are_copies_too(waves):
    found = audit(rows_of(waves.train, [5]), against=waves, students=0)  # the test split of waves is of its train split
    assert found.duplicate == 0
    assert found.near_duplicates == ((0, 5),)


def test_repeats_within_the_set_are_found_once(little):
    images = rows_of(little.test, [3, 8, 3, 20, 3])
    assert {row for pair in audit(images, against=little, students=0).repeats for row in pair} == {0, 2, 4}
    assert audit(rows_of(little.test, [3, 8, 3]), against=little, students=0).repeats == ((0, 2),)
    assert audit(rows_of(little.test, [3]), against=little, students=0).repeats == ()


def test_held_out_images_read_five_per_cent(little):
    found = audit(little.test, against=little, students=0)
    assert found.nearer_share == pytest.approx(0.05, abs=0.004)
    assert found.nearer_share_interval[0] < 0.05 < found.nearer_share_interval[1]
    assert found.near_duplicates == ()
    assert found.held_out_median_range[0] < found.median < found.held_out_median_range[1]
    assert found.held_out_low_range[0] < found.low < found.held_out_low_range[1]


@pytest.mark.parametrize(("held_out", "generated", "least"), [((50, 50), (50, 50), 0.92), ((85, 15), (300, 300), 0.87)])
def test_the_interval_of_fresh_images_covers_five_per_cent(draw, held_out, generated, least):
    """Train, held-out and generated images of one distribution, drawn anew each time; two classes, so many of each.

    Measured 0.96 and 0.92; an interval that is deaf to the threshold's own error covers 0.87 of the first, one that is
    deaf to the unequal weights of held-out images 0.82 of the second.
    """
    covered = 0
    for _ in range(300):
        sets = [
            ImageSet(draw(sum(sizes), 1, 2, 2) / 8, torch.arange(2).repeat_interleave(torch.tensor(sizes)))
            for sizes in ((100, 100), held_out, generated)
        ]
        data = Dataset("noise", sets[0], sets[1], ("one", "other"))
        low, high = audit(sets[2], against=data, students=0, rounds=1).nearer_share_interval
        covered += low <= 0.05 <= high
    assert covered >= least * 300


def test_noise_lies_far(little, draw):
    found = audit(ImageSet(draw(30, 1, 8, 8).clamp(-1, 1), torch.arange(30) % 10), against=little, students=0)
    assert found.nearer_share == 0
    assert found.low > found.held_out_median_range[1]
    assert found.near_duplicates == found.repeats == ()


def test_held_out_images_count_with_the_classes_of_the_set(little):
    """Ones are near each other: fresh ones must not look copied, as they would against all digits."""
    ones = rows_of(little.test, little.test.labels == 1)
    found = audit(ones, against=little, students=0)
    everything = audit(little.test, against=little, students=0)
    assert found.held_out_median < everything.held_out_median
    assert found.near < everything.near
    assert found.nearer_share <= 0.05
    assert found.held_out_median_range[0] <= found.median <= found.held_out_median_range[1]


def test_draws_hold_as_many_of_each_class_as_the_set():
    labels, counts = torch.tensor([0, 1, 1, 2, 0, 2, 2]), torch.tensor([5, 0, 3])
    source = torch.Generator().manual_seed(0)
    draws = [_matched(labels, counts, source) for _ in range(50)]
    assert all(torch.bincount(labels[rows], minlength=3).tolist() == [5, 0, 3] for rows in draws)
    assert set(torch.cat(draws).tolist()) == {0, 3, 4, 5, 6}  # with replacement, from all of a class


def test_more_images_say_the_median_of_held_out_ones_better(little):
    few, many = (audit(rows_of(little.train, range(n)), against=little, students=0) for n in (20, 200))
    widths = [high - low for low, high in (found.held_out_median_range for found in (few, many))]
    assert widths[1] < 0.6 * widths[0]


def test_order_does_not_matter(little):
    part = rows_of(little.train, range(40))
    part = ImageSet(
        torch.cat([part.images, little.test.images[:20]]), torch.cat([part.labels, little.test.labels[:20]])
    )
    plain = audit(part, against=little, students=0).as_dict()
    turned_train = Dataset("little", rows_of(little.train, range(1499, -1, -1)), little.test, little.class_names)
    turned = audit(rows_of(part, range(59, -1, -1)), against=turned_train, students=0).as_dict()
    pairs = {(59 - row, 1499 - real) for row, real in turned["near_duplicates"]}
    assert pairs == set(plain["near_duplicates"])
    for name in set(plain) - {"near_duplicates", "features", "membership_auc", "membership_auc_interval", "repeats"}:
        assert turned[name] == pytest.approx(plain[name]), name


def test_the_attack_knows_what_a_student_was_trained_on(little):
    rows = torch.arange(0, 1500, 30)
    overfit = Recipe(steps=150, batch_size=25, network="convnet1", width=8, max_shift=0)
    found = audit(rows_of(little.train, rows), against=little, members=rows, recipe=overfit)
    assert found.members == 50
    assert found.membership_auc > 0.65
    assert found.membership_auc_interval[0] > 0.5
    rest = torch.ones(1500, dtype=torch.bool)
    rest[rows] = False
    others = audit(rows_of(little.train, rows), against=little, members=rest.nonzero()[:, 0], recipe=overfit)
    assert others.membership_auc_interval[0] < 0.5 < others.membership_auc_interval[1]


def test_the_attack_is_the_auc_of_the_losses(little):
    part = rows_of(little.train, range(60))
    found = audit(part, against=little, members=[2, 3, 5, 7], students=2, recipe=SHORT, seed=4)
    losses = {"train": 0, "test": 0}
    for seed in (4, 5):
        student = train_student(part.images, part.labels, n_classes=10, recipe=SHORT, seed=seed)
        for name in losses:
            split = getattr(little, name)
            with torch.no_grad():
                losses[name] = losses[name] + F.cross_entropy(student(split.images), split.labels, reduction="none") / 2
    expected = auc(-losses["train"][[2, 3, 5, 7]], -losses["test"], seed=4)
    assert found.membership_auc == pytest.approx(expected[0])
    assert found.membership_auc_interval == pytest.approx(expected[1])
    assert audit(part, against=little, members=[7, 5, 3, 2, 2], students=2, recipe=SHORT, seed=4) == found


def test_an_audit_reads_well_and_goes_into_json(little):
    part = rows_of(little.train, range(12))
    found = audit(part, against=little, recipe=SHORT, features=("mean colour", lambda x: x.mean((2, 3))))
    assert json.loads(json.dumps(found.as_dict()))["features"] == "mean colour"
    for words in ("12 images", "on mean colour", "12 of training images", "membership AUC (1500 members)"):
        assert words in str(found)
    assert "AUC" not in str(audit(part, against=little, students=0))


def test_data_that_cannot_be_audited_are_refused(little):
    part = rows_of(little.train, range(12))
    empty = rows_of(little.train, [])
    zeros = rows_of(little.test, little.test.labels == 0)
    for generated, test, words in [
        (part, empty, "against must have a test split; 'it' has none"),
        (part, zeros, "against must hold test images of every class of generated; none of labels"),
        (empty, zeros, "generated must hold at least one image"),
        (
            ImageSet(part.images[..., :4], part.labels),
            zeros,
            r"generated has images \[1, 8, 4\], but 'it' has \[1, 8, 8\]",
        ),
    ]:
        with pytest.raises(ValueError, match=words):
            audit(generated, against=Dataset("it", little.train, test, little.class_names), students=0)
    for members in ([], [-1], [1500], [False] * 1500):
        with pytest.raises(ValueError, match="members must be rows of the training split, 0 to 1499, or 1500 booleans"):
            audit(part, against=little, members=members)
    with pytest.raises(ValueError, match="rounds must be a whole number >= 1; got 0"):
        audit(part, against=little, rounds=0)


def test_a_mask_names_the_members_as_their_rows_do(little, unchecked):
    part, rows = rows_of(little.train, range(60)), [2, 3, 5, 7]
    mask = torch.zeros(1500, dtype=torch.bool)
    mask[rows] = True
    named = [audit(part, against=little, members=rows, recipe=SHORT, rounds=2)]
    for members in (mask, mask.numpy(), mask.tolist(), np.array(rows), torch.tensor(rows, dtype=torch.int32)):
        named.append(unchecked(audit)(part, against=little, members=members, recipe=SHORT, rounds=2))
    assert all(found == named[0] for found in named)
    assert named[0].members == 4


@pytest.mark.parametrize(
    "members",
    [[0.5, 1.0], torch.tensor([1.0, 2.0]), "all", ["a"], [None], [True, False], [[1], [2, 3]]],
)
def test_members_that_are_neither_rows_nor_a_mask_are_refused(little, unchecked, members):
    part = rows_of(little.train, range(12))
    with pytest.raises(ValueError, match="members must be rows of the training split, 0 to 1499, or 1500 booleans"):
        unchecked(audit)(part, against=little, members=members, students=0)


@pytest.mark.parametrize("rounds", ["a", 0, 2.5, None])
def test_rounds_that_are_no_number_are_refused(little, unchecked, rounds):
    with pytest.raises(ValueError, match="rounds must be a whole number >= 1; got"):
        unchecked(audit)(rows_of(little.train, range(12)), against=little, rounds=rounds)
