"""What a call may reach: it writes nothing into the folder of its data, and columns are for data yet to be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.data.image_sets import Dataset


def check_outside(out: str | Path, source: Any, *, name: str = "out") -> None:
    """Raise `ValueError` where `out` is the folder of the data or lies inside it, however the two are spelled."""
    if not isinstance(source, str | os.PathLike) or source == "" or (isinstance(source, str) and source in PROFILES):
        return
    try:
        folder, written = Path(source), Path(out).resolve()
        inside = folder.is_dir() and folder.resolve() in (written, *written.parents)
    except (OSError, ValueError):  # no path: whoever reads it says so
        return
    if inside:
        raise ValueError(
            f"{name} must lie outside the folder of the data, where it would be read as data the next time; got "
            f"{str(out)!r}, in {str(source)!r}. Choose another folder."
        )


def check_columns(source: Any, *, image_column: Any = None, label_column: Any = None) -> None:
    """Raise `ValueError` for columns of data that are at hand, and for what is no name of one."""
    for name, value in (("image_column", image_column), ("label_column", label_column)):
        if value is not None and not (isinstance(value, str) and value):
            raise ValueError(f"{name} must be the name of a column; got {value!r}.")
        if value is not None and isinstance(source, Dataset):
            raise ValueError(f"{name} must be left out for a Dataset, whose images are read; got {value!r}.")
