import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from mgd_helpers.data import lock
from mgd_helpers.data.lock import LOCK, locked


def test_a_folder_belongs_to_one_at_a_time(tmp_path):
    with locked(tmp_path):
        with (
            pytest.raises(ValueError, match=rf"out .* in use .*process {os.getpid()} on .*, since 20.*delete"),
            locked(tmp_path),
        ):
            raise AssertionError
        assert (tmp_path / LOCK).exists()
    assert not list(tmp_path.iterdir())
    with locked(tmp_path):
        pass


def test_the_lock_goes_in_every_case(tmp_path):
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error), locked(tmp_path):
            raise error
        assert not list(tmp_path.iterdir())


def test_a_folder_that_was_made_and_left_empty_goes_too(tmp_path):
    with locked(tmp_path / "a/b"):
        pass
    assert not list(tmp_path.iterdir())
    with locked(tmp_path / "a/b"):
        (tmp_path / "a/c").write_text("")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["c"]


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave(folder, **changes):
    with locked(folder):
        found = json.loads((folder / LOCK).read_bytes())
    (folder / LOCK).write_text(json.dumps(found | changes))


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    leave(tmp_path, pid=dead_pid())
    with locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_bytes())["pid"] == os.getpid()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="starts of processes are read from /proc")
def test_a_number_that_another_process_has_now_is_no_lock(tmp_path):
    leave(tmp_path, started="another boot:1")
    with locked(tmp_path):
        pass
    leave(tmp_path)
    with pytest.raises(ValueError, match="in use"), locked(tmp_path):
        pass


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_no_lock_for_good(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from mgd_helpers.data.lock import locked\n"
        "with locked(Path(sys.argv[1])): print('here', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "here\n"
    with pytest.raises(ValueError, match=f"process {process.pid} on"), locked(tmp_path):
        pass
    process.kill()
    process.wait()
    with locked(tmp_path):
        pass


def test_of_another_machine_nothing_is_known(tmp_path):
    leave(tmp_path, host="elsewhere", pid=dead_pid())
    with pytest.raises(ValueError, match=r"on elsewhere, .* if it no longer runs, delete .*\.lock"), locked(tmp_path):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x", "host": "y"}', '{"pid": 1}'])
def test_a_torn_lock_is_honoured_for_a_moment(tmp_path, content):
    (tmp_path / LOCK).write_text(content)
    with pytest.raises(ValueError, match=r"in use by another run \(a run just started\)"), locked(tmp_path):
        pass
    os.utime(tmp_path / LOCK, (time.time() - 2 * lock.GRACE,) * 2)
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("attempt", range(20))
def test_of_many_that_take_over_one_wins(tmp_path, attempt):
    leave(tmp_path, pid=dead_pid())
    inside, most, refused, start, end = [], [], [], threading.Barrier(8), threading.Event()

    def run():
        start.wait()
        try:
            with locked(tmp_path):
                inside.append(1)
                most.append(len(inside))
                end.wait(60)  # until all others are refused
        except ValueError:
            refused.append(1)
        if len(refused) == 7:
            end.set()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    end.set()
    assert (most, len(refused)) == ([1], 7)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="out must be a folder that can be written to; got"), locked(tmp_path / "file"):
        pass


def test_the_host_is_named(tmp_path):
    with locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_bytes())["host"] == socket.gethostname()
