"""Names of classes: checked, and turned into folder names that are safe and different on every file system."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

# the names that splits are known by, in any case
SPLITS = {"train": ("train", "training"), "test": ("test", "testing", "validation", "valid", "val", "dev", "eval")}
SPLIT_NAMES = {name for names in SPLITS.values() for name in names}
LONGEST = 255  # bytes of a file's name, on all usual file systems
# names of devices on Windows, with any ending
RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE | re.DOTALL)
FORBIDDEN = set('/\\<>:"|?*')


def check_class_names(names: Any, *, at_least: int = 0) -> tuple[str, ...]:
    """The names as a tuple.

    Raises `ValueError` unless they are strings, all different, and at least `at_least`.

    >>> check_class_names(["cat", "dog"], at_least=2)
    ('cat', 'dog')
    """
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise ValueError(f"class_names must be a sequence of strings, one per class; got {names!r}.")
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        raise ValueError(f"class_names must be strings; got {odd[0]!r}, a {type(odd[0]).__name__}. Pass str(…) of it.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"class_names must all be different; got {twice[0]!r} {Counter(names)[twice[0]]} times.")
    if len(names) < at_least:
        raise ValueError(
            f"class_names must name every class, at least {at_least} for labels up to {at_least - 1}; got {len(names)}."
        )
    return tuple(names)


def as_named(text: str) -> str:
    """The name of a class as it is kept: with accents composed, however a file system or a file had them.

    >>> as_named("Cafe\u0301") == "Caf\u00e9"
    True
    """
    return unicodedata.normalize("NFC", text)


def splits_among(names: Sequence[str]) -> dict[str, list[str]]:
    """Those of the names that are splits in any spelling, the preferred one first: for training, and for testing.

    >>> splits_among(["Validation", "Train", "test", "cars"])
    {'train': ['Train'], 'test': ['test', 'Validation']}
    """
    return {
        split: sorted(
            (name for name in names if name.casefold() in known), key=lambda name: known.index(name.casefold())
        )
        for split, known in SPLITS.items()
    }


def folder_names(class_names: Sequence[str]) -> dict[str, str]:
    """The folder of each class, by its name: the name itself, where that is safe on every system.

    A name is safe if it has at most 255 bytes, no separators, control characters or `<>:"|?*`, is no device of Windows,
    does not begin with a dot, and does not end with a dot or a space. Two names must not differ in case or in the
    coding of accents alone, and the names together must not be those of splits. Names that are not safe become what is
    left of them, and a hash.

    >>> folder_names(["cat", "../x"])
    {'cat': 'cat', '../x': 'x~d6b96a97'}
    """
    names = check_class_names(class_names)
    are_splits = "train" in names and set(names) <= SPLIT_NAMES
    folders = {name: name if _is_safe(name) and not are_splits else _escaped(name) for name in names}
    sharing = Counter(map(_as_seen, folders.values()))
    return {name: _escaped(name) if sharing[_as_seen(folder)] > 1 else folder for name, folder in folders.items()}


def _is_safe(name: str) -> bool:
    if not name or name[0] == "." or name[-1] in ". " or RESERVED.fullmatch(name):
        return False
    if any(letter in FORBIDDEN or _is_control(letter) for letter in name):
        return False
    return len(name.encode()) <= LONGEST


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def _as_seen(folder: str) -> str:
    """Equal for names that some file system cannot tell apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", folder).casefold())


def _escaped(name: str) -> str:
    kept = "".join("_" if letter in FORBIDDEN or _is_control(letter) else letter for letter in name)
    kept = kept.encode()[:100].decode(errors="ignore").strip("._ ")
    return f"{kept}~{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:8]}"
