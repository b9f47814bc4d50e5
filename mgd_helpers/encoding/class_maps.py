"""Which class of a pipeline is meant by the name of a class of the data; and the words of a prompt for it.

A name is looked up as it is, then without regard to case, underscores and accents' coding, then as a WordNet number,
where the pipeline knows ImageNet's 1000 classes. `imagenet.txt` lists these with their names, in the order of labels.
"""

from __future__ import annotations

import functools
import json
import tomllib
import unicodedata
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from mgd_helpers.arguments import did_you_mean

NAME = "{name}"  # stands in a template for the name of the class
PROMPT = f"a photo of a {NAME}"


@functools.cache
def imagenet() -> dict[str, tuple[str, ...]]:
    """The names of ImageNet's 1000 classes by their WordNet number, in the order of their labels.

    >>> list(imagenet()["n01440764"])
    ['tench', 'Tinca tinca']
    """
    lines = Path(__file__).with_name("imagenet.txt").read_text(encoding="utf-8").splitlines()
    rows = (line.partition(" ") for line in lines)
    return {number: tuple(name.strip() for name in names.split(",")) for number, _, names in rows}


def names_of(pipe: Any) -> dict[str, set[int]]:
    """The labels that each name of the pipeline may mean: of two classes called the same (ImageNet's "crane"), both."""
    known = getattr(pipe, "labels", {})
    found = {name: {label} for name, label in known.items()}
    if known.get("tench") == 0 and max(known.values()) == len(imagenet()) - 1:
        for label, (number, names) in enumerate(imagenet().items()):
            for name in (number, *names):
                found.setdefault(name, set()).add(label)
    for key, names in (getattr(getattr(pipe, "config", None), "id2label", None) or {}).items():
        for name in str(names).split(","):
            found.setdefault(name.strip(), set()).add(int(key))
    return found


def as_words(names: Mapping[str, set[int]]) -> dict[str, set[int]]:
    """The same by the names as `as_word` has them."""
    found: dict[str, set[int]] = {}
    for name, labels in names.items():
        found.setdefault(as_word(name), set()).update(labels)
    return found


def label_named(name: str, names: Mapping[str, set[int]], *, argument: str = "class_labels") -> int | None:
    """The label of a name, by names as `as_words` gives them; `None` where it is unknown.

    Raises `ValueError` where it is the name of several classes.
    """
    labels = names.get(as_word(name), set())
    if len(labels) > 1:
        raise ValueError(
            f"{argument} must say which class is meant: {name!r} is the name of the classes {sorted(labels)} of the "
            "pipeline. Give its label."
        )
    return next(iter(labels), None)


def check_apart(class_names: Sequence[str], asked: Sequence[Any], mapped: Container[str]) -> None:
    """Raise `ValueError` where two classes come to one label or prompt, unless both were `mapped` to it on purpose."""
    first: dict[Any, str] = {}
    for name, one in zip(class_names, asked, strict=True):
        other = first.setdefault(one, name)
        if other != name and (by_name := [each for each in (other, name) if each not in mapped]):
            found = " and ".join(map(repr, by_name))
            raise ValueError(
                f"class_map must keep {other!r} and {name!r} apart, or map both: both come to {one!r}, {found} by "
                f"name. Map {found}, too: to another one, or to this one on purpose."
            )


def read_class_map(given: Any, class_names: Sequence[str], *, argument: str = "class_map") -> dict[str, Any]:
    """What a mapping, or a TOML or JSON file of one, says of classes of the data; those it leaves out stay out.

    Raises `ValueError` for a file that cannot be read, and for names that are no classes.
    """
    if isinstance(given, str | Path):
        given = _from_file(Path(given), argument)
    if not isinstance(given, Mapping):
        raise ValueError(
            f"{argument} must be a mapping from class names, or the path of a TOML or JSON file of one "
            f'(tabby = "tabby cat"); got {given!r}.'
        )
    known = {as_word(name): name for name in class_names}
    odd = next((name for name in given if name not in class_names and as_word(str(name)) not in known), None)
    if odd is not None:
        raise ValueError(
            f"{argument} must name classes of the data, which are {', '.join(class_names[:12])}"
            f"{', …' if len(class_names) > 12 else ''}; got {odd!r}.{did_you_mean(odd, class_names)}"
        )
    return {name if name in class_names else known[as_word(str(name))]: value for name, value in given.items()}


def prompts_of(given: Any, class_map: Any, class_names: Sequence[str]) -> list[str]:
    """The prompt of each class, for a pipeline that reads text.

    `given` is a template with `{name}` in it, a mapping from class names, a file of one, or `None` for
    "a photo of a {name}". The name is that of `class_map`, where it has one; a WordNet number becomes its first name.
    """
    words = read_class_map({} if class_map is None else class_map, class_names)
    if odd := [name for name, word in words.items() if not isinstance(word, str) or not word.strip()]:
        raise ValueError(f"class_map must give words for a pipeline that reads text; got {words[odd[0]]!r}.")
    given = PROMPT if given is None else given
    if isinstance(given, str) and not given.endswith((".toml", ".json")):
        if not given.strip() or (NAME not in given and len(class_names) > 1):
            raise ValueError(
                f"prompt must hold {NAME}, where the name of the class is to stand ({PROMPT!r}), or be a mapping from "
                f"class names to prompts; got {given!r}."
            )
        made = [given.replace(NAME, words.get(name, spoken(name))) for name in class_names]
        check_apart(class_names, made, words)
        return made
    prompts = read_class_map(given, class_names, argument="prompt")
    missing = [name for name in class_names if not isinstance(prompts.get(name), str) or not prompts[name].strip()]
    if missing:
        raise ValueError(f"prompt must have a text for each class of the data; got none for {missing[:5]}.")
    return [prompts[name].replace(NAME, words.get(name, spoken(name))) for name in class_names]


def spoken(name: str) -> str:
    """The name of a class as one would say it.

    >>> spoken("golden_retriever"), spoken("n01440764")
    ('golden retriever', 'tench')
    """
    return imagenet()[name][0] if name in imagenet() else name.replace("_", " ").strip()


def as_word(name: str) -> str:
    """Equal for names that differ in case, underscores, spaces, or the coding of accents alone."""
    return " ".join(unicodedata.normalize("NFC", str(name)).casefold().replace("_", " ").split())


def _from_file(file: Path, argument: str) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
        return json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{argument} must be the path of a TOML or JSON file, with a line for each class such as "
            f'tabby = "tabby cat"; {str(file)!r} cannot be read: {error}.'
        ) from error
