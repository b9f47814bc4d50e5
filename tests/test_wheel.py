"""tools.release: one state gives one wheel, every lab installs it by version and hash, and says when it cannot."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import zipfile

import nbformat
import pytest
from notebook_rules import ADDRESS, RELEASE, ROOT

from tools import address, colab, release
from tools.__main__ import main

TAG = f"v{RELEASE.version}"
TAGGED = (
    subprocess.run(["git", "rev-parse", "--verify", TAG], cwd=ROOT, capture_output=True, check=False).returncode == 0
)


@pytest.fixture
def project(tmp_path):
    """A copy of what goes into a wheel and of the labs, but for weights: small and quick to build."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in colab.FILES:
        shutil.copy(ROOT / name, copy)
    for name in colab.FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "pretrained"))
    return copy


# --- the wheel -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_same_state_gives_the_same_wheel_wherever_and_whenever(project, tmp_path, monkeypatch):
    first, sha256 = release.build(project, tmp_path / "first")
    assert sha256 == hashlib.sha256(first.read_bytes()).hexdigest()
    elsewhere = tmp_path / "elsewhere" / "under" / "another_name"
    shutil.copytree(project, elsewhere, copy_function=shutil.copyfile)  # other dates
    (elsewhere / "notebooks" / "01_question.ipynb").write_text("{}")  # labs name the hash, so they cannot be in it
    (elsewhere / "mgd_helpers" / "__pycache__").mkdir()
    (elsewhere / "mgd_helpers" / "__pycache__" / "cli.pyc").touch()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert release.build(elsewhere, tmp_path / "second")[1] == sha256


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package_and_is_small(tmp_path):
    wheel, _ = release.build(ROOT, tmp_path)
    assert wheel.stat().st_size < 30_000_000
    with zipfile.ZipFile(wheel) as opened:
        inside = {name for name in opened.namelist() if ".dist-info/" not in name}
    files = [path for path in (ROOT / "mgd_helpers").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert inside == {path.relative_to(ROOT).as_posix() for path in files if path.name != "samples.png"}


@pytest.mark.slow
@pytest.mark.skipif(not TAGGED, reason=f"no tag {TAG} here: it is not released yet, or the clone has no tags")
def test_labs_name_the_hash_of_the_tagged_state(tmp_path):
    archive = tmp_path / "state.tar"
    subprocess.run(["git", "archive", "--output", archive, TAG], cwd=ROOT, check=True)
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "state", filter="data")
    assert release.build(tmp_path / "state", tmp_path / "wheel")[1] == RELEASE.sha256


# --- a release -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_release_writes_version_and_hash_everywhere_and_the_check_agrees(project, tmp_path):
    wheel = release.prepare(project, "9.8.7", tmp_path / "page")
    assert wheel.name == "mgd_helpers-9.8.7-py3-none-any.whl"
    made = release.read(project)
    assert made == release.Release("9.8.7", hashlib.sha256(wheel.read_bytes()).hexdigest())
    assert release.complaints(project) == []
    assert "\nversion: 9.8.7\n" in (project / "CITATION.cff").read_text()
    assert "\n  branch: v9.8.7 " in (project / "_config.yml").read_text()
    for name in ("README.md", *(f"notebooks/{path.name}" for path in (project / "notebooks").glob("[0-9]*.ipynb"))):
        text = (project / name).read_text()
        assert "/blob/v9.8.7/notebooks/" in text and "/blob/v0.1.0/" not in text and "/blob/main/" not in text
        assert name == "README.md" or (made.sha256 in text and 'version = \\"9.8.7\\"' in text)

    (project / "mgd_helpers" / "cli.py").write_text("")
    (said,) = release.complaints(project)
    assert "the wheel of this state has the hash" in said and said.endswith("`make release VERSION=9.8.7` and commit.")
    shutil.copy(ROOT / "mgd_helpers" / "cli.py", project / "mgd_helpers")
    numbers = (project / "pyproject.toml").read_text().replace('version = "9.8.7"', 'version = "9.9.0.dev0"', 1)
    (project / "pyproject.toml").write_text(numbers)
    assert release.complaints(project)[0].startswith("the package is 9.9.0.dev0, the labs install 9.8.7")


