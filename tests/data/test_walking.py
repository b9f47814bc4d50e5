import os
import socket

import pytest

from mgd_helpers.data.walking import Others, image_files, is_side_file, sub_folders


def paths(folder, **options):
    others = Others()
    found = image_files(folder, others, within=folder, **options)
    return [path.relative_to(folder).as_posix() for path in found], others


def test_image_files_come_in_the_order_of_their_paths_from_all_depths(tmp_path):
    for name in ("b/1.png", "a/deep/2.JPG", "a/1.png", "z.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert paths(tmp_path)[0] == ["a/1.png", "a/deep/2.JPG", "b/1.png", "z.webp"]
    assert paths(tmp_path, deep=False)[0] == ["z.webp"]


def test_whatever_else_lies_there_is_counted_and_named(tmp_path):
    for name in ("a.gif", "b.gif", "notes.txt", "LICENSE", ".hidden.png", "._a.png", "Thumbs.db"):
        (tmp_path / name).touch()
    (tmp_path / "__MACOSX").mkdir()
    found, others = paths(tmp_path)
    assert found == []
    for said in ("2 .gif files (such as 'a.gif')", "1 .txt files", "1 files without an ending", "3 hidden files"):
        assert said in others.sentence()
    assert "1 hidden folders (such as '__MACOSX')" in others.sentence()
    assert Others().sentence() == ""


def test_nothing_hangs(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    (tmp_path / "a" / "itself").symlink_to(tmp_path / "a" / "itself")
    (tmp_path / "a" / "nowhere").symlink_to(tmp_path / "nowhere")
    with socket.socket(socket.AF_UNIX) as one:
        monkeypatch.chdir(tmp_path)  # the address of a socket is short
        one.bind("socket.png")
    found, others = paths(tmp_path)
    assert found == []
    assert others.counts["pipes and the like"] == 4
    assert others.counts["links that lead back"] == 1


@pytest.mark.parametrize("name", [".DS_Store", "._1.png", "Thumbs.db", "DESKTOP.INI", "__MACOSX", "@eaDir"])
def test_side_files_of_systems_are_known(name):
    assert is_side_file(name)
    assert not is_side_file("cat.png")


def test_sub_folders_are_those_of_the_user(tmp_path):
    for name in ("b", "a", ".git", "__MACOSX"):
        (tmp_path / name).mkdir()
    assert [path.name for path in sub_folders(tmp_path)] == ["a", "b"]
