"""The one progress bar, the one line that the package prints, and when both stay silent."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sized

EVERY = 30.0  # seconds from line to line, where there is no terminal for a bar


def progress(
    iterable: Iterable, description: str, *, unit: str = "step", total: int | None = None, initial: int = 0
) -> Iterable:
    """`iterable` under a progress bar that shows up after one second; silent where CI or MGD_QUIET is set.

    Of `total` the first `initial` are done already. Where nobody sees a bar, in a file or a pipe, a line is written
    every half a minute.
    """
    if not is_quiet() and not sys.stderr.isatty() and "ipykernel" not in sys.modules:
        count = len(iterable) if total is None and isinstance(iterable, Sized) else total
        return _with_lines(iterable, description, unit, count, initial)
    from tqdm.auto import tqdm

    options = {"desc": description, "unit": unit, "total": total, "initial": initial}
    return tqdm(iterable, **options, disable=is_quiet(), delay=1, leave=False)


def _with_lines(iterable: Iterable, description: str, unit: str, total: int | None, initial: int) -> Iterator:
    begun = told = time.monotonic()
    for done, item in enumerate(iterable, initial + 1):
        yield item
        now = time.monotonic()
        if now - told >= EVERY:
            told, rate = now, (done - initial) / (now - begun)
            left = "" if total is None else f" of {total}, {(total - done) / rate / 60:.1f} minutes left"
            print(f"{description}: {unit} {done}{left}, {rate:.3g} a second", file=sys.stderr, flush=True)


def tell(line: str) -> None:
    """Print a line, past a progress bar that stands there; silent where progress bars are."""
    from tqdm.auto import tqdm

    if not is_quiet():
        tqdm.write(line)


def is_quiet() -> bool:
    """Whether progress bars stay silent: in CI, or where MGD_QUIET is set."""
    return any(os.environ.get(name, "0") not in ("", "0", "false") for name in ("CI", "MGD_QUIET"))
