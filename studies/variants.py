"""Variants of guidance on sets that were worth a try, on the validation split: `python -m studies.variants cifar10`.

Each is paired with the base of `set_ablations.py` and kept as its factor "variant". What did not win is deleted here.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

import mgd_helpers as mgd
from mgd_helpers import seeding
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.guidance import factories, matching
from mgd_helpers.guidance.clouds import timestep_key
from mgd_helpers.guidance.windows import window
from mgd_helpers.seeding import generator
from mgd_helpers.students import training
from mgd_helpers.students.training import Recipe
from studies import choose, rules
from studies.ablations import cell
from studies.cells import Cells
from studies.protocol import load_bench
from studies.scores import accuracy_of, nearest_neighbor, short_recipe, student_seeds
from studies.set_ablations import PER_CLASS, SETS
from studies.sets import kept_set, sample, targets_of


def scale_of(bench):
    return choose.best_scale(bench.name, "match+transport")


# --- networks of several families, in turn


def weights_of(images, generator):
    def conv(out, into, size):
        return torch.randn(out, into, size, size, generator=generator) * (2 / (into * size * size)) ** 0.5

    return conv(32, images.shape[1], 3), conv(32, 32, 3), conv(32, images.shape[1], 5)


def residual(x, weights):
    first, second, _ = weights
    x = F.avg_pool2d(F.group_norm(F.conv2d(x, first, padding=1), 32).relu(), 2)
    x = (x + F.group_norm(F.conv2d(x, second, padding=1), 32)).relu()
    return x.mean(0)


def smooth(x, weights):
    return F.avg_pool2d(F.gelu(F.group_norm(F.conv2d(x, weights[2], padding=2), 8)), 2).mean(0)


class Families(mgd.MatchPull):
    """The usual network, a residual one and a smooth one with large kernels, in turn."""

    def gradient(self, denoised, level, look=0):
        key = timestep_key(level)
        kind = int(torch.randint(3, (), generator=seeding.generator(self.seed, key, look, 7)))
        if kind == 0:
            return super().gradient(denoised, level, look)
        drawn = seeding.generator(self.seed, key, look)
        real = self._draw(denoised.device, drawn)
        see, weights = (None, residual, smooth)[kind], weights_of(real, drawn)
        with torch.enable_grad():
            moved = denoised.detach().requires_grad_()
            energy = (see(moved, weights) - see(real, weights)).square().sum()
            return torch.autograd.grad(energy, moved)[0]


# --- the determinant of the images' features beside their mean


class Diverse(mgd.MatchPull):
    """The mean matched, and the images' features pushed apart: -log det of their kernel matrix, at a quarter."""

    def gradient(self, denoised, level, look=0):
        mean = matching.unit(super().gradient(denoised, level, look))
        drawn = seeding.generator(self.seed, timestep_key(level), look, 11)
        weights = matching.random_weights(denoised, self.width, self.depth, generator=drawn)
        with torch.enable_grad():
            moved = denoised.detach().requires_grad_()
            seen = torch.stack([matching.mean_features(one[None], weights).flatten() for one in moved])
            squared = torch.cdist(seen, seen).square()
            kernel = torch.exp(-squared / squared.detach().mean().clamp_min(1e-12))
            volume = -torch.logdet(kernel + 0.01 * torch.eye(len(seen)))
            (apart,) = torch.autograd.grad(volume, moved)
        return mean + 0.25 * matching.unit(apart)


# --- features of the denoiser itself


class Stop(Exception):
    pass


