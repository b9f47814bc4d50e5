"""One run per folder: a file that names the process at work, and that counts for nothing once that process is gone."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

LOCK = ".lock"
GRACE = 60  # seconds after which an empty or torn lock is nobody's: it is written right after it has been made


@contextlib.contextmanager
def locked(folder: Path, *, name: str = "out") -> Iterator[None]:
    """Within the context, `folder` belongs to this process; it is made where it lacks, and taken away if left empty.

    Raises `ValueError`, with the process that is at work there, where there is one; `name` is the argument's, for that.
    The lock of a process that is gone is taken over; on another machine that cannot be seen, and the message says which
    file to delete.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mine = _acquire(lock, name)
    except OSError as error:
        raise ValueError(f"{name} must be a folder that can be written to; got {str(folder)!r}: {error}.") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if lock.read_bytes() == mine:
                lock.unlink()
        with contextlib.suppress(OSError):  # the first that holds something ends it
            for path in made:
                path.rmdir()


def _acquire(lock: Path, name: str) -> bytes:
    """Make the lock, or take over a dead one's; its content."""
    now, pid = datetime.now().astimezone().isoformat("T", "seconds"), os.getpid()
    holder = {"pid": pid, "host": socket.gethostname(), "since": now, "started": _started(pid), "key": uuid.uuid4().hex}
    mine = json.dumps(holder).encode()
    for _ in range(100):
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            try:
                content, age = lock.read_bytes(), time.time() - lock.stat().st_mtime
            except FileNotFoundError:
                continue  # its owner has just ended
            holder = _holder(content)
            if _at_work(holder, age):
                raise ValueError(_refusal(lock, name, holder)) from None
            if _take_over(lock, content, mine):
                return mine
            continue
        try:
            os.write(handle, mine)
        except OSError:  # a full disk
            lock.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        return mine
    raise ValueError(f"{name} {str(lock.parent)!r} is fought over by other runs. Wait for them to end.")


def _take_over(lock: Path, content: bytes, mine: bytes) -> bool:
    """Put `mine` in the place of a dead lock, unless another process was faster: the path is never free in between."""
    part = lock.with_name(f".{LOCK}.{uuid.uuid4().hex[:12]}.part")
    try:
        handle = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        with contextlib.suppress(ImportError, OSError):  # Windows, and network drives: there the last one wins
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        if not os.path.samestat(os.fstat(handle), lock.stat()) or lock.read_bytes() != content:
            return False
        part.write_bytes(mine)
        part.replace(lock)
        return True
    except FileNotFoundError:
        return False
    finally:
        os.close(handle)
        part.unlink(missing_ok=True)


def _holder(content: bytes) -> dict | None:
    try:
        found = json.loads(content)
        return found if isinstance(found["pid"], int) and found["pid"] > 0 and isinstance(found["host"], str) else None
    except (ValueError, KeyError, TypeError):
        return None


def _at_work(holder: dict | None, age: float) -> bool:
    if holder is None:
        return age < GRACE
    if holder["host"] != socket.gethostname():
        return True
    started = _started(holder["pid"])
    if started is None:
        return os.name == "nt" or (not Path("/proc/self/stat").exists() and _exists(holder["pid"]))
    return holder.get("started") in (None, started)  # else another process has the number now


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _started(pid: int) -> str | None:
    """When a process of this machine started, and in which run of the machine; `None` where that cannot be seen."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _refusal(lock: Path, name: str, holder: dict | None) -> str:
    who = (
        f"process {holder['pid']} on {holder['host']}, since {holder.get('since')}" if holder else "a run just started"
    )
    return (
        f"{name} {str(lock.parent)!r} is in use by another run ({who}). Wait for its end, or choose another folder; if "
        f"it runs no more, delete {str(lock)!r}."
    )
