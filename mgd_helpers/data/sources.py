"""What the package `datasets` reads for us: Parquet files, its own folders (`save_to_disk`), and sets on the hub by id.

What it writes while reading goes into a temporary folder, which is gone when the images are in memory.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mgd_helpers.data.class_names import SPLIT_NAMES
from mgd_helpers.data.loudness import quiet_datasets

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
SAVED = ("dataset_dict.json", "dataset_info.json")
DATA_FILES = ("parquet", "arrow", "csv", "jsonl", "json", "zip", "tar", "png", "jpg", "jpeg", "webp", "md")


def is_folder_of_images(source: str | Path) -> bool:
    """Whether a source is a folder that is none of those of `datasets`."""
    try:
        return (
            source != "" and Path(source).is_dir() and not _is_saved(Path(source)) and not _parquet_files(Path(source))
        )
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def is_readable(source: str | Path) -> bool:
    """Whether a source is a Parquet file, a folder that `datasets` reads, or looks like the id of a set on the hub."""
    try:
        there = source != "" and Path(source).exists()
        if there:
            return Path(source).is_dir() or (Path(source).is_file() and Path(source).suffix.lower() == ".parquet")
    except (OSError, ValueError):
        return False
    return isinstance(source, str) and bool(HUB_ID.fullmatch(source))


@contextlib.contextmanager
def opened(source: str | Path) -> Iterator[tuple[Any, str]]:
    """The `datasets.Dataset` or `DatasetDict` of a source, and its name, as long as one is inside.

    Raises `ValueError` where it cannot be read.
    """
    path = Path(source)
    with quiet_datasets() as datasets, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        try:
            if path.is_file():
                found = datasets.load_dataset("parquet", data_files=str(path), cache_dir=cache)
            elif path.is_dir() and _is_saved(path):
                found = datasets.load_from_disk(str(path))
            elif path.is_dir():
                found = datasets.load_dataset("parquet", data_files=_by_split(datasets, path), cache_dir=cache)
            else:
                found = datasets.load_dataset(str(_from_hub(str(source))), cache_dir=cache)
        except (OSError, ValueError, RuntimeError, KeyError, datasets.exceptions.DatasetsError) as error:
            raise ValueError(_unreadable(source, path, error)) from error
        yield found, path.stem if path.is_file() else path.name


def _by_split(datasets: Any, folder: Path) -> Any:
    """Files by the split that their name or folder tells; all for training where none does."""
    files: dict[str, list[str]] = {}
    for path in _parquet_files(folder):
        words = re.split(r"[^a-z]+", "/".join(path.relative_to(folder).parts).lower())
        split = next((word for word in words if word in SPLIT_NAMES), "train")
        files.setdefault(split, []).append(str(path))
    return files


def _parquet_files(folder: Path) -> list[Path]:
    found = [folder.glob(pattern) for pattern in ("*.parquet", "*/*.parquet")]
    return sorted(path for some in found for path in some if path.is_file() and path.name != "metadata.parquet")


def _is_saved(folder: Path) -> bool:
    return any((folder / name).is_file() for name in SAVED)


def _from_hub(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [f"*.{ending}" for ending in DATA_FILES]
    return Path(snapshot_download(hub_id, repo_type="dataset", allow_patterns=patterns))


def _unreadable(source: str | Path, path: Path, error: Exception) -> str:
    cause = (type(error).__name__ == "DatasetGenerationError" and error.__cause__) or error
    reason = str(cause).partition("\n")[0] or type(cause).__name__
    if path.exists():
        return (
            f"source must be data that the package datasets reads; {str(source)!r} is not: {reason!r}. Download it "
            "again, or take it out."
        )
    return (
        "source must be one of the named sets, a folder, a file, or the id of a data set on the hub; "
        f"{str(source)!r} is no folder here, and could not be read from the hub: {reason!r}. Check the spelling, the "
        "working directory, or the network."
    )