@dataclass(frozen=True, eq=False)
class Denoiser(mgd.MatchPull):
    """Tokens of the denoiser's middle block, of noisy predictions and of equally noisy real latents."""

    transformer: Any = field(default=None, kw_only=True)
    label: int = field(default=0, kw_only=True)

    def gradient(self, denoised, level, look=0):
        drawn = seeding.generator(self.seed, timestep_key(level), look)
        real = self._draw(denoised.device, drawn)
        noise = torch.randn(real.shape[1:], generator=drawn)  # one for all

        def tokens(latents):
            kept = []

            def keep(module, inputs, output):
                kept.append(output)
                raise Stop

            blocks = self.transformer.transformer_blocks
            hook = blocks[len(blocks) // 2].register_forward_hook(keep)
            noisy = level.signal * latents + level.noise * noise
            times = torch.full((len(latents),), int(level.timestep))
            try:
                self.transformer(noisy, timestep=times, class_labels=torch.full((len(latents),), self.label))
            except Stop:
                pass
            hook.remove()
            return kept[0].mean(0)

        with torch.no_grad():
            goal = tokens(real)
        with torch.enable_grad():
            moved = denoised.detach().requires_grad_()
            return torch.autograd.grad((tokens(moved) - goal).square().sum(), moved)[0]


def denoiser_features(bench, images_per_class, seed, *, rate=0.1):
    found = targets_of(bench, images_per_class, seed)
    labels = PROFILES[bench.name].labels or tuple(range(bench.n_classes))

    def guidance_of(label):
        class_seed = generator(seed, label).initial_seed()
        first = factories.transport(found[label], bench.cloud(label), class_seed)
        return mgd.chain(
            first,
            Denoiser(
                bench.cloud(label), rate, seed=class_seed, transformer=bench.pipe.transformer, label=labels[label]
            ),
        )

    return sample(bench, images_per_class, guidance_of, seed=seed, scale=scale_of(bench))


# --- cheaper ways


class OneNetwork(mgd.MatchPull):
    """All looks of a step through one network and at the same real latents."""

    def gradient(self, denoised, level, look=0):
        return super().gradient(denoised, level, 0)


def cheap(targets, cloud, seed, *, kind=mgd.MatchPull, every=1, **settings):
    match = kind(cloud, seed=seed, **settings)

    def pull(denoised, level):
        return match(denoised, level) if level.step % every == 0 else denoised

    return mgd.chain(factories.transport(targets, cloud, seed), pull)


# --- factories


def of_class(targets, cloud, seed, *, kind):
    first = factories.transport(targets, cloud, seed)
    return mgd.chain(first, kind(cloud, seed=seed))


def coarse_to_fine(targets, cloud, seed, *, strength=0.5):
    """Towards the ancestor of the image's leaf: the root at pure noise, the leaf where the pull ends."""
    tree = mgd.bisect(cloud, n_leaves=len(targets.latents), seed=seed)
    lines = []
    for leaf in tree.leaves:
        line = [leaf]
        while tree.parents[line[-1]] >= 0:
            line.append(tree.parents[line[-1]])
        lines.append(line[::-1])

    def pull(denoised, level):
        reached = min(max((1 - float(level.share)) / 0.5, 0.0), 1.0)
        goals = torch.stack([tree.centroids[line[round(reached * (len(line) - 1))]] for line in lines])
        return denoised + strength * (goals.to(denoised) - denoised)

    return mgd.chain(window(pull, above=0.5), factories.match(targets, cloud, seed))


def herded(bench, images_per_class, seed):
    """The half of twice as many images whose features, of random networks, have the mean of the class."""
    pull = functools.partial(rules.both, match={}, transport={})
    twice = rules.guided(bench, 2 * images_per_class, seed, pull=pull, scale=scale_of(bench))
    encoded = mgd.encode(bench.pipe.vae, twice.images)
    rows = []
    for label in range(bench.n_classes):
        members, cloud = twice.rows_of(label), bench.cloud(label)
        nets = [
            matching.random_weights(cloud, 32, 2, generator=seeding.generator(seed, label, net)) for net in range(4)
        ]

        def seen(latents, nets=nets):
            found = [torch.stack([matching.mean_features(z[None], net).flatten() for z in latents]) for net in nets]
            return torch.cat(found, 1)

        features, goal = seen(encoded[members]), seen(cloud[:500]).mean(0)
        taken: list[int] = []
        for count in range(1, images_per_class + 1):
            total = features[taken].sum(0) if taken else torch.zeros_like(goal)
            distance = ((total + features) / count - goal).square().sum(1)
            distance[taken] = torch.inf
            taken.append(int(distance.argmin()))
        rows += members[sorted(taken)].tolist()
    return twice.take(torch.tensor(rows))


def weighted_cell(bench, rule, seed):
    """Students whose loss counts an image by the share of its class's latents that lie nearest to it."""
    images, _ = kept_set(bench, PER_CLASS, rule, seed)
    encoded, weights = mgd.encode(bench.pipe.vae, images.images).flatten(1), torch.zeros(len(images))
    for label in range(bench.n_classes):
        members = images.rows_of(label)
        nearest = torch.cdist(bench.cloud(label).flatten(1), encoded[members]).argmin(1)
        weights[members] = nearest.bincount(minlength=len(members)) / len(nearest) * len(members)
    soft = F.one_hot(images.labels, bench.n_classes).float() * weights[:, None]
    check, training._check_training = training._check_training, lambda i, t, n, r, s: (n, list(s))
    try:
        recipe: Recipe = short_recipe(PER_CLASS, "convnet3")
        seeds = student_seeds(seed, bench.name)[:1]
        made = [
            training.train_student(images.images, soft, n_classes=bench.n_classes, recipe=recipe, seed=one)
            for one in seeds
        ]
    finally:
        training._check_training = check
    return {
        "students": [accuracy_of(bench, student) for student in made],
        "nearest_neighbor": nearest_neighbor(bench, images),
    }


def guided(bench, pull):
    return functools.partial(rules.guided, pull=pull, scale=scale_of(bench))


def main(data):
    bench = load_bench(data, "validation")
    base = guided(bench, functools.partial(rules.both, match={}, transport={}))
    tried = {
        "base": base,
        "several families of networks": guided(bench, functools.partial(of_class, kind=Families)),
        "determinant": guided(bench, functools.partial(of_class, kind=Diverse)),
        "coarse to fine": guided(bench, coarse_to_fine),
        "one network a step": guided(bench, functools.partial(cheap, kind=OneNetwork)),
        "one network a step, three looks": guided(bench, functools.partial(cheap, kind=OneNetwork, inner_steps=3)),
        "every other step": guided(bench, functools.partial(cheap, every=2, rate=0.2)),
        "one network every other step": guided(bench, functools.partial(cheap, kind=OneNetwork, every=2, rate=0.2)),
        "32 real latents every other step": guided(bench, functools.partial(cheap, every=2, rate=0.2, n_real=32)),
        "herded from twice as many": herded,
        "on the tangent": guided(bench, rules.on_tangent),
        "features of the denoiser": denoiser_features,
    }
    cells = Cells("set_ablations", data, note=bench.data.note, images_per_class=PER_CLASS, students=1)
    for seed in range(SETS):
        for row, rule in tried.items():
            factor = "base" if row == "base" else "variant"
            cells(functools.partial(cell, bench, rule, seed), factor=factor, row=row, seed=seed)
        weighted = functools.partial(weighted_cell, bench, base, seed)
        cells(weighted, factor="variant", row="loss by mass", seed=seed)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        main(name)
