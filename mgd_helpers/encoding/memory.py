"""Batches that halve themselves where a GPU runs out of memory, and go on from the row that they have reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from mgd_helpers.progress import tell


class BatchSize:
    """How many images at once: as many as one hopes for, and half as many whenever that was too much.

    It never grows again, so that what one call has found out holds for the next ones.
    """

    def __init__(self, images: int):
        self.images = images
        self._reason = ""  # why it was halved since the last call that fitted

    def blocks(self, call: Callable[[int, int], Any], rows: int, *, size: Callable[[int], int] = int) -> Iterator[Any]:
        """`call(start, stop)` for one block of rows after another; `size(images)` says how many rows that many are.

        Each row is part of one answer; a block that did not fit is asked for again in smaller ones. Says in a line how
        many images fit, once that is known.

        Raises `torch.OutOfMemoryError`, with the remedy, where a single image does not fit.
        """
        start = 0
        while start < rows or not start:  # of no rows at all, one empty block
            stop = min(start + size(self.images), rows)
            fits, answer = self._attempt(call, start, stop)
            if fits:
                yield answer
                if stop == rows:
                    return
                start = stop
            else:  # the failed call is gone here, with all that it held
                torch.cuda.empty_cache()
                self._halve(stop - start, size)

    def _attempt(self, call: Callable[[int, int], Any], start: int, stop: int) -> tuple[bool, Any]:
        try:
            answer = call(start, stop)
        except torch.OutOfMemoryError as error:
            self._reason = " ".join(str(error).split()).partition(". ")[0].rstrip(".") or "out of memory"
            return False, None
        if self._reason:
            tell(f"{self._reason}; going on with batch_size={self.images}.")
            self._reason = ""
        return True, answer

    def _halve(self, tried: int, size: Callable[[int], int]) -> None:
        while self.images > 1:
            self.images = (self.images + 1) // 2
            if size(self.images) < tried:
                return
        raise torch.OutOfMemoryError(
            f"{self._reason}, with a single image at once. Free the GPU of other work (shut down other notebooks), or "
            "load the pipeline in half precision: load_pipeline(…, dtype=torch.float16)."
        )
