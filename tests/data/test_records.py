import json
from pathlib import Path

import pytest
import torch
from damage import BESIDE, as_one_file

from mgd_helpers.data import records
from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.image_sets import ImageSet
from mgd_helpers.data.records import add_record, check_unused, faults, is_record, opens, read_manifest, write_manifest
from mgd_helpers.data.saving import write_images

SETTINGS = {"classes": ["a", "b"], "seed": 0}
IMAGES = [{"file": f"{name}/0.png", "class": name, "sha256": None} for name in "ab"]
MANIFEST = {"settings": SETTINGS, "complete": True, "images": IMAGES, "made_by": []}


def test_reading_is_the_inverse_of_writing(tmp_path):
    write_manifest(tmp_path, MANIFEST)
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", "manifest.jsonl"}
    assert read_manifest(tmp_path) == MANIFEST
    assert [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()] == IMAGES
    assert read_manifest(tmp_path / "nowhere") is None


def test_a_later_line_of_a_file_counts_in_the_place_of_the_first(tmp_path):
    write_manifest(tmp_path, MANIFEST)
    add_record(tmp_path, IMAGES[0] | {"sha256": "1"})
    assert read_manifest(tmp_path)["images"] == [IMAGES[0] | {"sha256": "1"}, IMAGES[1]]


def test_a_line_more_costs_the_same_however_many_there_are(tmp_path, monkeypatch):
    write_manifest(tmp_path, MANIFEST | {"images": []})
    written, line = [], records._line
    monkeypatch.setattr(records, "_line", lambda record: written.append(record) or line(record))
    for number in range(50):
        add_record(tmp_path, IMAGES[0] | {"file": f"a/{number}.png"})
    assert len(written) == len(read_manifest(tmp_path)["images"]) == 50


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_of_a_run_that_was_killed_the_torn_line_is_left_out(tmp_path, cut):
    write_manifest(tmp_path, MANIFEST | {"complete": False})
    file = tmp_path / "manifest.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    assert read_manifest(tmp_path)["images"] == IMAGES[:1]
    run = tmp_path / "run.json"
    run.write_text(run.read_text().replace("false", "true"))  # a finished one has none
    if cut > 1:  # and a mere line break is nothing
        with pytest.raises(ValueError, match=r"manifest.jsonl' must be a manifest .*line 2.*repeat the call"):
            read_manifest(tmp_path)


RECORD = json.dumps({"settings": SETTINGS, "images": IMAGES, "complete": True})
OF_OTHERS = ["{}", "[]", "5", '{"name": "a page"}', '{"settings": {"lr": 1}}']


@pytest.mark.parametrize("content", OF_OTHERS)
@pytest.mark.parametrize("name", ["run.json", "manifest.json"])
def test_files_of_others_are_no_record(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    (tmp_path / "manifest.jsonl.txt").write_text("no JSON")
    found = read_manifest(tmp_path)
    assert found == json.loads(content)
    assert not is_record(found)
    if name == "run.json":  # an earlier version's record beside it counts
        (tmp_path / "manifest.json").write_text(RECORD)
        assert is_record(read_manifest(tmp_path))


def test_an_earlier_record_is_read_and_becomes_the_two_files(tmp_path):
    (tmp_path / "manifest.json").write_text(RECORD)
    before = read_manifest(tmp_path)
    assert before["images"] == IMAGES
    write_manifest(tmp_path, before)
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", "manifest.jsonl"}
    assert read_manifest(tmp_path) == before


def test_a_page_called_manifest_is_not_taken_away(tmp_path):
    (tmp_path / "manifest.json").write_text('{"name": "My page"}')
    write_manifest(tmp_path, MANIFEST)
    assert (tmp_path / "manifest.json").exists()
    assert read_manifest(tmp_path) == MANIFEST


class Killed(BaseException):
    pass


@pytest.fixture
def kill(monkeypatch):
    """After so many renamed files nothing more is written, as if the process had been killed."""

    def after(count):
        done, replace = [], Path.replace

        def dying(self, target):
            if len(done) >= count:
                raise Killed
            done.append(target)
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", dying)
        return done

    return after


def layout(folder):
    """What lies in a folder, without the times."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    run = json.loads(found.pop("run.json"))
    run["made_by"][0].pop("date")
    found["README.md"] = b"\n".join(line for line in found["README.md"].split(b"\n") if b"made " not in line[:8])
    found["README.md"] = found["README.md"].partition(b"<!-- of")[0]
    return found | {"run.json": run}


@pytest.mark.parametrize("count", range(9))
@pytest.mark.parametrize("old", [False, True])
def test_whenever_it_is_killed_the_same_call_ends_in_the_same_folder(tmp_path, monkeypatch, kill, count, old):
    drawn = ImageSet(torch.linspace(-1, 1, 2 * 16).view(2, 1, 4, 4), torch.tensor([0, 1]))

    def call():
        return write_images(tmp_path / "set", drawn, class_names=("a", "b"))

    whole = layout(call())
    for path in (tmp_path / "set").rglob("*.*"):
        if old and path.name == "run.json":
            as_one_file(tmp_path / "set")
    if old:
        (tmp_path / "set/a/00000.png").unlink()
    else:
        (tmp_path / "set").rename(tmp_path / "whole")
    done = kill(count)
    try:
        call()
    except Killed:
        assert len(done) == count
    monkeypatch.undo()
    assert layout(call()) == whole
    assert {path.name for path in (tmp_path / "set").iterdir()} == {"a", "b", *BESIDE}
    assert len(load_data(tmp_path / "set").train) == 2


def test_a_link_out_of_the_folder_is_refused_and_nothing_written_there(tmp_path, waves):
    (tmp_path / "elsewhere").mkdir()
    folder = write_images(tmp_path / "set", waves.train, class_names=waves.class_names)
    for path in (folder / "one").iterdir():
        path.unlink()
    (folder / "one").rmdir()
    (folder / "one").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"folder must hold folders of its own; .*set/one' is a link"):
        write_images(folder, waves.train, class_names=waves.class_names)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_picture_opens_to_its_end_or_not(tmp_path, waves):
    write_images(tmp_path, waves.train, class_names=waves.class_names)
    content = (tmp_path / "one/00000.png").read_bytes()
    assert [opens(some) for some in (content, content[:60], b"", b"text")] == [True, False, False, False]
    assert faults(tmp_path, read_manifest(tmp_path)) == {}


def test_a_folder_with_what_a_killed_run_left_is_unused(tmp_path):
    check_unused(tmp_path / "new")
    check_unused(tmp_path)
    for name in (".lock", ".run.json.part", ".manifest.jsonl.0123456789ab.part"):
        (tmp_path / name).write_text("")
    check_unused(tmp_path)
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(ValueError, match=r"out must be a new or empty folder, or one made by the same call; .* other"):
        check_unused(tmp_path)
