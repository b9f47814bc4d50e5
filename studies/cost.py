"""What does a set cost? Every row once, in a fresh process: seconds, memory, calls of the denoiser.

    python -m studies cost digits

Memory is the most that the process held while it made the set, beyond what it held before (data, latents and pipeline);
on Linux only. A denoiser evaluation is one latent through the network: classifier-free guidance takes two for each
image and step, and training evaluates, too. Seconds count only on a machine without other work.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from studies.cells import Cells
from studies.main_table import rules_by_name
from studies.protocol import Bench, load_bench
from studies.scores import rounded

PER_CLASS = 10
MIB = 2**20


def cell(bench: Bench, rule: Callable, seed: int) -> dict:
    """What a rule takes for one set, trees and training included: nothing that was kept is used."""
    import psutil
    from diffusers import DiTTransformer2DModel
    from torch.nn.modules.module import register_module_forward_hook

    evaluations = 0

    def count(module, inputs, output):
        nonlocal evaluations
        evaluations += len(output[0]) if isinstance(module, DiTTransformer2DModel) else 0

    with tempfile.TemporaryDirectory() as nothing_kept:
        bench = replace(bench, kept=Path(nothing_kept))
        hook = register_module_forward_hook(count)
        gc.collect()
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # what loading has left free in the heap would hide what the rule takes
        before = psutil.Process().memory_info().rss
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        started = time.perf_counter()
        images = rule(bench, PER_CLASS, seed)
        seconds = time.perf_counter() - started
        hook.remove()
        return {
            "seconds_per_image": rounded(seconds / len(images)),
            "peak_mib": round((peak() - before) / MIB),
            "evaluations_per_image": rounded(evaluations / len(images)),
        }


def peak() -> int:
    """The most that this process held, in bytes; psutil has no such field, and `resource` none that starts anew."""
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def cell_of(data: str, row: str, seed: int) -> dict:
    """`cell` of a row by name: what another process is asked for."""
    return cell(load_bench(data), rules_by_name(data)[row], seed)


def in_fresh_process(data: str, row: str, seed: int) -> dict:
    """`cell_of` in a process that has made no other set."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(cell_of, data, row, seed).result()


def run(data: str, *, rows: Sequence[str] | None = None) -> None:
    """Compute what is missing."""
    cells = Cells("cost", data, note=load_bench(data).data.note, images_per_class=PER_CLASS)
    for row in rows or rules_by_name(data):
        cells(functools.partial(in_fresh_process, data, row, 0), row=row, seed=0)
