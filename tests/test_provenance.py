import platform
from importlib.metadata import version

import torch

from mgd_helpers import provenance


def test_versions_are_those_that_are_installed():
    found = provenance.package_versions()
    assert (found["python"], found["torch"]) == (platform.python_version(), version("torch"))
    assert set(found) == {"python", "mgd-helpers", "torch", "diffusers", "scikit-learn", "numpy"}


def test_hardware_names_the_processor_and_says_how_many_threads_there_are():
    found = provenance.hardware("cpu")
    assert set(found) == {"processor", "cores", "threads"} and found["processor"]
    assert found["threads"] == torch.get_num_threads() and found["cores"] >= 1


def test_packages_that_are_missing_are_named_as_such():
    assert provenance._version("no-such-package-anywhere") == "0 (not installed)"
