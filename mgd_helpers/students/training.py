"""Students: the networks that are trained on a small set of images, to see what the set is worth.

A student minimises the mean over its batch of -sum_c y_c log softmax(logits)_c, where y is a label or a soft label.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.optim.lr_scheduler import CosineAnnealingLR, MultiStepLR

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.image_sets import ImageSet, at, tensor_or_set
from mgd_helpers.progress import progress
from mgd_helpers.students.augmentation import apply_augmentation, cutmix, random_augmentation, random_cutmix
from mgd_helpers.students.networks import build
from mgd_helpers.students.recipes import Recipe, checked_recipe
from mgd_helpers.threads import for_training


def train_student(
    images: Float[Tensor, "n c h w"] | ImageSet,
    targets: Int[Tensor, " m"] | Float[Tensor, "m classes"],
    *,
    n_classes: int,
    recipe: Recipe = Recipe(),  # noqa: B008  (frozen)
    seed: int = 0,
) -> nn.Module:
    """Train one network by a recipe on labels, or on soft labels (rows that sum to 1).

    `seed` fixes weights, order and changes of the images, so that students of equal seed on different sets are paired.
    The weights of the last step are returned, never the best ones. Images in [-1, 1], on the device to train on.

    Raises `ValueError` for no images, for clearly other values, and for targets that are no classes or probabilities.
    """
    n_classes, [seed] = _check_training(images, targets, n_classes, recipe, [seed])
    student = _start(images, n_classes, recipe, seed)
    batches = progress(_batches(images, targets, n_classes, recipe, [seed]), "student", total=recipe.steps)
    with for_training(student, images, rows=recipe.batch_size):
        losses = (F.cross_entropy(student(batch), expected) for batch, expected in batches)
        _descend(losses, student.parameters(), recipe)
    return student.eval()


def train_students(
    images: Float[Tensor, "n c h w"] | ImageSet,
    targets: Int[Tensor, " m"] | Float[Tensor, "m classes"],
    *,
    n_classes: int,
    recipe: Recipe = Recipe(),  # noqa: B008  (frozen)
    seeds: Sequence[int],
    together: int | None = None,
) -> list[nn.Module]:
    """Train the students that `train_student` gives for each of `seeds`, but for rounding, `together` at once.

    Networks at once share every call (torch.func.vmap over their stacked weights), and the memory adds up. By default
    all on a GPU and one on a CPU, where vmap gains nothing (benchmarks/students.py).
    """
    if not isinstance(seeds, Iterable):
        raise ValueError(
            f"seeds must be a sequence of whole numbers, one per student; got {seeds!r}. Try range({seeds})."
        )
    n_classes, seeds = _check_training(images, targets, n_classes, recipe, seeds)
    if together is None:
        together = 1 if images.device.type == "cpu" else max(len(seeds), 1)
    together = arguments.whole("together", together, at_least=1, remedy="None lets the device decide.")
    if together == 1:
        return [train_student(images, targets, n_classes=n_classes, recipe=recipe, seed=seed) for seed in seeds]
    groups = [seeds[start : start + together] for start in range(0, len(seeds), together)]
    return [student for group in groups for student in _train_together(images, targets, n_classes, recipe, group)]


@torch.no_grad()
def accuracy(student: nn.Module, images: Float[Tensor, "n c h w"] | ImageSet, labels: Int[Tensor, " m"]) -> float:
    """The share of images that the student labels correctly, in [0, 1].

    Raises `ValueError` where there are none.
    """
    images, labels = tensor_or_set("images", images), arguments.tensor("labels", labels)
    if len(images) != len(labels) or len(labels) == 0:
        raise ValueError(f"images and labels must be equally many, at least 1; got {len(images)} and {len(labels)}.")
    with for_training(student, images, rows=min(500, len(images))):
        blocks = (at(images, slice(start, start + 500)) for start in range(0, len(images), 500))
        found = torch.cat([student(block).argmax(1) for block in blocks])
    return float((found == labels).sum()) / len(labels)


@torch.no_grad()
def soft_labels(
    teacher: nn.Module, images: Float[Tensor, "n c h w"], *, temperature: float = 1.0
) -> Float[Tensor, "n classes"]:
    """What a trained network thinks of images: softmax(logits / `temperature`), rows that sum to 1."""
    remedy = "1 leaves the teacher's probabilities alone."
    temperature = arguments.number("temperature", temperature, above=0, remedy=remedy)
    with for_training(teacher, images, rows=min(500, len(images))):
        return torch.cat([(teacher(block) / temperature).softmax(1) for block in images.split(500)])


def _train_together(
    images: Tensor | ImageSet, targets: Tensor, n_classes: int, recipe: Recipe, seeds: Sequence[int]
) -> list[nn.Module]:
    students = [_start(images, n_classes, recipe, seed) for seed in seeds]
    weights, _ = stack_module_state(students)  # name: [students, ...]
    skeleton = copy.deepcopy(students[0]).to("meta")

    def loss_of(weights: dict[str, Tensor], batch: Tensor, expected: Tensor) -> Tensor:
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


def _start(images: Tensor | ImageSet, n_classes: int, recipe: Recipe, seed: int) -> nn.Module:
    student = build(
        recipe.network,
        channels=images.shape[1],
        n_classes=n_classes,
        image_size=(images.shape[2], images.shape[3]),
        width=recipe.width,
        seed=seed,
    )
    return student.to(images.device).train()


def _descend(losses: Iterable[Tensor], parameters: Iterable[Tensor], recipe: Recipe) -> None:
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


def _batches(
    images: Tensor | ImageSet, targets: Tensor, n_classes: int, recipe: Recipe, seeds: Sequence[int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """The changed images and the targets of every step, for the students of all seeds one after the other."""
    targets = targets.detach().to(images.device)
    if recipe.cutmix and targets.ndim == 1:
        targets = F.one_hot(targets, n_classes).to(images.dtype)
    for steps in zip(*(_random_steps(images.shape, recipe, seed) for seed in seeds), strict=True):
        drawn = {name: torch.cat([step[name] for step in steps]).to(images.device) for name in steps[0]}
        rows = drawn.pop("rows")
        mix = {name: drawn.pop(name) for name in ("partners", "boxes") if name in drawn}
        batch, expected = apply_augmentation(at(images, rows).detach(), drawn), targets[rows]
        if mix:
            student = torch.arange(len(rows), device=rows.device) // recipe.batch_size
            mix["partners"] += student * recipe.batch_size  # a partner is of the same student
            batch, expected = cutmix(batch, expected, **mix)
        yield batch, expected


def _random_steps(shape: Sequence[int], recipe: Recipe, seed: int) -> Iterator[dict[str, Tensor]]:
    """All that is drawn for one student: in every step the rows of its batch, and how to change them."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.empty(0, dtype=torch.long)
    batch_shape = (recipe.batch_size, *shape[1:])
    for _ in range(recipe.steps):
        while len(order) < recipe.batch_size:
            order = torch.cat([order, torch.randperm(shape[0], generator=generator)])
        step, order = {"rows": order[: recipe.batch_size]}, order[recipe.batch_size :]
        step |= random_augmentation(recipe.augmentation, batch_shape, generator=generator, max_shift=recipe.max_shift)
        yield step | (random_cutmix(batch_shape, generator=generator) if recipe.cutmix else {})


