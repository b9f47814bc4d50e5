"""The one progress bar, the one line that the package prints, and when both stay silent."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

PATIENCE = 30  # seconds between two lines of progress, where there is no terminal to move a bar in


def progress(
    iterable: Iterable, description: str, *, unit: str = "step", total: int | None = None, initial: int = 0
) -> Iterable:
    """`iterable` under a progress bar that shows up after one second; silent where CI or MGD_QUIET is set.

    In a log, where no bar can move, it is a line now and then. Of `total` the first `initial` are done already.
    """
    from tqdm.auto import tqdm

    return tqdm(iterable, desc=description, unit=unit, total=total, initial=initial, **bar_options())


def bar_options() -> dict[str, Any]:
    """How a bar of tqdm, ours or another library's, behaves where this process writes."""
    if is_a_log():
        return {"disable": is_quiet(), "delay": PATIENCE, "mininterval": PATIENCE, "file": _Lines()}
    return {"disable": is_quiet(), "delay": 1, "leave": False}


def tell(line: str) -> None:
    """Print a line, past a progress bar that stands there; silent where progress bars are."""
    from tqdm.auto import tqdm

    if not is_quiet():
        tqdm.write(line)


def is_quiet() -> bool:
    """Whether progress bars stay silent: in CI, where MGD_QUIET is set, and in all processes but the first."""
    asked = any(os.environ.get(name, "0") not in ("", "0", "false") for name in ("CI", "MGD_QUIET"))
    return asked or not is_first()


def is_first() -> bool:
    """Whether this process is alone, or the first of those that `torchrun` or `accelerate launch` have started."""
    return os.environ.get("RANK", "0") == "0"


def is_a_log() -> bool:
    """Whether stderr is a file or a pipe, and no notebook shows widgets instead."""
    return "ipykernel" not in sys.modules and not sys.stderr.isatty()


class _Lines:
    """What tqdm writes, each state of its bar as a line of its own."""

    def write(self, text: str) -> None:
        if line := text.strip("\r\n\x1b[A "):
            print(line, file=sys.stderr)

    def flush(self) -> None:
        sys.stderr.flush()
