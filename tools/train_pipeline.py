"""Train a shipped pipeline from scratch: a VAE, then a class-conditional latent DiT, saved as a stock DiTPipeline.

    python tools/train_pipeline.py digits

Writes `mgd_helpers/pretrained/<profile>/` (safetensors, model card, metrics.json) and keeps checkpoints and the log in
`build/train/<profile>/`; a second call resumes where the first one stopped. Only the training images are used for
training and for every choice; the held-out ones appear once, in the figures of the model card.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm.auto import tqdm

import mgd_helpers as mgd
from mgd_helpers.baselines.real_images import random_real
from mgd_helpers.data.catalog import PROFILES as CATALOG
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy
from mgd_helpers.guidance.dit import NULL_CLASS
from mgd_helpers.lab import plots
from mgd_helpers.linalg import nearest
from mgd_helpers.provenance import hardware, package_versions
from mgd_helpers.students.training import Recipe, accuracy, train_student

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Profile:
    """All that one data set's pipeline is made with."""

    data: str
    vae_channels: tuple[int, ...]
    vae_steps: int
    vae_batch: int
    kl_weight: float  # per latent dimension, beside the mean squared error per pixel
    layers: int
    heads: int
    head_dim: int
    dit_steps: int
    dit_batch: int
    learning_rate: float = 1e-3
    latent_channels: int = 4
    label_drop: float = 0.1
    ema_decay: float = 0.999
    seed: int = 0
    stored_as: str = "float16"  # the shipped weights; training runs in float32
    guidance_scale: float = 1.5  # classifier-free guidance, and DDIM steps, used for the figures of the card
    sampling_steps: int = 50


PROFILES = {
    "digits": Profile(
        data="digits", vae_channels=(16, 32, 32), vae_steps=900, vae_batch=64, kl_weight=2e-5,
        layers=4, heads=4, head_dim=32, dit_steps=8000, dit_batch=128, stored_as="float32",
    ),
    "fashion_mnist": Profile(
        data="fashion_mnist", vae_channels=(16, 32, 64), vae_steps=2400, vae_batch=32, kl_weight=2e-5,
        layers=5, heads=4, head_dim=40, dit_steps=9000, dit_batch=64,
    ),
    "cifar10": Profile(
        data="cifar10", vae_channels=(16, 32, 64), vae_steps=2400, vae_batch=32, kl_weight=2e-5, latent_channels=8,
        layers=6, heads=4, head_dim=48, dit_steps=7000, dit_batch=64, learning_rate=8e-4, guidance_scale=2.0,
    ),
}  # fmt: skip


def make_vae(profile: Profile, channels: int, size: int):
    """Factor 4, no attention: small enough for two CPU cores."""
    from diffusers import AutoencoderKL

    blocks = len(profile.vae_channels)
    return AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        latent_channels=profile.latent_channels,
        sample_size=size,
        block_out_channels=profile.vae_channels,
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
        down_block_types=["DownEncoderBlock2D"] * blocks,
        up_block_types=["UpDecoderBlock2D"] * blocks,
    )


def make_dit(profile: Profile, latent_size: int):
    """A DiT with 1000 class slots and a null class. Its own label dropout is off: every block would drop on its own."""
    from diffusers import DiTTransformer2DModel

    dit = DiTTransformer2DModel(
        num_attention_heads=profile.heads,
        attention_head_dim=profile.head_dim,
        in_channels=profile.latent_channels,
        out_channels=profile.latent_channels,
        num_layers=profile.layers,
        sample_size=latent_size,
        patch_size=2,
        num_embeds_ada_norm=NULL_CLASS,
    )
    for block in dit.transformer_blocks:
        block.norm1.emb.class_embedder.dropout_prob = 0.0
    return dit