def test_a_version_is_three_numbers(project, tmp_path):
    with pytest.raises(ValueError, match="VERSION must be three numbers"):
        release.prepare(project, "v1", tmp_path)


def test_without_a_build_backend_there_is_no_release(project, tmp_path, monkeypatch):
    monkeypatch.setattr(release, "make_wheel", lambda root, folder: None)
    with pytest.raises(RuntimeError, match="could not be built"):
        release.build(project, tmp_path)


def test_the_address_of_the_wheel_is_what_the_labs_ask_for(capsys):
    assert main(["wheel-address"]) == 0
    said = capsys.readouterr().out.strip()
    assert re.fullmatch(
        re.escape(ADDRESS.repository) + r"/releases/download/v\d[\d.]+/\S+\.whl#sha256=[0-9a-f]{64}", said
    )
    assert run_set_up(installed=RELEASE.version)["wheel"] == said


# --- what is written into labs ---------------------------------------------------------------------------------------


def test_labs_and_readme_are_as_the_stamp_leaves_them(project):
    assert release.stamp(project) == [], "`make stamp`"


def test_a_lab_of_another_time_gets_cell_badge_and_links(project):
    path = project / "notebooks" / "05_tangent.ipynb"
    wanted = path.read_text()
    lab = json.loads(wanted)
    lab["cells"][1]["source"] = ["import mgd_helpers as mgd"]
    first = "".join(lab["cells"][0]["source"])
    first = first.replace(f"/blob/{TAG}/", "/blob/main/").replace(
        ADDRESS.page("book/05_tangent"), "../book/05_tangent.md"
    )
    lab["cells"][0]["source"] = first.splitlines(keepends=True)
    path.write_text(json.dumps(lab))
    assert release.stamp(project) == [path] and path.read_text() == wanted


def test_a_fork_s_labs_install_from_the_fork(project):
    fork = address.Address.of("https://github.com/me/fork")
    address.rewrite(project, fork)
    assert release.stamp(project) == [], "an address is rewritten as the stamp would"
    cell = nbformat.read(project / "notebooks" / "05_tangent.ipynb", as_version=4).cells[1].source
    assert cell == release.set_up_cell(fork, RELEASE, 5) and "github.com/me/fork" in cell


def run_set_up(installed=None, colab=True):
    """Run the set-up cell up to the import of the package; `installed` is the version that is there after pip."""
    cell = release.set_up_cell(ADDRESS, RELEASE, 1).split("import mgd_helpers")[0]
    assert cell.count("%pip install --quiet --no-deps") == 1
    cell = re.sub(r"^ +%pip .*$", "    pass", cell, flags=re.MULTILINE)
    cell = cell.replace("from importlib.metadata import distributions", "")
    there = [type("Distribution", (), {"version": installed})] if installed else []
    scope = {"distributions": lambda name: there}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {"COLAB_RELEASE_TAG": "release-colab"} if colab else {})
        exec(cell, scope)
    return scope


@pytest.mark.parametrize("installed", [None, "0.0.1"])
def test_a_lab_says_in_one_sentence_what_to_do_when_pip_fails(installed):
    with pytest.raises(RuntimeError) as caught:
        run_set_up(installed)
    said = str(caught.value)
    assert said.startswith(
        f"pip did not install mgd_helpers {RELEASE.version}: restart the session and run this cell again"
    )
    assert said.endswith(f"{ADDRESS.repository}/issues.") and not re.search(r"\. [A-Z]", said)


def test_a_lab_goes_on_when_pip_has_done_it_and_elsewhere_asks_nothing():
    assert run_set_up(RELEASE.version)["version"] == RELEASE.version
    assert "wheel" not in run_set_up(colab=False)