def _check_training(images: Any, targets: Any, n_classes: Any, recipe: Any, seeds: Any) -> tuple[int, list[int]]:
    """Number of classes and seeds as Python's own, once everything is found fit."""
    n_classes, _ = arguments.whole("n_classes", n_classes, at_least=1), checked_recipe(recipe)
    seeds = [arguments.whole("seed", seed, at_least=0, at_most=2**64 - 1) for seed in seeds]
    images, targets = tensor_or_set("images", images), arguments.tensor("targets", targets)
    if len(images.shape) != 4 or images.dtype != torch.float32 or len(images) == 0:
        raise ValueError(f"images must be float32 [N, C, H, W], at least one; got {images.dtype} {list(images.shape)}.")
    if not isinstance(images, ImageSet):  # which has looked at its values
        arguments.pixels("images", images, most=10.0)  # they may be noisy, or standardised
    soft = targets.is_floating_point()
    expected = [len(images), n_classes] if soft else [len(images)]
    if list(targets.shape) != expected or not (soft or targets.dtype == torch.int64):
        raise ValueError(
            f"targets must be int64 labels {[len(images)]} or soft labels {[len(images), n_classes]}; got "
            f"{targets.dtype} {list(targets.shape)}."
        )
    low, high = (end.item() for end in targets.aminmax())
    if not soft and not 0 <= low <= high < n_classes:
        raise ValueError(f"labels must be 0 to {n_classes - 1}; got {low} to {high}. Check n_classes.")
    if soft and not (low > -1e-3 and (targets.sum(1) - 1).abs().max() < 1e-3):
        raise ValueError(
            f"soft targets must be at least 0, and their rows sum to 1; got entries of {low:.3g} and rows that sum to "
            f"{targets.sum(1).min():.3g} to {targets.sum(1).max():.3g}. Apply softmax to logits."
        )
    return n_classes, seeds
