"""The one progress bar, and when it stays silent."""

from __future__ import annotations

import os
from collections.abc import Iterable


def progress(iterable: Iterable, description: str, *, unit: str = "step", total: int | None = None) -> Iterable:
    """`iterable` under a progress bar that shows up after one second; silent where CI or MGD_QUIET is set."""
    from tqdm.auto import tqdm

    return tqdm(iterable, desc=description, unit=unit, total=total, disable=is_quiet(), delay=1, leave=False)


def is_quiet() -> bool:
    """Whether progress bars stay silent: in CI, or where MGD_QUIET is set."""
    return any(os.environ.get(name, "0") not in ("", "0", "false") for name in ("CI", "MGD_QUIET"))
