"""The images of a run: what lacks in its folder is encoded, clustered, planned, sampled and written.

Every image has its own generator, keyed by (seed, class, image), and its own place in a batch that all runs of the same
settings share: an interrupted run goes on where it stopped, to the same bytes, and runs with and without a guidance are
paired.
"""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from mgd_helpers.batches import sample_batch, starts_of
from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.clustering.targets import Targets, pick_targets
from mgd_helpers.data.cards import dress, is_dressed
from mgd_helpers.data.files import check_folder, checksum, remove_parts, write
from mgd_helpers.data.images import png
from mgd_helpers.data.lock import locked
from mgd_helpers.data.records import (
    MISSING,
    NOT_MADE,
    RUN,
    add_record,
    check_inside,
    check_unused,
    faults,
    maker,
    read_manifest,
    write_manifest,
)
from mgd_helpers.encoding.kinds import denoised_from
from mgd_helpers.encoding.latents import encode
from mgd_helpers.manifest import adopt, check_settings
from mgd_helpers.methods import DIFFUSION, WITH_TARGETS, Picks, pick
from mgd_helpers.progress import progress
from mgd_helpers.run_pipelines import asked_for
from mgd_helpers.runs import Batch, Run


def make(run: Run, *, command: str = "") -> tuple[dict, int]:
    """Make the images that lack in the folder of a run; its manifest, and how many images are new.

    `command` is the call that makes them, for the record.
    """
    manifest, lacking = what_lacks(run)
    new = 0
    if lacking or not manifest["complete"]:
        with locked(run.out):
            manifest, lacking = what_lacks(run)  # again: another run may just have ended
            _warn(run, lacking)
            clouds = encode_classes(run, lacking)
            targets = cluster_classes(run, clouds)
            if run.method == DIFFUSION:
                manifest = _record(run, manifest, lacking, clouds, targets)
                images_of = functools.partial(sample_batch, run, clouds=clouds, targets=targets)
            else:
                labels = sorted({label for label, _ in lacking})
                picks = pick(run.data, run.settings, labels, clouds, targets, getattr(run.pipe, "vae", None))
                manifest = _record(run, manifest, lacking, clouds, picks)
                images_of = functools.partial(_picked, picks)
            manifest["command"] = command
            new = _sample_and_write(run, manifest, run.plan(lacking), images_of)
    elif (run.out / RUN).exists() and not is_dressed(run.out, manifest):
        with locked(run.out):
            dress(run.out, manifest)
    return manifest, new


def rehearse(run: Run, batches: list[Batch], trials: Iterable[Run]) -> Iterator[torch.Tensor]:
    """The images of some batches in one trial after the other: the run under other guidances; nothing is written."""
    clouds = encode_classes(run, [key for batch in batches for key in batch.wanted])
    targets: dict[str, dict[int, Targets]] = {}
    for trial in trials:
        if trial.representative not in targets:
            targets[trial.representative] = cluster_classes(trial, clouds)
        own = targets[trial.representative]
        yield torch.cat([sample_batch(trial, batch, clouds, own) for batch in batches])


def what_lacks(run: Run) -> tuple[dict, dict[tuple[int, int], str]]:
    """The manifest of the folder, empty where there is none, and which images lack there, with the reason.

    Raises `ValueError` where the folder holds images of other settings, or other files.
    """
    manifest = read_manifest(run.out)
    check_inside(run.out, run.files.values())
    if manifest is None:
        check_unused(run.out)
        return {}, dict.fromkeys(run.files, NOT_MADE)
    check_settings(run.out, manifest, run.settings)
    for folder in {(run.out / file).parent for file in run.files.values()}:
        check_folder("out", folder)
    listed, wrong = {image["file"] for image in manifest["images"]}, faults(run.out, manifest)
    lacking = {key: wrong.get(file, "") if file in listed else NOT_MADE for key, file in run.files.items()}
    return manifest, {key: why for key, why in lacking.items() if why}


def _warn(run: Run, lacking: dict[tuple[int, int], str]) -> None:
    damaged = [f"{run.files[key]} ({why})" for key, why in lacking.items() if why not in (MISSING, NOT_MADE)]
    if damaged:
        warnings.warn(
            f"{len(damaged)} images in {str(run.out)!r} are damaged, and made again: {', '.join(damaged[:5])}"
            f"{', …' if len(damaged) > 5 else ''}",
            stacklevel=4,
        )