def make_scheduler():
    """DDIM from the full noise level down to exactly zero noise, without clamping latents."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=2e-2,
        beta_schedule="linear",
        clip_sample=False,
        timestep_spacing="trailing",
    )


def train(name, model, loss_of, *, steps, learning_rate, ema_decay, seed, work, log):
    """AdamW with warm-up, cosine decay and EMA; `loss_of(model, generator)` draws its batch. Resumes; returns the EMA.

    The training seconds are kept in the checkpoint, so an interrupted run reports their sum.
    """
    ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema_decay), use_buffers=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 200) * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)
    )
    generator = torch.Generator(next(model.parameters()).device).manual_seed(seed)
    file = work / f"{name}.pt"
    first, seconds = 0, 0.0
    parts = {"model": model, "ema": ema, "optimizer": optimizer, "schedule": schedule}
    if file.exists():
        state = torch.load(file, weights_only=True)
        for key, part in parts.items():
            part.load_state_dict(state[key])
        generator.set_state(state["generator"])
        first, seconds = state["step"], state["seconds"]
        log(f"{name}: resumed at step {first}")

    def checkpoint(step, seconds):
        state = {key: part.state_dict() for key, part in parts.items()}
        state |= {"generator": generator.get_state(), "step": step, "seconds": seconds}
        torch.save(state, file.with_suffix(".tmp"))
        file.with_suffix(".tmp").replace(file)

    model.train()
    started, running = time.perf_counter() - seconds, None
    bar = tqdm(range(first, steps), desc=name, initial=first, total=steps, mininterval=5)
    for step in bar:
        loss = loss_of(model, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        ema.update_parameters(model)
        running = loss.item() if running is None else 0.99 * running + 0.01 * loss.item()
        if (step + 1) % 100 == 0:
            bar.set_postfix(loss=f"{running:.4f}")
            log(f"{name} step {step + 1}/{steps} loss {running:.5f} {time.perf_counter() - started:.0f} s")
        if (step + 1) % 500 == 0 or step + 1 == steps:
            checkpoint(step + 1, time.perf_counter() - started)
    seconds = torch.load(file, weights_only=True)["seconds"]
    return ema.module.eval().requires_grad_(False), seconds


def train_vae(profile: Profile, images, work, log):
    """Mean squared and absolute error per pixel, and a light pull of the posterior to the unit normal."""
    device = images.device

    def loss_of(vae, generator):
        rows = torch.randint(len(images), (profile.vae_batch,), generator=generator, device=device)
        batch = images[rows]
        posterior = vae.encode(batch).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator, device=device)
        decoded = vae.decode(posterior.mean + posterior.std * noise).sample
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        return F.mse_loss(decoded, batch) + 0.1 * F.l1_loss(decoded, batch) + profile.kl_weight * kl

    torch.manual_seed(profile.seed)
    vae = make_vae(profile, images.shape[1], images.shape[-1]).to(device)
    vae, seconds = train(
        "vae", vae, loss_of, steps=profile.vae_steps, learning_rate=2 * profile.learning_rate,
        ema_decay=0.99, seed=profile.seed, work=work, log=log,
    )  # fmt: skip
    whiten_channels(vae, images)
    return vae, seconds


@torch.no_grad()
def whiten_channels(vae, images):
    """Give every latent channel zero mean and equal variance, exactly, inside the 1x1 convolutions around the latent.

    A stock DiTPipeline knows one scaling factor and no shift; the rest must live in the weights.
    """
    vae.register_to_config(scaling_factor=1.0)
    latents = mgd.encode(vae, images)
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    scale = std.mean() / std
    n = len(mean)
    vae.quant_conv.weight[:n] *= scale.view(-1, 1, 1, 1)
    vae.quant_conv.bias[:n] = (vae.quant_conv.bias[:n] - mean) * scale
    vae.quant_conv.bias[n:] += 2 * scale.log()  # the posterior's log variance
    vae.post_quant_conv.bias += vae.post_quant_conv.weight[:, :, 0, 0] @ mean
    vae.post_quant_conv.weight /= scale.view(1, -1, 1, 1)
    vae.register_to_config(scaling_factor=1 / std.mean().item())


def train_dit(profile: Profile, latents, labels, scheduler, work, log):
    """Predict the noise; in one batch row in ten the class is hidden, so that classifier-free guidance works."""
    device = latents.device
    signal, noise = scheduler.alphas_cumprod.to(device).sqrt(), (1 - scheduler.alphas_cumprod.to(device)).sqrt()

    def loss_of(dit, generator):
        rows = torch.randint(len(latents), (profile.dit_batch,), generator=generator, device=device)
        # one timestep per stratum: every noise level is in every batch
        strata = torch.arange(profile.dit_batch, device=device)
        uniform = torch.rand(profile.dit_batch, generator=generator, device=device)
        timesteps = ((strata + uniform) / profile.dit_batch * len(signal)).long()
        epsilon = torch.randn(latents[rows].shape, generator=generator, device=device)
        hide = torch.rand(profile.dit_batch, generator=generator, device=device) < profile.label_drop
        classes = torch.where(hide, NULL_CLASS, labels[rows])
        column = (-1, 1, 1, 1)
        noisy = signal[timesteps].view(column) * latents[rows] + noise[timesteps].view(column) * epsilon
        return F.mse_loss(dit(noisy, timestep=timesteps, class_labels=classes).sample, epsilon)

    torch.manual_seed(profile.seed + 1)
    dit = make_dit(profile, latents.shape[-1]).to(device)
    return train(
        "dit", dit, loss_of, steps=profile.dit_steps, learning_rate=profile.learning_rate,
        ema_decay=profile.ema_decay, seed=profile.seed + 1, work=work, log=log,
    )  # fmt: skip


def generate(pipe, profile: Profile, n_classes: int, *, per_class: int, seed: int) -> mgd.ImageSet:
    """Unguided but class-conditional images, `per_class` of each class, one generator per image."""
    labels = torch.arange(n_classes).repeat_interleave(per_class)
    images = mgd.sample(
        pipe, labels, seed=seed, steps=profile.sampling_steps, guidance_scale=profile.guidance_scale, batch_size=100
    )
    return mgd.ImageSet(images, labels)


CLASSIFIER = Recipe(steps=2000, batch_size=64)


def measure(pipe, profile: Profile, data: mgd.Dataset, *, seeds: int = 5) -> tuple[dict, torch.Tensor]:
    """The figures of the model card, and the images of seed 0."""
    round_trip = mgd.decode(pipe.vae, mgd.encode(pipe.vae, data.test.images))
    train_part = data.train.images[:: max(1, len(data.train) // 5000)]
    train_error = mgd.decode(pipe.vae, mgd.encode(pipe.vae, train_part)) - train_part

    def nearest_distance(images):  # root mean square per pixel, on the [-1, 1] scale, to the nearest training image
        found = nearest(images.flatten(1), data.train.images.flatten(1), n_neighbors=1)[:, 0]
        return (images - data.train.images[found]).square().mean((1, 2, 3)).sqrt()

    n_classes = len(data.class_names)
    sets = [generate(pipe, profile, n_classes, per_class=10, seed=seed) for seed in range(seeds)]
    draws = [random_real(data.train, images_per_class=10, seed=seed) for seed in range(seeds)]
    classifier = train_student(data.train.images, data.train.labels, n_classes=n_classes, recipe=CLASSIFIER)
    generated, held_out = nearest_distance(torch.cat([one.images for one in sets])), nearest_distance(data.test.images)
    quantiles = torch.tensor([0.05, 0.5])
    scores = [nearest_neighbor_accuracy(one, data.test) for one in sets]
    real_scores = [nearest_neighbor_accuracy(one, data.test) for one in draws]
    return {
        "reconstruction_mse": {
            "train": train_error.square().mean().item(),
            "held_out": (round_trip - data.test.images).square().mean().item(),
        },
        "nearest_neighbor_accuracy": {
            "generated_100": scores,
            "generated_100_mean": statistics.mean(scores),
            "random_real_100_mean": statistics.mean(real_scores),
            "all_real_training": nearest_neighbor_accuracy(data.train, data.test),
        },
        "classifier_trained_on_real": {
            "kind": f"{CLASSIFIER.network}, width {CLASSIFIER.width}, {CLASSIFIER.steps} steps",
            "held_out": accuracy(classifier, data.test.images, data.test.labels),
            "held_out_round_trip": accuracy(classifier, round_trip, data.test.labels),
            "generated_mean": statistics.mean(accuracy(classifier, one.images, one.labels) for one in sets),
        },
        "distance_to_nearest_training_image": {
            "unit": "root mean square per pixel, images in [-1, 1]; quantiles 0.05 and 0.5",
            "generated": generated.quantile(quantiles).tolist(),
            "held_out": held_out.quantile(quantiles).tolist(),
            "generated_nearer_than_5_percent_of_held_out": (generated < held_out.quantile(0.05)).float().mean().item(),
        },
        "sampling": f"{type(pipe.scheduler).__name__}, {profile.sampling_steps} steps, guidance_scale "
        f"{profile.guidance_scale}, seeds 0 to {seeds - 1}",
    }, sets[0].images


CARD = """---
license: apache-2.0
library_name: diffusers
pipeline_tag: unconditional-image-generation
---
# The `{name}` pipeline

