"""The studies behind the page "What the numbers say".

Every cell is kept in studies/results/ as soon as it is known, so a study may be stopped and called again: it computes
what is missing. All of them take hours on two cores. Set OMP_NUM_THREADS=1, for the last digits of sums depend on the
number of threads. With glibc, MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ of some gigabytes keep it from giving
memory back and asking for it again at every step of a student, which may take a fifth of the time and more.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Sequence

from studies import (
    ablations,
    choose,
    cost,
    main_table,
    measures,
    phase,
    robust,
    set_ablations,
    students,
    vae_quality,
)
from studies.data_sets import DATA_SETS

LINES = argparse.RawDescriptionHelpFormatter
ALL = tuple(DATA_SETS)
# by the names of their results, in the order they build on each other, with the data sets they are for
STUDIES = {
    "choose": (choose, ALL),
    "main": (main_table, ALL),
    "students": (students, ALL),
    "measures": (measures, ALL),
    "robust": (robust, ALL),
    "cost": (cost, ALL),
    "ablations": (ablations, ALL),
    "set_ablations": (set_ablations, ("cifar10",)),
    "vae": (vae_quality, ("digits",)),  # it trains pipelines, so it stays with what is small
    "phase": (phase, (*ALL, "toy")),
}
# a study has those options that its `run` has parameters for
OPTIONS = {
    "images_per_class": {"type": int, "nargs": "+"},
    "networks": {"nargs": "+", "choices": ("resnet18", "resnetap10")},
    "rows": {"nargs": "+", "help": "by default all"},
    "factors": {"nargs": "+", "help": "by default all"},
    "sets": {"type": int},
    "make": {"action": "store_true", "help": "only make the sets"},
    "workers": {"type": int, "help": "processes that train students at once"},
}


def parser() -> argparse.ArgumentParser:
    """The command line: a command for each study, and one for all of them."""
    top = argparse.ArgumentParser("python -m studies", description=__doc__, formatter_class=LINES)
    commands = top.add_subparsers(dest="study", metavar="study")
    for name, (study, data_sets) in STUDIES.items():
        about = study.__doc__ or ""
        command = commands.add_parser(name, help=about.splitlines()[0], description=about, formatter_class=LINES)
        command.add_argument("data", nargs="*", help=f"by default {' '.join(data_sets)}")
        for option, parameter in inspect.signature(study.run).parameters.items():
            if option in OPTIONS:
                command.add_argument(f"--{option.replace('_', '-')}", default=parameter.default, **OPTIONS[option])
    everything = commands.add_parser("all", help="All of them, on all data sets or on those named.")
    everything.add_argument("data", nargs="*", help="by default those of each study")
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """List the studies, or run what was asked for."""
    command_line = parser()
    asked = vars(command_line.parse_args(arguments))
    name = asked.pop("study")
    if name is None:
        return command_line.print_help()
    studies = list(STUDIES.values()) if name == "all" else [STUDIES[name]]
    known = tuple(dict.fromkeys(data for _, data_sets in studies for data in data_sets))
    names = asked.pop("data") or known
    if unknown := [data for data in names if data not in known]:
        command_line.error(f"data must be among {', '.join(known)}; got {', '.join(unknown)}.")
    for study, data_sets in studies:
        for data in data_sets:
            if data in names:
                study.run(data, **asked)


if __name__ == "__main__":
    main()
