import json

import pytest
import torch
from PIL import Image

from mgd_helpers.data.cards import card, contact_sheet, dress, is_dressed, metadata, write_card
from mgd_helpers.data.image_sets import ImageSet
from mgd_helpers.data.records import read_manifest
from mgd_helpers.data.saving import write_images

NAMES = ("tr|ain", "train", "Käfer", 'a "b"', "../x")


@pytest.fixture
def folder(tmp_path):
    images = torch.linspace(-1, 1, 10 * 16).view(10, 1, 4, 4)
    return write_images(tmp_path / "set", ImageSet(images, torch.arange(10) % 5), class_names=NAMES)


TRIED = [
    {"guidance": "none", "options": {}, "student": 0.3},
    {"guidance": "mode", "options": {"strength": 1.0}, "student": 0.88},
]
CHOSEN = {"guidance": "mode", "options": {"strength": 1.0}, "tried": TRIED}


def manifest_with(**changes):
    settings = {"data": "waves", "classes": ["a"], "class_labels": [3], "guidance": "mode", "steps": 5, "latents": None}
    made = {"versions": {"torch": "2"}, "device": "cpu", "date": "today", "images": 1}
    image = {"file": "a/0.png", "class": "a", "index": 0, "node": 2, "members": [1, 4], "guidance": "mode"}
    return {
        "settings": settings,
        "images": [image],
        "made_by": [made],
        "pipeline": "digits",
        "labels": {"a": 3},
    } | changes


def test_datasets_reads_each_image_with_its_metadata(folder, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    said = {"data_dir": str(folder), "data_files": {"train": ["metadata.jsonl", "*/*.png"]}}  # as the card says
    read = datasets.load_dataset("imagefolder", **said, cache_dir=str(tmp_path / "cache"))["train"]
    assert read["label"] == [name for name in NAMES for _ in range(2)]
    assert read["label_id"] == [number for number in range(5) for _ in range(2)]
    for row, image in zip(read, read_manifest(folder)["images"], strict=True):
        with Image.open(folder / image["file"]) as written:
            assert row["image"].tobytes() == written.tobytes()
        assert row["sha256"] == image["sha256"]


def test_without_a_class_called_as_a_split_the_folder_alone_is_enough(tmp_path, waves):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    folder = write_images(tmp_path / "set", waves.train, class_names=waves.class_names)
    for given in (("imagefolder", {"data_dir": str(folder)}), (str(folder), {})):
        read = datasets.load_dataset(given[0], **given[1], cache_dir=str(tmp_path / "cache"))["train"]
        assert read["label"] == ["zero"] * 6 + ["one"] * 6  # and no contact sheet among them


def test_metadata_leaves_out_what_a_method_does_not_know():
    manifest = manifest_with()
    manifest["images"][0] |= {"node": None, "guidance": None}
    assert not {"node", "guidance"} & set(json.loads(metadata(manifest)))


def test_metadata_says_where_an_image_comes_from():
    (line,) = metadata(manifest_with()).splitlines()
    assert json.loads(line) == {
        "file_name": "a/0.png",
        "label": "a",
        "label_id": 0,
        "index": 0,
        "node": 2,
        "members": [1, 4],
        "guidance": "mode",
    }


@pytest.mark.parametrize(("side", "cell"), [(4, 32), (40, 40), (200, 96)])
def test_the_sheet_has_a_row_for_each_class(tmp_path, side, cell):
    images = ImageSet(torch.linspace(-1, 1, 3)[:, None, None, None].expand(3, 1, side, side), torch.tensor([0, 0, 1]))
    folder = write_images(tmp_path, images, class_names=("a", "b", "none"))
    sheet = contact_sheet(folder, read_manifest(folder))
    assert sheet.size == (2 * (cell + 2) + 2, 2 * (cell + 2) + 2)
    at = [2 + cell // 2, 2 + cell + 2 + cell // 2]
    found = [sheet.getpixel((x, y))[0] for y in at for x in at]
    assert found[0] == 0 and abs(found[1] - 127.5) < 1 and found[2:] == [255, 255]  # the last place is empty


@pytest.mark.parametrize("classes", [1, 60])
def test_the_head_of_a_card_is_yaml_and_long_tables_end(classes):
    yaml = pytest.importorskip("yaml")
    names = [f"class {number}" for number in range(classes)]
    manifest = manifest_with(settings={"data": 'my: "data"', "classes": names, "guidance": "none"})
    manifest["images"][0]["class"] = names[-1]
    head, text = card(manifest).split("---\n")[1:3]
    assert yaml.safe_load(head)["pretty_name"] == 'my: "data", distilled'
    assert yaml.safe_load(head)["configs"][0]["data_files"][0]["path"] == ["metadata.jsonl", "*/*.png"]
    assert text.count("| class ") == min(classes, 50) + 1
    assert ("| … and 10 others | 1 |  |" in text) == (classes == 60)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            ["| steps | 5 |", "| a | 1 | 3 |", "| pipeline | digits |", "torch 2, on cpu, today: 1 image", "Licence"],
        ),
        ({"command": "mgd distill digits --out 'my set'"}, ["```bash\nmgd distill digits --out 'my set'\n```"]),
        ({"command": "mgd.distill(data, out='a')"}, ["```python\nmgd.distill(data, out='a')\n```"]),
        ({"labels": {"a": "a photo of a"}}, ["| a | 1 | a photo of a |"]),
        ({"labels": {}}, ["| class | images |", "| a | 1 |"]),
        ({"chosen": CHOSEN}, ['| mode (chosen) | {"strength": 1.0} | 0.88 |', "| none | {} | 0.3 |"]),
        ({"note": "a | b"}, ["| note | a \\| b |"]),
    ],
)
def test_a_card_says(changes, words):
    text = card(manifest_with(**changes))
    assert all(word in text for word in words)
    assert "latents" not in text  # a setting that was not given
    assert "worth" not in text


def test_a_report_comes_into_the_card_of_its_folder(folder):
    (folder / "report.json").write_text(json.dumps({"text": "Random real images do better."}))
    write_card(folder, read_manifest(folder))
    assert "## Is it worth it?\n\n```text\nRandom real images do better." in (folder / "README.md").read_text()
    for broken in ("{", "[]", '{"text": 5}'):
        (folder / "report.json").write_text(broken)
        write_card(folder, read_manifest(folder))
        assert "worth" not in (folder / "README.md").read_text()


def test_a_card_is_written_anew_until_somebody_edits_it(folder):
    file, manifest = folder / "README.md", read_manifest(folder)
    assert is_dressed(folder, manifest)
    dress(folder, manifest | {"note": "first"})
    assert "first" in file.read_text()
    file.write_text(file.read_text().replace("first", "mine"))
    dress(folder, manifest | {"note": "second"})
    assert "mine" in file.read_text() and "second" not in file.read_text()
    file.unlink()
    assert not is_dressed(folder, manifest)
    dress(folder, manifest)
    assert is_dressed(folder, manifest)
