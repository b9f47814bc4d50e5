import dataclasses
import json

import pytest
import torch
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from mgd_helpers.audit import area_under_curve, audit, nearest_real, wilson
from mgd_helpers.data import ImageSet
from mgd_helpers.students import Recipe

SHORT = Recipe(steps=3, batch_size=10, width=4)


def rows(part, chosen):
    return ImageSet(part.images[chosen], part.labels[chosen])


def every(part, step):
    return rows(part, torch.arange(0, len(part), step))


def test_copies_of_training_images_are_all_found(digits):
    found = audit(every(digits.train, 50), against=digits, recipe=SHORT)
    assert found.nearer_share[0] == 1
    assert found.near_duplicates == tuple((row, 50 * row) for row in range(30))
    assert found.generated == (0, 0)
    assert found.repeats == ()


def test_held_out_images_read_five_percent(digits):
    found = audit(digits.test, against=digits, recipe=SHORT)
    assert found.nearer_share[0] == pytest.approx(0.05, abs=0.01)
    assert found.nearer_share[1] < 0.05 < found.nearer_share[2]
    assert found.near_duplicates == ()
    assert found.generated == pytest.approx(found.held_out)


def test_noise_is_far_and_repeats_are_seen(digits, draw):
    noise = ImageSet(draw(20, 1, 32, 32).clamp(-1, 1), torch.arange(20) % 10)
    found = audit(noise, against=digits, recipe=SHORT)
    assert found.nearer_share[0] == 0
    assert found.generated[0] > found.held_out[1]
    twice = ImageSet(torch.cat([noise.images, noise.images[3:5]]), torch.cat([noise.labels, noise.labels[3:5]]))
    assert audit(twice, against=digits, recipe=SHORT).repeats == ((3, 20), (4, 21))


def test_an_attack_finds_the_members_of_an_overfit_student(digits):
    few = torch.arange(0, 1500, 30)
    noisy = dataclasses.replace(digits, train=ImageSet(digits.train.images, digits.train.labels.roll(1)))
    found = audit(rows(noisy.train, few), against=noisy, members=few, recipe=Recipe(steps=60, batch_size=25, width=16))
    assert found.membership_auc[1] > 0.6  # labels that nobody could guess were learnt by heart


def test_an_attack_on_images_that_played_no_part_is_guessing(digits):
    used, unused = torch.arange(0, 100), torch.arange(100, 1500)
    found = audit(rows(digits.train, used), against=digits, members=unused, recipe=SHORT)
    low, high = found.membership_auc[1:]
    assert low < 0.5 < high


def test_the_order_of_a_set_does_not_matter(digits):
    images = every(digits.test, 10)
    turned = rows(images, torch.arange(len(images)).flip(0))
    found, again = (audit(one, against=digits, recipe=SHORT) for one in (images, turned))
    assert (found.generated, found.nearer_share) == (again.generated, again.nearer_share)


def test_distances_are_those_of_the_plain_loop(draw):
    images, real = draw(5, 2, 3, 3), draw(9, 2, 3, 3)
    distances, found = nearest_real(images, real)
    for row, image in enumerate(images):
        all_of_them = torch.stack([(image - other).square().mean().sqrt() for other in real])
        assert distances[row] == pytest.approx(all_of_them.min().item(), rel=1e-5)
        assert found[row] == all_of_them.argmin()
    by_mean = nearest_real(images, real, features=lambda batch: batch.mean((1, 2, 3))[:, None])
    assert by_mean[0].max() < distances.min()


def test_the_area_is_that_of_scikit_learn_with_ties(draw):
    inside, outside = draw(40).mul(3).round(), draw(60).mul(3).round() - 1
    truth = torch.cat([torch.ones(40), torch.zeros(60)])
    expected = roc_auc_score(truth, torch.cat([inside, outside]))
    assert area_under_curve(inside, outside) == pytest.approx(expected, abs=1e-9)
    assert area_under_curve(inside, inside) == pytest.approx(0.5)


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (5, 100), (100, 100)])
def test_the_interval_of_a_share_is_wilsons(hits, count):
    known = binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson(hits, count) == pytest.approx((known.low, known.high), abs=1e-4)


def test_an_audit_can_be_read_and_kept(digits):
    found = audit(every(digits.test, 10), against=digits, recipe=SHORT)
    assert "near duplicates of training images: 0" in str(found)
    assert json.loads(json.dumps(found.as_dict()))["nearer_share"] == list(found.nearer_share)


def test_what_cannot_be_audited_is_refused(digits, waves):
    with pytest.raises(ValueError, match="against must have a test split of at least 20 images; 'waves' has 4"):
        audit(waves.train, against=waves)
    with pytest.raises(ValueError, match=r"generated must have images \[1, 32, 32\] like 'digits'; got \[1, 16, 16\]"):
        audit(waves.train, against=digits)
