"""What is written beside a trained pipeline: whether it is good enough, the model card, and a sheet of pictures.

good enough:  real images lose at most 3 points by the autoencoder, and images without guidance are at most 10 points
behind real ones, for either of two judges
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.data.image_sets import ImageSet

LOST, BEHIND = 0.03, 0.10  # shares of held-out images that are classified right
SHOWN, COLUMNS = 10, 4  # classes on the sheet of pictures, and images of each kind

CARD = """---
library_name: diffusers
pipeline_tag: unconditional-image-generation
---
# A pipeline for {trained_on}

A stock `DiTPipeline`, trained from scratch by `mgd.train` of mgd-helpers {version}. It makes images of {side}x{side}
pixels with {channels}, of {n_classes}: {class_names}.

**{headline}** {advice}

![Real images, the same through the autoencoder, and images sampled without guidance](contact_sheet.png)

Left: held-out images. Middle: the same after encoding and decoding. Right: sampled without guidance.

| what | figure |
|---|---|
| mean squared reconstruction error, held-out images ([-1, 1] scale) | {mse:.2e} ({psnr:.1f} dB) |
| the same, training images | {mse_train:.2e} |
| 1-nearest-neighbor accuracy on held-out images, of {per_class} random real images per class | {nn_real:.3f} |
| the same, after they went through the autoencoder | {nn_passed:.3f} |
| the same, of {per_class} images per class sampled without guidance | {nn_sampled:.3f} |
| accuracy of a network trained on real images ({kind}): on held-out images | {judge:.3f} |
| the same network on held-out images after encoding and decoding | {judge_passed:.3f} |
| the same network on images sampled without guidance | {judge_sampled:.3f} |
| sampled images nearer to a training image than the nearest 5 % of held-out images | {near:.1%} |
| training | autoencoder {vae_steps} steps, {vae_minutes:.1f} min; denoiser {dit_steps} steps, {dit_minutes:.1f} min |
| machine | {machine} |

{held_line} A pipeline that copies its training images comes nearer to them than unseen images do, far more often than
5 % of the time. The rule for "good enough": by the autoencoder real images lose at most {lost} points for both judges,
and sampled ones are at most {behind} points behind real ones. All figures are in `metrics.json`.

