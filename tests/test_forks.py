"""forks: what stands in for `sys.executable` gives output, status, folder and variables as a fresh process does."""

import os
import signal
import subprocess
import sys

import forks
import pytest

SCRIPT = """
import os, sys
import matplotlib, torch
import huggingface_hub.constants as hub
print(__name__, sys.argv[1:], os.getcwd(), sys.path[0] in ("", os.getcwd()), os.environ["ASKED"], sys.stdin.read())
print(torch.__version__, matplotlib.get_backend(), hub.HF_HUB_CACHE, hub.HF_HUB_OFFLINE, "LOST" in os.environ)
print("told", file=sys.stderr)
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    file = tmp_path_factory.mktemp("scripts") / "script.py"
    file.write_text(SCRIPT)
    return file


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["-c", "-m", "file"])
def test_it_is_as_in_a_fresh_process(kind, script, monkeypatch):
    arguments = {"-c": ["-c", SCRIPT], "-m": ["-m", "script"], "file": [str(script)]}[kind]
    forks.python()
    monkeypatch.setenv("LOST", "1")
    variables = os.environ | {"ASKED": "what", "HF_HOME": "/home/hub", "HF_HUB_OFFLINE": "1", "MPLBACKEND": "svg"}
    del variables["LOST"]
    fresh, forked = (
        subprocess.run(
            [*command, *arguments, "a", "-b"],
            cwd=script.parent,
            env=variables,
            input="read",
            capture_output=True,
            text=True,
            check=True,
        )
        for command in ([sys.executable], forks.python())
    )
    assert (forked.stdout, forked.stderr) == (fresh.stdout, fresh.stderr)
    assert "['a', '-b']" in forked.stdout and "svg /home/hub/hub True False" in forked.stdout


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("pass", 0, ""),
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit('no')", 1, "no\n"),
        ("import os; os._exit(9)", 9, ""),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("import atexit; atexit.register(print, 'late', file=__import__('sys').stderr)", 0, "late\n"),
        ("import os; os.kill(os.getpid(), 9)", 128 + signal.SIGKILL, ""),
    ],
)
@pytest.mark.slow
def test_a_process_ends_with_its_own_status_and_tells_why(code, status, said):
    ended = subprocess.run([*forks.python(), "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == status and ended.stdout == ""
    assert ended.stderr.endswith(f"{said}\n" if said.endswith("zero") else said)
    assert bool(said) == bool(ended.stderr)


@pytest.mark.slow
def test_no_process_meets_what_another_one_did():
    change = "import torch, os; torch.changed = True; os.environ['CHANGED'] = '1'; print('changed')"
    for code in (change, "import torch, os; print(hasattr(torch, 'changed'), 'CHANGED' in os.environ)"):
        ended = subprocess.run([*forks.python(), "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "False False\n" and "CHANGED" not in os.environ


@pytest.mark.slow
def test_what_a_process_draws_without_a_seed_is_its_own():
    code = "import numpy, random; print(numpy.random.rand(), random.random())"
    drawn = [subprocess.run([*forks.python(), "-c", code], capture_output=True, text=True).stdout for _ in range(2)]
    assert len({number for line in drawn for number in line.split()}) == 4


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 5), (signal.SIGKILL, -9)])
def test_what_is_stopped_stops(number, status):
    code = "import sys, time\ntry:\n    print('here', flush=True)\n    time.sleep(60)\n"
    code += "except KeyboardInterrupt:\n    sys.exit(5)"
    with subprocess.Popen([*forks.python(), "-c", code], stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout.readline() == "here\n"
        client.send_signal(number)
        client.communicate(timeout=20)  # the stream ends when the job has ended, which held it, too
    assert client.returncode == status
