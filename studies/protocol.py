"""What all studies share: data and pipelines, sets that are made once, students, and cells that are computed once.

A *cell* is one entry of a table: the scores of one set, made by one rule from one seed. Cells are kept as JSON as soon
as they are known, so a study that was interrupted goes on where it stopped, and none is computed twice.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import mgd_helpers as mgd
from mgd_helpers.clustering.bisecting import bisect_classes
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.encoding.pipelines import weights_hash
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy
from mgd_helpers.manifest import describe, write
from mgd_helpers.provenance import hardware, package_versions
from mgd_helpers.seeding import generator
from mgd_helpers.students import networks
from mgd_helpers.students.training import Recipe, accuracy, train_student

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
KEPT = ROOT / "build" / "studies"  # sets and latents: large, and made again by the same commands

SETS = 5
STUDENTS = {"digits": 2, "fashion_mnist": 1, "cifar10": 1}  # ConvNet-3 of each set; more sets say more
STEPS = 25  # DDIM steps, unless a row says otherwise
BATCH = 100  # images denoised at once
REAL_STEPS = {"digits": 500, "fashion_mnist": 2000, "cifar10": 2000}  # for students of all real images
VALIDATION = 2000  # images of real train on which settings are chosen, at most a fifth of it


@dataclass(frozen=True, eq=False)
class Bench:
    """A data set, the pipeline that distils it and the latents of its training images.

    `part` says which images the students are tested on: "test", or "validation", held back from the training images.
    """

    name: str
    part: str
    data: mgd.Dataset
    pipe: object
    latents: torch.Tensor
    n_classes: int
    weights: str

    def cloud(self, label: int) -> torch.Tensor:
        return self.latents[self.data.train.labels == label]


@functools.cache
def bench(name: str, part: str = "test") -> Bench:
    """All that the rows of a table stand on, read once per process."""
    data = mgd.load_data(name)
    pipe = mgd.load_pipeline(name)
    weights = weights_hash(pipe)
    file = KEPT / f"latents_{name}_{weights[:12]}.safetensors"
    if file.exists():
        latents = load_file(file)["latents"]
    else:
        latents = mgd.encode(pipe.vae, data.train.images)
        write(file, lambda path: save_file({"latents": latents}, path))
    if part == "validation":
        held, rest = held_back(data.train)
        train, latents = data.train.take(rest), latents[rest]
        data = replace(data, train=train, test=data.train.take(held))
    return Bench(name, part, data, pipe, latents, len(data.class_names), weights)


def held_back(images: mgd.ImageSet) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of the validation split, as many of each class as there are in proportion, and the rows that remain."""
    share = min(VALIDATION / len(images), 0.2)
    held = []
    for label in images.labels.unique().tolist():
        members = (images.labels == label).nonzero()[:, 0]
        order = torch.randperm(len(members), generator=generator(0, label))
        held.append(members[order[: round(share * len(members))]])
    held = torch.cat(held).sort().values
    rest = torch.ones(len(images), dtype=torch.bool)
    rest[held] = False
    return held, rest.nonzero()[:, 0]