Sampling: {sampling}. Distil with it: `mgd distill FOLDER --images-per-class 10 --pipeline THIS_FOLDER --out OUT`.
"""


def verdict(metrics: dict[str, Any], n_classes: int, *, more: bool = True) -> dict[str, Any]:
    """Whether a pipeline of these figures is good enough to distil with, in one sentence, and what to do otherwise.

    `more` says whether more minutes would bring more steps, or larger networks, than it was trained with.
    `good` is `None` where accuracies say nothing: there is one class, or even real images are hardly told apart.
    """
    near, judge = metrics["nearest_neighbor_accuracy"], metrics["classifier_trained_on_real"]
    if n_classes < 2:
        return {
            "good": None,
            "headline": "Whether it is good enough to distil with must be seen with the eye.",
            "advice": "There is one class, so that no accuracy says anything: look at the pictures.",
        }
    if judge["held_out"] < 2 / n_classes and judge["held_out"] < 0.6:
        return {
            "good": None,
            "headline": "Whether it is good enough to distil with cannot be said.",
            "advice": f"A network trained on the real images is right on {judge['held_out']:.0%} of the held-out ones, "
            f"where guessing is on {1 / n_classes:.0%}: there are too few images, or the labels are not to be seen in "
            "them at this size. Give more images, a larger size, and more minutes.",
        }
    lost = max(
        near["random_real_mean"] - near["random_real_round_trip_mean"], judge["held_out"] - judge["held_out_round_trip"]
    )
    behind = max(near["random_real_mean"] - near["generated_mean"], judge["held_out"] - judge["generated_mean"])
    weak = [*(["the autoencoder"] if lost > LOST else []), *(["the denoiser"] if behind > BEHIND else [])]
    told = (
        f"Real images lose {_points(lost)} by its autoencoder ({100 * LOST:.0f} are allowed), and images sampled "
        f"without guidance are {_points(behind)} behind real ones ({100 * BEHIND:.0f} are allowed)."
    )
    if not weak:
        return {"good": True, "headline": "It is good enough to distil with.", "advice": told}
    return {
        "good": False,
        "headline": f"It is not good enough to distil with: {' and '.join(weak)} must be better.",
        "advice": f"{told} {_remedy(lost > LOST, more)}",
    }


def _points(share: float) -> str:
    return f"{max(0.0, 100 * share):.1f} points"


def _remedy(autoencoder: bool, more: bool) -> str:
    said = "Train it into another folder with "
    said += "more minutes" if more else "more images or larger networks (settings=…), for more time has no use"
    if autoencoder:
        return f"{said}; where that does not help, at a larger size."
    return f"{said}. Meanwhile start from real images: distill with image_to_image=…, or with method='nearest-real'."


def card(metrics: dict[str, Any], class_names: Sequence[str]) -> str:
    """The model card of a pipeline, from its metrics."""
    near, judge, seen = (
        metrics[key] for key in ("nearest_neighbor_accuracy", "classifier_trained_on_real", "training")
    )
    channels, side = metrics["image"][0], metrics["image"][1]
    names = ", ".join(class_names[:20]) + (", …" if len(class_names) > 20 else "")
    return CARD.format(
        trained_on=metrics["trained_on"],
        version=metrics["versions"]["mgd-helpers"],
        side=side,
        channels="one channel (gray)" if channels == 1 else f"{channels} channels",
        n_classes=f"{len(class_names)} classes" if len(class_names) > 1 else "one class",
        class_names=names,
        headline=metrics["verdict"]["headline"],
        advice=metrics["verdict"]["advice"],
        mse=metrics["reconstruction_mse"]["held_out"],
        psnr=metrics["reconstruction_psnr"],
        mse_train=metrics["reconstruction_mse"]["train"],
        per_class=metrics["images_per_class"],
        nn_real=near["random_real_mean"],
        nn_passed=near["random_real_round_trip_mean"],
        nn_sampled=near["generated_mean"],
        kind=judge["kind"],
        judge=judge["held_out"],
        judge_passed=judge["held_out_round_trip"],
        judge_sampled=judge["generated_mean"],
        near=metrics["distance_to_nearest_training_image"]["generated_nearer_than_5_percent_of_held_out"],
        vae_steps=metrics["settings"]["vae_steps"],
        dit_steps=metrics["settings"]["dit_steps"],
        vae_minutes=seen["vae_seconds"] / 60,
        dit_minutes=seen["dit_seconds"] / 60,
        machine=seen["machine"],
        held_line=metrics["held_out"],
        lost=f"{100 * LOST:.0f}",
        behind=f"{100 * BEHIND:.0f}",
        sampling=metrics["sampling"],
    )


def contact_sheet(real: ImageSet, passed: ImageSet, sampled: ImageSet) -> Float[Tensor, "c height width"]:
    """A picture with a row for each of the first classes: real images, their round trips, and sampled ones.

    `passed` are the round trips of `real`, row by row. A class with fewer images leaves places blank.
    """
    channels, height, width = real.shape[1:]
    labels = sorted(set(sampled.labels.tolist()))[:SHOWN]
    cell, gap = torch.tensor([height + 2, width + 2]), width // 2
    sheet = torch.ones(channels, len(labels) * int(cell[0]), 3 * COLUMNS * int(cell[1]) + 2 * gap)
    for row, label in enumerate(labels):
        for kind, images in enumerate(part.of_class(label)[:COLUMNS] for part in (real, passed, sampled)):
            for column, image in enumerate(images):
                top, left = row * int(cell[0]) + 1, (kind * COLUMNS + column) * int(cell[1]) + kind * gap + 1
                sheet[:, top : top + height, left : left + width] = image
    return sheet
