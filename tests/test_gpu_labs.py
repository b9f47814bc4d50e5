"""Labs 11 and 12 with the models that need a GPU: every cell runs, on a stand-in for the hub.

The stand-in has models of the right classes and shapes and with random weights, so images mean nothing; what the
checks say and what the verdicts are must be as with the digits. `test_profiles.py` runs lab 11 with all others.
"""

import os
import re
import socket
import subprocess

import forks
import hub_cache
import nbformat
import numpy as np
import pytest
from lab_outputs import complaints, streams
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell
from notebook_rules import ROOT
from PIL import Image

# In the kernel: half precision, as on a T4; convolutions are summed in float32, as there: many CPUs are slow in half
HALF = """
import dataclasses

import torch

def _convolve(self, images, *weights, convolve=torch.nn.Conv2d._conv_forward):
    if any(one.dtype != torch.float16 for one in (images, *weights)):
        return convolve(self, images, *weights)  # and raise, where types do not fit
    return convolve(self, images.float(), *(one.float() for one in weights)).half()

torch.nn.Conv2d._conv_forward = _convolve
lab = dataclasses.replace(lab, dtype=torch.float16)
"""
# In the kernel: nothing but the front end may be reached once photographs are there
NO_NETWORK = """
import socket

def _refuse(self, address, connect=socket.socket.connect):
    if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise AssertionError(f"the lab connects to {address}")
    return connect(self, address)

socket.socket.connect = socket.socket.connect_ex = _refuse
"""


