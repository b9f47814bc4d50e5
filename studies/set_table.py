"""Guidance on whole sets against guidance to single targets, each at the scale it won with.

    python -m studies sets digits

On the test split, with the settings that `choose` found on the validation split. Three ResNets learn from each set, so
that the luck of one does not decide.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from mgd_helpers.guidance import factories
from studies import choose, main_table, rules
from studies.cells import Cells
from studies.protocol import SETS, STEPS, Bench, load_bench

RESNETS = 3  # students of each set of ten images per class; one otherwise
SHORT_STEPS = 50  # of distribution matching: about as long as the dearest guided row takes
PACKAGED = {"match": factories.match, "match+transport": factories.match_transport}  # as cheap as the package has them
SHORT = "distribution matching, short"
ROWS = (*rules.REAL, *choose.ROWS, SHORT)


def rules_by_name(data: str, rows: Sequence[str] | None = None) -> dict[str, Callable]:
    """The rules of the table by name, or of some of its rows, with the settings that won on the validation split."""
    return {row: rules.REAL.get(row) or _tuned(data, row) for row in rows or ROWS}


def _tuned(data: str, row: str) -> Callable:
    if row == SHORT:
        return functools.partial(_tuned(data, "distribution matching"), steps=SHORT_STEPS)
    won = choose.chosen(data, [row])[row]
    if row in PACKAGED:
        settings = {name: value for name, value in won.items() if name != "scale"}
        pull = functools.partial(PACKAGED[row], **settings)
        return functools.partial(rules.guided, pull=pull, scale=won["scale"])
    return choose.ROWS[row].bind(**won)


def cell(bench: Bench, images_per_class: int, rule: Callable, seed: int, network: str) -> dict:
    """That of the main table, but for the number of ResNets."""
    resnets = RESNETS if images_per_class == 10 else 1
    return main_table.cell(bench, images_per_class, rule, seed, network, resnets=resnets)


def run(
    data: str,
    *,
    images_per_class: Sequence[int] = (10,),
    networks: Sequence[str] = ("convnet3", "resnet18"),
    rows: Sequence[str] | None = None,
    sets: int = SETS,
) -> None:
    """Compute what is missing."""
    bench, rules_of_rows = load_bench(data), rules_by_name(data, rows)
    cells = Cells("sets", data, note=bench.data.note, steps=STEPS, resnets=RESNETS)
    main_table.fill(cells, bench, rules_of_rows, images_per_class, networks, sets, cell=cell)
