"""One run per folder: a file names the process at work there, and is void once that process has ended."""

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

from mgd_helpers.data.files import write

LOCK = ".lock"
GRACE = 60  # seconds after which an empty or broken lock is void: it is written right after it has been made


@contextlib.contextmanager
def locked(folder: Path, *, name: str = "out") -> Iterator[None]:
    """Within the context, `folder` belongs to this process; it is made if it is missing, and removed if left empty.

    The lock of a process that has ended is taken over. Whether a process of another machine has ended cannot be seen:
    then the message says which file to delete. `name` is the argument's, for messages.

    Raises `ValueError`, naming the process, where another one is at work in the folder.
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
    """Make the lock, or take over that of a process that has ended; gives its content."""
    now, pid, host = datetime.now().astimezone().isoformat("T", "seconds"), os.getpid(), socket.gethostname()
    own = {"pid": pid, "host": host, "since": now, "started": _started(pid), "key": uuid.uuid4().hex}
    mine = json.dumps(own).encode()
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
    raise ValueError(f"{name} must be free; other runs keep taking {str(lock.parent)!r}. Wait until they have ended.")


def _take_over(lock: Path, content: bytes, mine: bytes) -> bool:
    """Put `mine` in the place of a void lock, unless another process was faster: the path is never free in between."""
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
        write(lock, lambda path: path.write_bytes(mine))
        return True
    except FileNotFoundError:
        return False
    finally:
        os.close(handle)


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
        f"{name} {str(lock.parent)!r} is in use by another run ({who}). Wait until it has ended, or choose another "
        f"folder; if it no longer runs, delete {str(lock)!r}."
    )
