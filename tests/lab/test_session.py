import dataclasses
import platform
import re
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import hub_cache
import matplotlib.pyplot as plt
import pytest
import torch

from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.encoding.latents import encode
from mgd_helpers.guidance.toys import tiny_pipeline
from mgd_helpers.lab import session
from mgd_helpers.lab.session import Lab, cache_folder, setup
from mgd_helpers.provenance import package_versions


@pytest.fixture(autouse=True)
def unchanged():
    """Seed and style stay inside a test."""
    with plt.rc_context(), torch.random.fork_rng(devices=[]):
        yield


def test_setup_seeds_and_prints_one_line_of_versions(capsys):
    lab = setup(chapter=4, seed=3)
    found = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(found, torch.rand(2))
    assert (lab.chapter, lab.seed) == (4, 3)
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    for word in (f"python {platform.python_version()}", f"torch {version('torch')}", "diffusers", "seed 3"):
        assert word in line


def test_setup_takes_the_device_of_the_machine_and_float32_on_a_cpu(capsys):
    lab = setup()
    assert lab.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert (lab.dtype == torch.float32) == (lab.device.type == "cpu")


@pytest.mark.parametrize(
    ("capability", "dtype"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)]
)
def test_bfloat16_only_where_the_gpu_has_it(monkeypatch, capsys, capability, dtype):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    assert setup().dtype == dtype
    assert "a GPU" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("version", "warned"), [("2.5.1", True), ("2.6.0", False), ("2.15.9+cu126", False), ("2.16", True)]
)
def test_versions_outside_the_tested_range_warn_and_never_fail(monkeypatch, capsys, version, warned):
    monkeypatch.setattr(session, "package_versions", lambda: {"torch": version, "diffusers": "0.35.0"})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        setup()
    assert [bool(re.match(f"torch {re.escape(version)} lies outside", str(w.message))) for w in caught] == [
        True
    ] * warned


def test_installed_versions_are_within_the_tested_range():
    found = package_versions()
    for name, (low, high) in session.TESTED.items():
        assert low <= session._numbers(found[name]) < high


def test_load_gives_data_on_the_cpu_and_the_pipeline_where_and_as_the_lab_is():
    lab = Lab(1, 0, torch.device("cpu"), torch.float16)
    data, pipe = lab.load("digits")
    assert len(data.train) == 1500 and data.train.images.device.type == "cpu"
    assert pipe.device.type == "cpu" and {part.dtype for part in (pipe.vae, pipe.transformer)} == {torch.float16}


LAB = Lab(1, 0, torch.device("cpu"), torch.float32)


def test_load_reads_as_many_images_of_a_class_as_asked_for_or_as_the_catalogue_says(monkeypatch):
    assert LAB.load("digits", 20)[0].train.labels.bincount().tolist() == [20] * 10
    monkeypatch.setitem(PROFILES, "digits", dataclasses.replace(PROFILES["digits"], per_class=5))
    assert len(LAB.load("digits")[0].train) == 50
    assert len(LAB.load("digits", 6)[0].test) == 60


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "per_class", "shape", "latent"),
    [
        ("imagenette", 3, (3, 256, 256), (4, 32, 32)),
        ("fashion_mnist", None, (1, 32, 32), (4, 8, 8)),
        ("cifar10", 4, (3, 32, 32), (8, 8, 8)),
    ],
)
def test_every_profile_is_loaded_and_encoded_without_a_network(hub_home, monkeypatch, name, per_class, shape, latent):
    hub_cache.use(monkeypatch, hub_home)
    hub_cache.put_data(hub_home, name)
    data, pipe = LAB.load(name, per_class)
    count = 10 * (per_class or PROFILES[name].per_class)
    assert (len(data.train), data.train.images.shape[1:]) == (count, shape)
    assert data.train.labels.bincount().tolist() == [count // 10] * 10
    latents = LAB.encode(pipe, data.train.of_class(0)[:3])
    assert latents.shape == (3, *latent)
    assert latents.std(0).amin() > 0  # no two images are the same


def test_few_pixels_are_encoded_at_once_and_many_are_kept(tmp_path, monkeypatch, waves, tiny):
    monkeypatch.setenv("MGD_CACHE_DIR", str(tmp_path / "kept"))
    images = waves.train.images
    assert torch.equal(LAB.encode(tiny, images), encode(tiny.vae, images))
    assert torch.equal(LAB.encode(tiny, waves.train), encode(tiny.vae, images))
    assert not (tmp_path / "kept").exists()
    monkeypatch.setattr(session, "WORTH_KEEPING", images.numel())
    first = LAB.encode(tiny, images)
    assert len(list((tmp_path / "kept").iterdir())) == 1
    again = tiny_pipeline()
    again.vae.encode = lambda block: pytest.fail("must be read")
    assert torch.equal(LAB.encode(again, images), first)


def test_the_digits_are_too_few_to_be_kept():
    profile = PROFILES["digits"]
    assert profile.sizes[0] * profile.image_size**2 < session.WORTH_KEEPING
    assert session.WORTH_KEEPING < 100 * 3 * 256**2  # one class of Imagenette is not


def test_latents_are_kept_where_one_says_else_in_the_drive_else_where_the_system_keeps_such_files(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(session, "COLAB_DRIVE", tmp_path / "drive")
    for name in ("MGD_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    found = {}
    for system, variable in (("linux", "XDG_CACHE_HOME"), ("darwin", None), ("win32", "LOCALAPPDATA")):
        monkeypatch.setattr(sys, "platform", system)
        found[system] = cache_folder()
        if variable:
            monkeypatch.setenv(variable, str(tmp_path / system))
            assert cache_folder() == tmp_path / system / "mgd_helpers"
            monkeypatch.delenv(variable)
    home = Path.home()
    assert found["linux"] == found["win32"] == home / ".cache" / "mgd_helpers"
    assert found["darwin"] == home / "Library" / "Caches" / "mgd_helpers"
    (tmp_path / "drive").mkdir()
    assert cache_folder() == tmp_path / "drive" / "mgd_helpers"
    monkeypatch.setenv("MGD_CACHE_DIR", "~/mine")
    assert cache_folder() == home / "mine"
