"""The one progress bar, the one line that the package prints, and when both stay silent."""

from __future__ import annotations

import os
from collections.abc import Iterable


def progress(
    iterable: Iterable, description: str, *, unit: str = "step", total: int | None = None, initial: int = 0
) -> Iterable:
    """`iterable` under a progress bar that shows up after one second; silent where CI or MGD_QUIET is set.

    Of `total` the first `initial` are done already.
    """
    from tqdm.auto import tqdm

    options = {"desc": description, "unit": unit, "total": total, "initial": initial}
    return tqdm(iterable, **options, disable=is_quiet(), delay=1, leave=False)


def tell(line: str) -> None:
    """Print a line, past a progress bar that stands there; silent where progress bars are."""
    from tqdm.auto import tqdm

    if not is_quiet():
        tqdm.write(line)


def is_quiet() -> bool:
    """Whether progress bars stay silent: in CI, or where MGD_QUIET is set."""
    return any(os.environ.get(name, "0") not in ("", "0", "false") for name in ("CI", "MGD_QUIET"))
