"""Students: the networks that are trained on a small set of images, to see what the set is worth.

A student minimises the mean over its batch of -sum_c y_c log softmax(logits)_c, where y is a label or a soft label.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.optim.lr_scheduler import CosineAnnealingLR, MultiStepLR

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.augment import AUGMENTATIONS, apply_augmentation, cutmix, draw_augmentation, draw_cutmix
from mgd_helpers.networks import build
from mgd_helpers.runtime import progress
from mgd_helpers.threads import for_training


@dataclass(frozen=True)
class Recipe:
    """How a student is trained: SGD with momentum 0.9 for `steps` batches.

    The default is a short recipe for small grey images on a CPU, set by hand and not tuned on any test split; `field`
    gives the one that the field's tables share. `network` is a name that `networks.build` knows, `width` its width
    (None: the field's). `schedule` is `cosine`, a decay to zero, or `steps`, times 0.2 after 2/3 and 5/6 of all steps.
    `augmentation` is one of `augment.augment`; `max_shift`, in pixels, counts for `shift` only.
    """

    steps: int = 150
    batch_size: int = 50
    learning_rate: float = 0.02
    weight_decay: float = 5e-4
    network: str = "convnet3"
    width: int | None = 32
    max_shift: int = 2
    augmentation: str = "shift"
    cutmix: bool = False
    schedule: str = "cosine"
    nesterov: bool = True

    def __post_init__(self):
        if self.schedule not in ("cosine", "steps"):
            raise ValueError(f"schedule must be 'cosine' or 'steps'; got {self.schedule!r}.")
        if self.augmentation not in AUGMENTATIONS:
            raise ValueError(f"augmentation must be one of {AUGMENTATIONS}; got {self.augmentation!r}.")
        for name in ("steps", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive; got {getattr(self, name)}.")

    @classmethod
    def field(
        cls, images_per_class: int, *, image_size: int, n_classes: int = 10, network: str | None = None
    ) -> Recipe:
        """The hard-label recipe that the field's tables share, from the code of Kim et al. (2022).

        For photographs, by default with `convnet6`: 3000 epochs of 1 image per class, 2000 of up to 10, 1500 of up to
        50, 1000 of up to 200, 500 of up to 500, else 300; of 100 classes two thirds of that, in hundreds. Batches of
        64, learning rate 0.01, weight decay 5e-4 (1000 classes: 128, 0.1, 1e-4); times 0.2 after 2/3 and 5/6; the
        augmentation `imagenet`, and CutMix always. Images of up to 64 pixels, by default with `convnet3`: 1000 epochs
        of the `dsa` augmentation without CutMix.

        An epoch is as many steps as there. A batch here is always full, across the ends of epochs, so that images pass
        a little more often. Images stay in [-1, 1] rather than standardised, which instance norm makes nearly equal.
        """
        small = image_size <= 64
        bounds = {1: 3000, 10: 2000, 50: 1500, 200: 1000, 500: 500}
        epochs = next((epochs for most, epochs in bounds.items() if images_per_class <= most), 300)
        if n_classes == 100:
            epochs = 2 * epochs // 300 * 100
        many = n_classes >= 1000
        count, most = images_per_class * n_classes, 128 if many else 64
        return cls(
            steps=(1000 if small else epochs) * -(-count // most),
            batch_size=min(most, count),
            learning_rate=0.1 if many else 0.01,
            weight_decay=1e-4 if many else 5e-4,
            network=network or ("convnet3" if small else "convnet6"),
            width=None,
            augmentation="dsa" if small else "imagenet",
            cutmix=not small,
            schedule="steps",
            nesterov=False,
        )


def train_student(
    images: Float[Tensor, "n c h w"],
    targets: Int[Tensor, " m"] | Float[Tensor, "m classes"],
    *,
    n_classes: int,
    recipe: Recipe = Recipe(),
    seed: int = 0,
) -> nn.Module:
    """Train one network by a recipe on labels, or on soft labels (rows that sum to 1).

    `seed` fixes weights, order and changes of the images, so that students of equal seed on different sets are paired.
    The weights of the last step are returned, never the best ones. Images in [-1, 1], on the device to train on.
    Raises `ValueError` for no images, for clearly other values, and for targets that are no classes or probabilities.
    """
    _check(images, targets, n_classes)
    student = _start(images, n_classes, recipe, seed)
    batches = progress(_batches(images, targets, n_classes, recipe, [seed]), "student", total=recipe.steps)
    with for_training(student, images, rows=recipe.batch_size):
        losses = (F.cross_entropy(student(batch), expected) for batch, expected in batches)
        _descend(losses, student.parameters(), recipe)
    return student.eval()


def train_students(
    images: Float[Tensor, "n c h w"],
    targets: Int[Tensor, " m"] | Float[Tensor, "m classes"],
    *,
    n_classes: int,
    recipe: Recipe = Recipe(),
    seeds: Sequence[int],
    together: int | None = None,
) -> list[nn.Module]:
    """The students that `train_student` gives for each of `seeds`, but for rounding, `together` of them at once.

    Networks at once share every call (torch.func.vmap over their stacked weights), and the memory adds up. By default
    all on a GPU and one on a CPU, where vmap gains nothing (benchmarks/students.py).
    """
    seeds = list(seeds)
    if together is None:
        together = 1 if images.device.type == "cpu" else max(len(seeds), 1)
    if together < 1:
        raise ValueError(f"together must be at least 1; got {together}. None lets the device decide.")
    if together == 1:
        return [train_student(images, targets, n_classes=n_classes, recipe=recipe, seed=seed) for seed in seeds]
    _check(images, targets, n_classes)
    groups = [seeds[start : start + together] for start in range(0, len(seeds), together)]
    return [student for group in groups for student in _train_together(images, targets, n_classes, recipe, group)]


@torch.no_grad()
def accuracy(student: nn.Module, images: Float[Tensor, "n c h w"], labels: Int[Tensor, " m"]) -> float:
    """The share of images that the student labels correctly, in [0, 1]. Raises `ValueError` where there are none."""
    if len(images) != len(labels) or len(labels) == 0:
        raise ValueError(f"images and labels must be equally many, at least 1; got {len(images)} and {len(labels)}.")
    with for_training(student, images, rows=min(500, len(images))):
        found = torch.cat([student(block).argmax(1) for block in images.split(500)])
    return float((found == labels).sum()) / len(labels)


@torch.no_grad()
def soft_labels(
    teacher: nn.Module, images: Float[Tensor, "n c h w"], *, temperature: float = 1.0
) -> Float[Tensor, "n classes"]:
    """What a trained network thinks of images: softmax(logits / `temperature`), rows that sum to 1."""
    if temperature <= 0:
        raise ValueError(
            f"temperature must be positive; got {temperature}. 1 leaves the teacher's probabilities alone."
        )
    with for_training(teacher, images, rows=min(500, len(images))):
        return torch.cat([(teacher(block) / temperature).softmax(1) for block in images.split(500)])


def _train_together(images, targets, n_classes, recipe, seeds) -> list[nn.Module]:
    students = [_start(images, n_classes, recipe, seed) for seed in seeds]
    weights, _ = stack_module_state(students)  # name: [students, ...]
    skeleton = copy.deepcopy(students[0]).to("meta")

    def loss_of(weights, batch, expected):
        return F.cross_entropy(functional_call(skeleton, weights, (batch,)), expected)

    named = f"{len(seeds)} students"
    batches = progress(_batches(images, targets, n_classes, recipe, seeds), named, total=recipe.steps)
    with for_training(students[0], images, rows=len(seeds) * recipe.batch_size):
        apart = ([rows.unflatten(0, (len(seeds), -1)) for rows in pair] for pair in batches)
        losses = (vmap(loss_of)(weights, *pair).sum() for pair in apart)  # or students share one gradient's length
        _descend(losses, weights.values(), recipe)
    with torch.no_grad():
        for index, student in enumerate(students):
            for name, weight in student.named_parameters():
                weight.copy_(weights[name][index])
    return [student.eval() for student in students]


def _start(images, n_classes, recipe, seed) -> nn.Module:
    shape = {"channels": images.shape[1], "n_classes": n_classes, "image_size": images.shape[-2:]}
    return build(recipe.network, **shape, width=recipe.width, seed=seed).to(images.device).train()


def _descend(losses, parameters, recipe):
    optimizer = torch.optim.SGD(
        parameters, lr=recipe.learning_rate, momentum=0.9, weight_decay=recipe.weight_decay, nesterov=recipe.nesterov
    )
    cosine, milestones = recipe.schedule == "cosine", [max(recipe.steps * part // 6, 1) for part in (4, 5)]
    schedule = CosineAnnealingLR(optimizer, recipe.steps) if cosine else MultiStepLR(optimizer, milestones, gamma=0.2)
    for loss in losses:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()


def _batches(images, targets, n_classes, recipe, seeds) -> Iterator[tuple[Tensor, Tensor]]:
    """The changed images and the targets of every step, for the students of all seeds one after the other."""
    targets = targets.to(images.device)
    if recipe.cutmix and targets.ndim == 1:
        targets = F.one_hot(targets, n_classes).to(images.dtype)
    for draws in zip(*(_draws(images.shape, recipe, seed) for seed in seeds), strict=True):
        drawn = {name: torch.cat([draw[name] for draw in draws]).to(images.device) for name in draws[0]}
        rows = drawn.pop("rows")
        mix = {name: drawn.pop(name) for name in ("partners", "boxes") if name in drawn}
        batch, expected = apply_augmentation(images[rows], drawn), targets[rows]
        if mix:
            student = torch.arange(len(rows), device=rows.device) // recipe.batch_size
            mix["partners"] += student * recipe.batch_size  # a partner is of the same student
            batch, expected = cutmix(batch, expected, **mix)
        yield batch, expected


def _draws(shape, recipe, seed) -> Iterator[dict[str, Tensor]]:
    """All that is drawn for one student: in every step the rows of its batch, and how to change them."""
    draw = torch.Generator().manual_seed(seed)
    order = torch.empty(0, dtype=torch.long)
    batch_shape = (recipe.batch_size, *shape[1:])
    for _ in range(recipe.steps):
        while len(order) < recipe.batch_size:
            order = torch.cat([order, torch.randperm(shape[0], generator=draw)])
        rows, order = order[: recipe.batch_size], order[recipe.batch_size :]
        drawn = draw_augmentation(recipe.augmentation, batch_shape, draw=draw, max_shift=recipe.max_shift)
        yield {"rows": rows} | drawn | (draw_cutmix(batch_shape, draw=draw) if recipe.cutmix else {})


def _check(images, targets, n_classes):
    if images.ndim != 4 or images.dtype != torch.float32 or len(images) == 0:
        raise ValueError(f"images must be float32 [N, C, H, W], at least one; got {images.dtype} {list(images.shape)}.")
    low, high = (end.item() for end in images.aminmax())
    if not -10 <= low <= high <= 10:  # they may be noisy, or standardised; this also refuses NaN
        raise ValueError(f"images must be in [-1, 1]; got [{low:.3g}, {high:.3g}]. Of bytes take images / 127.5 - 1.")
    soft = targets.is_floating_point()
    expected = [len(images), n_classes] if soft else [len(images)]
    if list(targets.shape) != expected or not (soft or targets.dtype == torch.int64):
        raise ValueError(f"targets must be {expected}, int64 or soft; got {targets.dtype} {list(targets.shape)}.")
    low, high = (end.item() for end in targets.aminmax())
    if not soft and not 0 <= low <= high < n_classes:
        raise ValueError(f"labels must be 0 to {n_classes - 1}; got {low} to {high}. Check n_classes.")
    if soft and not (low > -1e-3 and (targets.sum(1) - 1).abs().max() < 1e-3):
        raise ValueError(
            f"soft targets must be at least 0, and their rows sum to 1; got entries of {low:.3g} and rows that sum to "
            f"{targets.sum(1).min():.3g} to {targets.sum(1).max():.3g}. Apply softmax to logits."
        )
