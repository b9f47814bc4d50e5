"""tools.artifacts: what a release consists of."""

import hashlib
import subprocess
import zipfile

import pytest
from notebook_rules import ROOT

from tools import address, artifacts
from tools.__main__ import main


@pytest.fixture
def built(tmp_path):
    """A folder that looks like a built book."""
    html = tmp_path / "html"
    (html / "book").mkdir(parents=True)
    (html / "index.html").write_text("first")
    (html / "book" / "a.html").write_text("page")
    return html


def test_an_archive_has_one_folder_and_the_same_bytes_whenever_it_is_made(built, tmp_path):
    first = artifacts.pack(built, tmp_path / "x-1.0-book.zip").read_bytes()
    (built / "index.html").write_text("second")
    (built / "index.html").write_text("first")
    file = artifacts.pack(built, tmp_path / "x-1.0-book.zip")
    assert file.read_bytes() == first
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["x-1.0-book/book/a.html", "x-1.0-book/index.html"]
        assert archive.read("x-1.0-book/book/a.html") == b"page" and archive.testzip() is None


def test_checksums_are_read_by_sha256sum(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    said = artifacts.checksums([tmp_path / "a.txt", tmp_path / "b.txt"])
    assert said.splitlines()[0] == f"{hashlib.sha256(b'a.txt').hexdigest()}  a.txt"
    (tmp_path / "SHA256SUMS").write_text(said)
    check = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "b.txt").write_text("other")
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1


@pytest.fixture
def quick(monkeypatch):
    """Wheel and PDF are written by nothing: the one takes pip, the other a browser."""

    def wheel(root, folder):
        file = folder / "mgd_helpers-0-py3-none-any.whl"
        file.write_text("wheel")
        return file

    def paper(root, html, file):
        file.write_text("pdf")
        return file

    monkeypatch.setattr(artifacts.student, "make_wheel", wheel)
    monkeypatch.setattr(artifacts.pdf, "write", paper)


@pytest.mark.slow
def test_a_release_has_wheel_book_theory_labs_slides_and_checksums(built, tmp_path, quick):
    out = tmp_path / "build" / "release"
    out.mkdir(parents=True)
    (out / "old.zip").touch()
    files = artifacts.write(ROOT, built, out)
    name = f"{address.read(ROOT).name}-{artifacts.version(ROOT)}"
    ends = ("book.zip", "theory.pdf", "student.zip", "slides.zip")
    wanted = ["mgd_helpers-0-py3-none-any.whl", *(f"{name}-{end}" for end in ends), "SHA256SUMS"]
    assert [file.name for file in files] == wanted
    assert sorted(file.name for file in out.iterdir()) == sorted(wanted), "nothing of an older run is left"
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=out, check=False).returncode == 0
    with zipfile.ZipFile(out / f"{name}-student.zip") as archive:
        assert {f"{name}-student/README.md", f"{name}-student/00_ready.ipynb"} <= set(archive.namelist())
    assert (out.parent / "release_notes.md").read_text() == artifacts.notes(ROOT)


def test_a_release_takes_a_built_book_and_a_wheel(built, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"must have been built at .*nowhere: make book"):
        artifacts.write(ROOT, tmp_path / "nowhere", tmp_path / "out")
    monkeypatch.setattr(artifacts.student, "make_wheel", lambda root, folder: None)
    with pytest.raises(RuntimeError, match="needs a wheel"):
        artifacts.write(ROOT, built, tmp_path / "out")


def test_the_command_lists_what_it_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(artifacts, "write", lambda root, html, out: [out / "one", out / "two"])
    assert main(["artifacts", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'one'}\n{tmp_path / 'two'}\n"
