"""Options of a command line, read off the signature of the function that the command calls.

`images_per_class: int` becomes `--images-per-class <int>`, a mapping `--class-labels cat=3`, repeated, or a TOML file.
A file of options, `--config run.toml`, takes the names of the function.
"""

from __future__ import annotations

import inspect
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mgd_helpers.arguments import did_you_mean

# What takes a Python object, or is said otherwise in a shell
NOT_IN_A_SHELL = {"features", "members", "metrics", "recipe", "settings"}
# What is said to a reader of Python, and what a shell has instead
SAID = (
    # both are said: guidance="auto" (--guidance auto)
    (r"(?:\w+=[^\s(),]+(?:, \w+=[^\s(),]+)*|mgd\.\w+\([^()]*\)) \(((?:--|mgd )[^()]*)\)", r"\1"),
    (r"mgd\.\w+\([^()]*\), or (?=mgd )", ""),
    # of two remedies the second one can be followed
    (r"load_data\([^()]*\), or (?=\w+\(…)", ""),
    (r", or pass mgd\.[\w.]+\([^()]*\)", ""),
    (r"\b(?:mgd\.)?\w+\((?:…|'[^']*'), (\w+=[^()]*)\)", r"\1"),  # load_data(…, image_size=32)
    (r"mgd\.encode\(pipe\.vae, data\.train\)", "mgd encode DATA --pipeline PIPELINE --out FILE"),
    (r"(?<!\w)a mapping \{class name: label\}", "CLASS=LABEL, once for each"),
    (r",? or None\b", ", or left out"),
    (r"pipeline=\{class: pipeline\}", "--pipeline CLASS=PIPELINE, once for each"),
    (r"data\.class_names", "the classes"),
    (r"^(against: )?source(?= must)", r"\1data"),
    (r"^name(?= must be a shipped)", "--pipeline"),
    (rf"\b({'|'.join(NOT_IN_A_SHELL)})=…", r"\1=… in Python"),
)
QUOTED = re.compile(r"""((?<![\w=])(?:'[^']*'|"[^"]*")(?!\w))""")


def kind_of(annotation: Any) -> type:
    """The type of an option: bool, int, float, list (of text: a mapping, or several words) or str.

    >>> kind_of(int | None), kind_of(float | str), kind_of(Mapping[str, int] | None)
    (<class 'int'>, <class 'str'>, <class 'list'>)
    """
    kinds = {one.__name__ for one in _flat(annotation) if hasattr(one, "__name__")} - {"NoneType", "ellipsis"}
    if kinds & {"Mapping", "Sequence", "dict", "list"}:
        return list
    if kinds <= {"bool"}:
        return bool
    if kinds <= {"int", "Integral"}:
        return int
    return float if kinds <= {"int", "Integral", "float", "Real"} else str


def parameters_of(function: Callable) -> list[inspect.Parameter]:
    """The parameters of a function that a shell can give, with their annotations as types."""
    found = inspect.signature(function).parameters.values()
    spaces = vars(inspect.getmodule(function))
    shown = [one for one in found if one.name not in NOT_IN_A_SHELL]
    return [one.replace(annotation=_evaluated(one.annotation, spaces)) for one in shown]


def flag(name: str) -> str:
    """The option of an argument.

    >>> flag("images_per_class")
    '--images-per-class'
    """
    return "--" + name.replace("_", "-")


def values(given: Mapping[str, Any], known: Iterable[inspect.Parameter], config: str | None) -> dict[str, Any]:
    """What was given, with what a `config` file gives beside it, in the types that the function takes.

    Raises `ValueError` for a file that is none, for names in it that are no arguments, and where one lacks that must be
    given.
    """
    by_name = {one.name: one for one in known}
    told = {name: value for name, value in given.items() if value is not None and value != []}
    if config is not None:
        told = _read_config(config, by_name) | told
    named = {name for name, one in by_name.items() if one.kind is inspect.Parameter.KEYWORD_ONLY}
    lacking = [name for name, one in by_name.items() if one.default is one.empty and name not in told]
    if lacking:
        said = ", ".join(flag(name) if name in named else name for name in lacking)
        raise ValueError(f"{said} must be given, on the command line or in the file of --config.")
    return {
        name: _typed(name, value, by_name[name].annotation) if name in named else value for name, value in told.items()
    }


def in_words_of_a_shell(message: str, known: Iterable[str]) -> str:
    """What the package says, whose remedies are Python, with the options `known` that a shell has for them.

    What stands in quotation marks, such as the name of a folder, stays as it is.

    >>> in_words_of_a_shell("n_real is 1. Load them with load_data(…, image_size=32).", ["image_size"])
    'n_real is 1. Load them with --image-size 32.'
    """
    known = sorted(known, key=len, reverse=True)
    for python, shell in SAID:
        message = re.sub(python, shell, message)
    if "image_size" not in known:
        message = message.replace("Pass image_size=…, or resize the odd ones", "Resize the odd ones")
    parts = QUOTED.split(message)  # every other one is quoted
    for name in known:
        option = flag(name)
        parts[0] = re.sub(rf"^{name}(?= must| should|:)", option, parts[0])
        for place in range(0, len(parts), 2):
            parts[place] = re.sub(rf"(?<![\w.-]){name}=(?=[\w…'\".\[{{])", f"{option} ", parts[place])
            if "_" in name:
                parts[place] = re.sub(rf"(?<![\w.-]){name}(?![\w(])", option, parts[place])
    return "".join(parts)


def _flat(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return [one for part in typing.get_args(annotation) for one in _flat(part)]
    return [origin or annotation]


def _evaluated(annotation: Any, spaces: dict[str, Any]) -> Any:
    return eval(annotation, spaces) if isinstance(annotation, str) else annotation


def _read_config(file: str, known: Mapping[str, Any]) -> dict[str, Any]:
    try:
        found = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"--config must be a TOML file that can be read; got {file!r}: {error}.") from error
    found = {name.replace("-", "_"): value for name, value in found.items()}
    if unknown := [name for name in found if name not in known]:
        raise ValueError(
            f"--config must hold options of this command; {file!r} has {unknown[0]!r}.{did_you_mean(unknown[0], known)}"
        )
    return found


def _typed(name: str, value: Any, annotation: Any) -> Any:
    kinds = {one for one in _flat(annotation) if isinstance(one, type)}
    if kind_of(annotation) is list and isinstance(value, list | tuple):
        return _mapping(name, [str(one) for one in value], text=str in kinds, sequence=Sequence in kinds)
    if isinstance(value, str) and kind_of(annotation) is str and kinds & {int, float}:
        return _number(value)
    return value


def _mapping(name: str, words: list[str], *, text: bool, sequence: bool) -> Any:
    """`a=1` `b=2` as a mapping; a TOML file as what it holds; one other word as text, where text is taken."""
    if len(words) == 1 and words[0].endswith(".toml") and not text:
        try:
            return tomllib.loads(Path(words[0]).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            message = f"{flag(name)} must be a TOML file that can be read; got {words[0]!r}: {error}."
            raise ValueError(message) from error
    if text and all("=" not in word or "{name}" in word or Path(word).exists() for word in words):
        return words[-1]  # of an option that is given twice the last one counts
    if all("=" in word for word in words):
        parts = [word.partition("=") if text else word.rpartition("=") for word in words]  # a class may be called a=b
        return {key: _number(value) for key, _, value in parts}
    if sequence:
        return [_number(word) for word in words]
    odd = next(word for word in words if "=" not in word)
    raise ValueError(f"{flag(name)} must be given as NAME=VALUE, once for each class; got {odd!r}.")


def _number(word: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
