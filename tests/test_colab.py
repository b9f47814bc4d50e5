"""tools.colab: labs are run as on Colab, and whatever goes wrong is told. `.ci/colab` runs it with Colab's versions."""

import shutil
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from notebook_rules import ROOT

from tools import colab, release
from tools.stand_in import Seen


@pytest.fixture
def a_run(tmp_path, monkeypatch):
    """A function that runs one lab with a pytest that ends so, takes the wheel so often, and asks for these hosts."""
    page, lab, seen = tmp_path / "page", tmp_path / "01_lab.ipynb", Seen()
    page.mkdir()
    (page / "mgd_helpers-1.whl").touch()
    lab.write_text("{}")
    commands = []

    @contextmanager
    def release_page(page, work):
        yield {"PYTHONPATH": "here"}, seen

    def run(status=0, takes=1, asks=(), tag="rehearsal"):
        def command(line, cwd=None, env=None, **options):
            commands.append((line[2], *line[-2:]))
            if "pytest" in line:
                assert ("COLAB_RELEASE_TAG" in env) == bool(tag) and "PYTHONPATH" not in env
                assert sorted(path.name for path in cwd.iterdir()) == ["01_lab.ipynb", "pytest.ini"]
                seen.served.extend(["wheel"] * takes)
                seen.refused.extend(asks)
            return SimpleNamespace(returncode=status, stdout="1 passed")

        monkeypatch.setattr(colab.subprocess, "run", command)
        return colab.run([lab], page, tmp_path, tag=tag), commands

    monkeypatch.setattr(colab, "_editable", lambda: False)
    monkeypatch.setattr(colab.stand_in, "release_page", release_page)
    return run


def test_a_lab_that_installs_the_wheel_and_passes_is_fine(a_run):
    assert a_run() == ([], [("pip", "--yes", "mgd-helpers"), ("pytest", "--nbval-current-env", "01_lab.ipynb")])


@pytest.mark.parametrize(
    ("how", "wrong"),
    [
        ({"status": 1}, "a cell failed, or printed something else"),
        ({"takes": 0}, "the wheel was taken 0 times"),
        ({"takes": 1, "tag": None}, "the wheel was taken 1 times"),
        ({"asks": ["huggingface.co"]}, "a lab asked for huggingface.co"),
    ],
)
def test_whatever_goes_wrong_is_told(a_run, how, wrong):
    (said,), _ = a_run(**how)
    assert wrong in said


def test_elsewhere_the_wheel_is_installed_once_and_before(a_run):
    wrong, commands = a_run(takes=0, tag=None)
    assert wrong == [] and [line[0] for line in commands] == ["pip", "pytest"]


def test_an_environment_to_work_in_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(colab, "_editable", lambda: True)
    with pytest.raises(ValueError, match="installed editable here, and would be lost"):
        colab.run([], tmp_path, tmp_path)


def test_a_rehearsal_prepares_a_copy_and_leaves_the_project_alone(tmp_path, monkeypatch):
    def wheel(root, folder):
        made = folder / "mgd_helpers-0.1.0-py3-none-any.whl"
        made.write_text("a wheel")
        return made

    monkeypatch.setattr(release, "make_wheel", wheel)
    before = {path: path.read_bytes() for path in (ROOT / "notebooks").glob("*.ipynb")}
    labs, page = colab.rehearse(ROOT, tmp_path)
    assert [lab.name for lab in labs] == sorted(path.name for path in before if path.name[0].isdigit())
    assert [path.name for path in page.iterdir()] == ["mgd_helpers-0.1.0-py3-none-any.whl"]
    sha256 = release.read(tmp_path / "copy").sha256
    assert all(sha256 in lab.read_text() for lab in labs) and sha256 != release.read(ROOT).sha256
    assert before == {path: path.read_bytes() for path in before}
    shutil.rmtree(tmp_path / "copy")
