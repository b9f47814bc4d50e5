"""Students: the networks that are trained on a small set of images, to see what the set is worth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.runtime import progress


class ConvNet(nn.Module):
    """The field's ConvNet: blocks of 3x3 convolution, instance norm, ReLU and 2x2 mean pooling, then one linear layer.

    `features` gives what enters the linear layer, [B, width * h * w].
    """

    def __init__(self, channels: int, n_classes: int, *, image_size: int, depth: int = 3, width: int = 32):
        super().__init__()
        if image_size < 2**depth:
            raise ValueError(f"image_size must be at least 2**depth = {2**depth}; got {image_size}. Take fewer blocks.")
        blocks = []
        for block in range(depth):
            blocks += [
                nn.Conv2d(channels if block == 0 else width, width, 3, padding=1),
                nn.GroupNorm(width, width),  # one group per channel is instance norm
                nn.ReLU(),
                nn.AvgPool2d(2),
            ]
        self.features = nn.Sequential(*blocks, nn.Flatten())
        self.head = nn.Linear(width * (image_size // 2**depth) ** 2, n_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        return self.head(self.features(images))


@dataclass(frozen=True)
class Recipe:
    """How a student is trained: SGD with momentum 0.9 and cosine decay, images shifted by up to `max_shift` pixels.

    The default is a short recipe for small grey images on a CPU, set by hand and not tuned on any test split.
    """

    steps: int = 150
    batch_size: int = 50
    learning_rate: float = 0.02
    weight_decay: float = 5e-4
    depth: int = 3
    width: int = 32
    max_shift: int = 2


def train_student(
    images: Float[Tensor, "n c h w"],
    labels: Int[Tensor, " n"],
    *,
    n_classes: int,
    recipe: Recipe = Recipe(),
    seed: int = 0,
) -> ConvNet:
    """Train a ConvNet on hard labels by a recipe.

    `seed` fixes weights, order and shifts, so that students of equal seed on different sets are paired. The weights of
    the last step are returned, never the best ones. Images in [-1, 1], on the device to train on.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = ConvNet(
            images.shape[1], n_classes, image_size=images.shape[-1], depth=recipe.depth, width=recipe.width
        ).to(images.device)
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(
        student.parameters(),
        lr=recipe.learning_rate,
        momentum=0.9,
        weight_decay=recipe.weight_decay,
        nesterov=True,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
    student.train()
    order = torch.empty(0, dtype=torch.long)
    for _ in progress(range(recipe.steps), "student"):
        while len(order) < recipe.batch_size:
            order = torch.cat([order, torch.randperm(len(images), generator=draw)])
        rows, order = order[: recipe.batch_size].to(images.device), order[recipe.batch_size :]
        shifts = torch.randint(-recipe.max_shift, recipe.max_shift + 1, (recipe.batch_size, 2), generator=draw)
        loss = F.cross_entropy(student(shifted(images[rows], shifts)), labels[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return student.eval()


def shifted(images: Float[Tensor, "b c h w"], shifts: Int[Tensor, "b 2"]) -> Float[Tensor, "b c h w"]:
    """Move each image by whole pixels (down, right), repeating its border; on the device, no loop over images."""
    height, width = images.shape[-2:]
    shifts = shifts.to(images.device)
    rows = (torch.arange(height, device=images.device) - shifts[:, :1]).clamp(0, height - 1)
    columns = (torch.arange(width, device=images.device) - shifts[:, 1:]).clamp(0, width - 1)
    batch = torch.arange(len(images), device=images.device)
    moved = images.permute(0, 2, 3, 1)[batch[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


@torch.no_grad()
def accuracy(student: nn.Module, images: Float[Tensor, "n c h w"], labels: Int[Tensor, " n"]) -> float:
    """The share of images that the student labels correctly, in [0, 1]."""
    correct = sum((student(x).argmax(1) == y).sum() for x, y in zip(images.split(500), labels.split(500), strict=True))
    return float(correct) / len(labels)
