"""The command line, `mgd`: distill, train, evaluate, audit, encode and info.

mgd distill my_photos --images-per-class 10 --pipeline my_pipeline --out distilled/my_photos
mgd evaluate distilled/my_photos --against my_photos

Every argument of the function behind a command is an option of it. Exit status: 0 done; 1 `info` found something that
is missing or damaged; 2 something to mend in what was given, or a machine that lacks something; 130 interrupted.
"""

from __future__ import annotations

import dataclasses
import errno
import inspect
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from mgd_helpers import arguments
from mgd_helpers.distillation import Report, distill
from mgd_helpers.evaluation.audits import Audit, audit
from mgd_helpers.evaluation.tables import evaluate
from mgd_helpers.latents_file import encode_data, read_latents
from mgd_helpers.option_help import COMMANDS, OPTIONS, help_of
from mgd_helpers.preview import check_picture, preview
from mgd_helpers.progress import is_first
from mgd_helpers.provenance import package_versions
from mgd_helpers.shell_options import flag, in_words_of_a_shell, kind_of, parameters_of, values
from mgd_helpers.training.own_pipeline import train

RESUMES = ("distill", "train")
INTERRUPTED = 130
EXITS = "Exit status: 0 done; 1 info found something that lacks; 2 something to mend, told in a line; 130 interrupted."


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; what a person can mend becomes one line on stderr and exit status 2, Ctrl-C one and 130."""
    import typer

    given = list(sys.argv[1:] if arguments is None else arguments)
    program = typer.main.get_command(_app())
    command = next((word for word in given if word in COMMANDS), "")
    called = f"mgd {command}".rstrip()
    usage: Any = typer.BadParameter.__mro__[2]  # the error of click, be it the one inside typer or the package
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *where: print(
                f"{called}: {_said(command, str(message))}", file=sys.stderr
            )
            ended = program.main(given, prog_name="mgd", standalone_mode=False)
        if ended == INTERRUPTED:  # typer makes a status of it
            raise KeyboardInterrupt
    except (KeyboardInterrupt, typer.Abort):
        go_on = "The same command goes on where it stopped." if command in RESUMES else "Nothing was written."
        _end(called, f"interrupted. {go_on}", INTERRUPTED)
    except usage as error:
        hint = f"See {called} --help." if getattr(error, "ctx", None) or command else "See mgd --help."
        _end(called, f"{' '.join(error.format_message().split())} {hint}", 2)
    except (ValueError, OSError, MemoryError, ImportError, torch.OutOfMemoryError) as error:
        _end(called, _said(command, _in_one_line(error)), 2)
    if ended:
        raise SystemExit(ended)


def _end(called: str, said: str, status: int) -> NoReturn:
    print(f"{called}: {said}", file=sys.stderr)
    raise SystemExit(status)


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


def _app() -> Any:
    import typer

    app = typer.Typer(
        help="Training-free dataset distillation with diffusion models.",
        epilog=EXITS,
        add_completion=False,
        no_args_is_help=False,
        rich_markup_mode="rich" if sys.stdout.isatty() else None,
        pretty_exceptions_enable=False,
    )

    def version(shown: bool) -> bool:
        if shown:
            print(f"mgd {package_versions()['mgd-helpers']}")
            raise typer.Exit
        return shown

    @app.callback()
    def _(
        version: bool = typer.Option(False, "--version", callback=version, is_eager=True, help="Show the version."),
    ) -> None:
        pass

    for name in FUNCTIONS:
        app.command(name, help=COMMANDS[name], epilog=EXITS)(_command(name))

    @app.command(help=COMMANDS["info"], epilog=EXITS)
    def info(path: str = typer.Argument(metavar="PATH", help=OPTIONS["path"])) -> int:
        from mgd_helpers.describing import describe

        found = describe(path)
        print(found)
        return 0 if found.is_whole else 1

    return app


def _command(name: str) -> Callable[..., int]:
    """A function for typer whose signature has an option for each argument of the function behind a command."""
    import typer

    known = options_of(name)
    shown = []
    for one in known:
        kind = kind_of(one.annotation)
        kind = list[str] if kind is list or (name, one.name) == ("evaluate", "generated") else kind
        if one is known[0]:
            told = typer.Argument(None, metavar=one.name.upper(), help=help_of(name, one.name), show_default=False)
        else:
            told = typer.Option(
                None,
                f"{flag(one.name)}/--no-{flag(one.name)[2:]}" if kind is bool else flag(one.name),
                help=help_of(name, one.name) + default_shown(one.default),
                show_default=False,
            )
        shown.append(inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=told, annotation=kind))
    config = typer.Option(None, "--config", help=OPTIONS["config"])
    shown.append(inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=config, annotation=str))

    def call(**given: Any) -> int:
        told = values(given, known, given.pop("config"))
        said = _run(name, told.pop(known[0].name), told)
        if is_first():
            print(said)
        return 0

    call.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    call.__annotations__ = {one.name: one.annotation for one in shown}
    return call


def default_shown(default: Any) -> str:
    """A default as `--help` shows it.

    >>> default_shown(50), default_shown(True), default_shown(None)
    (' (50)', ' (yes)', '')
    """
    if default is inspect.Parameter.empty:
        return " (must be given)"
    if isinstance(default, bool):
        default = "yes" if default else "no"
    return "" if default is None else f" ({default})"


def _run(command: str, first: Any, told: dict[str, Any]) -> str:
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
        return _said(command, str(train(first, told.pop("out"), **told)))
    found = FUNCTIONS[command](first, **told)
    if isinstance(found, Audit):
        found = dataclasses.replace(found, note=_said(command, found.note))
    return str(found)


def _distilled(report: Report) -> str:
    found = str(dataclasses.replace(report, found=_said("distill", report.found), worth=None))
    return "\n".join([found, *([_said("distill", str(report.worth))] if report.worth else [])])


def _previewed(data: Any, picture: str | None, told: dict[str, Any]) -> str:
    if picture is not None:
        check_picture(picture)  # before minutes of work
    found = preview(data, **told)
    said = str(dataclasses.replace(found, found=_said("distill", found.found)))
    return said if picture is None else f"{said.removesuffix('.')} but {str(found.save(picture))!r}."


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
    note = _said("evaluate", said["note"])
    return f"{shown}\ntested on {said['test_images']} images of {said['against']}. {note}".rstrip()


def _said(command: str, text: str) -> str:
    known = [one.name for one in options_of(command)[1:]] if command in FUNCTIONS else []
    return in_words_of_a_shell(text, known)


def _in_one_line(error: Exception) -> str:
    """What went wrong, and what to do where the system says no more than what."""
    said, number = " ".join(str(error).split()) or type(error).__name__, getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{said}. Make room on the disk; the same command then goes on where it stopped."
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{said}. Choose another folder, or change its permissions."
    if isinstance(error, torch.OutOfMemoryError):
        return f"{said.partition('. ')[0]}. Take a smaller --set-size, or no GPU: CUDA_VISIBLE_DEVICES="
    return said
