import math
from dataclasses import replace

import pytest
import torch

from mgd_helpers.students import Recipe, accuracy, soft_labels, train_student, train_students

SHORT = Recipe(steps=30, batch_size=8, network="convnet2", width=8)


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
    still = Recipe(steps=1, learning_rate=0.0, batch_size=4)
    images, labels = waves.train.images, waves.train.labels
    one = train_student(images, labels, n_classes=2, recipe=still)
    assert same_weights(one, train_student(-images[:5], labels[:5], n_classes=2, recipe=still))


def test_training_leaves_global_randomness_and_images_alone(waves):
    before, images = torch.get_rng_state(), waves.train.images.clone()
    train_student(waves.train.images, waves.train.labels, n_classes=2, recipe=SHORT)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(waves.train.images, images)


def test_every_image_is_seen_equally_often(waves, monkeypatch):
    from mgd_helpers import students

    seen, unchanged = [], students.apply_augmentation

    def watched(images, drawn):
        seen.append(images[:, 0, 0, 0])
        return unchanged(images, drawn)

    monkeypatch.setattr(students, "apply_augmentation", watched)
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


def test_accuracy_is_the_share_of_right_answers():
    answers = torch.eye(3)[torch.tensor([0, 1, 2, 0])]
    given = torch.tensor([0, 1, 1, 1])
    assert accuracy(torch.nn.Flatten(), answers.view(4, 3, 1, 1), given) == 0.5


def test_accuracy_goes_through_long_sets_in_blocks():
    answers = torch.eye(2)[torch.arange(1203) % 2].view(-1, 2, 1, 1)
    assert accuracy(torch.nn.Flatten(), answers, torch.zeros(1203, dtype=torch.long)) == pytest.approx(602 / 1203)


def close(one, other):
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


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
    students = train_students(images, labels, n_classes=2, recipe=recipe, seeds=(4, 0, 7), together=2)
    assert len(students) == 3 and not any(student.training for student in students)
    for student, seed in zip(students, (4, 0, 7), strict=True):
        alone = train_student(images, labels, n_classes=2, recipe=recipe, seed=seed)
        close(student, alone)
        started = train_student(images, labels, n_classes=2, recipe=replace(recipe, learning_rate=0.0), seed=seed)
        assert not torch.allclose(alone.head.weight, started.head.weight, atol=1e-3)  # there was something to differ in


def test_students_together_learn_soft_labels_too(waves):
    images, soft = waves.train.images, torch.tensor([[0.7, 0.3], [0.1, 0.9]])[waves.train.labels]
    students = train_students(images, soft, n_classes=2, recipe=SHORT, seeds=(0, 1), together=2)
    for seed, student in enumerate(students):
        close(student, train_student(images, soft, n_classes=2, recipe=SHORT, seed=seed))


def test_no_seeds_give_no_students_and_together_is_a_number(waves):
    images, labels = waves.train.images, waves.train.labels
    for together in (None, 3):
        assert train_students(images, labels, n_classes=2, recipe=SHORT, seeds=(), together=together) == []
    with pytest.raises(ValueError, match=r"together must be at least 1; got 0. None lets the device decide"):
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
        steps=1, batch_size=12, learning_rate=0.1, weight_decay=0.01, network="convnet1", width=4, augmentation="none",
        nesterov=nesterov, schedule=schedule,
    )  # fmt: skip
    start = train_student(images, labels, n_classes=2, recipe=replace(recipe, learning_rate=0.0)).train()
    start.zero_grad()
    torch.nn.functional.cross_entropy(start(images), labels).backward()
    found = train_student(images, labels, n_classes=2, recipe=recipe)
    for before, after in zip(start.parameters(), found.parameters(), strict=True):
        gradient = before.grad + 0.01 * before
        torch.testing.assert_close(after, before - 0.1 * gradient * (1.9 if nesterov else 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("images_per_class", "classes", "epochs"),
    [(1, 10, 3000), (10, 10, 2000), (50, 10, 1500), (51, 10, 1000), (1, 100, 2000), (10, 100, 1300), (50, 100, 1000),
     (200, 100, 600), (10, 1000, 2000)],
)  # fmt: skip
def test_the_fields_recipe_has_the_fields_epochs(images_per_class, classes, epochs):
    recipe = Recipe.field(images_per_class, image_size=224, n_classes=classes)
    most = 128 if classes == 1000 else 64
    assert recipe.steps == epochs * math.ceil(images_per_class * classes / most)
    assert recipe.batch_size == min(most, images_per_class * classes)
    assert (recipe.learning_rate, recipe.weight_decay) == ((0.1, 1e-4) if classes == 1000 else (0.01, 5e-4))
    assert (recipe.network, recipe.augmentation, recipe.cutmix, recipe.schedule) == (
        "convnet6", "imagenet", True, "steps",
    )  # fmt: skip
    assert recipe.width is None and not recipe.nesterov


def test_the_fields_recipe_for_small_images():
    recipe = Recipe.field(10, image_size=32, network="resnet18")
    assert (recipe.network, recipe.augmentation, recipe.cutmix, recipe.steps) == ("resnet18", "dsa", False, 2000)
    assert Recipe.field(10, image_size=32).network == "convnet3"


def test_soft_labels_are_the_softmax_of_the_logits_in_blocks():
    logits = torch.linspace(-3, 3, 1206).view(-1, 2, 1, 1)
    teacher = torch.nn.Flatten()
    for temperature in (1.0, 4.0):
        expected = (logits.view(-1, 2).double() / temperature).exp()
        expected = (expected / expected.sum(1, keepdim=True)).float()
        torch.testing.assert_close(soft_labels(teacher, logits, temperature=temperature), expected)
    torch.testing.assert_close(soft_labels(teacher, logits, temperature=1e9), torch.full((603, 2), 0.5))
    with pytest.raises(ValueError, match=r"temperature must be positive; got 0"):
        soft_labels(teacher, logits, temperature=0.0)


def test_a_student_of_soft_labels_answers_softly(waves):
    images = waves.train.images
    soft = torch.tensor([[0.8, 0.2], [0.2, 0.8]])[waves.train.labels]
    recipe = replace(SHORT, steps=150, learning_rate=0.1, augmentation="none", weight_decay=0.0)
    student = train_student(images, soft, n_classes=2, recipe=recipe)
    torch.testing.assert_close(soft_labels(student, images), soft, rtol=0, atol=0.1)


def test_targets_that_do_not_fit_are_refused(waves):
    images, labels = waves.train.images, waves.train.labels
    for targets, message in [
        (labels[:5], r"targets must be one per image, 12; got 5"),
        (torch.ones(12, 3) / 3, r"soft targets must be \[12, 2\]; got \[12, 3\]"),
        (torch.ones(12, 2), r"rows of soft targets must sum to 1; one sums to 2. Apply softmax to logits"),
    ]:
        with pytest.raises(ValueError, match=message):
            train_student(images, targets, n_classes=2, recipe=SHORT)
    with pytest.raises(ValueError, match=r"schedule must be 'cosine' or 'steps'; got 'linear'"):
        Recipe(schedule="linear")
