"""tools.stand_in: pip takes a wheel from it under the address of the release page, and nothing else gets through."""

import hashlib
import shutil
import subprocess
import sys
import zipfile

import pytest

from tools import stand_in

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
NAME = "tiny-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"


@pytest.fixture
def page(tmp_path):
    """The folder of a release page with the smallest of wheels."""
    folder = tmp_path / "page"
    folder.mkdir()
    with zipfile.ZipFile(folder / NAME, "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    return folder


def download(address, environment, folder):
    """Whether pip gets what lies at an address, and what it says."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--retries", "0", "--dest", str(folder), address]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return result.returncode == 0, result.stdout + result.stderr


def test_pip_takes_what_has_the_right_hash_from_the_address_and_no_other(page, tmp_path):
    right = hashlib.sha256((page / NAME).read_bytes()).hexdigest()
    path = f"/me/mine/releases/download/v1.0/{NAME}"
    with stand_in.release_page(page, tmp_path) as (environment, seen):
        assert download(f"https://github.com{path}#sha256={right}", environment, tmp_path / "a")[0]
        assert (tmp_path / "a" / NAME).read_bytes() == (page / NAME).read_bytes()
        fine, said = download(f"https://github.com{path}#sha256={'0' * 64}", environment, tmp_path / "b")
        assert not fine and "hash" in said.lower()
        assert not download(f"https://github.com/me/mine/{NAME.replace('1.0', '2.0')}", environment, tmp_path / "c")[0]
        assert not download(f"https://example.org/{NAME}", environment, tmp_path / "d")[0]
    assert set(seen.served) == {path}
    assert len(seen.missing) == 1 and set(seen.refused) == {"example.org"}
