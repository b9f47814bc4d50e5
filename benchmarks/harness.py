"""What all benchmarks share: timing, peak memory, one printed table, and results/<device>.json.

A benchmark compares with a named reference in the same run and reports the ratio; absolute times are of one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pandas
import torch

from mgd_helpers.runtime import package_versions

RESULTS = Path(__file__).parent / "results"


def arguments(description: str) -> argparse.Namespace:
    """`--device` (default: CUDA where there is one), `--quick` (small sizes, nothing is written), `--seed`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs; nothing is written")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def seconds(function: Callable[[], object], *, device: str, repeats: int = 5, warm_up: int = 1) -> float:
    """The median time of one call, the device's queue emptied before and after."""
    for _ in range(warm_up):
        function()
    times = []
    for _ in range(repeats):
        _synchronize(device)
        start = time.perf_counter()
        function()
        _synchronize(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def report(name: str, rows: list[dict], *, options: argparse.Namespace, **settings) -> None:
    """Print one table, say what made it, and keep it under `name` in results/<device>.json."""
    made_by = {"seed": options.seed, **settings, "hardware": hardware(options.device), "versions": package_versions()}
    print(f"\n{name}\n{pandas.DataFrame(rows).to_string(index=False, float_format=lambda value: f'{value:.4g}')}")
    print(json.dumps(made_by))
    if options.quick:
        return
    file = RESULTS / f"{device_name(options.device)}.json"
    kept = json.loads(file.read_text()) if file.exists() else {}
    kept[name] = {"rows": rows, **made_by}
    RESULTS.mkdir(exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
    part.replace(file)


def device_name(device: str) -> str:
    """`cpu`, or the GPU's name: `nvidia-h200`."""
    return "cpu" if device == "cpu" else torch.cuda.get_device_name(device).lower().replace(" ", "-")


def hardware(device: str) -> dict:
    """What the times depend on: processor, cores, threads, GPU."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        cpu = names[0] if names else cpu
    found = {
        "processor": cpu,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
    found["threads"] = torch.get_num_threads()
    if device != "cpu":
        found["gpu"] = torch.cuda.get_device_name(device)
    return found


def _synchronize(device):
    if device != "cpu":
        torch.cuda.synchronize(device)
