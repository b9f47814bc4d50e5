"""What the commands of `mgd` call, and what they say: the functions behind them, in words that a shell can follow."""

from __future__ import annotations

import dataclasses
import errno
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers.distillation import Report, distill
from mgd_helpers.evaluation.audits import Audit, audit
from mgd_helpers.evaluation.tables import evaluate
from mgd_helpers.latents_file import encode_data, read_latents
from mgd_helpers.preview import check_picture, preview
from mgd_helpers.shell_options import in_words_of_a_shell, parameters_of
from mgd_helpers.training.own_pipeline import train

RESUMES = ("distill", "train")
# What a command calls, and the options that it has beside the arguments of that
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "distill": distill,
    "train": train,
    "evaluate": evaluate,
    "audit": audit,
    "encode": encode_data,
}
BESIDE: dict[str, dict[str, type]] = {"distill": {"dry_run": bool, "picture": str}}


def options_of(command: str) -> list[inspect.Parameter]:
    """All that a command takes: the arguments of its function, the one without a name first, and what stands beside."""
    beside = BESIDE.get(command, {}).items()
    kind = inspect.Parameter.KEYWORD_ONLY
    return parameters_of(FUNCTIONS[command]) + [
        inspect.Parameter(name, kind, default=None, annotation=one) for name, one in beside
    ]


def run(command: str, first: Any, told: dict[str, Any]) -> str:
    """Call the function behind a command; what it found, in words of a shell."""
    if isinstance(told.get("latents"), str):
        told["latents"] = read_latents(told["latents"])
    if command == "distill":
        picture, dry = told.pop("picture", None), arguments.flag("dry_run", told.pop("dry_run", False))
        if picture is not None and not dry:
            raise ValueError(f"picture must be left out without --dry-run, which makes it; got {picture!r}.")
        return _previewed(first, picture, told) if dry else _distilled(distill(first, **told))
    if command == "evaluate":
        return _table(evaluate(_by_name(first), **told))
    if command == "train":
        return said_in_a_shell(command, str(train(first, told.pop("out"), **told)))
    found = FUNCTIONS[command](first, **told)
    if isinstance(found, Audit):
        found = dataclasses.replace(found, note=said_in_a_shell(command, found.note))
    return str(found)


def _distilled(report: Report) -> str:
    found = str(dataclasses.replace(report, found=said_in_a_shell("distill", report.found), worth=None))
    return "\n".join([found, *([said_in_a_shell("distill", str(report.worth))] if report.worth else [])])


def _previewed(data: Any, picture: str | None, told: dict[str, Any]) -> str:
    if picture is not None:
        check_picture(picture)  # before minutes of work
    found = preview(data, **told)
    said = str(dataclasses.replace(found, found=said_in_a_shell("distill", found.found)))
    if picture is None:
        return said
    if found.samples is None:
        print(said)  # what is known, before the picture is refused
    return f"{said.removesuffix('.')} but {str(found.save(picture))!r}."


def _by_name(folders: Any) -> dict[str, str]:
    """Folders under their own names, or those that they were given.

    Raises `ValueError` for one that is given twice.
    """
    found: dict[Path, str] = {}
    if isinstance(folders, dict):  # of a file of options
        return folders
    for folder in map(str, folders if isinstance(folders, list | tuple) else [folders]):
        if Path(folder).resolve() in found:
            raise ValueError(f"generated must be different folders; got {folder!r} twice. Take one of them out.")
        found[Path(folder).resolve()] = folder
    return {folder: folder for folder in found.values()}


def _table(table: Any) -> str:
    shown = table.drop(columns=table.filter(regex=r"^student_\d").columns).round(4).to_string()
    said = table.attrs
    note = said_in_a_shell("evaluate", said["note"])
    return f"{shown}\ntested on {said['test_images']} images of {said['against']}. {note}".rstrip()


def said_in_a_shell(command: str, text: str) -> str:
    """A text of the package, with the options that this command has for what it advises."""
    speaks_of = [command, "distill"] if command == "train" else [command]  # a pipeline is trained to distil with
    known = {one.name for name in speaks_of if name in FUNCTIONS for one in options_of(name)[1:]}
    return in_words_of_a_shell(text, known)


def in_one_line(command: str, error: Exception) -> str:
    """What went wrong, and what to do where the system says no more than what."""
    said, number = " ".join(str(error).split()) or type(error).__name__, getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        again = "; the same command then goes on where it stopped" if command in RESUMES else ""
        return f"{said}. Make room on the disk{again}."
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{said}. Choose another folder, or change its permissions."
    if isinstance(error, torch.OutOfMemoryError):
        smaller = {"distill": "Take a smaller --set-size, or", "train": "Take a smaller --size, or"}.get(
            command, "Take"
        )
        return f"{said.partition('. ')[0]}. {smaller} no GPU: CUDA_VISIBLE_DEVICES="
    return said_in_a_shell(command, said)