def encode_classes(run: Run, lacking: Iterable[tuple[int, int]]) -> dict[int, torch.Tensor]:
    """The latents of each class that lacks an image: class by class, so that they do not depend on what else lacks.

    Without a pipeline they are its pixels; methods that know no targets need none.
    """
    if run.method not in (DIFFUSION, *WITH_TARGETS):
        return {}
    train, labels = run.data.train, sorted({label for label, _ in lacking})
    if run.latents is not None:
        return {label: run.latents[train.rows_of(label).to(run.latents.device)] for label in labels}
    if run.method != DIFFUSION and run.pipe is None:
        return {label: train.of_class(label) for label in labels}
    shown = progress(labels, f"encode {run.data.name}", unit="class")
    if run.method != DIFFUSION:
        return {label: encode(run.pipe.vae, train.of_class(label)) for label in shown}
    return {label: denoised_from(run.pipe_of(label), train.of_class(label)) for label in shown}


def cluster_classes(run: Run, clouds: dict[int, torch.Tensor]) -> dict[int, Targets]:
    """The targets of each class. Trees grow one by one: in step they would depend on what else lacks, by rounding."""
    if run.method not in (DIFFUSION, *WITH_TARGETS):
        return {}
    count, seed = run.settings["images_per_class"], run.settings["seed"]
    pick = {key: run.settings[key] for key in ("images_per_class", "strategy")}
    pick["representative"] = run.representative
    shown = progress(clouds.items(), f"cluster {run.data.name}", unit="class")
    return {label: pick_targets(bisect(cloud, n_leaves=count, seed=seed), **pick) for label, cloud in shown}


def _record(
    run: Run,
    before: dict,
    lacking: Iterable[tuple[int, int]],
    clouds: dict[int, torch.Tensor],
    targets: Mapping[int, Targets | Picks],
) -> dict:
    """The manifest to go on with: what is known of earlier images stays, those that lack are listed anew."""
    labels = asked_for(run.settings)
    new: dict[str, Any] = {
        "settings": run.settings,
        "note": run.note,
        "pipeline": run.pipeline,
        "padding": run.data.padding,
        "labels": labels,
        "images": [],
        "made_by": [],
    }
    manifest = {"labels": labels} | before if before else new
    guidance = run.settings.get("guidance")
    if run.chosen:
        manifest["chosen"], guidance = run.chosen, run.chosen["guidance"]
    adopt(run.out, manifest)
    vouched = Counter(image.get("made_by") for image in manifest["images"])
    for number, entry in enumerate(manifest["made_by"]):  # a run that was killed had no time to count
        entry["images"] = max(entry["images"], vouched[number])
    known = {image["file"]: image for image in manifest["images"]}
    rows = {label: run.data.train.rows_of(label).cpu() for label in targets}
    starts = starts_of(run, clouds, targets)
    for label, index in lacking:
        file = run.files[label, index]
        known[file] = {
            "file": file,
            "class": run.data.class_names[label],
            "index": index,
            "node": targets[label].nodes[index],
            "members": rows[label][targets[label].members[index]].tolist(),
            "generator": [run.settings["seed"], label, index],
            "guidance": guidance,
            **({"start": rows[label][starts[label][index]].item()} if label in starts else {}),
        }
    return manifest | {"complete": False, "images": [known[file] for file in run.files.values()]}


def _sample_and_write(run: Run, manifest: dict, plan: list[Batch], images_of: Callable[[Batch], torch.Tensor]) -> int:
    """Make the batches; write the images that lack, and what made them. Nothing is written before the first batch."""
    device = getattr(run.pipe, "device", run.data.train.device)
    entry, records = maker(str(device), images=0), {image["file"]: image for image in manifest["images"]}
    remove_parts(run.out)
    try:
        for batch in progress(plan, f"distill {run.data.name}", unit="batch"):
            images = images_of(batch)
            if not entry["images"]:
                manifest["made_by"].append(entry)
                write_manifest(run.out, manifest)  # whose images these are, before there are any
            for key in batch.wanted:
                content, file = png(images[batch.keys.index(key)]), run.files[key]
                write(run.out / file, functools.partial(Path.write_bytes, data=content))
                records[file] |= {"sha256": checksum(content), "made_by": len(manifest["made_by"]) - 1}
                add_record(run.out, records[file])
                entry["images"] += 1
        dress(run.out, manifest)
        manifest["complete"] = True
    finally:
        if entry["images"] or manifest["complete"]:
            write_manifest(run.out, manifest)
    return entry["images"]


def _picked(picks: dict[int, Picks], batch: Batch) -> torch.Tensor:
    """The images of a batch, each in its place; blank are those of classes that lack none."""
    blank = torch.zeros_like(next(iter(picks.values())).images[0])
    return torch.stack([picks[label].images[index] if label in picks else blank for label, index in batch.keys])
