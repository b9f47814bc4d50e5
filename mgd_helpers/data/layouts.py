"""How a folder of images is laid out: which of its folders are splits, and which are classes.

Classes are the folders right inside, or right inside the splits, and own all images below them. Splits may be spelled
in any way. What could be meant in two ways is refused, with the two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mgd_helpers.data.class_names import as_named, splits_among
from mgd_helpers.data.walking import IMAGE_SUFFIXES, TABLES, Others, image_files, is_side_file, sub_folders


@dataclass(frozen=True)
class Layout:
    """Image files of each class, for each split, as (class name, files); `said` is what a reader should know."""

    train: list[tuple[str, list[Path]]]
    test: list[tuple[str, list[Path]]]
    said: list[str] = field(default_factory=list)


def split_folders(folder: Path) -> tuple[Path, Path | None, list[str]]:
    """The folders of the training and the test split, and what is said of it; `folder` itself where there are none.

    A folder called `train` with images right inside is a class of that name.

    Raises `ValueError` where it is not clear which folders are splits.
    """
    inside = sub_folders(folder)
    names = [path.name for path in inside]
    known = splits_among(names)
    splits = {*known["train"], *known["test"]}
    if not splits or any(_holds_images(folder / name) and not _is_flat_split(folder / name) for name in splits):
        return folder, None, []
    extra = [name for name in names if name not in splits]
    if not known["train"]:
        if extra:
            return folder, None, []
        raise ValueError(
            f"source must have a training split; {str(folder)!r} has {', '.join(known['test'])}. Pass the folder of "
            "one split, or call the one for training train."
        )
    if len(known["train"]) > 1 or (extra and not known["test"]):
        raise ValueError(
            f"source must have one folder for training, and others for testing, or a folder per class; {str(folder)!r} "
            f"has {', '.join(names[:6])}. Pass one of these, or take the others out."
        )
    test = known["test"][0] if known["test"] else None
    said = [f"Training images are those of {known['train'][0]!r}{f', test images those of {test!r}' if test else ''}."]
    if unread := [*known["test"][1:], *extra]:
        said.append(f"Not read: the split{'s' * (len(unread) > 1)} {', '.join(map(repr, sorted(unread)))}.")
    return folder / known["train"][0], None if test is None else folder / test, said


def find_layout(folder: Path) -> Layout:
    """The image files of each class in a folder with one sub-folder per class, or with splits of such.

    Raises `ValueError` where a class has no images, where none has, and where a test split has other classes.
    """
    others = Others()
    train_folder, test_folder, said = split_folders(folder)
    if train_folder != folder:
        _loose(folder, others, within=folder)
    train = _classes(train_folder, others, folder, said)
    test = [] if test_folder is None else _classes(test_folder, others, folder, said)
    names = [name for name, _ in train]
    unknown = [name for name, _ in test if name not in names]
    if unknown:
        raise ValueError(
            f"classes of {str(test_folder)!r} must be those of the training split; got also {unknown[:5]}. Rename "
            "these folders, or take them out."
        )
    return Layout(train, test, [*said, *filter(None, [others.sentence()])])


def _classes(folder: Path, others: Others, within: Path, said: list[str]) -> list[tuple[str, list[Path]]]:
    inside = sub_folders(folder)
    _check_not_wrapped(folder, inside)
    _loose(folder, others, within=within)
    found: dict[str, list[Path]] = {}
    deeper = 0
    for path in inside:
        name, files = as_named(path.name), image_files(path, others, within=within)
        if name in found:
            said.append(f"Folders that spell {name!r} in two codings of its accents are one class.")
        found[name] = found.get(name, []) + files
        deeper += sum(file.parent != path for file in files)
    bare = [name for name, files in found.items() if not files]
    if bare or not found:
        raise ValueError(
            f"source must hold images in one sub-folder per class; {str(folder)!r} holds none"
            f"{f' of {bare[:5]}' if bare else ''}. Use {', '.join(IMAGE_SUFFIXES)} files.{_hint(folder, others)}"
        )
    if deeper:
        said.append(f"{deeper:,} images in folders below a class count to that class.")
    if ignored := [name for name in TABLES if (folder / name).is_file() and not (folder / "run.json").exists()]:
        said.append(f"The folders are the classes: {ignored[0]} is not read. Pass label_column=… to take its column.")
    return sorted(found.items())


def _hint(folder: Path, others: Others) -> str:
    if others.counts["images beside the folders of classes"]:
        return f" For images that lie in one folder, put their classes into {' or '.join(TABLES)} there."
    kinds = sorted(reason for reason in others.counts if reason.endswith(" files") and reason[0] == ".")
    return f" There are {', '.join(kinds[:4])}, which are not read." if kinds else ""


def _loose(folder: Path, others: Others, *, within: Path) -> None:
    """Count the files right inside a folder of folders."""
    for path in image_files(folder, others, within=within, deep=False):
        if str(path.relative_to(within)) != "contact_sheet.png":
            others.add("images beside the folders of classes", str(path.relative_to(within)))


def _check_not_wrapped(folder: Path, inside: list[Path]) -> None:
    if len(inside) != 1 or _holds_images(inside[0]):
        return
    nested = [path.name for path in sub_folders(inside[0])]
    if len(nested) > 1:
        raise ValueError(
            f"source must hold one folder per class; {str(folder)!r} holds {inside[0].name!r} alone, with "
            f"{', '.join(nested[:5])}{_rest(nested)} inside. If these are the classes, pass {str(inside[0])!r}."
        )


def _holds_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_SUFFIXES and not is_side_file(path.name) for path in folder.iterdir())


def _is_flat_split(folder: Path) -> bool:
    return any((folder / name).is_file() for name in TABLES)


def _rest(some: list) -> str:
    return f" and {len(some) - 5} more" if len(some) > 5 else ""
