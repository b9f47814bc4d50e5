"""Which columns of a table of `datasets` are meant: one of images, and one of classes.

Images are of `datasets.Image`, or arrays of bytes (Array2D, Array3D); classes are class labels, text or whole numbers.
"""

from __future__ import annotations

from typing import Any

from mgd_helpers.data.class_names import as_named
from mgd_helpers.data.listed import LABELS, choose_column

ARRAYS = ("Array2D", "Array3D")
PLAIN = ("string", "large_string", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
NAMED_IMAGES = ("image", "img")


def choose_columns(features: Any, image_column: str | None, label_column: str | None) -> tuple[str, str, list[str]]:
    """The column of the images, the one of the classes, and what a reader should know of the choice.

    Raises `ValueError`, with all columns, where none could be meant, or several.
    """
    kinds = {name: _kind(feature) for name, feature in features.items()}
    images = [name for name, kind in kinds.items() if kind == "Image"]
    images = images or [name for name, kind in kinds.items() if kind in (*ARRAYS, "encoded")]
    labels = [name for name, kind in kinds.items() if kind == "ClassLabel"]
    plain = [name for name, kind in kinds.items() if kind in PLAIN]
    if image_column is not None:
        images = [choose_column("image_column", image_column, list(kinds), (), "source")]
    if label_column is not None:
        labels = [choose_column("label_column", label_column, list(kinds), (), "source")]
    elif not labels:
        labels = [name for name in plain if name.casefold() in LABELS][:1] or plain
    said = []
    for name, found, preferred in (("image", images, NAMED_IMAGES), ("label", labels, LABELS)):
        known = [one for one in preferred if one in found]
        if len(found) > 1 and known:
            left = [one for one in found if one != known[0]]
            found[:] = known[:1]
            said.append(f"The {name} column is {found[0]!r}; {name}_column=… chooses another ({', '.join(left[:4])}).")
    if len(images) != 1 or len(labels) != 1:
        shown = {name: type(feature).__name__ for name, feature in features.items()}
        asked = [f"{name}_column=…" for name, found in (("image", images), ("label", labels)) if len(found) > 1]
        raise ValueError(
            "source must have one column of images and one of class labels (datasets.Image, datasets.ClassLabel); got "
            f"{shown}. {f'Pass {chr(32).join(asked)}. ' if asked else ''}Declare them with dataset.cast_column(…), or "
            "take other columns out with remove_columns(…)."
        )
    if kinds[images[0]] not in ("Image", "encoded", *ARRAYS):
        raise ValueError(f"image_column must be a column of images; {images[0]!r} holds {kinds[images[0]]}.")
    if kinds[labels[0]] not in ("ClassLabel", *PLAIN):
        raise ValueError(
            f"label_column must hold one class per image, as class label, text or whole number; {labels[0]!r} holds "
            f"{kinds[labels[0]]}."
        )
    return images[0], labels[0], said


def class_names_of(part: Any, column: str) -> tuple[str, ...]:
    """The names of class labels, as folders can have them, too; empty where labels are plain."""
    names = getattr(part.features[column], "names", None) or ()
    return tuple(as_named(name.replace(" / ", " or ").replace("/", " or ")) for name in names)


def labels_in(part: Any, column: str) -> list:
    """The labels as they stand, read without the images."""
    return part.with_format(None).select_columns([column])[:][column]


def _kind(feature: Any) -> str:
    kind = type(feature).__name__
    if kind == "Value":
        return str(feature.dtype)
    if isinstance(feature, dict) and {"bytes", "path"} <= set(feature):
        return "encoded"  # images whose declaration was lost on the way
    return kind
