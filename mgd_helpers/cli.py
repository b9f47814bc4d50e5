"""The command line: `mgd distill digits --images-per-class 10 --out distilled/digits`, and
`mgd evaluate distilled/digits --against digits`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mgd_helpers.distill import GUIDANCES, distill
from mgd_helpers.evaluation import evaluate


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; what it refuses becomes one line on stderr and exit status 2."""
    parser = argparse.ArgumentParser(
        prog="mgd", description="Training-free dataset distillation with diffusion models."
    )
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("distill", help="make a folder of images, some per class; resumes")
    command.add_argument(
        "data", help="a data set by name (digits, imagenette, …), or a folder with one sub-folder per class"
    )
    command.add_argument("--images-per-class", type=int, required=True)
    command.add_argument("--out", required=True, help="folder for the images and the manifest")
    command.add_argument(
        "--guidance", choices=sorted(GUIDANCES), default="manifold",
        help="mgd3 is as published only with 50 steps and a pipeline whose scheduler is DDPM",
    )  # fmt: skip
    command.add_argument(
        "--pipeline", help="shipped name, local folder or hub id; default: the one that belongs to the data"
    )
    command.add_argument("--steps", type=int, default=50)
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
        if command == "distill":
            print(distill(options.pop("data"), **options))
        else:
            folders = {folder: folder for folder in options.pop("generated")}
            table = evaluate(folders, **options)
            print(table.round(4).to_string())
            print("tested on {test_images} images of {against}. {note}".format(**table.attrs).rstrip())
    except (ValueError, FileNotFoundError, MemoryError) as error:
        print(f"mgd {command}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
