import re

import pytest
import torch

from mgd_helpers import ImageSet
from mgd_helpers.training.card import CARD, card, contact_sheet, verdict


def metrics_of(*, real=0.8, passed=0.8, sampled=0.8, judge=0.9, judge_passed=0.9, judge_sampled=0.9):
    return {
        "nearest_neighbor_accuracy": {
            "random_real_mean": real,
            "random_real_round_trip_mean": passed,
            "generated_mean": sampled,
        },
        "classifier_trained_on_real": {
            "kind": "convnet3, width 32, 500 steps",
            "held_out": judge,
            "held_out_round_trip": judge_passed,
            "generated_mean": judge_sampled,
        },
    }


@pytest.mark.parametrize(
    ("figures", "good", "told"),
    [
        ({}, True, "It is good enough to distil with."),
        ({"passed": 0.78, "judge_sampled": 0.81}, True, "2.0 points by its autoencoder"),
        ({"sampled": 1.0, "judge_sampled": 1.0, "passed": 0.9}, True, "0.0 points behind"),
        ({"passed": 0.76}, False, "the autoencoder must be better"),
        ({"judge_passed": 0.86}, False, "the autoencoder must be better"),
        ({"sampled": 0.69}, False, "the denoiser must be better"),
        ({"judge_sampled": 0.5}, False, "the denoiser must be better.* 40.0 points behind real ones .*image_to_image"),
        ({"passed": 0.5, "sampled": 0.5}, False, "the autoencoder and the denoiser must be better.*larger size"),
        ({"judge": 0.15, "judge_passed": 0.15}, None, "right on 15% of the held-out ones, where guessing is on 10%"),
    ],
)
def test_the_verdict_follows_the_rule_for_either_judge(figures, good, told):
    found = verdict(metrics_of(**figures), 10)
    assert found["good"] is good and re.search(told, f"{found['headline']} {found['advice']}")


def test_more_minutes_are_advised_only_where_they_have_a_use():
    figures = metrics_of(judge_sampled=0.5)
    assert "with more minutes" in verdict(figures, 10)["advice"]
    found = verdict(figures, 10, more=False)["advice"]
    assert "with more minutes" not in found and "more images or larger networks" in found


def test_of_one_class_no_accuracy_says_anything():
    found = verdict(metrics_of(), 1)
    assert found["good"] is None and "look at the pictures" in found["advice"]


def test_every_figure_of_the_card_comes_from_the_metrics():
    metrics = metrics_of() | {
        "verdict": verdict(metrics_of(), 2),
        "reconstruction_mse": {"train": 0.001, "held_out": 0.00234},
        "reconstruction_psnr": 32.3,
        "distance_to_nearest_training_image": {"generated_nearer_than_5_percent_of_held_out": 0.042},
        "trained_on": "60 images of waves",
        "held_out": "Held out were 4 images.",
        "image": [1, 16, 16],
        "images_per_class": 10,
        "sampling": "DDIMScheduler, 50 steps",
        "training": {"vae_seconds": 60, "dit_seconds": 90, "machine": "a machine"},
        "settings": {"vae_steps": 7, "dit_steps": 9},
        "versions": {"mgd-helpers": "1.2.3"},
    }
    text = card(metrics, ("zero", "one"))
    assert "{" not in text and text.startswith("---\nlibrary_name: diffusers")
    for told in ("60 images of waves", "2.34e-03 (32.3 dB)", "4.2%", "7 steps, 1.0 min", "9 steps, 1.5 min", "16x16"):
        assert told in text
    assert "of 2 classes: zero, one." in text and "**It is good enough to distil with.**" in text
    assert len(card(metrics, [f"class {number}" for number in range(500)])) < len(CARD) + 2000


def test_the_sheet_shows_each_image_in_its_place_and_leaves_the_rest_blank():
    def of(value, labels):
        images = torch.full((len(labels), 1, 4, 4), value)
        return ImageSet(images, torch.tensor(labels))

    sheet = contact_sheet(of(-0.5, [0, 1]), of(0.0, [0, 1]), of(0.5, [0] * 6 + [1]))
    assert sheet.shape == (1, 2 * 6, 12 * 6 + 4)
    counts = {value: int((sheet == value).sum()) for value in (-0.5, 0.0, 0.5, 1.0)}
    assert counts == {-0.5: 2 * 16, 0.0: 2 * 16, 0.5: 5 * 16, 1.0: sheet.numel() - 9 * 16}
    assert (sheet[0, 1:5, 1:5] == -0.5).all() and (sheet[0, 7:11, 27:31] == 0).all()
