"""The command line of the benchmarks: `python -m benchmarks tree --quick`; without a name it lists them."""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
BENCHMARKS = ("busy", "growth", "sampling", "sets", "step", "strengths", "students", "tangent", "tree")  # of `all`


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark, or all; the exit status is 0 where nothing failed."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: cuda where there is one"
    )
    shared.add_argument("--quick", action="store_true", help="small sizes, to see that it runs; nothing is written")
    shared.add_argument("--seed", type=int, default=0)

    parser = argparse.ArgumentParser("python -m benchmarks", description="Timed comparisons with named references.")
    commands = parser.add_subparsers(dest="name", metavar="NAME")
    for name in (*BENCHMARKS, "gpu"):
        module = importlib.import_module(f"benchmarks.{name}")
        sentence = module.__doc__.splitlines()[0]
        command = commands.add_parser(name, parents=[shared], help=sentence, description=module.__doc__)
        command.set_defaults(main=module.main)
        if hasattr(module, "add_options"):
            module.add_options(command)
    sentence = "All but gpu, one after the other, each in a fresh process."
    commands.add_parser("all", parents=[shared], help=sentence, description=sentence).set_defaults(main=run_all)

    options = parser.parse_args(arguments)
    if options.name is None:
        parser.print_help()
        return 0
    if torch.device(options.device).index is not None:
        torch.cuda.set_device(options.device)  # torch's clock empties the queue of the current device alone
    options.load = round(os.getloadavg()[0], 2)
    return options.main(options) or 0


def run_all(options: argparse.Namespace) -> int:
    """Each benchmark in a fresh process, so that none disturbs the next; the first that fails ends it."""
    words = ["--device", options.device, "--seed", str(options.seed)] + ["--quick"] * options.quick
    for name in BENCHMARKS:
        status = subprocess.run([sys.executable, "-m", "benchmarks", name, *words], cwd=ROOT).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
