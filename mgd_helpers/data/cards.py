"""What a finished folder of images is shown with: `metadata.jsonl`, a contact sheet, and a dataset card.

`datasets.load_dataset("imagefolder", data_dir=folder)` then reads each image with its class and where it comes from.
All three follow from the record, so that a run that was killed writes the same again.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from mgd_helpers.data.files import checksum, write

METADATA, SHEET, CARD = "metadata.jsonl", "contact_sheet.png", "README.md"
REPORT = "report.json"  # what the set is worth; its `text` goes into the card
SIGNED = re.compile(r"<!-- of mgd-helpers, until it is edited: ([0-9a-f]{64}) -->\n\Z")
ROWS, COLUMNS, LISTED = 20, 10, 50  # classes and images of the sheet, classes in the card's table
CELL = range(32, 97)  # pixels of an image on the sheet
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def dress(folder: Path, manifest: dict) -> None:
    """Write metadata, contact sheet and card of a folder whose images are all there.

    A card that somebody has edited stays as it is.
    """
    write(folder / METADATA, partial(Path.write_bytes, data=metadata(manifest)))
    if manifest["images"]:
        write(folder / SHEET, lambda path: contact_sheet(folder, manifest).save(path, format="png"))
    write_card(folder, manifest)


def write_card(folder: Path, manifest: dict) -> None:
    """Write the card alone, for instance after a report has been written; one that somebody has edited stays."""
    file = folder / CARD
    if not file.exists() or _is_ours(file):
        text = card(manifest, report=_report(folder))
        content = text.encode(errors="replace")
        content += f"<!-- of mgd-helpers, until it is edited: {checksum(content)} -->\n".encode()
        if not file.exists() or file.read_bytes() != content:
            write(file, partial(Path.write_bytes, data=content))


def is_dressed(folder: Path, manifest: dict) -> bool:
    """Whether all three files are there, and none is empty."""
    names = (METADATA, SHEET, CARD) if manifest["images"] else (CARD,)
    return all((folder / name).is_file() and (folder / name).stat().st_size for name in names)


def metadata(manifest: dict) -> bytes:
    """A line for each image, as `datasets` reads it: `file_name`, the class by name and number, and its origin."""
    names = {name: number for number, name in enumerate(manifest["settings"]["classes"])}
    lines = []
    for image in manifest["images"]:
        line = {"file_name": image["file"], "label": image["class"], "label_id": names[image["class"]]}
        more = {key: image.get(key) for key in ("index", "node", "members", "guidance", "sha256")}
        line |= {key: value for key, value in more.items() if value is not None}
        lines.append(json.dumps(line, ensure_ascii=False).encode(errors="replace") + b"\n")
    return b"".join(lines)


def contact_sheet(folder: Path, manifest: dict) -> Any:
    """A picture of the first images of the first classes, a row for each class."""
    from PIL import Image

    rows: dict[str, list[str]] = {name: [] for name in manifest["settings"]["classes"]}
    for image in manifest["images"]:
        rows[image["class"]].append(image["file"])
    shown = [files[:COLUMNS] for files in rows.values() if files][:ROWS]
    with Image.open(folder / shown[0][0]) as first:
        side = min(max(*first.size, CELL[0]), CELL[-1])
    sheet = Image.new("RGB", (max(map(len, shown)) * (side + 2) + 2, len(shown) * (side + 2) + 2), "white")
    for row, files in enumerate(shown):
        for column, file in enumerate(files):
            with Image.open(folder / file) as image:
                scale = side / max(image.size)
                size = [max(1, round(length * scale)) for length in image.size]
                method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
                sheet.paste(image.convert("RGB").resize(size, method), (2 + column * (side + 2), 2 + row * (side + 2)))
    return sheet


def card(manifest: dict, *, report: str = "") -> str:
    """The dataset card: a head that the hub reads, the sheet, the report, the call, classes and settings."""
    settings, images = manifest["settings"], manifest["images"]
    counts = Counter(image["class"] for image in images)
    name = str(settings.get("data", "images"))
    title = f"{name}, distilled" if is_distilled(settings) else "Images by class"
    said = f"{len(images)} images of {len(settings['classes'])} classes"
    if is_distilled(settings):
        said += f", distilled from {name!r} with the {made_with(settings)}"
    parts = [
        _head(title, len(images)),
        f"# {title}",
        f"{said}.",
        f"![The first images of the first classes, one row per class]({SHEET})" if images else "",
        f"## Is it worth it?\n\n```text\n{report}\n```" if report else "",
        _again(manifest),
        "## Read it\n\n```python\nimport datasets\n\n"
        'data = datasets.load_dataset("imagefolder", data_dir="path/of/this/folder", data_files={"train": '
        f'["{METADATA}", "*/*.png"]}})\n```\n\n`{METADATA}` gives each image its class and where it comes from, '
        "`manifest.jsonl` also its checksum and what made it; `run.json` has all settings and versions.",
        _classes(manifest, counts),
        _table("## Guidances tried", ("guidance", "options", "accuracy of a quick student"), _tried(manifest)),
        _table("## Settings", ("setting", "value"), _settings(manifest)),
        "## Licence\n\nWhat licence these images have depends on those of the data and of the pipeline that they were "
        "made from. Look both up before you pass the images on.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n\n"


def is_distilled(settings: dict) -> bool:
    """Whether these are settings of `distill`, rather than of images that were merely written."""
    return bool({"guidance", "method"} & set(settings))


def made_with(settings: dict) -> str:
    """The guidance or the method that made the images of these settings."""
    method = settings.get("method", "diffusion")
    return f"guidance {settings.get('guidance')!r}" if method == "diffusion" else f"method {method!r}"


def _head(title: str, images: int) -> str:
    size = next((word for limit, word in SIZES if images < limit), "n>1M")
    return (
        f"---\npretty_name: {json.dumps(title)}\nlicense: unknown\ntask_categories:\n- image-classification\ntags:\n"
        f"- dataset-distillation\n- mgd-helpers\nsize_categories:\n- {size}\nconfigs:\n- config_name: default\n"
        f'  data_files:\n  - split: train\n    path:\n    - {METADATA}\n    - "*/*.png"\n---'
    )


def _again(manifest: dict) -> str:
    command = manifest.get("command")
    if not command:
        return ""
    kind = "bash" if command.startswith("mgd ") else "python"
    return f"## Make it again\n\n```{kind}\n{command}\n```"


def _classes(manifest: dict, counts: Counter) -> str:
    """The classes, how many images each has, and which label or prompt the pipeline was given for it."""
    names, asked = manifest["settings"]["classes"], manifest.get("labels") or {}
    rows = [(name, counts[name], *([asked.get(name)] if asked else [])) for name in names[:LISTED]]
    if rest := names[LISTED:]:
        rows += [(f"… and {len(rest)} others", sum(map(counts.__getitem__, rest)), *([""] if asked else []))]
    return _table("## Classes", ("class", "images", *(["asked of the pipeline"] if asked else [])), rows)


def _tried(manifest: dict) -> list[tuple]:
    """What `guidance="auto"` has tried, the one that it chose first."""
    chosen = manifest.get("chosen") or {}
    rows = [(row["guidance"], row.get("options", {}), row.get("student")) for row in chosen.get("tried", ())]
    best = (chosen.get("guidance"), chosen.get("options", {}))
    return [(f"{row[0]} (chosen)" if row[:2] == best else row[0], *row[1:]) for row in rows]


def _settings(manifest: dict) -> list[tuple]:
    apart = ("classes", "class_labels", "prompts", "scheduler_config")
    rows = [(key, value) for key, value in manifest["settings"].items() if key not in apart and value is not None]
    rows += [("pipeline", manifest["pipeline"])] if manifest.get("pipeline") else []
    for entry in manifest.get("made_by", []):
        versions = ", ".join(f"{name} {version}" for name, version in (entry.get("versions") or {}).items())
        said = f"{versions}, on {entry.get('device')}, {entry.get('date')}"
        rows.append(("made by", f"{said}: {entry['images']} image{'s' * (entry['images'] != 1)}"))
    return rows + ([("note", manifest["note"])] if manifest.get("note") else [])


def _table(title: str, head: tuple, rows: list[tuple]) -> str:
    if not rows:
        return ""
    lines = [head, ("---",) * len(head), *rows]
    return f"{title}\n\n" + "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else f"{value:.4g}" if isinstance(value, float) else json.dumps(value)
    return " ".join(text.split()).replace("|", "\\|")


def _report(folder: Path) -> str:
    try:
        found = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    text = found.get("text") if isinstance(found, dict) else None
    return text.strip() if isinstance(text, str) else ""


def _is_ours(file: Path) -> bool:
    try:
        content = file.read_bytes()
        text = content.decode()
    except (OSError, ValueError):
        return False
    signed = SIGNED.search(text)
    return not text or (signed is not None and checksum(text[: signed.start()].encode()) == signed[1])
