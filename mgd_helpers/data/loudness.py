"""The package `datasets`, silent where ours is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from mgd_helpers.progress import is_a_log, is_quiet


@contextlib.contextmanager
def quiet_datasets() -> Iterator[Any]:
    """The package `datasets`, with its progress bars and those of the hub only where ours move."""
    try:
        import datasets
    except ImportError as error:
        raise ImportError("Data sets from the hub need the package datasets: pip install datasets") from error
    from huggingface_hub import utils

    switches = [
        (datasets.is_progress_bar_enabled(), datasets.disable_progress_bars, datasets.enable_progress_bars),
        (not utils.are_progress_bars_disabled(), utils.disable_progress_bars, utils.enable_progress_bars),
    ]
    with contextlib.ExitStack() as after:
        for shown, disable, enable in switches:
            if shown and (is_quiet() or is_a_log()):
                disable()
                after.callback(enable)
        yield datasets
