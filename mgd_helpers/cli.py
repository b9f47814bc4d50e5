"""The command line: `mgd distill` and `mgd evaluate`.

mgd distill digits --images-per-class 10 --out distilled/digits
mgd evaluate distilled/digits --against digits
"""

from __future__ import annotations

import argparse
import errno
import sys
import warnings
from collections.abc import Sequence

import torch

from mgd_helpers.distillation import distill
from mgd_helpers.evaluation.tables import evaluate
from mgd_helpers.guidance.factories import GUIDANCES
from mgd_helpers.provenance import package_versions


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; what a person can mend becomes one line on stderr and exit status 2, Ctrl-C one and 130."""
    parser = argparse.ArgumentParser(
        prog="mgd", description="Training-free dataset distillation with diffusion models."
    )
    parser.add_argument("--version", action="version", version=f"mgd {package_versions()['mgd-helpers']}")
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("distill", help="make a folder of images, some per class; resumes")
    command.add_argument(
        "data", help="a data set by name (digits, imagenette, …), or a folder with one sub-folder per class"
    )
    command.add_argument("--images-per-class", type=int, required=True)
    command.add_argument("--out", required=True, help="folder for the images and the manifest")
    command.add_argument(
        "--guidance",
        metavar=f"{{{','.join(sorted(GUIDANCES))}}}",
        default="match+transport",
        help="mgd3 is as published only with 50 steps and a pipeline whose scheduler is DDPM",
    )
    command.add_argument(
        "--pipeline", help="shipped name, local folder or hub id; default: the one that belongs to the data"
    )
    command.add_argument("--steps", type=int, default=50)
    command.add_argument(
        "--set-size", type=int, default=50, help="images of a class that a guidance sees together, at most"
    )
    command.add_argument("--batch-size", type=int, default=32)
    command.add_argument("--seed", type=int, default=0)

    command = commands.add_parser("evaluate", help="compare image folders with a real data set")
    command.add_argument("generated", nargs="+", help="image folders made by any method")
    command.add_argument("--against", required=True)
    command.add_argument("--students", type=int, default=3)
    command.add_argument("--seed", type=int, default=0)

    options = vars(parser.parse_args(arguments))
    command = options.pop("command")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *where: print(f"mgd {command}: {message}", file=sys.stderr)
            _run(command, options)
    except KeyboardInterrupt:
        go_on = "The same command goes on where it stopped." if command == "distill" else "Nothing was written."
        print(f"mgd {command}: interrupted. {go_on}", file=sys.stderr)
        raise SystemExit(130) from None
    except (ValueError, OSError, MemoryError, ImportError, torch.OutOfMemoryError) as error:
        print(f"mgd {command}: {_in_one_line(error)}", file=sys.stderr)
        raise SystemExit(2) from None


def _run(command: str, options: dict) -> None:
    if command == "distill":
        print(distill(options.pop("data"), **options))
        return
    folders = {folder: folder for folder in options.pop("generated")}
    table = evaluate(folders, **options)
    print(table.drop(columns=table.filter(regex=r"^student_\d").columns).round(4).to_string())
    said = table.attrs
    print(f"tested on {said['test_images']} images of {said['against']}. {said['note']}".rstrip())


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
