"""What lies in a folder, below it as well: image files in the order of their paths, and the others by kind.

Nothing is opened, and nothing can hang: what is no file (pipes, sockets) is counted, and a link that leads back to
where it came from is not followed.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
SIDE_FILES = {"thumbs.db", "desktop.ini", "icon\r"}  # and all that begin with a dot
SIDE_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information"}
TABLES = ("metadata.jsonl", "metadata.csv")
RECORDS = {"run.json", "manifest.jsonl", "manifest.json", "readme.md", "contact_sheet.png", *TABLES}  # ours, beside


@dataclass
class Others:
    """Files that are not read, counted by the reason, each with one of them as an example."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, example: str) -> None:
        """Count one, and keep the first as the example."""
        self.counts[reason] += 1
        self.examples.setdefault(reason, example)

    def sentence(self) -> str:
        """All of them as one sentence; empty where there are none.

        >>> others = Others()
        >>> others.add(".gif files", "a/x.gif")
        >>> others.sentence()
        "Not read: 1 .gif files (such as 'a/x.gif')."
        """
        if not self.counts:
            return ""
        said = [f"{count} {why} (such as {self.examples[why]!r})" for why, count in sorted(self.counts.items())]
        return f"Not read: {', '.join(said)}."


def is_side_file(name: str) -> bool:
    """Whether a file or folder is hidden, or one that a system puts beside the files of its user."""
    return name.startswith(".") or name.lower() in SIDE_FILES | SIDE_FOLDERS


def sub_folders(folder: Path) -> list[Path]:
    """The folders right inside, in the order of their names, without hidden ones and those of systems."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_side_file(path.name))


def image_files(folder: Path, others: Others, *, within: Path, deep: bool = True) -> list[Path]:
    """The image files of a folder and, where `deep`, of those below it; the rest goes to `others`, named `within`.

    Raises `ValueError` for a folder that may not be opened.
    """
    found: list[Path] = []
    _walk(folder, others, within, deep, set(), found)
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def _walk(folder: Path, others: Others, within: Path, deep: bool, above: set[tuple[int, int]], found: list) -> None:
    try:
        place = os.stat(folder)
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise ValueError(
            f"source must be a folder that can be read; {str(folder)!r} cannot: {error.strerror}. Change its "
            "permissions, or take it out."
        ) from error
    above = above | {(place.st_dev, place.st_ino)}
    for entry in entries:
        path = folder / entry.name
        called = str(path.relative_to(within))
        inside = _stat(path)
        if inside is not None and stat.S_ISDIR(inside.st_mode):
            if is_side_file(entry.name):
                others.add("hidden folders", called)
            elif (inside.st_dev, inside.st_ino) in above:
                others.add("links that lead back", called)
            elif deep:
                _walk(path, others, within, deep, above, found)
        elif is_side_file(entry.name):
            others.add("hidden files", called)
        elif path.suffix.lower() in IMAGE_SUFFIXES and (inside is None or stat.S_ISREG(inside.st_mode)):
            found.append(path)  # a link that leads nowhere is told when it is opened
        elif inside is None or not stat.S_ISREG(inside.st_mode):
            others.add("pipes and the like", called)
        elif entry.name.lower() not in RECORDS or folder != within:
            others.add(f"{path.suffix.lower()} files" if path.suffix else "files without an ending", called)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
