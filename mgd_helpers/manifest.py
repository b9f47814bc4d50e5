"""The record of a run: its settings, compared before a folder is used again, and what made which of its images."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import platform
import re
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mgd_helpers.data.files import checksum, tensor_hash
from mgd_helpers.data.fingerprints import data_hash as data_hash
from mgd_helpers.data.records import faults, is_record, record_of

# settings that manifests of earlier versions lack
YOUNG = ("latents", "guidance_code", "package", "encoder_dtype", "set_size")
SCHEME = 2  # of hashes of code: those of another scheme are not compared
OURS = re.compile(r"\bmgd_helpers\.(?:\w+\.)+(?=\w)")  # what stands before a name of this package


def check_settings(out: Path, before: Any, settings: dict) -> None:
    """Raise `ValueError` where `before`, the manifest of `out`, is no record of a run, or one of other settings."""
    if not is_record(before):
        raise ValueError(
            f"out must be a folder of distill; {str(out)!r} holds a {record_of(out)} without settings, which is of "
            "another origin. Remove that file, or choose another folder."
        )
    before, settings = before["settings"], json.loads(json.dumps(settings))
    given = [key for key, value in before.items() if value is not None and key not in YOUNG]
    settings = dict.fromkeys(given) | settings  # what is a setting only where it is given differs where it is left out
    changed = [key for key in settings if not _agree(key, before, settings)]
    if changed:
        raise ValueError(
            f"out must be a folder of the same settings; in {str(out)!r} {', '.join(changed)} differ "
            f"({changed[0]}: {before.get(changed[0])!r} there, {settings[changed[0]]!r} now). Choose another folder."
        )


def adopt(out: Path, manifest: dict) -> None:
    """Bring the manifest of an earlier version up to date.

    Added are the checksums of the images that are there, what made them, and a note on what it does not say.
    """
    if "made_by" in manifest:
        return
    wrong = faults(out, manifest)
    there = [image for image in manifest["images"] if image["file"] not in wrong]
    for image in there:
        image |= {"sha256": checksum((out / image["file"]).read_bytes()), "made_by": 0}
    made = {key: manifest.pop(key, None) for key in ("versions", "device")}
    lacking = [key for key in YOUNG if key not in manifest["settings"]]
    note = f"Begun by an earlier version, which did not note {', '.join(lacking)}."
    manifest["made_by"] = [made | {"date": None, "images": len(there)}]
    manifest["note"] = " ".join(filter(None, [manifest.get("note"), note]))


def describe(thing: Any) -> str:
    """The name of a function or class, with the options of a `functools.partial`.

    Names of this package stand without the file they lie in, since files move: `mgd_helpers.ManifoldPull`.
    """
    if isinstance(thing, functools.partial):
        values = {key: describe(value) if callable(value) else repr(value) for key, value in thing.keywords.items()}
        options = ", ".join(f"{key}={value}" for key, value in sorted(values.items()))
        return f"{describe(thing.func)}({options})"
    thing = thing if hasattr(thing, "__qualname__") else type(thing)
    return _without_file(f"{thing.__module__}.{thing.__qualname__}")


def code_of(thing: Callable) -> tuple[str, list[str]]:
    """A hash of a function's code, with the version of Python; and the names of what it uses that cannot be hashed.

    In the hash are code, constants, defaults, and what the function closes over.
    """
    first = thing
    while isinstance(first, functools.partial):
        first = first.func
    code = _Code(home=describe(first).split(".")[0])
    code.feed([("guidance", thing)])
    version = ".".join(platform.python_version_tuple()[:2])
    return f"{version}/{SCHEME}:{code.digest.hexdigest()}", sorted(code.unknown)


def plain(value: Any) -> str | int | float | bool | None:
    """A value as JSON can hold it."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _agree(key: str, before: dict, settings: dict) -> bool:
    if key in YOUNG and key not in before:
        return True
    there, now = before.get(key), settings[key]
    if key == "guidance" and isinstance(there, str):
        there = _without_file(there)  # earlier versions wrote it
    if key == "scheduler_config" and isinstance(there, dict):
        there = {name: value for name, value in there.items() if not name.startswith("_")}  # these as well
    if key == "guidance_code" and there and now and there.split(":")[0] != now.split(":")[0]:
        return True  # compiled by another Python, or hashed in another way: not comparable
    return key in before and there == now


def _without_file(name: str) -> str:
    return OURS.sub("mgd_helpers.", name)


class _Code:
    """A digest of a function and of what it uses; `unknown` are the names of what may change, and cannot be hashed."""

    def __init__(self, home: str):
        self.digest, self.home = hashlib.sha256(), home
        self.unknown: set[str] = set()
        self.seen: set[int] = set()

    def feed(self, items: Iterable[tuple[str, Any]]) -> None:
        for name, value in items:
            value = inspect.unwrap(value) if callable(value) else value
            self.digest.update(f"{name}={type(value).__name__} ".encode())
            self.add(name, value)

    def add(self, name: str, value: Any) -> None:
        if value is None or value is ... or isinstance(value, bool | int | float | complex | str | bytes):
            self.digest.update(repr(value).encode(errors="surrogatepass"))
        elif isinstance(value, torch.Tensor) or (isinstance(value, np.ndarray) and value.dtype != object):
            self.digest.update(tensor_hash(torch.as_tensor(value)).encode())
        elif isinstance(value, tuple | frozenset):
            items = value if isinstance(value, tuple) else sorted(value, key=repr)
            self.feed((f"{name}[{index}]", item) for index, item in enumerate(items))
        elif isinstance(value, types.CodeType):
            self.digest.update(value.co_code + repr((value.co_names, value.co_varnames)).encode())
            self.feed((f"{name} constant", constant) for constant in value.co_consts)
        elif id(value) in self.seen:
            self.digest.update(b"again")
        else:
            self.seen.add(id(value))
            self.add_thing(name, value)

    def add_thing(self, name: str, value: Any) -> None:
        if isinstance(value, functools.partial):
            self.feed([("function", value.func), ("arguments", value.args), *sorted(value.keywords.items())])
        elif isinstance(value, types.MethodType):
            self.feed([("function", value.__func__), (f"{name}.__self__", value.__self__)])
        elif isinstance(value, types.FunctionType) and (value.__module__ or "").split(".")[0] == self.home:
            self.feed([("code", value.__code__), ("defaults", value.__defaults__)])
            self.feed(sorted((value.__kwdefaults__ or {}).items()))
            self.feed(sorted(_outside(value).items()))
        elif isinstance(value, type | types.ModuleType | types.BuiltinFunctionType | types.FunctionType):
            self.digest.update(describe(value).encode() if hasattr(value, "__qualname__") else value.__name__.encode())
        elif callable(value) and hasattr(value, "__dict__"):  # an object with a method __call__
            self.feed([("class", type(value)), ("call", type(value).__call__), *sorted(vars(value).items())])
        else:
            self.unknown.add(name)


def _outside(function: types.FunctionType) -> dict:
    """What a function reads from outside of itself: cells that it closes over, and globals of its module."""
    try:
        found = inspect.getclosurevars(function)
    except (ValueError, TypeError):
        return {}
    own = {name: value for name, value in found.globals.items() if not isinstance(value, types.ModuleType)}
    return own | dict(found.nonlocals)
