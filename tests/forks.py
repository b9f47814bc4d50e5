"""Fresh Python processes without the seconds that imports take: a process that has imported everything forks them.

    subprocess.run([*forks.python(), "-m", "mgd_helpers", "--help"], …)

`forks.python()` stands where `sys.executable` would. Behind it a small client hands its arguments, folder, variables
and open streams to a server, which forks once for each, so that no process meets what another one did. The child runs
the code, and the client ends with its status, or passes a signal on to it. `forks.kernels()` gives a folder for
`JUPYTER_PATH`, with which kernels are started so, too. What is about imports themselves takes `sys.executable`.
"""

import contextlib
import functools
import json
import os
import select
import signal
import socket
import sys

HEAVY = ["diffusers", "IPython", "ipykernel.ipkernel", "ipykernel.kernelapp", "matplotlib.pyplot", "nbformat"]
HEAVY += ["pandas", "seaborn", "sklearn.cluster", "scipy.stats", "ipywidgets", "torch", "transformers", "datasets"]
HEAVY += ["mgd_helpers.lab", "diffusers.pipelines.dit.pipeline_dit", "diffusers.models.autoencoders.autoencoder_kl"]
FIXED_SEED = 67280421310721  # that every process of older versions of torch begins with
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@functools.cache
def python() -> list[str]:
    """The command that stands for `sys.executable`; its server lives as long as this process."""
    import subprocess
    import tempfile

    address = os.path.join(tempfile.mkdtemp(prefix="forks"), "socket")
    path = os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, os.path.abspath(__file__), "serve", address]
    server = subprocess.Popen(  # an interrupt at the keyboard is for the clients, which pass it on
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    python.server = server  # its stdin must stay open: the server ends when it is closed
    if server.stdout.readline() != b"ready\n":
        raise RuntimeError(f"the server of {__file__} did not start; what it said stands above")
    return [sys.executable, "-IS", os.path.abspath(__file__), "run", address]


@functools.cache
def kernels() -> str:
    """A folder for `JUPYTER_PATH`, in which the kernel `python3` is forked."""
    folder = os.path.dirname(python()[-1])
    os.makedirs(os.path.join(folder, "kernels", "python3"))
    argv = [*python(), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    with open(os.path.join(folder, "kernels", "python3", "kernel.json"), "w", encoding="utf-8") as file:
        json.dump({"argv": argv, "display_name": "Python 3", "language": "python"}, file)
    return folder


def pytest_configure(config):
    """As a plugin, for nbval: the labs' kernels are forked."""
    if not hasattr(config, "workerinput"):  # workers inherit it
        os.environ["JUPYTER_PATH"] = kernels()


# --- the client ------------------------------------------------------------------------------------------------------


def run(address: str, arguments: list[str]) -> int:
    """Have the arguments run by the server, with the streams of this process; gives the status."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        asked = {"arguments": arguments, "folder": os.getcwd(), "variables": dict(os.environ)}
        text = json.dumps(asked).encode()
        socket.send_fds(server, [len(text).to_bytes(8, "big")], [0, 1, 2])
        server.sendall(text)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: server.sendall(bytes([number])))
        status = server.recv(1)
    return status[0] if status else 255


# --- the server ------------------------------------------------------------------------------------------------------


def serve(address: str) -> None:
    """Fork for each client, until the process that started this one closes its end of the standard input."""
    import importlib
    import shutil

    ours = set(os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = [ROOT, *(entry for entry in sys.path[1:] if entry not in ours)]
    for name in HEAVY:
        with contextlib.suppress(ImportError):  # older versions have fewer modules
            importlib.import_module(name)
    sys.path.remove(ROOT)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        os.write(1, b"ready\n")
        while sys.stdin not in (ready := select.select([sys.stdin, listening], [], [])[0]):
            if ready:
                client = listening.accept()[0]
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    listening.close()
                    os._exit(watch(client))
                client.close()
    shutil.rmtree(os.path.dirname(address))


def watch(client: socket.socket) -> int:
    """Fork the job of a client, pass on what it hears of it, and tell it the status."""
    size, streams, _, _ = socket.recv_fds(client, 8, 3)
    left, text = int.from_bytes(size, "big"), b""
    while len(text) < left:
        text += client.recv(left - len(text))
    job = os.fork()
    if job == 0:
        client.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        become(**json.loads(text))
    for stream in streams:
        os.close(stream)
    while True:
        if select.select([client], [], [], 0.02)[0]:
            number = client.recv(1)
            os.kill(job, number[0] if number else signal.SIGKILL)
            if not number:
                os.waitpid(job, 0)
                return 0
        done, status = os.waitpid(job, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            with contextlib.suppress(OSError):
                client.sendall(bytes([code if code >= 0 else 128 - code]))
            return 0


def become(arguments: list[str], folder: str, variables: dict[str, str]) -> None:
    """Run the arguments of a Python as its process would; does not come back."""
    import threading
    import traceback

    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    status = 0
    try:
        sys.stdin, sys.stdout, sys.stderr = map(os.fdopen, range(3), "rww")
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
        sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")
        reread(variables)
        execute(arguments, [path for path in variables.get("PYTHONPATH", "").split(os.pathsep) if path])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()  # as an interpreter that ends: wait for threads, then call what asked for it
    __import__("atexit")._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status & 255)


def reread(variables: dict[str, str]) -> None:
    """Tell libraries what they would have read when they were imported: variables, and numbers drawn by the system."""
    import datasets
    import huggingface_hub
    import matplotlib
    import numpy
    import torch

    numpy.random.seed()
    if torch.initial_seed() != FIXED_SEED:
        torch.seed()

    constants = huggingface_hub.constants
    home = variables.get("HF_HOME", constants.HF_HOME)
    constants.HF_HUB_CACHE = variables.get("HF_HUB_CACHE", os.path.join(home, "hub"))
    constants.HF_HUB_OFFLINE = variables.get("HF_HUB_OFFLINE", "").upper() in constants.ENV_VARS_TRUE_VALUES
    kept = type(datasets.config.HF_DATASETS_CACHE)(variables.get("HF_DATASETS_CACHE", os.path.join(home, "datasets")))
    datasets.config.HF_DATASETS_CACHE = kept
    if "MPLBACKEND" in variables:
        matplotlib.rcParams["backend"] = variables["MPLBACKEND"]


def execute(arguments: list[str], path: list[str]) -> None:
    """What `python *arguments` does, for `-c CODE`, `-m MODULE` and a script."""
    import runpy
    import types

    kind, *rest = arguments
    if kind == "-c":
        sys.path[:0] = ["", *path]
        sys.argv = ["-c", *rest[1:]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)
    elif kind == "-m":
        sys.path[:0] = [os.getcwd(), *path]
        sys.argv = ["-m", *rest[1:]]
        if rest[0] == "ipykernel_launcher":
            prepare_kernel()
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[:0] = [os.path.dirname(os.path.abspath(kind)), *path]
        sys.argv = arguments
        runpy.run_path(kind, run_name="__main__")


def prepare_kernel() -> None:
    """What a kernel reads when it is imported: that somebody started it, and how figures are shown."""
    import matplotlib
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.parent_handle.default_value = 1
    if "MPLBACKEND" not in os.environ:
        matplotlib.rcParams["backend"] = "module://matplotlib_inline.backend_inline"


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(run(sys.argv[2], sys.argv[3:]))
