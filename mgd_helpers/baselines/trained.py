"""Baselines that train: distribution matching on pixels, and a minimax fine-tune of the pipeline's denoiser.

matching:  min over images of sum over classes ‖ mean f(real) - mean f(images) ‖²,  f a fresh random network each step
minimax:   noise prediction + a (1 - min cos(x̂₀, real memory)) + b max cos(x̂₀, generated memory)
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.datasets import ImageSet, image_set
from mgd_helpers.encoding.callers import NULL_CLASS
from mgd_helpers.encoding.latents import encode
from mgd_helpers.guidance.noise import prediction_type
from mgd_helpers.progress import progress
from mgd_helpers.seeding import generator
from mgd_helpers.students.augmentation import apply_augmentation, draw_augmentation
from mgd_helpers.students.networks import build


def match_distributions(
    start: ImageSet,
    train: ImageSet,
    *,
    steps: int,
    batch_size: int = 32,
    learning_rate: float = 3.0,
    width: int = 32,
    seed: int = 0,
) -> ImageSet:
    """Distribution matching (Zhao & Bilen 2023): change the images of `start` until random networks cannot tell the
    class means of their features from those of real batches.

    `start` holds equally many images of each class, in class order, usually random real ones. Gradient descent with
    momentum 0.5 on the pixels, which stay in [-1, 1]; every step draws a new ConvNet-3 of `width` channels,
    `batch_size` real images of each class, and one change (`dsa`) that is applied to all images of the step alike. Of
    the learning rates 1, 3 and 10, for 100 steps and ten images per class, 1 and 3 did best on held-back images of
    three data sets, and alike (`studies/tune.py`). Raises `ValueError` for numbers below 1, and where `start` does not
    fit `train`.
    """
    steps, batch_size, width = _at_least_one(steps=steps, batch_size=batch_size, width=width)
    learning_rate, seed = (
        arguments.number("learning_rate", learning_rate, above=0),
        arguments.whole("seed", seed, at_least=0),
    )
    n_classes = _check_start(start, train)
    members = [(train.labels == label).nonzero()[:, 0] for label in range(n_classes)]
    images, velocity = start.images.detach().clone(), torch.zeros_like(start.images)
    draw = generator(seed)
    for _ in progress(range(steps), "distribution matching"):
        features = _random_features(images, n_classes, width, draw)
        rows = torch.cat([own[torch.randint(len(own), (batch_size,), generator=draw)] for own in members])
        drawn = draw_augmentation("dsa", (1, *images.shape[1:]), draw=draw)
        with torch.no_grad():
            real = _class_means(features(_changed(train.images[rows], drawn)), n_classes)
        images.requires_grad_(True)
        loss = (_class_means(features(_changed(images, drawn)), n_classes) - real).square().sum()
        (gradient,) = torch.autograd.grad(loss, images)
        velocity = 0.5 * velocity + gradient
        images = (images.detach() - learning_rate * velocity).clamp(-1, 1)
    return ImageSet(images, start.labels)


def finetune_minimax(
    pipe,
    train: ImageSet,
    *,
    steps: int,
    latents: Float[Tensor, "n ..."] | None = None,
    class_labels: list[int] | range | None = None,
    batch_size: int = 32,
    learning_rate: float = 1e-4,
    memory: int = 64,
    weight_real: float = 0.002,
    weight_generated: float = 0.008,
    label_drop: float = 0.1,
    seed: int = 0,
):
    """A stock DiTPipeline whose denoiser was fine-tuned in the manner of Minimax Diffusion (Gu et al. 2024).

    Beside predicting the noise, its clean predictions are drawn towards the *least* similar of the last `memory` real
    latents of their class (representativeness), and away from the *most* similar of its own last predictions
    (diversity); similarity is the cosine. `class_labels` are the pipeline's labels of the classes, by default 0, 1, 2,
    …; `latents` those of `train`, where they are at hand. The given pipeline stays as it is.

    The weights of the two terms are the published ones; the published run fine-tunes DiT-XL/2 for hours, so a short one
    on a small pipeline says something about the idea and nothing about the paper's figures.

    Raises `ValueError` for numbers below 1, for a pipeline that does not predict noise, and where `latents` or
    `class_labels` do not fit `train`.
    """
    from diffusers import DiTPipeline

    steps, batch_size, memory = _at_least_one(steps=steps, batch_size=batch_size, memory=memory)
    learning_rate, seed = (
        arguments.number("learning_rate", learning_rate, above=0),
        arguments.whole("seed", seed, at_least=0),
    )
    weight_real = arguments.number("weight_real", weight_real, at_least=0)
    weight_generated = arguments.number("weight_generated", weight_generated, at_least=0)
    label_drop = arguments.number("label_drop", label_drop, at_least=0, at_most=1)
    image_set("train", train)
    if (prediction := prediction_type(pipe.scheduler)) != "epsilon":
        raise ValueError(
            f"pipe must predict noise, prediction_type 'epsilon'; got {prediction!r}. Take another pipeline."
        )
    latents = encode(pipe.vae, train.images) if latents is None else latents
    if len(arguments.tensor("latents", latents)) != len(train):
        raise ValueError(f"latents must be those of the {len(train)} training images; got {len(latents)}.")
    n_classes = int(train.labels.max()) + 1
    labels = range(n_classes) if class_labels is None else class_labels
    known = torch.tensor(
        [arguments.whole("each of class_labels", one, at_least=0, at_most=NULL_CLASS - 1) for one in labels]
    )
    if len(known) != n_classes:
        raise ValueError(f"class_labels must be one per class, {n_classes}; got {len(known)}.")
    dit = copy.deepcopy(pipe.transformer).float().train().requires_grad_(True)
    for block in dit.transformer_blocks:
        block.norm1.emb.class_embedder.dropout_prob = 0.0  # every block would drop on its own; it is done below
    device, draw = dit.device, generator(seed)
    cumulative = pipe.scheduler.alphas_cumprod.to(device)
    optimizer = torch.optim.AdamW(dit.parameters(), lr=learning_rate, weight_decay=0)
    past = {kind: _Memory(n_classes, memory, latents[0].numel(), device) for kind in ("real", "generated")}
    for _ in progress(range(steps), "minimax fine-tune"):
        rows = torch.randint(len(latents), (batch_size,), generator=draw)
        timesteps = torch.randint(len(cumulative), (batch_size,), generator=draw).to(device)
        epsilon = torch.randn(latents[rows].shape, generator=draw).to(device)
        shown = (torch.rand(batch_size, generator=draw) >= label_drop).to(device)
        clean, labels = latents[rows].to(device), train.labels[rows].to(device)
        signal, noise = (share[timesteps].sqrt().view(-1, 1, 1, 1) for share in (cumulative, 1 - cumulative))
        noisy = signal * clean + noise * epsilon
        classes = torch.where(shown, known.to(device)[labels], NULL_CLASS)
        predicted = dit(noisy, timestep=timesteps, class_labels=classes).sample[:, : clean.shape[1]]
        denoised = ((noisy - noise * predicted) / signal)[shown].flatten(1)
        loss = F.mse_loss(predicted, epsilon)
        loss = loss + weight_real * (1 - past["real"].similarities(denoised, labels[shown], least=True)).mean()
        loss = loss + weight_generated * past["generated"].similarities(denoised, labels[shown], least=False).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        past["real"].add(clean.flatten(1), labels)
        past["generated"].add(denoised.detach(), labels[shown])
    dit = dit.to(pipe.transformer.dtype).eval().requires_grad_(False)
    names = pipe.config.get("id2label")
    tuned = DiTPipeline(dit, pipe.vae, pipe.scheduler, id2label=names)
    tuned.register_to_config(id2label=names)  # or save_pretrained forgets them
    tuned.set_progress_bar_config(**getattr(pipe, "_progress_bar_config", {}))
    return tuned


class _Memory:
    """The last `size` rows of each class, unit length; empty places are known."""

    def __init__(self, n_classes: int, size: int, width: int, device):
        self.rows = torch.zeros(n_classes, size, width, device=device)
        self.filled = torch.zeros(n_classes, size, dtype=torch.bool, device=device)
        self.next = [0] * n_classes

    def add(self, rows: Float[Tensor, "b d"], labels: Int[Tensor, " b"]) -> None:
        for row, label in zip(F.normalize(rows, dim=1), labels.tolist(), strict=True):
            self.rows[label, self.next[label]], self.filled[label, self.next[label]] = row, True
            self.next[label] = (self.next[label] + 1) % self.rows.shape[1]

    def similarities(self, rows: Float[Tensor, "b d"], labels: Int[Tensor, " b"], *, least: bool) -> Tensor:
        """Cosine of each row with the least or the most similar one of its class; rows without a memory are left out,
        and where none is left, a constant that pulls nowhere.
        """
        found = torch.einsum("bd,bmd->bm", F.normalize(rows, dim=1), self.rows[labels])
        filled = self.filled[labels]
        if not filled.any():
            return torch.full((1,), float(least), device=rows.device)
        extreme = found.masked_fill(~filled, 2).amin(1) if least else found.masked_fill(~filled, -2).amax(1)
        return extreme[filled.any(1)]


def _at_least_one(**numbers) -> list[int]:
    return [arguments.whole(name, number, at_least=1) for name, number in numbers.items()]


def _check_start(start: ImageSet, train: ImageSet) -> int:
    n_classes = int(image_set("train", train).labels.max()) + 1
    image_set("start", start)
    per_class = len(start) // n_classes
    if per_class == 0 or start.labels.tolist() != [label for label in range(n_classes) for _ in range(per_class)]:
        raise ValueError(
            f"start must hold equally many images of each of the {n_classes} classes, in class order; got "
            f"{torch.bincount(start.labels, minlength=n_classes).tolist()} images of the classes."
        )
    if start.images.shape[1:] != train.images.shape[1:]:
        raise ValueError(
            f"start must have images {list(train.images.shape[1:])} as train; got {list(start.images.shape[1:])}."
        )
    return n_classes


def _random_features(images, n_classes, width, draw):
    shape = {"channels": images.shape[1], "n_classes": n_classes, "image_size": images.shape[-2:]}
    seed = torch.randint(2**62, (1,), generator=draw).item()
    return build("convnet3", **shape, width=width, seed=seed).to(images.device).requires_grad_(False).features


def _changed(images: Float[Tensor, "b c h w"], drawn: dict[str, Tensor]) -> Float[Tensor, "b c h w"]:
    """All images changed in the one way that was drawn."""
    return apply_augmentation(images, {name: row.expand(len(images), *row.shape[1:]) for name, row in drawn.items()})


def _class_means(features: Float[Tensor, "b d"], n_classes: int) -> Float[Tensor, "classes d"]:
    return features.unflatten(0, (n_classes, -1)).mean(1)
