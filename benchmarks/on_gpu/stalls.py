"""Where a run waits for the device, by lines of Python: a GPU has to empty its queue there before work goes on.

CUDA names each wait itself. On a CPU nothing waits; there a line counts that would make a GPU wait, one that reads a
value of what was computed from latents. Copies between host and device do not show on a CPU.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

READS = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2"}  # all whose answer the host must see
SKIPPED = (str(Path(torch.__file__).parent), __file__)


def stalls(function: Callable[[], object], *, device: str) -> Counter:
    """How often a call waits for the device, at each place in the code: {"sampling.py:12": 1}."""
    if device != "cpu":
        return _told_by_cuda(function)
    with _Reads() as reads:
        function()
    return reads.places


def _told_by_cuda(function) -> Counter:
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            function()
        finally:
            torch.cuda.set_sync_debug_mode(before)
    told = [one for one in caught if "synchronizing CUDA operation" in str(one.message)]
    return Counter(_place(one.filename, one.lineno) for one in told)


class _Reads(TorchDispatchMode):
    """Counts reads of latents, and of all that is computed from them: of tensors with three axes or more."""

    def __init__(self):
        super().__init__()
        self.places, self._derived = Counter(), WeakIdKeyDictionary()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = [one for one in tree_leaves((args, kwargs)) if torch.is_tensor(one)]
        derived = any(one.ndim > 2 or one in self._derived for one in given)
        if derived and func.overloadpacket.__name__ in READS:
            self.places[_caller()] += 1
        answer = func(*args, **(kwargs or {}))
        if derived:
            self._derived.update({one: True for one in tree_leaves(answer) if torch.is_tensor(one)})
        return answer


def _caller() -> str:
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(SKIPPED):
        frame = frame.f_back
    return _place(frame.f_code.co_filename, frame.f_lineno)


def _place(file, line) -> str:
    return f"{Path(file).name}:{line}"
