"""Whether images fit into memory, asked before any of it is taken."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

PEAK = 1.25  # times the bytes of the pixels; measured are 1.03 to 1.06, and what comes next needs some, too


def check_memory(count: int, shape: tuple[int, ...], where: str | Path, *, bytes_each: int = 1) -> None:
    """Raise `MemoryError` where `count` images of `shape`, of so many bytes a number, take more than is free."""
    need, have = PEAK * bytes_each * count * math.prod(shape), available_memory()
    if need > have:
        raise MemoryError(
            f"{str(where)!r} takes {need / 2**30:.3g} GiB as {count:,} images of {'x'.join(map(str, shape))}, and this "
            f"machine has {have / 2**30:.3g} free. Pass per_class=…, for fewer images of a class, or a smaller "
            "image_size."
        )


def available_memory() -> float:
    """The bytes that a process can still take, as far as the system tells; infinite where it tells nothing."""
    return float(min(_told(), default=math.inf))


def _told() -> Iterator[float]:
    if hasattr(os, "sysconf"):
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield 1024 * float(line.split()[1])
    group = Path("/sys/fs/cgroup")  # of a container
    for limit in _lines(group / "memory.max"):
        if limit.strip().isdigit():
            used = sum(float(line) for line in _lines(group / "memory.current"))
            cached = sum(float(line.split()[1]) for line in _lines(group / "memory.stat") if line.startswith("file "))
            yield float(limit) - used + cached


def _lines(file: str | Path) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
