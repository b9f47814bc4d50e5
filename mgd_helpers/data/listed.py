"""Images with a table of their classes beside them: `metadata.jsonl` or `metadata.csv`, a line for each image.

A column names the files (`file_name`), another one the class: by name, or the only one that could be meant.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from mgd_helpers.arguments import did_you_mean
from mgd_helpers.data.class_names import as_named
from mgd_helpers.data.layouts import Layout, split_folders
from mgd_helpers.data.walking import IMAGE_SUFFIXES, TABLES, Others, image_files, is_side_file, sub_folders

FILES = ("file_name", "filename", "file", "path", "image")
LABELS = ("label", "labels", "class", "class_name", "category", "fine_label", "target", "species")


def has_table(folder: Path, label_column: str | None) -> bool:
    """Whether a table says the classes, rather than folders: images lie beside it, or a column is asked for."""
    train = split_folders(folder)[0] if any(sub_folders(folder)) else folder
    tables = [at for at in (folder, train) if any((at / name).is_file() for name in TABLES)]
    if not tables or label_column is not None:
        return bool(tables)
    at = tables[0]
    return len(sub_folders(at)) < 2 or any(
        path.suffix.lower() in IMAGE_SUFFIXES and not is_side_file(path.name) and path.name != "contact_sheet.png"
        for path in at.iterdir()
    )


def listed_layout(folder: Path, *, image_column: str | None, label_column: str | None) -> Layout:
    """The image files of each class, as the table in the folder, or the one in each of its splits, says.

    Raises `ValueError` for a table that cannot be read, one without such columns, files that are not there, and rows
    without a class.
    """
    others = Others()
    train_folder, test_folder, said = split_folders(folder) if sub_folders(folder) else (folder, None, [])
    if not any((train_folder / name).is_file() for name in TABLES):
        train_folder, test_folder, said = folder, None, []
    columns = {"image_column": image_column, "label_column": label_column}
    train, used = _rows(train_folder, others, folder, **columns)
    test, _ = _rows(test_folder, others, folder, **columns) if test_folder else ([], "")
    names = class_order([label for _, label in train])
    unknown = [label for _, label in test if label not in names]
    if unknown:
        raise ValueError(
            f"classes of {str(test_folder)!r} must be those of the training split; got also {unknown[0]!r}."
        )
    said.append(f"Classes are those of the column {used!r}.")
    return Layout(_by_class(train, names), _by_class(test, names), [*said, *filter(None, [others.sentence()])])


def class_order(labels: Iterable[Any]) -> list[str]:
    """Class names of labels, each once: numbers by size, text in the order of the alphabet.

    >>> class_order(["10", "9", "9"]), class_order(["b", "a"])
    (['9', '10'], ['a', 'b'])
    """
    names = {str(label) for label in labels}
    numbers = all(name.lstrip("-").isdecimal() for name in names)
    return sorted(names, key=int) if numbers else sorted(names)


def choose_column(name: str, asked: str | None, columns: Sequence[str], preferred: Sequence[str], where: str) -> str:
    """The column that was asked for; else the first of the preferred names that is there; else the only one there is.

    Raises `ValueError`, with the columns, where none could be meant, or several.
    """
    if asked is not None:
        if asked in columns:
            return asked
        raise ValueError(
            f"{name} must be a column of {where!r}, which has {', '.join(columns) or 'none'}; got {asked!r}."
            f"{did_you_mean(asked, columns)}"
        )
    known = {column.casefold(): column for column in columns}
    found = [known[one] for one in preferred if one in known] or (list(columns) if len(columns) == 1 else [])
    if found:
        return found[0]
    raise ValueError(f"{name} must be given for {where!r}, which has the columns {', '.join(columns) or 'none'}.")


def label_of(value: Any, where: str) -> str:
    """The class name of a label: text, or a whole number of at least 0.

    Raises `ValueError` for anything else, named by `where` it stands.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    named = isinstance(value, str | int) and as_named(str(value)).strip()
    if not named or (isinstance(value, int) and not isinstance(value, bool) and value < 0):
        raise ValueError(f"{where} must have one class, as text or a whole number >= 0; got {value!r}.")
    return named


def _rows(
    folder: Path, others: Others, within: Path, *, image_column: str | None, label_column: str | None
) -> tuple[list[tuple[Path, str]], str]:
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if table is None:
        raise ValueError(f"every split must have a table, {' or '.join(TABLES)}; {str(folder)!r} has none.")
    rows = _read(table)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    file_column = choose_column("image_column", image_column, columns, FILES, str(table))
    rest = [column for column in columns if column != file_column]
    column = choose_column("label_column", label_column, rest, LABELS, str(table))
    found = []
    for number, row in enumerate(rows, 1):
        where = f"row {number} of {str(table)!r}"
        found.append((_file(folder, row.get(file_column), where), label_of(row.get(column), where)))
    if not found:
        raise ValueError(f"{str(table)!r} must have a line for each image; it has none.")
    listed = {path for path, _ in found}
    for path in image_files(folder, others, within=within):
        if path not in listed and path.name != "contact_sheet.png":
            others.add("images that the table does not list", str(path.relative_to(within)))
    return found, column


def _file(folder: Path, name: Any, where: str) -> Path:
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"{where} must name a file; got {name!r}.")
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise ValueError(f"{where} must name a file inside the folder; got {name!r}.")
    if not (folder / path).is_file():
        raise ValueError(f"{where} must name a file that is there; got {name!r}. Mend the row, or take it out.")
    return folder / path


def _read(table: Path) -> list[dict[str, Any]]:
    try:
        text = table.read_text(encoding="utf-8-sig")
        if table.suffix == ".csv":
            head = text.partition("\n")[0]
            reader = csv.DictReader(text.splitlines(), delimiter=max(",;\t", key=head.count))
            return [{key: value for key, value in row.items() if key} for row in reader]
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        raise ValueError(f"{str(table)!r} must be a table that can be read; it is not: {error}.") from error
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError(f'every line of {str(table)!r} must be an object of JSON, such as {{"file_name": …}}.')
    return rows


def _by_class(rows: list[tuple[Path, str]], names: list[str]) -> list[tuple[str, list[Path]]]:
    found: dict[str, list[Path]] = {name: [] for name in names}
    for path, label in rows:
        found[label].append(path)
    return [(name, files) for name, files in found.items() if files]
