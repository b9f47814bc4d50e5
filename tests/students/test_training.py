import inspect
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mgd_helpers.students import training
from mgd_helpers.students.augmentation import AUGMENTATIONS
from mgd_helpers.students.networks import build
from mgd_helpers.students.training import Recipe, accuracy, soft_labels, train_student, train_students

SHORT = Recipe(steps=30, batch_size=8, network="convnet2", width=8)


def started(recipe, seed=0):
    """The student of `waves` before its first step."""
    return build(recipe.network, channels=1, n_classes=2, image_size=16, width=recipe.width, seed=seed)


def close(one, other):
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def same_weights(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_student_learns_what_can_be_learnt(waves, device):
    images, labels = waves.train.images.to(device), waves.train.labels.to(device)
    student = train_student(images, labels, n_classes=2, recipe=SHORT)
    assert accuracy(student, images, labels) == 1
    assert not student.training


def test_equal_seeds_give_equal_students_and_others_do_not(waves):
    images, labels = waves.train.images, waves.train.labels
    trained = []
    for seed in (1, 1, 2):
        torch.rand(1)  # the global state moves on, and must not matter
        trained.append(train_student(images, labels, n_classes=2, recipe=SHORT, seed=seed))
    one, same, other = trained
    assert same_weights(one, same)
    assert not same_weights(one, other)


def test_students_of_equal_seed_on_different_sets_start_alike(waves):
    still = Recipe(steps=1, learning_rate=1e-9, batch_size=4)
    images, labels = waves.train.images, waves.train.labels
    for part in (images, -images[:5]):
        student = train_student(part, labels[: len(part)], n_classes=2, recipe=still, seed=3)
        close(student, started(still, seed=3))


def test_training_leaves_global_randomness_and_images_alone(waves):
    before, images = torch.get_rng_state(), waves.train.images.clone()
    train_student(waves.train.images, waves.train.labels, n_classes=2, recipe=SHORT)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(waves.train.images, images)


def test_every_image_is_seen_equally_often(monkeypatch):
    seen, unchanged = [], training.apply_augmentation

    def watched(images, drawn):
        seen.append(images[:, 0, 0, 0])
        return unchanged(images, drawn)

    monkeypatch.setattr(training, "apply_augmentation", watched)
    tagged = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 1, 8, 8)
    recipe = Recipe(steps=10, batch_size=4, network="convnet1", width=4)
    train_student(tagged, torch.tensor([0, 1, 0, 1, 0]), n_classes=2, recipe=recipe)
    assert torch.cat(seen).long().bincount().tolist() == [8] * 5


def test_one_hot_soft_labels_teach_what_labels_teach(waves, device):
    images, labels = waves.train.images.to(device), waves.train.labels.to(device)
    one_hot = torch.eye(2, device=device)[labels]
    hard, soft = (train_student(images, targets, n_classes=2, recipe=SHORT) for targets in (labels, one_hot))
    for one, other in zip(hard.parameters(), soft.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cutmix", [False, True])
def test_targets_go_where_the_images_are(waves, cutmix):
    images = waves.train.images.to("meta")  # a device that every machine has
    ((batch, expected),) = training._batches(images, waves.train.labels, 2, replace(SHORT, steps=1, cutmix=cutmix), [0])
    assert batch.device == expected.device == images.device


@pytest.mark.slow
@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_images_need_not_be_square(randn, augmentation):
    images, labels = randn(5, 1, 8, 12).clamp(-1, 1), torch.arange(5) % 2
    recipe = Recipe(steps=2, batch_size=4, network="convnet2", width=4, augmentation=augmentation, cutmix=True)
    student = train_student(images, labels, n_classes=2, recipe=recipe)
    assert soft_labels(student, images).shape == (5, 2)


def test_accuracy_is_the_share_of_right_answers():
    answers = torch.eye(3)[torch.tensor([0, 1, 2, 0])]
    given = torch.tensor([0, 1, 1, 1])
    assert accuracy(torch.nn.Flatten(), answers.view(4, 3, 1, 1), given) == 0.5


def test_accuracy_goes_through_long_sets_in_blocks():
    answers = torch.eye(2)[torch.arange(1203) % 2].view(-1, 2, 1, 1)
    assert accuracy(torch.nn.Flatten(), answers, torch.zeros(1203, dtype=torch.long)) == pytest.approx(602 / 1203)


def test_accuracy_of_nothing_is_refused():
    for images, labels in ((0, 0), (3, 2)):
        with pytest.raises(ValueError, match=rf"equally many, at least 1; got {images} and {labels}"):
            accuracy(torch.nn.Flatten(), torch.zeros(images, 2, 1, 1), torch.zeros(labels, dtype=torch.long))


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(steps=10, batch_size=5, network="convnet2", width=4),
        Recipe(steps=10, batch_size=5, network="convnet2", width=4, augmentation="dsa", schedule="steps"),
        Recipe(steps=4, batch_size=5, network="resnetap10", width=2, augmentation="imagenet", cutmix=True),
    ],
    ids=lambda recipe: recipe.augmentation,
)
def test_students_together_are_the_students_one_by_one(waves, device, recipe):
    images, labels = waves.train.images.to(device), waves.train.labels.to(device)
    trained = train_students(images, labels, n_classes=2, recipe=recipe, seeds=(4, 0, 7), together=2)
    assert len(trained) == 3 and not any(student.training for student in trained)
    for student, seed in zip(trained, (4, 0, 7), strict=True):
        alone = train_student(images, labels, n_classes=2, recipe=recipe, seed=seed)
        close(student, alone)
        start = started(recipe, seed).to(device)
        assert not torch.allclose(alone.head.weight, start.head.weight, atol=1e-3)  # there was something to differ in


