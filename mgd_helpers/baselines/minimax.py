"""A minimax fine-tune of the pipeline's denoiser, towards representative and diverse predictions.

loss = noise prediction + a (1 - min cos(ẑ₀, real memory)) + b max cos(ẑ₀, generated memory)
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.image_sets import ImageSet, image_set
from mgd_helpers.encoding.callers import NULL_CLASS
from mgd_helpers.encoding.latents import encode
from mgd_helpers.encoding.pipelines import TransformerPipeline
from mgd_helpers.guidance.noise import prediction_type
from mgd_helpers.progress import progress


def finetune_minimax(
    pipe: TransformerPipeline,
    train: ImageSet,
    *,
    steps: int,
    latents: Float[Tensor, "n ..."] | None = None,
    class_labels: Sequence[int] | None = None,
    batch_size: int = 32,
    learning_rate: float = 1e-4,
    memory: int = 64,
    weight_real: float = 0.002,
    weight_generated: float = 0.008,
    label_drop: float = 0.1,
    seed: int = 0,
) -> TransformerPipeline:
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
    steps, seed = arguments.whole("steps", steps, at_least=1), arguments.whole("seed", seed, at_least=0)
    batch_size = arguments.whole("batch_size", batch_size, at_least=1)
    memory = arguments.whole("memory", memory, at_least=1)
    learning_rate = arguments.number("learning_rate", learning_rate, above=0)
    weight_real = arguments.number("weight_real", weight_real, at_least=0)
    weight_generated = arguments.number("weight_generated", weight_generated, at_least=0)
    label_drop = arguments.number("label_drop", label_drop, at_least=0, at_most=1)
    image_set("train", train)
    if (prediction := prediction_type(pipe.scheduler)) != "epsilon":
        raise ValueError(
            f"pipe must predict noise, prediction_type 'epsilon'; got {prediction!r}. Take another pipeline."
        )
    latents = encode(pipe.vae, train) if latents is None else latents
    if len(arguments.tensor("latents", latents)) != len(train):
        raise ValueError(f"latents must be those of the {len(train)} training images; got {len(latents)}.")
    n_classes = int(train.labels.max()) + 1
    known = _pipeline_labels(class_labels, n_classes)
    dit = _trainable(pipe.transformer)
    device, generator = dit.device, seeding.generator(seed)
    known, cumulative = known.to(device), pipe.scheduler.alphas_cumprod.to(device)
    optimizer = torch.optim.AdamW(dit.parameters(), lr=learning_rate, weight_decay=0)
    real, generated = (_Memory(n_classes, memory, latents[0].numel(), device) for _ in range(2))
    for _ in progress(range(steps), "minimax fine-tune"):
        rows = torch.randint(len(latents), (batch_size,), generator=generator)
        timesteps = torch.randint(len(cumulative), (batch_size,), generator=generator).to(device)
        epsilon = torch.randn(latents[rows].shape, generator=generator).to(device)
        shown = (torch.rand(batch_size, generator=generator) >= label_drop).to(device)
        clean, labels = latents[rows].to(device), train.labels[rows].to(device)
        signal, noise = (share[timesteps].sqrt().view(-1, 1, 1, 1) for share in (cumulative, 1 - cumulative))
        noisy = signal * clean + noise * epsilon
        classes = torch.where(shown, known[labels], NULL_CLASS)
        predicted = dit(noisy, timestep=timesteps, class_labels=classes).sample[:, : clean.shape[1]]
        denoised = ((noisy - noise * predicted) / signal)[shown].flatten(1)
        loss = F.mse_loss(predicted, epsilon)
        loss = loss + weight_real * (1 - real.similarities(denoised, labels[shown], least=True)).mean()
        loss = loss + weight_generated * generated.similarities(denoised, labels[shown], least=False).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        real.add(clean.flatten(1), labels)
        generated.add(denoised.detach(), labels[shown])
    return _with_denoiser(pipe, dit)


def _pipeline_labels(class_labels: Sequence[int] | None, n_classes: int) -> Int[Tensor, " classes"]:
    """The pipeline's label of each class, once they are found to fit."""
    labels = range(n_classes) if class_labels is None else class_labels
    most = NULL_CLASS - 1
    known = torch.tensor([arguments.whole("each of class_labels", label, at_least=0, at_most=most) for label in labels])
    if len(known) != n_classes:
        raise ValueError(f"class_labels must be one per class, {n_classes}; got {len(known)}.")
    return known


def _trainable(transformer: Any) -> Any:
    """A copy of the denoiser, in float32, that drops no labels."""
    dit = copy.deepcopy(transformer).float().train().requires_grad_(True)
    for block in dit.transformer_blocks:
        block.norm1.emb.class_embedder.dropout_prob = 0.0  # every block would drop on its own
    return dit


def _with_denoiser(pipe: Any, dit: Any) -> TransformerPipeline:
    """A DiTPipeline of the parts of `pipe` and a denoiser of its own."""
    from diffusers import DiTPipeline

    dit = dit.to(pipe.transformer.dtype).eval().requires_grad_(False)
    names = pipe.config.get("id2label")
    tuned = DiTPipeline(dit, pipe.vae, pipe.scheduler, id2label=names)
    tuned.register_to_config(id2label=names)  # or save_pretrained forgets them
    tuned.set_progress_bar_config(**getattr(pipe, "_progress_bar_config", {}))
    return tuned


class _Memory:
    """The last `size` rows of each class, unit length; empty places are known."""

    def __init__(self, n_classes: int, size: int, width: int, device: torch.device) -> None:
        self.rows = torch.zeros(n_classes, size, width, device=device)
        self.filled = torch.zeros(n_classes, size, dtype=torch.bool, device=device)
        self.next = [0] * n_classes

    def add(self, rows: Float[Tensor, "b d"], labels: Int[Tensor, " b"]) -> None:
        """Put rows in the place of the oldest of their classes."""
        for row, label in zip(F.normalize(rows, dim=1), labels.tolist(), strict=True):
            self.rows[label, self.next[label]], self.filled[label, self.next[label]] = row, True
            self.next[label] = (self.next[label] + 1) % self.rows.shape[1]

    def similarities(
        self, rows: Float[Tensor, "b d"], labels: Int[Tensor, " b"], *, least: bool
    ) -> Float[Tensor, " k"]:
        """Cosine of each row with the least or the most similar one of its class.

        Rows without a memory are left out, and where none is left, a constant that pulls nowhere.
        """
        found = torch.einsum("bd,bmd->bm", F.normalize(rows, dim=1), self.rows[labels])
        filled = self.filled[labels]
        if not filled.any():
            return torch.full((1,), float(least), device=rows.device)
        extreme = found.masked_fill(~filled, 2).amin(1) if least else found.masked_fill(~filled, -2).amax(1)
        return extreme[filled.any(1)]
