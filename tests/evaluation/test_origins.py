import dataclasses
import json

import pytest
import torch.nn.functional as F

from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.data.saving import write_images
from mgd_helpers.distillation import distill
from mgd_helpers.evaluation.audits import audit
from mgd_helpers.evaluation.origins import origin_notes, pipeline_of, record_of
from mgd_helpers.evaluation.reading import read_sets
from mgd_helpers.evaluation.tables import evaluate


@pytest.fixture
def waves(waves):
    """The toy data with test images of their own."""
    return dataclasses.replace(waves, test=ImageSet(waves.test.images.neg(), waves.test.labels))


@pytest.fixture
def made(waves, tmp_path):
    """A set of these data, made without a denoiser."""

    def call(data, name="set"):
        return distill(data, images_per_class=1, out=tmp_path / name, method="random-real", report=False).folder

    return call


def test_a_set_of_these_data_has_no_note_and_one_of_others_has(made, waves):
    other = dataclasses.replace(waves, name="other", train=waves.train.take(range(10)))
    renamed = dataclasses.replace(other, name="waves")
    sets = {"own": made(waves), "other": made(other, "b"), "changed": made(renamed, "c"), "none": waves.train}
    note = read_sets(sets, against=waves).note
    assert note == (
        "'other' was made from other images than the training split of 'waves': from 'other'. "
        "'changed' was made from other images than the training split of 'waves': from another version of it."
    )
    table = evaluate({"other": sets["other"]}, against=waves, students=0, baselines=False)
    assert table.attrs["note"] in note
    found = audit(sets["other"], against=waves, students=0, rounds=2)
    assert "was made from other images" in found.note
    assert str(found).endswith(found.note)
    assert audit(sets["own"], against=waves, students=0, rounds=2).note == ""


def test_a_set_that_has_seen_the_images_held_out_is_flattered(made, waves):
    alone = Dataset("alone", waves.train, waves.train.take([]), waves.class_names)
    folder = made(alone)
    note = read_sets({"set": folder}, against=alone, split=0.2).note
    assert note.startswith("'alone' has no test split: 2 of its 12 images are held out for it. 'set' was made from all")
    fair = read_sets({"set": folder}, against=alone, split=0.2).data
    again = made(fair, "fair")
    assert "flatter" not in read_sets({"set": again}, against=alone, split=0.2).note


def test_folders_of_others_say_nothing(waves, tmp_path):
    folder = write_images(tmp_path / "plain", waves.train, class_names=waves.class_names)
    assert "data_hash" not in record_of(folder)["settings"]
    assert origin_notes({"plain": record_of(folder), "tensor": record_of(waves.train)}, waves, waves) == []
    assert record_of(tmp_path) == {}
    assert record_of("nowhere") == {}


def test_the_pipeline_of_a_record_is_taken_where_it_is_at_hand(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "model_index.json").write_text(json.dumps({}))
    own = str(tmp_path / "own")
    for names, expected in [
        (["digits"], "digits"),
        (["", "facebook/DiT-XL-2-256", own, "digits"], own),
        (["facebook/DiT-XL-2-256"], None),
        ([None, 3, "diffusers.DiTPipeline"], None),
        ([], None),
    ]:
        assert pipeline_of({str(place): {"pipeline": name} for place, name in enumerate(names)}) == expected


@pytest.mark.slow
def test_the_autoencoder_of_a_shipped_pipeline_has_its_row_unasked(tmp_path):
    data = load_data("digits")
    folder = distill("digits", images_per_class=1, out=tmp_path, method="decoded-targets", report=False).folder
    table = evaluate({"set": folder}, against=data, students=0)
    assert list(table.index) == ["set", "random real", "herding", "through autoencoder"]


def test_an_unfinished_folder_names_what_is_missing_and_the_call_that_goes_on(made, waves):
    folder = made(waves)
    (folder / "one/00000.png").unlink()
    with pytest.raises(ValueError, match=r"missing: one/00000.png. Repeat the call that made it: .*random-real"):
        evaluate(folder, against=waves, students=0)


def test_data_given_by_path_are_read_at_the_size_of_the_set(waves, tiny, tmp_path):
    larger = F.interpolate(waves.train.images, 24, mode="bilinear")
    photos = write_images(tmp_path / "photos", ImageSet(larger, waves.train.labels), class_names=waves.class_names)
    out = tmp_path / "set"
    distill(photos, images_per_class=1, out=out, pipeline=tiny, guidance="none", steps=2, split=0.2, report=False)
    table = evaluate(out, against=str(photos), students=0)
    assert table.attrs["note"] == "'photos' has no test split: 2 of its 12 images are held out for it."
    assert table["images"].tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match="must hold images of 24x24 pixels, like 'photos'; got 16x16"):
        evaluate(out, against=load_data(photos), students=0)
    (out / "zero/00000.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"damaged: zero/00000.png \(changed\)"):
        evaluate(out, against=str(photos), students=0)
