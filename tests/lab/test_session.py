import platform
import re
import warnings
from importlib.metadata import version

import matplotlib.pyplot as plt
import pytest
import torch

from mgd_helpers.lab import session
from mgd_helpers.lab.session import Lab, setup
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
