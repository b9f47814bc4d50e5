import json
import shutil

import pytest
import torch
from damage import DAMAGE, as_one_file, edit
from PIL import Image
from safetensors.torch import save_file

from mgd_helpers.data.saving import write_images
from mgd_helpers.describing import describe
from mgd_helpers.distillation import distill
from mgd_helpers.latents_file import encode_data


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A distilled set of two classes of two images, which tests copy."""
    import torch

    from mgd_helpers.data.image_sets import Dataset, ImageSet
    from mgd_helpers.guidance.toys import tiny_pipeline

    images = torch.rand(8, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    part = ImageSet(images, torch.arange(8) % 2)
    data = Dataset("noise", part, part.take([]), ("a", "b"))
    out, labels = tmp_path_factory.mktemp("made") / "set", {"a": 0, "b": 1}
    distill(data, images_per_class=2, out=out, guidance="none", pipeline=tiny_pipeline(), steps=1, class_labels=labels)
    return out


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "my set")


def test_a_whole_set_says_what_it_holds_and_how_it_was_made(folder):
    found = describe(folder)
    assert found.is_whole
    assert found.holds == {"a": 2, "b": 2}
    for words in (
        "a distilled set",
        "holds: a (2), b (2)",
        "made from: noise",
        "guidance 'none', steps 1, guidance scale",
        "seed 0",
        "made by: mgd-helpers ",
        "make it again: mgd.distill(data, ",
    ):
        assert words in str(found)


def unlink(folder):
    (folder / "a/00000.png").unlink()


def add(folder):
    shutil.copy(folder / "a/00000.png", folder / "a/photo.png")


def nested(folder):
    (folder / "c/d").mkdir(parents=True)
    shutil.copy(folder / "a/00000.png", folder / "c/d/0.png")


def forget(folder):
    edit(folder, lambda manifest: manifest["images"][3].pop("sha256"))


FAULTS = {
    "missing": (unlink, "missing", ("a/00000.png",)),
    "another": (add, "foreign", ("a/photo.png",)),
    "nested": (nested, "foreign", ("c/d/0.png",)),
    "killed": (lambda folder: edit(folder, lambda one: one.update(complete=False)), "finished", False),
    "not vouched for": (forget, "missing", ("b/00001.png",)),
    **{
        why: (lambda folder, hurt=hurt: hurt(folder / "b/00001.png"), "damaged", (f"b/00001.png ({why})",))
        for why, hurt in DAMAGE.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("old", [False, True])
def test_what_is_wrong_is_named_and_how_to_go_on(folder, fault, old):
    harm, word, files = FAULTS[fault]
    harm(folder)
    if old:
        as_one_file(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    found = describe(folder)
    assert getattr(found, word) == files
    assert not found.is_whole
    if word in ("missing", "damaged"):
        assert f"{word}: 1: {files[0]}" in str(found)
        assert sum(found.holds.values()) == 3
    assert ("go on: mgd.distill(data" in str(found)) != old  # earlier versions did not note the call
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_the_command_goes_on_where_the_folder_lies_now(folder):
    edit(folder, lambda manifest: manifest.update(command="mgd distill digits --out old"))
    assert describe(folder).command == f"mgd distill digits --out '{folder}'"


@pytest.mark.parametrize("name", ["run.json", "manifest.jsonl"])
def test_a_record_that_cannot_be_read_is_named(folder, name):
    (folder / name).write_text("{")
    with pytest.raises(ValueError, match=f"{name}' must be a manifest"):
        describe(folder)
    (folder / "manifest.jsonl").unlink()
    if name == "manifest.jsonl":
        with pytest.raises(ValueError, match="it is missing"):
            describe(folder)


def test_folders_of_any_method_and_of_none(folder, tmp_path, waves):
    (folder / "run.json").unlink()
    (folder / "b/00001.png").write_bytes(b"half")
    (folder / "contact_sheet.png").unlink()
    found = describe(folder)
    assert (found.kind, found.holds) == ("an image folder without a record", {"a": 2, "b": 1})
    assert found.damaged == ("b/00001.png (no image)",)
    (tmp_path / "empty/.hidden").mkdir(parents=True)
    Image.new("L", (4, 4)).save(tmp_path / "empty/.hidden/0.png")
    assert describe(tmp_path / "empty/.hidden").holds == {"directly inside": 1}
    assert describe(tmp_path / "empty").kind == "no images"
    drawn = write_images(tmp_path / "drawn", waves.train, class_names=waves.class_names)
    assert describe(drawn).kind == "a set of images with a record"
    with pytest.raises(ValueError, match=r"path must be a folder .*; got 'nowhere', which is not there\. Check the"):
        describe("nowhere")


def test_a_pipeline_says_its_parts_classes_and_facts_and_what_is_broken(tiny, tmp_path):
    tiny.save_pretrained(tmp_path)
    (tmp_path / "mgd.json").write_text(json.dumps({"image_size": 16, "trained_on": "waves", "command": "mgd train a"}))
    (tmp_path / "metrics.json").write_text(json.dumps({"verdict": {"headline": "Good enough.", "advice": "Go on."}}))
    found = describe(tmp_path)
    assert (found.kind, found.is_whole) == ("a pipeline", True)
    assert {"vae, bytes of weights", "transformer, bytes of weights"} == set(found.holds)
    for words in (
        "class: DiTPipeline",
        "image_size: 16",
        "trained_on: waves",
        "classes: 2: zero, one",
        "Good enough. Go on.",
        "again: mgd train a",
    ):
        assert words in str(found)
    weights = next((tmp_path / "vae").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:100])
    assert describe(tmp_path).damaged == (f"vae/{weights.name} (cannot be opened)",)
    weights.unlink()
    shutil.rmtree(tmp_path / "scheduler")
    assert set(describe(tmp_path).missing) == {"vae (its weights)", "scheduler"}
    (tmp_path / "model_index.json").write_text("{")
    found = describe(tmp_path)
    assert (found.damaged, found.is_whole) == (("model_index.json",), False)


def test_a_training_that_was_stopped_is_no_pipeline_yet(tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training/settings.json").write_text('{"command": "mgd train photos --out there"}')
    found = describe(tmp_path)
    assert (found.kind, found.finished) == ("the training of a pipeline", False)
    assert str(found).endswith(f"not finished\ngo on: mgd train photos --out {tmp_path}")


def test_a_file_of_latents_says_their_shape_and_what_they_were_made_of(waves, tiny, tmp_path):
    file = tmp_path / "latents.safetensors"
    encode_data(waves, pipeline=tiny, out=file)
    found = str(describe(file))
    for words in (f"{file}: latents", "latents (12)", "shape: 4 x 8 x 8 each", "training images of: waves"):
        assert words in found
    assert describe(str(file)).is_whole
    save_file({"latents": torch.zeros(3, 4, 2, 2)}, file)  # of an earlier version
    assert str(describe(file)).endswith("shape: 4 x 2 x 2 each")


@pytest.mark.parametrize(("name", "words"), [("", "is not there. Check"), ("file", "is another file. Name the folder")])
def test_what_is_neither_is_refused_with_what_is(tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match=f"path must be a folder of images or of a pipeline, or a file .*{words}"):
        describe(name)
