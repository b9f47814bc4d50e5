"""What a result is to be read with: versions and hardware."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch


def package_versions() -> dict[str, str]:
    """Versions of this package, of Python, and of what decides about numbers."""
    packages = ("mgd-helpers", "torch", "diffusers", "scikit-learn", "numpy")
    return {"python": platform.python_version()} | {name: _version(name) for name in packages}


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


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "0 (not installed)"
