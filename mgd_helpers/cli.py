"""The command line, `mgd`: distill, train, evaluate, audit, encode and info.

mgd distill my_photos --images-per-class 10 --pipeline my_pipeline --out distilled/my_photos
mgd evaluate distilled/my_photos --against my_photos

Every argument of the function behind a command is an option of it. Exit status: 0 done; 1 `info` found something that
is missing or damaged; 2 something to mend in what was given, or a machine that lacks something; 130 interrupted.
"""

from __future__ import annotations

import errno
import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import torch

from mgd_helpers.distillation import distill
from mgd_helpers.encoding.latents_file import encode_data, read_latents
from mgd_helpers.evaluation.audits import audit
from mgd_helpers.evaluation.tables import evaluate
from mgd_helpers.option_help import COMMANDS, OPTIONS
from mgd_helpers.preview import preview
from mgd_helpers.provenance import package_versions
from mgd_helpers.shell_options import flag, in_words_of_a_shell, kind_of, parameters_of, values
from mgd_helpers.training.own_pipeline import train

RESUMES = ("distill", "train")
INTERRUPTED = 130
EXITS = "Exit status: 0 done; 1 a folder lacks something (info); 2 something to mend, told in a line; 130 interrupted."


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
            warnings.showwarning = lambda message, *where: print(f"{called}: {message}", file=sys.stderr)
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
        _end(called, in_words_of_a_shell(_in_one_line(error), _options(command)), 2)
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
BESIDE = {"distill": {"dry_run": bool}}


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
    def info(folder: str = typer.Argument(help=OPTIONS["folder"])) -> int:
        from mgd_helpers.describing import describe_folder

        found = describe_folder(folder)
        print(found)
        return 0 if found.is_whole else 1

    return app


def _command(name: str) -> Callable[..., int]:
    """A function for typer whose signature has an option for each argument of the function behind a command."""
    import typer

    known = parameters_of(FUNCTIONS[name])
    shown = []
    for one in known:
        kind = kind_of(one.annotation)
        kind = list[str] if kind is list or (name, one.name) == ("evaluate", "generated") else kind
        if one.kind is one.POSITIONAL_OR_KEYWORD and one.default is one.empty and one is known[0]:
            told = typer.Argument(None, help=OPTIONS[one.name], show_default=False)
        else:
            told = typer.Option(
                None,
                f"{flag(one.name)}/--no-{flag(one.name)[2:]}" if kind is bool else flag(one.name),
                help=OPTIONS[one.name] + default_shown(one.default),
                show_default=False,
            )
        shown.append(inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=told, annotation=kind))
    for beside, kind in ({"config": str} | BESIDE.get(name, {})).items():
        told = typer.Option(None, flag(beside), help=OPTIONS[beside])
        shown.append(inspect.Parameter(beside, inspect.Parameter.KEYWORD_ONLY, default=told, annotation=kind))

    def call(**given: Any) -> int:
        beside = {key: given.pop(key) for key in BESIDE.get(name, {})}
        told = values(given, known, given.pop("config"))
        _run(name, told, **beside)
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


def _run(command: str, told: dict[str, Any], *, dry_run: bool | None = None) -> None:
    first = told.pop(parameters_of(FUNCTIONS[command])[0].name)
    if isinstance(told.get("latents"), str):
        told["latents"] = read_latents(told["latents"])
    if command == "distill":
        print((preview if dry_run else distill)(first, **told))
    elif command == "evaluate":
        _print_table(evaluate({folder: folder for folder in first}, **told))
    elif command == "train":
        print(train(first, told.pop("out"), **told))
    else:
        print(FUNCTIONS[command](first, **told))


def _print_table(table: Any) -> None:
    print(table.drop(columns=table.filter(regex=r"^student_\d").columns).round(4).to_string())
    said = table.attrs
    print(f"tested on {said['test_images']} images of {said['against']}. {said['note']}".rstrip())


def _options(command: str) -> Iterable[str]:
    return [one.name for one in parameters_of(FUNCTIONS[command])] if command in FUNCTIONS else []


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
