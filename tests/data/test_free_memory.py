import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mgd_helpers.data.free_memory import PEAK, available_memory, check_memory


def test_a_machine_has_some_memory_and_not_all_there_is():
    assert 2**20 < available_memory() < math.inf


def test_what_does_not_fit_is_refused_with_both_numbers(monkeypatch):
    monkeypatch.setattr("mgd_helpers.data.free_memory.available_memory", lambda: PEAK * 100)
    check_memory(100, (1, 1), "here")
    with pytest.raises(MemoryError, match=r"'here' takes .* GiB as 101 images of 1x1, and this machine has .* free"):
        check_memory(101, (1, 1), "here")
    check_memory(25, (1, 1), "here", bytes_each=4)
    with pytest.raises(MemoryError, match="26 images"):
        check_memory(26, (1, 1), "here", bytes_each=4)


COUNT, SIDE = 4000, 128
MEASURE = f"""
import sys
from pathlib import Path
from types import SimpleNamespace
import torch, torch.nn.functional as F
import mgd_helpers as mgd

def held(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(what))

def peak(work):
    Path("/proc/self/clear_refs").write_text("5")  # the most that was held counts from here on
    before = held("VmRSS:")
    found = work()
    print((held("VmHWM:") - before) / ({COUNT} * {SIDE}**2))  # for each pixel
    return found

torch.set_num_threads(1)
source, few, out = sys.argv[1:]
mgd.load_data(few)  # what comes with the first image, such as PIL
data = peak(lambda: mgd.load_data(source))
half = lambda images: SimpleNamespace(latent_dist=SimpleNamespace(mean=F.avg_pool2d(images, 8)))
config = SimpleNamespace(in_channels=1, scaling_factor=1.0)
vae = SimpleNamespace(config=config, dtype=torch.float32, device=torch.device("cpu"), encode=half)
mgd.encode(vae, data.train.take([0]))
peak(lambda: mgd.encode(vae, data.train))
mgd.distill(data, images_per_class=1, out=out + "/one", method="random-real", report=False)
peak(lambda: mgd.distill(data, images_per_class=2, out=out + "/two", method="random-real", report=False))
"""


def write_folder(folder, count):
    from PIL import Image

    for number in range(count):
        file = folder / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (SIDE, SIDE), number % 256).save(file, compress_level=1)
    return folder


def write_parquet(folder, count):
    datasets = pytest.importorskip("datasets")
    files = sorted(write_folder(folder, count).glob("*/*.png"))
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    columns = {
        "image": [{"bytes": file.read_bytes(), "path": None} for file in files],
        "label": ["ab".index(file.parent.name) for file in files],
    }
    datasets.Dataset.from_dict(columns, features).to_parquet(folder / "all.parquet")
    return folder / "all.parquet"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells what a process has held")
@pytest.mark.parametrize("write", [write_folder, write_parquet])
def test_images_take_a_byte_each_and_what_looks_at_all_of_them_less_than_half_of_their_numbers(write, tmp_path):
    source, few = write(tmp_path / "all", COUNT), write(tmp_path / "few", 4)
    # else glibc keeps some of what was given back, more or less of it from run to run
    given_back = os.environ | {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
    options = {"capture_output": True, "text": True, "check": True, "env": given_back}
    found = subprocess.run([sys.executable, "-c", MEASURE, source, few, tmp_path / "out"], **options).stdout
    loaded, encoded, distilled = map(float, found.split())
    assert 0.9 < loaded < PEAK + 0.25, "bytes of memory for a pixel, of which 32-bit numbers would take 4"
    assert encoded < 1 and distilled < 1