A stock `DiTPipeline`, trained from scratch on {data_line} by `python tools/train_pipeline.py {name}`.
It is small enough for a CPU, and made for teaching and for measuring, not for beautiful images.

![100 generated images, one row per class](samples.png)

| what | figure |
|---|---|
| parameters | VAE {vae_parameters:.2f} M, DiT {dit_parameters:.2f} M, stored as {dtype} |
| latents | {latent_shape}, zero mean and unit variance over the training images |
| mean squared reconstruction error, held-out images ([-1, 1] scale) | {mse:.2e} |
| accuracy of a classifier trained on real images ({classifier}): on held-out images | {held_out:.3f} |
| the same classifier on held-out images after encoding and decoding | {round_trip:.3f} |
| the same classifier on generated images | {on_generated:.3f} |
| 1-nearest-neighbour accuracy on held-out images, fed 100 generated images (mean, {seeds} seeds) | {nn:.3f} |
| the same, fed 100 random real images | {nn_real:.3f} |
| the same, fed all {n_train:,} training images | {nn_all:.3f} |
| distance of generated images to the nearest training image, median (5 % quantile) | {g50:.3f} ({g05:.3f}) |
| the same for held-out images | {h50:.3f} ({h05:.3f}) |
| generated images nearer to a training image than the nearest 5 % of held-out images | {near:.1%} |
| training (wall clock, with other work on the machine) | VAE {vae_steps} steps, {vae_minutes:.1f} min; \
DiT {dit_steps} steps, {dit_minutes:.1f} min |
| machine | {machine} |

