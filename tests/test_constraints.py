"""tools.constraints: what of a Colab's freeze another machine can install."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools.__main__ import main
from tools.constraints import from_freeze

FREEZE = """\
# Do not modify this file directly
absl-py==1.4.0
cuda-bindings==12.9.7
cudf-cu12==26.2.1
cupy-cuda12x==14.0.1
cuvs-cu12 @ https://pypi.nvidia.com/cuvs-cu12/cuvs_cu12-26.2.0-cp312-cp312-manylinux_2_24_x86_64.whl
diffusers==0.39.0
GDAL==3.8.4
google-colab @ file:///colabtools/dist/google_colab-1.0.0.tar.gz
jax-cuda12-plugin==0.7.2
-e git+https://github.com/somebody/something@main#egg=something
numba==0.61.2
nvidia-cublas-cu12==12.8.4.1
pip==24.1.2
python-apt==0.0.0
pytz==2023.3.post1
torch==2.11.0+cu128
torchvision @ https://download.pytorch.org/whl/cu118/torchvision-0.16.0%2Bcu118-cp310-cp310-linux_x86_64.whl#sha256=45
triton==3.6.0
"""
KEPT = ["absl-py==1.4.0", "diffusers==0.39.0", "numba==0.61.2", "pytz==2023.3.post1"]
KEPT += ["torch==2.11.0", "torchvision==0.16.0"]


def test_what_no_other_machine_can_install_is_dropped():
    head, *lines = from_freeze(FREEZE).splitlines()
    assert lines == KEPT and head.endswith(f"{len(KEPT)} packages")


def test_the_command_writes_them_and_pip_can_read_them(tmp_path):
    (tmp_path / "freeze.txt").write_text(FREEZE)
    assert main(["constraints", str(tmp_path / "freeze.txt"), "--out", str(tmp_path / "out.txt")]) == 0
    assert [str(Requirement(line)) for line in (tmp_path / "out.txt").read_text().splitlines()[1:]] == KEPT


def test_a_page_of_an_error_is_no_freeze():
    with pytest.raises(ValueError, match="must be the output of `pip freeze`"):
        from_freeze("<html>404: Not Found</html>")


def test_the_constraints_of_the_repository_hold_what_labs_depend_on():
    folder = Path(__file__).parents[1] / ".github" / "constraints"
    for file in folder.glob("*.txt"):
        names = [line.split("==")[0].lower() for line in file.read_text().splitlines() if line[:1] not in "#"]
        assert {"torch", "diffusers", "ipywidgets", "ipython", "numpy"} <= set(names), file.name
        assert [name for name in names if "cuda" in name or name.startswith("nvidia")] == []