def put_photographs(folder, count):
    """Drawn ones, of the sizes that a telephone makes, a few of them lying on their side."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 256, (4, 3, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize((480, 640), Image.Resampling.BICUBIC)
        exif = image.getexif()
        if number % 5 == 4:
            exif[0x0112] = 6
        image.save(folder / f"{number:02}.jpg", exif=exif)


def changed(lab, **settings):
    """The lab with other values of names that its first cells set."""
    for name, value in settings.items():
        found = 0
        for cell in [cell for cell in lab.cells if cell.cell_type == "code"][:3]:
            pattern = rf"^((?:\w+, )*{name}\b(?:, \w+)* = )(.*)$"
            if match := re.search(pattern, cell.source, re.MULTILINE):
                names = match[1].removesuffix(" = ").split(", ")
                old, _, comment = match[2].partition("  #")
                values = old.split(", ") if len(names) > 1 else [old]
                values[names.index(name)] = repr(value)
                cell.source = cell.source.replace(match[0], f"{match[1]}{', '.join(values)}  #{comment}")
                found += 1
        assert found == 1, f"{name} is set once in the first cells, not {found} times"
    return lab


def run(lab, folder, environment):
    """Execute a lab in an empty folder; gives it with what its cells printed."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setenv("JUPYTER_PATH", forks.kernels())
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
        NotebookClient(lab, timeout=900, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in lab.cells:  # other libraries tell there of what they lack
        if cell.cell_type == "code" and cell.id == "load":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return lab


def with_cell(lab, source, *, after):
    """The lab with one more cell after the one of this name."""
    place = next(number for number, cell in enumerate(lab.cells) if cell.id == after)
    lab.cells.insert(place + 1, new_code_cell(source, id="one-more"))
    return lab


def without_it(lab):
    lab.cells = [cell for cell in lab.cells if cell.id != "one-more"]
    return lab


def read(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def cell_of(lab, name):
    return next(cell for cell in lab.cells if cell.id == name)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A cache of the hub with all that the two labs read, and the variables that lead to it."""
    home = hub_cache.build(tmp_path_factory.mktemp("hub"), sets=("imagenette",))
    return hub_cache.environment(home)


@pytest.mark.slow
def test_a_class_of_imagenet_runs_at_its_real_size_in_half_precision(hub, tmp_path):
    name = "11_imagenet_class"
    lab = with_cell(changed(read(name), PROFILE="imagenette", STEPS=2, PER_CLASS=24), HALF, after="setup")
    lab = without_it(run(lab, tmp_path, hub))
    assert complaints(read(name), lab, about="digits") == []
    assert "class 3: chain saw" in streams(cell_of(lab, "load"))
    assert re.search(r"numbers of an image, over those of its latent: +48\.0", streams(cell_of(lab, "tree-claims")))
    assert "setting imagenette" in streams(cell_of(lab, "reference"))


@pytest.mark.slow
def test_photographs_run_cell_by_cell_and_nothing_leaves_the_machine(hub, tmp_path):
    name = "12_photographs"
    put_photographs(tmp_path / "photographs", count=10)
    lab = changed(read(name), PROFILE="photographs", N_IMAGES=4, STEPS=2, NAME="a red bicycle")
    lab = without_it(run(with_cell(lab, NO_NETWORK, after="setup"), tmp_path, hub))
    assert complaints(read(name), lab) == []
    assert streams(cell_of(lab, "asked")).splitlines()[:2] == [
        "a photo of a red bicycle",
        "a photo of a red bicycle outdoors",
    ]
    assert re.search(r"photographs: +10\n", streams(cell_of(lab, "load-claims")))
    assert "setting photographs" in streams(cell_of(lab, "reference"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photographs", "poster.png"]
    with Image.open(tmp_path / "poster.png") as poster:
        assert abs(poster.size[0] - 2480) <= 1 and abs(poster.size[1] - 3508) <= 1
        assert not poster.getexif()


@pytest.mark.slow
def test_on_a_gpu_that_is_not_there_photographs_lie_where_they_must(tmp_path):
    put_photographs(tmp_path / "photographs", count=9)
    hub_cache.put_stable_diffusion(tmp_path / "hub", side=8)  # of 64 pixels: what lies where is the same
    hub = hub_cache.environment(tmp_path / "hub")
    given, ran = tmp_path / "given.ipynb", tmp_path / "ran.ipynb"
    lab = changed(read("12_photographs"), PROFILE="photographs", STEPS=1)
    cell_of(lab, "load").source = cell_of(lab, "load").source.replace("image_size=512", "image_size=64")
    nbformat.write(lab, given)
    script = "import sys, nbformat, labs_in_a_profile as labs\nwith labs.on_a_gpu('float16'):\n"
    script += "    nbformat.write(labs.run(nbformat.read(sys.argv[1], as_version=4)), sys.argv[2])"
    path = os.pathsep.join(filter(None, [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))
    quiet = {"PYTHONPATH": path, "MPLBACKEND": "Agg", "MGD_QUIET": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([*forks.python(), "-c", script, given, ran], cwd=tmp_path, env=os.environ | hub | quiet, check=True)
    lab = nbformat.read(ran, as_version=4)
    cells = [cell for cell in lab.cells if cell.cell_type == "code"]
    raised = [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert ["\n".join(output.traceback) for output in raised] == []
    assert streams(cells[-1]) == "5 of 5 tasks solved, 5 of them by the book.\n"


def test_the_network_is_refused_and_the_own_machine_is_not():
    script = NO_NETWORK + "\nimport sys\nsocket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)"

    def connects(host, port):
        return subprocess.run(
            [*forks.python(), "-c", script, host, str(port)], capture_output=True, text=True, check=False
        )

    with socket.create_server(("127.0.0.1", 0)) as server:
        assert connects(*server.getsockname()).returncode == 0
    assert "the lab connects to ('192.0.2.1', 80)" in connects("192.0.2.1", 80).stderr  # an address for examples


def test_settings_are_changed_where_they_stand():
    cells = [new_code_cell(""), new_code_cell('PROFILE = "digits"  # or'), new_code_cell("A, STEPS = 8, 25  # of A")]
    lab = changed(nbformat.v4.new_notebook(cells=cells), PROFILE="x", STEPS=3)
    assert [cell.source for cell in lab.cells[1:]] == ["PROFILE = 'x'  # or", "A, STEPS = 8, 3  # of A"]
    with pytest.raises(AssertionError, match="set once in the first cells, not 0"):
        changed(lab, NOWHERE=1)
