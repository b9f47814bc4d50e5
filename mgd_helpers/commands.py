"""A call of this package, written down: as the command that makes the same again, or as Python where a shell cannot.

Only arguments that differ from their defaults stand in it. A shell gives the first one by its place, others by name.
"""

from __future__ import annotations

import inspect
import os
import shlex
from collections.abc import Callable, Mapping
from typing import Any

Words = list[str]


def call_of(function: Callable, given: Mapping[str, Any]) -> str:
    """`mgd distill digits --images-per-class 10 …` for a call of `function` with the arguments `given`.

    What a shell cannot give, such as images in memory, makes it a line of Python, `mgd.distill(data, …)`, where such
    an argument stands by its name.

    >>> def distill(data, *, out, steps=50): ...
    >>> call_of(distill, {"data": "my digits", "out": "set", "steps": 50})
    "mgd distill 'my digits' --out set"
    >>> call_of(distill, {"data": object(), "out": "set", "steps": 5})
    "mgd.distill(data, out='set', steps=5)"
    """
    parameters = inspect.signature(function).parameters
    asked = {name: given[name] for name, one in parameters.items() if name in given and given[name] is not one.default}
    asked = {name: value for name, value in asked.items() if not _same(value, parameters[name].default)}
    plain = {name: _plain(value) for name, value in asked.items()}
    positional = [name for name, one in parameters.items() if one.kind is one.POSITIONAL_OR_KEYWORD and name in asked]
    if all(value is not None for value in plain.values()):
        words = ["mgd", function.__name__.replace("_", "-")]
        options = [word for name in asked if name not in positional[:1] for word in _option(name, plain[name])]
        return shlex.join(words + [str(plain[name]) for name in positional[:1]] + options)
    shown = {name: name if plain[name] is None else repr(plain[name]) for name in asked}
    words = [shown[name] if name in positional else f"{name}={shown[name]}" for name in asked]
    return f"mgd.{function.__name__}({', '.join(words)})"


def with_option(command: str, name: str, value: str) -> str:
    """A command of the shell with another value of one option; any other call as it is.

    >>> with_option("mgd distill digits --out a", "--out", "my set")
    "mgd distill digits --out 'my set'"
    """
    if not command.startswith("mgd "):
        return command
    words = shlex.split(command)
    if name in words[:-1]:
        words[words.index(name) + 1] = value
    return shlex.join(words)


def _same(value: Any, default: Any) -> bool:
    try:
        return bool(value == default)
    except (TypeError, ValueError, RuntimeError):  # arrays
        return False


def _plain(value: Any) -> Any:
    """A value of Python's own that a shell can give, or None."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping) and value and all(isinstance(key, str) for key in value):
        items = {key: _plain(item) for key, item in value.items()}
        return items if all(isinstance(item, str | int | float) for item in items.values()) else None
    if isinstance(value, list | tuple) and value:
        parts = [_plain(item) for item in value]
        return parts if all(isinstance(item, str | int | float) for item in parts) else None
    return value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else None


def _option(name: str, value: Any) -> Words:
    option = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [option if value else f"--no-{option[2:]}"]
    if isinstance(value, Mapping):
        return [word for key, item in value.items() for word in (option, f"{key}={item}")]
    if isinstance(value, list):
        return [word for item in value for word in (option, str(item))]
    return [option, str(value)]