Sampling: {sampling}. Distances are root mean squares per pixel on the [-1, 1] scale. All figures are in `metrics.json`.
**Does it memorise?** The lines on distance answer: a model that copies its training images would come nearer to them
than images it has never seen do, far more often than 5 % of the time.

The held-out images ({n_test:,} of {n_all:,}{split}) were used for this table alone: not in training, not for any
choice of size, length or guidance scale. Data: {data_credit}.{note}
"""

# what the data is, how it was split, and whom to credit
DATA_LINES = {
    "digits": (
        "the 1,797 scans of handwritten digits that come with scikit-learn, resized from 8x8 to 32x32",
        ", stratified, `random_state=0`",
        "Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI repository (1998), CC BY 4.0",
    ),
    "fashion_mnist": (
        "the 60,000 training images of Fashion-MNIST, 28x28 with a border of two pixels to 32x32",
        ", the data set's own test split",
        "Xiao, Rasul & Vollgraf, Fashion-MNIST (arXiv 1708.07747), MIT",
    ),
    "cifar10": (
        "the 50,000 training images of CIFAR-10",
        ", the data set's own test split",
        "Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009), for research",
    ),
}


def card(name: str, profile: Profile, pipe, metrics: dict) -> str:
    """The model card: every figure in it comes from `metrics`, the profile or the weights."""
    scores, distances = metrics["nearest_neighbor_accuracy"], metrics["distance_to_nearest_training_image"]
    classifier = metrics["classifier_trained_on_real"]
    latent = [profile.latent_channels, pipe.transformer.config.sample_size, pipe.transformer.config.sample_size]
    n_train, n_test = CATALOG[profile.data].sizes
    return CARD.format(
        name=name,
        data_line=DATA_LINES[name][0],
        split=DATA_LINES[name][1],
        data_credit=DATA_LINES[name][2],
        note=f" {metrics['note']}" if metrics["note"] else "",
        dtype=profile.stored_as,
        vae_parameters=sum(p.numel() for p in pipe.vae.parameters()) / 1e6,
        dit_parameters=sum(p.numel() for p in pipe.transformer.parameters()) / 1e6,
        latent_shape="x".join(map(str, latent)),
        mse=metrics["reconstruction_mse"]["held_out"],
        nn=scores["generated_100_mean"],
        nn_real=scores["random_real_100_mean"],
        nn_all=scores["all_real_training"],
        seeds=len(scores["generated_100"]),
        classifier=classifier["kind"],
        held_out=classifier["held_out"],
        round_trip=classifier["held_out_round_trip"],
        on_generated=classifier["generated_mean"],
        g05=distances["generated"][0],
        g50=distances["generated"][1],
        h05=distances["held_out"][0],
        h50=distances["held_out"][1],
        near=distances["generated_nearer_than_5_percent_of_held_out"],
        vae_steps=profile.vae_steps,
        dit_steps=profile.dit_steps,
        vae_minutes=metrics["training"]["vae_seconds"] / 60,
        dit_minutes=metrics["training"]["dit_seconds"] / 60,
        machine=metrics["training"]["machine"],
        sampling=metrics["sampling"],
        n_train=n_train,
        n_test=n_test,
        n_all=n_train + n_test,
    )


def machine(device: str) -> str:
    """What it was trained on, in one line."""
    found, versions = hardware(device), package_versions()
    where = found.get("gpu", f"{found['processor']}, {found['threads']} threads")
    return f"{where}; Python {versions['python']}, torch {versions['torch']}, diffusers {versions['diffusers']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("profile", choices=sorted(PROFILES))
    parser.add_argument("--out", type=Path, help="default: mgd_helpers/pretrained/<profile>")
    parser.add_argument("--work", type=Path, help="checkpoints and log; default: build/train/<profile>")
    arguments = parser.parse_args()
    profile = PROFILES[arguments.profile]
    out = arguments.out or ROOT / "mgd_helpers" / "pretrained" / arguments.profile
    work = arguments.work or ROOT / "build" / "train" / arguments.profile
    work.mkdir(parents=True, exist_ok=True)

    def log(line):
        with open(work / "train.log", "a") as file:
            print(time.strftime("%Y-%m-%d %H:%M:%S"), line, file=file)

    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = mgd.load_data(profile.data)
    images, labels = data.train.images.to(device), data.train.labels.to(device)
    vae, vae_seconds = train_vae(profile, images, work, log)
    latents = mgd.encode(vae, images)
    log(f"latents: mean {latents.mean():.4f}, std {latents.std():.4f}")
    scheduler = make_scheduler()
    dit, dit_seconds = train_dit(profile, latents, labels, scheduler, work, log)

    from diffusers import DiTPipeline

    names = dict(enumerate(data.class_names))
    pipe = DiTPipeline(dit.cpu(), vae.cpu(), scheduler, id2label=names)
    pipe.register_to_config(id2label=names)  # or save_pretrained forgets them
    pipe.to(getattr(torch, profile.stored_as)).save_pretrained(out, safe_serialization=True)
    pipe = mgd.load_pipeline(out, device="cpu")  # what is measured is what was written
    metrics, samples = measure(pipe, profile, data)
    metrics["training"] = {"vae_seconds": vae_seconds, "dit_seconds": dit_seconds, "machine": machine(device)}
    metrics |= {"note": data.note, "profile": asdict(profile)}
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    plots.use_style()
    plots.show_images(samples, columns=10).savefig(out / "samples.png", dpi=60)
    (out / "README.md").write_text(card(arguments.profile, profile, pipe, metrics))
    log(json.dumps(metrics))
    print((out / "README.md").read_text())


if __name__ == "__main__":
    main()
