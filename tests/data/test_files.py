import os

import pytest
import torch

from mgd_helpers.data.files import bytes_of, check_folder, checksum, remove_parts, tensor_hash, write


def test_a_file_that_fails_to_be_written_leaves_nothing(tmp_path):
    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write(tmp_path / "deep" / "a.txt", fail)
    assert not list((tmp_path / "deep").iterdir())
    write(tmp_path / "deep" / "a.txt", lambda path: path.write_text("whole"))
    assert (tmp_path / "deep" / "a.txt").read_text() == "whole"


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    def nested(path):
        path.write_text("outer")
        write(tmp_path / "a.txt", lambda other: other.write_text("inner"))
        assert path.read_text() == "outer"

    write(tmp_path / "a.txt", nested)
    assert (tmp_path / "a.txt").read_text() == "outer"


def test_what_killed_runs_left_is_taken_away_and_nothing_else(tmp_path):
    (tmp_path / "a").mkdir()
    kept = [tmp_path / name for name in ("a/0.png", "film.part", ".hidden", "a/.x")]
    left = [tmp_path / name for name in (".manifest.json.part", ".m.json.0f.part", "a/.0.png.12.part")]
    for path in kept + left:
        path.write_text("")
    remove_parts(tmp_path)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(kept)
    remove_parts(tmp_path / "nowhere")


def test_checksums_are_those_of_everybody():
    assert checksum(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_folders_are_given_back_and_not_made(tmp_path):
    for value in (tmp_path, str(tmp_path / "a/b/c"), os.fsencode(tmp_path)):
        assert str(check_folder("out", value)) == os.fsdecode(value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["", None, 5, "a\0b", [], "x" * 300, "a/" + "x" * 300])
def test_what_is_no_path_is_refused_by_name(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="out must"):
        check_folder("out", value)


@pytest.mark.parametrize("below", ["", "/deep", "/deep/deeper"])
def test_files_are_no_folders(below, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"out must be a folder, .* file' is a file.*Choose another path|is a file"):
        check_folder("out", f"{tmp_path}/file{below}")


def test_a_link_that_leads_nowhere_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="out must be a folder"):
        check_folder("out", tmp_path / "link")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the super-user may write anywhere
    with pytest.raises(ValueError, match="out must be a folder that can be written to; got"):
        check_folder("out", tmp_path / "new")


def test_tensors_are_told_apart_by_values_kind_and_shape():
    tensors = [torch.zeros(4), torch.ones(4), torch.zeros(2, 2), torch.zeros(4).double(), torch.zeros(4).bfloat16()]
    assert len({tensor_hash(tensor) for tensor in tensors}) == len(tensors)
    rows = torch.arange(6.0).view(2, 3)
    assert tensor_hash(rows.mT) == tensor_hash(rows.mT.contiguous())  # however it lies in memory
    assert bytes(bytes_of(rows)) == rows.numpy().tobytes()