def test_students_together_learn_soft_labels_too(waves):
    images, soft = waves.train.images, torch.tensor([[0.7, 0.3], [0.1, 0.9]])[waves.train.labels]
    trained = train_students(images, soft, n_classes=2, recipe=SHORT, seeds=(0, 1), together=2)
    for seed, student in enumerate(trained):
        close(student, train_student(images, soft, n_classes=2, recipe=SHORT, seed=seed))


def test_no_seeds_give_no_students_and_together_is_a_number(waves):
    images, labels = waves.train.images, waves.train.labels
    for together in (None, 3):
        assert train_students(images, labels, n_classes=2, recipe=SHORT, seeds=(), together=together) == []
    with pytest.raises(ValueError, match=r"together must be a whole number >= 1; got 0. None lets the device decide"):
        train_students(images, labels, n_classes=2, recipe=SHORT, seeds=(1,), together=0)


@pytest.mark.parametrize(("schedule", "factors"), [("steps", [1] * 8 + [0.2] * 2 + [0.04] * 2), ("cosine", None)])
def test_the_learning_rate_follows_the_schedule(waves, monkeypatch, schedule, factors):
    rates, step = [], torch.optim.SGD.step

    def watched(optimizer, *args):
        rates.append(optimizer.param_groups[0]["lr"])
        return step(optimizer, *args)

    monkeypatch.setattr(torch.optim.SGD, "step", watched)
    recipe = Recipe(steps=12, learning_rate=0.5, schedule=schedule, batch_size=2, network="convnet1", width=2)
    train_student(waves.train.images, waves.train.labels, n_classes=2, recipe=recipe)
    factors = factors or [(1 + math.cos(math.pi * done / 12)) / 2 for done in range(12)]
    assert rates == pytest.approx([0.5 * factor for factor in factors])


@pytest.mark.parametrize(("nesterov", "schedule"), [(True, "cosine"), (False, "steps")])
def test_a_step_is_sgd_with_momentum_and_weight_decay(waves, nesterov, schedule):
    images, labels = waves.train.images, waves.train.labels
    recipe = Recipe(
        steps=1,
        batch_size=12,
        learning_rate=0.1,
        weight_decay=0.01,
        network="convnet1",
        width=4,
        augmentation="none",
        nesterov=nesterov,
        schedule=schedule,
    )
    start = started(recipe)
    torch.nn.functional.cross_entropy(start(images), labels).backward()
    found = train_student(images, labels, n_classes=2, recipe=recipe)
    for before, after in zip(start.parameters(), found.parameters(), strict=True):
        gradient = before.grad + 0.01 * before
        torch.testing.assert_close(after, before - 0.1 * gradient * (1.9 if nesterov else 1), rtol=1e-4, atol=1e-5)


def test_soft_labels_are_the_softmax_of_the_logits_in_blocks():
    logits = torch.linspace(-3, 3, 1206).view(-1, 2, 1, 1)
    teacher = torch.nn.Flatten()
    for temperature in (1.0, 4.0):
        expected = (logits.view(-1, 2).double() / temperature).exp()
        expected = (expected / expected.sum(1, keepdim=True)).float()
        torch.testing.assert_close(soft_labels(teacher, logits, temperature=temperature), expected)
    torch.testing.assert_close(soft_labels(teacher, logits, temperature=1e9), torch.full((603, 2), 0.5))
    with pytest.raises(ValueError, match=r"temperature must be a number > 0; got 0"):
        soft_labels(teacher, logits, temperature=0.0)


def test_a_student_of_soft_labels_answers_softly(waves):
    images = waves.train.images
    soft = torch.tensor([[0.8, 0.2], [0.2, 0.8]])[waves.train.labels]
    recipe = replace(SHORT, steps=150, learning_rate=0.1, augmentation="none", weight_decay=0.0)
    student = train_student(images, soft, n_classes=2, recipe=recipe)
    torch.testing.assert_close(soft_labels(student, images), soft, rtol=0, atol=0.1)


