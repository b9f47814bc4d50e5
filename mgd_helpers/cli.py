"""The command line, `mgd`: distill, train, evaluate, audit, encode and info.

mgd distill my_photos --images-per-class 10 --pipeline my_pipeline --out distilled/my_photos
mgd evaluate distilled/my_photos --against my_photos

Every argument of the function behind a command is an option of it. Exit status: 0 done; 1 `info` found something that
is missing or damaged; 2 something to mend in what was given, or a machine that lacks something; 130 interrupted.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch

from mgd_helpers.option_help import COMMANDS, OPTIONS, help_of
from mgd_helpers.progress import is_first
from mgd_helpers.provenance import package_versions
from mgd_helpers.shell_calls import FUNCTIONS, RESUMES, in_one_line, options_of, run, said_in_a_shell
from mgd_helpers.shell_options import flag, kind_of, values

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
            warnings.showwarning = lambda message, *where: _warn(called, said_in_a_shell(command, str(message)))
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
        _end(called, in_one_line(command, error), 2)
    if ended:
        raise SystemExit(ended)


def _warn(called: str, said: str) -> None:
    if is_first():
        print(f"{called}: {said}", file=sys.stderr)


def _end(called: str, said: str, status: int) -> NoReturn:
    print(f"{called}: {said}", file=sys.stderr)
    raise SystemExit(status)


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
        said = run(name, told.pop(known[0].name), told)
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
