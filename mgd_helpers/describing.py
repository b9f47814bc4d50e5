"""What a folder or a file of ours holds, what made it, what is wrong with it, and the command that goes on: `mgd info`.

Nothing is written, and nothing is loaded: pictures and weights are opened, pipelines are not built.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from mgd_helpers.commands import with_option
from mgd_helpers.data.cards import is_distilled, made_with
from mgd_helpers.data.files import PART
from mgd_helpers.data.folders import IMAGE_SUFFIXES
from mgd_helpers.data.lock import LOCK
from mgd_helpers.data.records import MISSING, NOT_MADE, check_listed, faults, is_record, opens, read_manifest
from mgd_helpers.latents_file import facts_of_file

SHOWN = 10  # classes and files that are named
WEIGHTS = (".safetensors", ".bin", ".pt", ".ckpt")


@dataclass(frozen=True)
class Description:
    """A path in words: `holds` images by class, or the parts of a pipeline; `made` has lines on where they come from.

    `missing`, `damaged` and `foreign` are files, with the reason; `command` goes on, or makes the same again.
    """

    path: Path
    kind: str
    holds: dict[str, int] = field(default_factory=dict)
    made: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    finished: bool = True
    command: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing, damaged, or from elsewhere."""
        return self.finished and not (self.missing or self.damaged or self.foreign)

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.kind}"]
        if self.holds:
            lines += [f"holds: {_few([f'{name} ({count})' for name, count in self.holds.items()], ', ')}"]
        lines += self.made
        for word in ("missing", "damaged", "foreign"):
            files = getattr(self, word)
            lines += [f"{word}: {len(files)}: {_few(files, ', ')}"] if files else []
        lines += [] if self.finished else ["not finished"]
        if self.command:
            lines.append(f"{'make it again' if self.is_whole else 'go on'}: {self.command}")
        return "\n".join(lines)


def describe(path: str | PathLike) -> Description:
    """Describe a folder of images, made by any method, a saved pipeline, or a file of latents.

    Raises `ValueError` where there is nothing of the kind, and where a record cannot be read.
    """
    text = os.fspath(path)
    path = Path(text)
    if path.is_file() and (found := facts_of_file(path)) is not None:
        return _latents(path, *found)
    if not text or not path.is_dir():
        is_there = text and path.exists()
        raise ValueError(
            f"path must be a folder of images or of a pipeline, or a file that mgd encode wrote; got {text!r}, which "
            f"{'is another file' if is_there else 'is not there'}. "
            + ("Name the folder that it lies in." if is_there else "Check the spelling, or the working directory.")
        )
    if (path / "model_index.json").exists() or (path / "training" / "settings.json").exists():
        return _pipeline(path)
    manifest = read_manifest(path)
    if manifest is not None and is_record(manifest):
        return _recorded(path, manifest)
    return _plain(path)


def _latents(file: Path, shape: list[int], made: dict[str, str]) -> Description:
    lines = [f"shape: {' x '.join(map(str, shape[1:]))} each"]
    lines += [f"of the training images of: {made['data']}"] if "data" in made else []
    lines += [f"encoded by: {made['pipeline']}"] if "pipeline" in made else []
    return Description(file, "latents, for distill --latents", holds={"latents": shape[0]}, made=tuple(lines))


def _recorded(folder: Path, manifest: dict) -> Description:
    check_listed(folder, manifest)
    settings, wrong = manifest["settings"], faults(folder, manifest)
    listed = {image["file"]: image["class"] for image in manifest["images"]}
    counts = Counter(name for file, name in listed.items() if file not in wrong)
    found = {path.relative_to(folder).as_posix() for path in _pictures(folder) if path.parent != folder}
    distilled = is_distilled(settings)
    made = [f"record: {len(listed)} images of {len(settings['classes'])} classes"]
    if distilled:
        made.append(f"made from: {settings.get('data')} (sha256 {str(settings.get('data_hash'))[:12]}…)")
        parts = (manifest.get("pipeline"), made_with(settings), _numbers(settings))
        made.append(f"made with: {', '.join(part for part in parts if part)}")
    made += [f"made by: {line}" for line in map(_maker, manifest.get("made_by", [manifest]))]
    made += [f"note: {manifest['note']}"] if manifest.get("note") else []
    return Description(
        folder,
        "a distilled set" if distilled else "a set of images with a record",
        holds={name: counts[name] for name in settings["classes"]},
        made=tuple(made),
        missing=tuple(file for file, why in wrong.items() if why in (MISSING, NOT_MADE)),
        damaged=tuple(f"{file} ({why})" for file, why in wrong.items() if why not in (MISSING, NOT_MADE)),
        foreign=tuple(sorted(found - set(listed))),
        finished=manifest.get("complete") is not False,
        command=with_option(manifest.get("command") or "", "--out", str(folder)),
    )