def test_targets_that_do_not_fit_are_refused(waves):
    images, labels = waves.train.images, waves.train.labels
    half = torch.full((12, 2), 0.5)
    for targets, message in [
        (labels[:5], r"targets must be int64 labels \[12\] or soft labels \[12, 2\]; got torch.int64 \[5\]"),
        (labels.int(), r"targets must be int64 labels \[12\] .*; got torch.int32 \[12\]"),
        (labels + 1, r"labels must be 0 to 1; got 1 to 2. Check n_classes"),
        (labels - 1, r"labels must be 0 to 1; got -1 to 0"),
        (torch.ones(12, 3) / 3, r"targets must be .* or soft labels \[12, 2\]; got torch.float32 \[12, 3\]"),
        (2 * half, r"soft targets must be .* sum to 1; got entries of 1 and rows that sum to 2 to 2. Apply softmax to"),
        (half + torch.tensor([1.0, -1.0]), r"soft targets must be at least 0.* got entries of -0.5"),
        (half / labels[:, None], r"rows that sum to 1 to inf"),
        (half * torch.nan, r"got entries of nan"),
    ]:
        with pytest.raises(ValueError, match=message):
            train_student(images, targets, n_classes=2, recipe=SHORT)


def test_images_that_do_not_fit_are_refused(waves):
    images, labels = waves.train.images, waves.train.labels
    for wrong, message in [
        (images[:0], r"images must be float32 \[N, C, H, W\], at least one; got torch.float32 \[0, 1, 16, 16\]"),
        (images[:, 0], r"images must be float32 .* got torch.float32 \[12, 16, 16\]"),
        (images.double(), r"images must be float32 .* got torch.float64 \[12, 1, 16, 16\]"),
        (
            (images > 0) * 255.0,
            r"images must lie in \[-1, 1\]; got \[0, 255\]. For pixels 0 to 255 pass images / 127.5 - 1",
        ),
        (images / images.sign().relu(), r"images must lie in \[-1, 1\]; got \[-inf, "),
        (images * torch.nan, r"images must lie in \[-1, 1\]; got NaN, in 12 of 12 images"),
    ]:
        for train in (train_student, train_students):
            seeds = {"seed": 0} if train is train_student else {"seeds": (0, 1), "together": 2}
            with pytest.raises(ValueError, match=message):
                inspect.unwrap(train)(wrong, labels, n_classes=2, recipe=SHORT, **seeds)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_classes": 2.0}, "n_classes must be a whole number >= 1; got 2.0"),
        ({"seed": -1}, "seed must be a whole number from 0 to .*; got -1"),
        ({"seed": None}, "seed must be a whole number .*; got None"),
        ({"recipe": "short"}, "recipe must be a Recipe; got 'short'. Pass Recipe"),
    ],
)
def test_settings_that_make_no_sense_are_refused(waves, unchecked, options, message):
    options = {"n_classes": 2, "recipe": SHORT} | options
    with pytest.raises(ValueError, match=message):
        unchecked(train_student)(waves.train.images, waves.train.labels, **options)
    several = {"seeds": [options.pop("seed", 0)], "together": 2} | options
    with pytest.raises(ValueError, match=message):
        unchecked(train_students)(waves.train.images, waves.train.labels, **several)


def test_what_is_no_tensor_or_no_sequence_of_seeds_is_refused(waves, unchecked):
    images, labels = waves.train.images, waves.train.labels
    with pytest.raises(ValueError, match=r"targets must be a torch.Tensor; got list"):
        unchecked(train_student)(images, labels.tolist(), n_classes=2)
    with pytest.raises(ValueError, match=r"seeds must be a sequence of whole numbers, .*; got 3. Try range\(3\)"):
        unchecked(train_students)(images, labels, n_classes=2, seeds=3)
    with pytest.raises(ValueError, match=r"labels must be a torch.Tensor; got list"):
        unchecked(accuracy)(torch.nn.Flatten(), images, labels.tolist())


def test_numbers_of_numpy_and_images_that_require_grad_make_no_difference(waves, unchecked):
    images, labels = waves.train.images, waves.train.labels
    grown = images.clone().requires_grad_(True)
    plain = train_student(images, labels, n_classes=2, recipe=SHORT, seed=3)
    other = unchecked(train_student)(grown, labels, n_classes=np.int64(2), recipe=SHORT, seed=np.int32(3))
    assert grown.grad is None
    assert all(torch.equal(*pair) for pair in zip(plain.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_students_of_a_set_kept_as_bytes_are_those_of_its_numbers(kept, seeds):
    sets = [kept[0].train, kept[1].train, kept[1].train.images]
    options = {"n_classes": 2, "recipe": SHORT, "seeds": seeds, "together": len(seeds)}
    trained = [train_students(images, kept[0].train.labels, **options)[-1] for images in sets]
    for student, images in zip(trained[1:], sets[1:], strict=True):
        for one, other in zip(trained[0].parameters(), student.parameters(), strict=True):
            assert torch.equal(one, other)
        labels = kept[0].train.labels
        assert accuracy(student, images, labels) == accuracy(trained[0], kept[0].train, labels)
