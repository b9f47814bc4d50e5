import pytest
import torch

from mgd_helpers.students import Recipe, accuracy, train_student

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