def _plain(folder: Path) -> Description:
    found = list(_pictures(folder))
    damaged = [path for path in found if not opens(_content(path))]
    names = [path.parent.relative_to(folder).as_posix() for path in found if path not in set(damaged)]
    counts = {"directly inside" if name == "." else name: count for name, count in sorted(Counter(names).items())}
    others = [path for path in folder.iterdir() if path.name != LOCK and not PART.fullmatch(path.name)]
    kind = "an image folder without a record" if found else ("no images" if others else "an empty folder")
    damaged_files = tuple(f"{path.relative_to(folder).as_posix()} (no image)" for path in damaged)
    return Description(folder, kind, holds=counts, damaged=damaged_files)


def _pipeline(folder: Path) -> Description:
    index, facts, work = (_json(folder / name) for name in ("model_index.json", "mgd.json", "training/settings.json"))
    found = _json(folder / "metrics.json").get("verdict")
    made = [f"class: {index['_class_name']}, diffusers {index.get('_diffusers_version')}"] if index else []
    names = index.get("id2label")
    made += [f"classes: {len(names)}: {_few(list(map(str, names.values())), ', ')}"] if isinstance(names, dict) else []
    shown = {key: value for key, value in facts.items() if key != "command"}
    made += [f"{key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in shown.items()]
    made += [f"{found.get('headline')} {found.get('advice')}"] if isinstance(found, dict) else []
    parts = [key for key, value in index.items() if isinstance(value, list) and len(value) == 2 and value[0]]
    missing, damaged, weights = [], [], {}
    for part in parts:
        files = [file for file in (folder / part).glob("*") if file.suffix in WEIGHTS]
        configs = [file for file in (folder / part).glob("*.json")]
        weights[part] = sum(file.stat().st_size for file in files)
        missing += [] if files or configs else [part]
        is_model = (folder / part / "config.json").exists()
        missing += [f"{part} (its weights)"] if is_model and not files else []
        damaged += [f"{file.relative_to(folder).as_posix()} (cannot be opened)" for file in files if not _sound(file)]
    damaged += [file.name for file in [folder / "model_index.json"] if file.exists() and not index]
    return Description(
        folder,
        "a pipeline" if index else "the training of a pipeline",
        holds={f"{part}, bytes of weights": size for part, size in weights.items() if size},
        made=tuple(made),
        missing=tuple(missing),
        damaged=tuple(damaged),
        finished=bool(index),
        command=with_option(str(facts.get("command") or work.get("command") or ""), "--out", str(folder)),
    )


def _sound(file: Path) -> bool:
    if file.suffix != ".safetensors":
        return file.stat().st_size > 0
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt"):
            return True
    except (SafetensorError, OSError):
        return False


def _pictures(folder: Path) -> Iterator[Path]:
    """Pictures in a folder and below, in order; what is hidden is not looked at, nor what a link leads to."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == "__MACOSX":
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _pictures(path)
        elif path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            yield path


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _json(file: Path) -> dict:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _numbers(settings: dict) -> str:
    said = {"steps": "steps", "guidance_scale": "guidance scale", "seed": "seed"}
    return ", ".join(f"{word} {settings[key]}" for key, word in said.items() if key in settings)


def _maker(entry: dict[str, Any]) -> str:
    versions = entry.get("versions") or {}
    own = ", ".join(f"{name} {versions[name]}" for name in ("mgd-helpers", "torch", "diffusers") if name in versions)
    return ", ".join(str(part) for part in (own, entry.get("device"), entry.get("date")) if part) or "not known"


def _few(names: list[str] | tuple[str, ...], between: str) -> str:
    rest = len(names) - SHOWN
    return between.join(names[:SHOWN]) + (f" and {rest} others" if rest > 0 else "")