def by_class(images: torch.Tensor, n_classes: int) -> mgd.ImageSet:
    """Images that are ordered by class, equally many of each."""
    return mgd.ImageSet(images, torch.arange(n_classes).repeat_interleave(len(images) // n_classes))


# --- sets


@functools.lru_cache(maxsize=8)
def targets_of(
    stand: Bench,
    images_per_class: int,
    seed: int,
    *,
    strategy: str = "levels",
    representative: str = "centroid",
    space: str = "raw",
) -> tuple[mgd.Targets, ...]:
    """Targets of every class, from trees that all rows of one seed share."""
    clouds = [stand.cloud(label) for label in range(stand.n_classes)]
    if strategy == "kmeans":
        return tuple(_k_means(cloud, images_per_class, seed) for cloud in clouds)
    trees = bisect_classes(clouds, n_leaves=images_per_class, seed=seed, space=space)
    options = {"images_per_class": images_per_class, "strategy": strategy, "representative": representative}
    return tuple(mgd.pick_targets(tree, **options) for tree in trees)


def _k_means(cloud: torch.Tensor, n_clusters: int, seed: int) -> mgd.Targets:
    """Flat k-means in place of a tree, by scikit-learn."""
    from sklearn.cluster import KMeans

    found = KMeans(n_clusters, n_init=5, random_state=seed).fit(cloud.flatten(1).numpy())
    labels = torch.from_numpy(found.labels_)
    members = tuple((labels == cluster).nonzero()[:, 0] for cluster in range(n_clusters))
    centers = torch.from_numpy(found.cluster_centers_).float().view(n_clusters, *cloud.shape[1:])
    return mgd.Targets(centers, tuple(range(n_clusters)), members)


def sample(
    stand: Bench,
    targets: Sequence[mgd.Targets],
    factory: Callable | None,
    *,
    seed: int,
    steps: int = STEPS,
    pipe=None,
) -> mgd.ImageSet:
    """What `mgd.distill` does, in memory; images rounded to 8 bits as there.

    `factory(targets, cloud, seed)` makes the guidance of one class, as in `mgd.distill`; `None` leaves it out.
    """
    profile, classes = PROFILES[stand.name], range(stand.n_classes)
    labels = profile.labels or tuple(classes)
    keys = [(label, image) for label in classes for image in range(len(targets[0]))]
    guidance = factory and {
        label: factory(targets[label], stand.cloud(label), generator(seed, label).initial_seed()) for label in classes
    }
    images = mgd.sample(
        pipe or stand.pipe,
        [labels[label] for label, _ in keys],
        keys=keys,
        guidance=guidance,
        seed=seed,
        steps=steps,
        guidance_scale=profile.guidance_scale,
        batch_size=BATCH,
    )
    return by_class(eight_bits(images), stand.n_classes)


def eight_bits(images: torch.Tensor) -> torch.Tensor:
    """Images as a PNG would hold them."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def kept_set(stand: Bench, images_per_class: int, rule: Callable, seed: int) -> tuple[mgd.ImageSet, float]:
    """The set that `rule(stand, images_per_class, seed)` makes, and the seconds it took; made once, kept in build/."""
    key = hashlib.sha256(f"{describe(rule)} {stand.weights}".encode()).hexdigest()[:12]
    file = KEPT / "sets" / stand.name / stand.part / str(images_per_class) / f"{key}_{seed}.safetensors"
    if not file.exists():
        started = time.perf_counter()
        made = rule(stand, images_per_class, seed)
        seconds = torch.tensor(time.perf_counter() - started)
        content = {"images": ((made.images + 1) * 127.5).round().byte(), "labels": made.labels, "seconds": seconds}
        write(file, lambda path: save_file({name: part.contiguous() for name, part in content.items()}, path))
    kept = load_file(file)
    return mgd.ImageSet(kept["images"].float() / 127.5 - 1, kept["labels"]), kept["seconds"].item()


# --- scores


def recipe(name: str, images_per_class: int, network: str) -> Recipe:
    """The short recipe: set by hand on training images, the same for every row of a table."""
    steps = {1: 100, 10: 200, 50: 400}.get(images_per_class, 400)
    width, rate = (32, 0.02) if network.startswith("conv") else (8, 0.05)
    return Recipe(network=network, steps=steps, learning_rate=rate, width=width)


def student_scores(stand: Bench, images: mgd.ImageSet, how: Recipe, seeds: Sequence[int], labels=None) -> list[float]:
    """Accuracies after the last step of students of these seeds; `labels`, if given, replace those of the set."""
    labels = images.labels if labels is None else labels
    trained = (train_student(images.images, labels, n_classes=stand.n_classes, recipe=how, seed=seed) for seed in seeds)
    return [round(accuracy(student, stand.data.test.images, stand.data.test.labels), 5) for student in trained]


def real_student(stand: Bench, seed: int) -> torch.nn.Module:
    """A ConvNet-3 of all real training images: the end of the scale, and the features that distances are taken on."""
    images, labels = stand.data.train.images, stand.data.train.labels
    how = Recipe(steps=REAL_STEPS[stand.name], batch_size=64)
    file = KEPT / f"real_{stand.name}_{stand.part}_{seed}.safetensors"
    if not file.exists():
        made = train_student(images, labels, n_classes=stand.n_classes, recipe=how, seed=seed)
        write(file, lambda path: save_file(made.state_dict(), path))
    shape = {"channels": images.shape[1], "n_classes": stand.n_classes, "image_size": images.shape[-1]}
    student = networks.build(how.network, **shape, width=how.width)
    student.load_state_dict(load_file(file))
    return student.eval()


def student_seeds(set_seed: int, name: str, network: str = "convnet3") -> list[int]:
    """The students of set g are the same in every row, and other ones than those of set g + 1."""
    return [1000 * set_seed + student for student in range(STUDENTS[name] if network == "convnet3" else 1)]


def nearest_neighbor(stand: Bench, images: mgd.ImageSet) -> float:
    return round(nearest_neighbor_accuracy(images, stand.data.test), 5)


def rounded(value):
    """Five significant digits, also inside of intervals."""
    if isinstance(value, tuple | list):
        return [rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


# --- cells


class Cells:
    """The cells of one table and one data set: a dictionary in `results/<table>_<data>.json`, written after each."""

    def __init__(self, table: str, data: str, *, note: str = "", **settings):
        self.file = RESULTS / f"{table}_{data}.json"
        made = {"hardware": hardware("cpu"), "versions": package_versions()}
        if self.file.exists():
            self.content = json.loads(self.file.read_text())
            before = {key: self.content["settings"].get(key) for key in settings}
            if before != json.loads(json.dumps(settings)):
                raise ValueError(
                    f"{self.file} holds cells of other settings ({before}, now {settings}). Delete it to start afresh."
                )
        else:
            self.content = {"table": table, "data": data, "note": note, "settings": settings, **made}
        self.content.setdefault("cells", {})

    def __call__(self, key: str, compute: Callable[[], object]):
        """The cell of this key; computed and written where it is not known."""
        cells = self.content["cells"]
        if key not in cells:
            started = time.perf_counter()
            cells[key] = compute()
            self.content["cells"] = dict(sorted(cells.items()))
            write(self.file, lambda path: path.write_text(json.dumps(self.content, indent=1) + "\n"))
            seconds = time.perf_counter() - started
            print(f"{self.file.stem} {key}: {json.dumps(cells[key])} ({seconds:.1f} s)", flush=True)
        return self.content["cells"][key]
