import re

import pytest
import torch

from mgd_helpers.baselines.real_images import decoded_targets, herding, k_center, nearest_real, random_real, round_trip
from mgd_helpers.data.image_sets import ImageSet
from mgd_helpers.encoding.latents import decode, encode

RULES = {
    "random": lambda train, k: random_real(train, images_per_class=k, seed=0),
    "herding": lambda train, k: herding(train, images_per_class=k),
    "k-center": lambda train, k: k_center(train, images_per_class=k),
}


@pytest.fixture
def train(randn):
    """Forty random 4x4 images of two classes, in no order."""
    labels = torch.arange(40) % 2
    return ImageSet((randn(40, 1, 4, 4) + labels[:, None, None, None]) / 8, labels)


def rows_of(chosen, train):
    """The rows of the training images that were chosen; fails where one is not a training image."""
    equal = (chosen.images.flatten(1)[:, None] == train.images.flatten(1)).all(-1)
    assert (equal.sum(1) == 1).all()
    return equal.int().argmax(1)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_chosen_images_are_real_distinct_and_in_class_order(train, rule):
    chosen = rule(train, 6)
    rows = rows_of(chosen, train)
    assert len(set(rows.tolist())) == 12
    assert chosen.labels.tolist() == [0] * 6 + [1] * 6
    assert torch.equal(train.labels[rows], chosen.labels)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_larger_set_begins_with_the_smaller_one(train, rule):
    small, large = rule(train, 3), rule(train, 6)
    assert torch.equal(small.of_class(1), large.of_class(1)[:3])


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_more_images_than_a_class_has_are_refused(train, rule):
    assert len(rule(train, 20)) == 40
    with pytest.raises(ValueError, match=r"must be a whole number from 1 to 20; got 21. Class 0 has no more"):
        rule(train, 21)


def test_random_draws_follow_the_seed(train):
    first, again, other = (random_real(train, images_per_class=5, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)


def test_a_class_is_drawn_by_itself_and_unlike_the_others(train):
    drawn = random_real(train, images_per_class=5, seed=0)
    places = (rows_of(drawn, train) // 2).tolist()  # within their class
    assert places[:5] != places[5:]
    kept = (train.labels == 1) | (torch.arange(40) >= 8)  # four images of the other class are gone
    fewer = ImageSet(train.images[kept], train.labels[kept])
    assert torch.equal(random_real(fewer, images_per_class=5, seed=0).of_class(1), drawn.of_class(1))


def test_herding_is_the_greedy_loop_and_keeps_the_mean(train):
    images = train.of_class(0).flatten(1)
    chosen = []
    for _ in range(7):
        gaps = {
            row: (images.mean(0) - images[[*chosen, row]].mean(0)).norm().item()
            for row in range(len(images))
            if row not in chosen
        }
        chosen.append(min(gaps, key=gaps.get))
    found = herding(train, images_per_class=7).of_class(0).flatten(1)
    assert torch.equal(found, images[chosen])
    draws = [random_real(train, images_per_class=7, seed=seed).of_class(0).flatten(1) for seed in range(20)]
    gaps = torch.tensor([(images.mean(0) - one.mean(0)).norm() for one in draws])
    assert (images.mean(0) - found.mean(0)).norm() < gaps.min()


def test_k_center_takes_the_farthest_each_time(train):
    images = train.of_class(1).flatten(1)
    chosen = [(images - images.mean(0)).norm(dim=1).argmin().item()]
    for _ in range(5):
        chosen.append(torch.cdist(images, images[chosen]).min(1).values.argmax().item())
    assert torch.equal(k_center(train, images_per_class=6).of_class(1).flatten(1), images[chosen])


def test_equal_images_are_not_taken_twice():
    train = ImageSet(torch.zeros(4, 1, 2, 2), torch.zeros(4, dtype=torch.long))
    train.images[:, 0, 0, 0] = torch.tensor([0.0, 0.0, 0.0, 1.0])
    assert k_center(train, images_per_class=4).images[:, 0, 0, 0].sort().values.tolist() == [0, 0, 0, 1]


def test_features_decide_what_is_near(train):
    def brightness(images):
        return images.mean((1, 2, 3))[:, None]

    bright = brightness(train.of_class(0))[:, 0]
    chosen = brightness(k_center(train, images_per_class=3, features=brightness).of_class(0))[:, 0]
    assert {bright.min().item(), bright.max().item()} == set(chosen[1:].tolist())


@pytest.mark.parametrize("rule", [herding, k_center])
def test_features_are_asked_in_batches_and_without_gradients(randn, rule):
    asked = []

    def features(images):
        asked.append(len(images))
        assert not torch.is_grad_enabled()
        return images

    rule(ImageSet(randn(1100, 1, 2, 2) / 8, torch.zeros(1100, dtype=torch.long)), images_per_class=2, features=features)
    assert sum(asked) == 1100 and max(asked) <= 500


def test_labels_lie_where_the_images_do(train, tiny):
    away = ImageSet(train.images.to("meta"), train.labels)  # a device that every machine has
    assert random_real(away, images_per_class=2, seed=0).labels.device.type == "meta"
    targets = [torch.zeros(2, 4, 8, 8, device="meta")] * 2
    assert decoded_targets(tiny.vae.to("meta"), targets).labels.device.type == "meta"


def test_a_target_that_is_a_member_finds_itself_and_none_is_taken_twice(train):
    latents = train.images
    own = [latents[train.labels == label][[4, 9]] for label in (0, 1)]
    assert torch.equal(nearest_real(train, latents, own).images, torch.cat(own))
    same = [own[0][:1].expand(3, -1, -1, -1), own[1][:1].expand(3, -1, -1, -1)]
    assert len(set(rows_of(nearest_real(train, latents, same), train).tolist())) == 6
    with pytest.raises(ValueError, match="latents must be those of the 40 training images; got 3"):
        nearest_real(train, latents[:3], own)


@pytest.mark.parametrize("counts", [[2, 1], [2], [2, 2, 2], [0, 0], [21, 21], []])
def test_targets_that_do_not_fit_the_classes_are_refused(train, counts):
    targets = [torch.zeros(count, 1, 4, 4) for count in counts]
    message = f"for each of the 2 classes, from 1 to the 20 images of the smallest; got {re.escape(str(counts))}"
    with pytest.raises(ValueError, match=message):
        nearest_real(train, train.images, targets)


def test_decoded_and_round_trips_are_what_the_vae_says(waves, tiny):
    latents = encode(tiny.vae, waves.train.images)
    assert torch.equal(round_trip(tiny.vae, waves.train).images, decode(tiny.vae, latents))
    targets = [latents[:2], latents[2:4]]
    decoded = decoded_targets(tiny.vae, targets)
    assert decoded.labels.tolist() == [0, 0, 1, 1]
    assert torch.equal(decoded.images, decode(tiny.vae, latents[:4]))
