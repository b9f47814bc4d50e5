"""What all benchmarks share: timing, peak memory, a profile, one printed table, and results/<device>.json.

A benchmark compares with a named reference in the same run and reports the ratio; absolute times are of one machine.
Memory is what tensors take, by the count of torch's own allocator, so that CPU and GPU mean the same by it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.benchmark import timer

from mgd_helpers.data import files
from mgd_helpers.provenance import hardware, package_versions

RESULTS = Path(__file__).parent / "results"


def seconds(function: Callable[[], object], *, repeats: int = 5, warm_up: int = 1) -> float:
    """The median time of one call, the device's queue emptied before and after."""
    return seconds_each([function], repeats=repeats, warm_up=warm_up)[0]


def seconds_each(functions: Sequence[Callable[[], object]], *, repeats: int = 5, warm_up: int = 1) -> list[float]:
    """The median time of each of several functions, called by turns: what disturbs the machine disturbs all alike.

    The clock is that of `torch.utils.benchmark.Timer`, which waits for the device. Its `Timer.timeit` itself would call
    each function twice more to warm up, and some of these take a minute.
    """
    for function in functions:
        for _ in range(warm_up):
            function()
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for function, taken in zip(functions, times, strict=True):
            start = timer()
            function()
            taken.append(timer() - start)
    return [statistics.median(taken) for taken in times]


def peak_mib(function: Callable[[], object], *, device: str) -> float:
    """The most memory that tensors took at once during a call, beyond what they took before, in MiB.

    A GPU's allocator counts this itself. On a CPU the profiler lists every allocation; neither resident memory, which
    keeps what was freed, nor the scratch space of BLAS and LAPACK, which torch does not see, is in this count.
    """
    if device != "cpu":
        _synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        function()
        _synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    with _profiler(device, profile_memory=True) as profiler:
        function()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(itertools.accumulate(changes, initial=0)) / 2**20


def hot_spots(function: Callable[[], object], *, device: str, top: int = 8, repeats: int = 10) -> list[dict]:
    """Where the time of a call goes: the operations that take most themselves, their number and mean milliseconds.

    On a GPU, time on the CPU is what launching costs: where it exceeds the GPU's own, the launches are the bottleneck.
    """
    with _profiler(device) as profiler:
        for _ in range(repeats):
            function()
        _synchronize(device)
    found = [
        {
            "operation": event.key,
            "calls": event.count // repeats,
            "cpu_ms": event.self_cpu_time_total / 1e3 / repeats,
            "gpu_ms": event.self_device_time_total / 1e3 / repeats,
        }
        for event in profiler.key_averages()
    ]
    return sorted(found, key=lambda row: -max(row["cpu_ms"], row["gpu_ms"]))[:top]


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The p of the power law values ~ sizes^p, by least squares through the logarithms."""
    x, y = (torch.tensor(numbers, dtype=torch.float64).log() for numbers in (sizes, values))
    x = x - x.mean()
    return ((x * y).sum() / x.square().sum()).item()


def record(name: str, rows: list[dict], *, options: argparse.Namespace, **settings: object) -> None:
    """Print one table, say what made it, and keep it under `name` in results/<device>.json.

    A column `promised` holds the bound that was set beforehand, where there is one.
    """
    import pandas

    made_by = made_on(options) | settings
    print(f"\n{name}\n{pandas.DataFrame(rows).to_string(index=False, float_format=lambda value: f'{value:.4g}')}")
    print(json.dumps(made_by))
    if not options.quick:
        keep(RESULTS / f"{device_name(options.device)}.json", name, {"rows": rows, **made_by})


def made_on(options: argparse.Namespace) -> dict:
    """What a result is to be read with: seed, load of the machine, hardware, versions."""
    return {
        "seed": options.seed,
        "load_before": options.load,
        "hardware": hardware(options.device),
        "versions": package_versions(),
    }


def keep(file: Path, name: str, result: dict) -> None:
    """Put one result into a file of several; whenever it is interrupted, the file is whole."""
    kept = json.loads(file.read_text()) if file.exists() else {}
    kept[name] = _rounded(result)
    files.write(file, lambda part: part.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n"))


def device_name(device: str) -> str:
    """`cpu`, or the GPU's name: `nvidia-h200`."""
    return "cpu" if device == "cpu" else torch.cuda.get_device_name(device).lower().replace(" ", "-")


def _rounded(value):
    """Four significant digits: no clock here knows more, and two runs can be compared by eye."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _profiler(device, **options):
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or it reports its own start and end
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device != "cpu")
    return profile(activities=activities, **options)


def _synchronize(device):
    if device != "cpu":
        torch.cuda.synchronize(device)
