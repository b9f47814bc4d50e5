"""What ResNets learn from the sets of the main table, several from each set of ten images per class.

    python -m studies students digits
    python -m studies students cifar10 --networks resnetap10 --images-per-class 10 --sets 3
    python -m studies students cifar10 --make --images-per-class 10

Each network and number of images is a table of its own, made on one machine. Sets are made first, and packed with the
test images into a file for each number of images per class, in build/studies/packs/. `--make` stops there: a machine
with this file needs neither data nor pipeline. It trains on its GPU, where it has one, in as many processes as
`--workers` asks for.
"""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import mgd_helpers as mgd
from mgd_helpers.data.files import write
from mgd_helpers.data.images import from_uint8, to_uint8
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy
from mgd_helpers.students.training import accuracy, train_students
from studies import main_table
from studies.cells import Cells
from studies.data_sets import DATA_SETS
from studies.protocol import KEPT, STEPS, load_bench
from studies.report import table_of
from studies.scores import short_recipe
from studies.sets import kept_set

STUDENTS = {"resnet18": {1: 2, 10: 3, 50: 1}, "resnetap10": {10: 2}}  # of each set, by images per class
DATA = {"resnet18": tuple(DATA_SETS), "resnetap10": ("fashion_mnist", "cifar10")}
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def pack(data: str, images_per_class: int, keys: Iterable[tuple[str, int]], *, kept: Path = KEPT) -> Path:
    """The file with the test images and with the sets of these rows and seeds; sets that lack are made."""
    file = kept / "packs" / f"{data}_{images_per_class}.safetensors"
    content = load_file(file) if file.exists() else {}
    if lacking := [(row, seed) for row, seed in keys if _name(row, seed) not in content]:
        bench = load_bench(data, kept=kept)
        rules_of_rows = main_table.rules_by_name(data, list(dict.fromkeys(row for row, _ in lacking)))
        content["test"], content["test labels"] = to_uint8(bench.data.test.images), bench.data.test.labels
        for row, seed in lacking:
            images, seconds = kept_set(bench, images_per_class, rules_of_rows[row], seed)
            content[_name(row, seed)], content[_name(row, seed, "labels")] = to_uint8(images.images), images.labels
            print(f"{data} {images_per_class} {row} {seed}: made in {seconds:.1f} s", flush=True)
        whole = {name: part.contiguous() for name, part in content.items()}
        write(file, lambda path: save_file(whole, path, metadata={"note": bench.data.note}))
    return file


def _name(row: str, seed: int, part: str = "images") -> str:
    return f"{part} {seed} {row}"


@functools.lru_cache(maxsize=1)
def _read(file: Path) -> tuple[dict[str, torch.Tensor], mgd.ImageSet]:
    content = {name: part.to(DEVICE) for name, part in load_file(file).items()}
    return content, mgd.ImageSet(from_uint8(content["test"]), content["test labels"])


def cell(file: Path, images_per_class: int, network: str, row: str, seed: int) -> dict:
    """Accuracies of the students of one set of a pack, the same students in every row, and of nearest neighbors."""
    content, test = _read(file)
    images = mgd.ImageSet(from_uint8(content[_name(row, seed)]), content[_name(row, seed, "labels")])
    trained = train_students(
        images.images,
        images.labels,
        n_classes=int(test.labels.max()) + 1,
        recipe=short_recipe(images_per_class, network),
        seeds=[1000 * seed + student for student in range(STUDENTS[network][images_per_class])],
    )
    return {
        "students": [round(accuracy(student, test.images, test.labels), 5) for student in trained],
        "nearest_neighbor": round(nearest_neighbor_accuracy(images, test), 5),
    }


def run(
    data: str,
    *,
    images_per_class: Sequence[int] = tuple(main_table.SETS),
    networks: Sequence[str] = ("resnet18",),
    rows: Sequence[str] | None = None,
    sets: int | None = None,
    make: bool = False,
    workers: int = 1,
    kept: Path = KEPT,
) -> None:
    """Compute what is missing."""
    for images in images_per_class:
        keys = [(row, seed) for seed in range(sets or main_table.SETS[images]) for row in rows or main_table.ROWS]
        file = pack(data, images, keys, kept=kept)  # set by set, so that an interrupted table has whole pairs
        for network in networks:
            if data in DATA[network] and images in STUDENTS[network] and not make:
                wanted = [(images, network, *key) for key in keys]
                _fill(_cells(data, file, table_of(network, images)), file, wanted, workers)


def _cells(data: str, file: Path, table: str) -> Cells:
    with safe_open(file, "pt") as content:
        note = content.metadata()["note"]
    return Cells(table, data, note=note, device=DEVICE, steps=STEPS)


def _fill(cells: Cells, file: Path, wanted: Sequence[tuple[int, str, str, int]], workers: int) -> None:
    settings = [dict(zip(("images_per_class", "network", "row", "seed"), one, strict=True)) for one in wanted]
    missing = [one for one in settings if cells.find(**one) is None]
    spawn = multiprocessing.get_context("spawn")  # a GPU cannot be used in a fork
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        found = [pool.submit(cell, file, **one) for one in missing]
        for one, result in zip(missing, found, strict=True):
            cells(result.result, **one)
