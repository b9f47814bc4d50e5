import dataclasses
import inspect
import math

import pytest
import torch

import mgd_helpers as mgd
from mgd_helpers.preview import in_words, preview


@pytest.fixture(scope="module")
def shown(waves, tmp_path_factory):
    from mgd_helpers.guidance.toys import tiny_pipeline

    out = tmp_path_factory.mktemp("preview") / "out"
    return preview(waves, images_per_class=3, out=out, pipeline=tiny_pipeline(), steps=4, batch_size=4)


def test_it_takes_what_distill_takes():
    assert list(inspect.signature(preview).parameters) == list(inspect.signature(mgd.distill).parameters)


def test_it_counts_what_the_run_does(shown, waves, tmp_path):
    assert [row[:3] for row in shown.classes] == [("zero", 6, 2), ("one", 6, 2)]
    assert shown.images == 6
    assert shown.calls == 8, "two batches of four steps"
    assert shown.shape == (1, 16, 16)


def test_it_writes_nothing(shown):
    assert not shown.out.exists()
    assert str(shown).endswith("Nothing was written.")


def test_time_memory_and_loss_are_told(shown):
    assert 0 < shown.seconds < 600 and shown.gibibytes > 0
    assert 0 < shown.psnr < 40, "the tiny autoencoder has random weights"
    assert "dB" in str(shown) and "about " in str(shown)


def test_samples_are_unguided_images_one_of_each_class(shown, waves, tmp_path):
    from mgd_helpers.guidance.toys import tiny_pipeline

    assert shown.samples.shape == (2, 1, 16, 16)
    pipe = tiny_pipeline()
    alone = mgd.sample(pipe, [0, 1], seed=0, steps=4)
    assert torch.allclose(shown.samples, alone, atol=2e-2)
    assert shown._repr_html_().count("<img") == 2


def test_its_samples_are_saved_under_the_names_of_the_classes(shown, tmp_path):
    from PIL import Image

    file = shown.save(tmp_path / "below" / "samples.png")
    assert list((tmp_path / "below").iterdir()) == [file], "and nothing beside"
    with Image.open(file) as sheet:
        assert sheet.size == (2 * (96 + 8) + 8, 96 + 24 + 8)
        names = [sheet.crop((left, 8 + 96, left + 96, sheet.height)).getcolors() for left in (8, 8 + 96 + 8)]
        assert all(len(colors) > 1 for colors in names) and names[0] != names[1], "each has letters of its own"
    long = dataclasses.replace(shown, classes=[("猫" * 3, 1, 1, "0"), ("a very long name of a class " * 3, 1, 1, "1")])
    assert long.save(str(tmp_path / "long.PNG")).stat().st_size


def test_what_is_no_picture_is_refused_before_any_work(shown, tmp_path):
    (tmp_path / "folder.png").mkdir()
    for file in ("samples", "samples.jpg", "", tmp_path / "folder.png"):
        with pytest.raises(ValueError, match=r"picture must be a file that ends in \.png; got .*such as samples\.png"):
            shown.save(file)
    with pytest.raises(ValueError, match="samples must be there to be saved; there are none of a method without"):
        dataclasses.replace(shown, samples=None).save(tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_classes_that_share_a_label_on_purpose_are_told(waves, tiny, tmp_path):
    shown = preview(waves, images_per_class=1, out=tmp_path / "out", pipeline=tiny, steps=1, class_labels=[1, 1])
    assert "zero and one are asked for alike, by 1." in str(shown)


def test_only_what_lacks_is_counted_and_a_folder_of_other_settings_refused(waves, tiny, tmp_path, monkeypatch):
    given = {"images_per_class": 2, "out": tmp_path / "out", "pipeline": tiny, "steps": 2, "batch_size": 2}
    mgd.distill(waves, **given, report=False)
    (tmp_path / "out/one/00001.png").unlink()
    before = sorted(tmp_path.rglob("*"))
    found = preview(waves, **given)
    assert (found.images, found.calls) == (1, 2)
    with pytest.raises(ValueError, match=r"out must be a folder of the same settings; .*seed"):
        preview(waves, **given, seed=5)
    assert sorted(tmp_path.rglob("*")) == before
    monkeypatch.chdir(tmp_path)
    (tmp_path / "distilled/mine").mkdir(parents=True)
    assert preview(waves, **given | {"out": "distilled/set"}).images == 4
    del given["out"]
    assert preview(waves, **given).images == 4, "a folder that is not named is not looked at"


def test_what_distill_refuses_is_refused(waves, tiny, tmp_path):
    with pytest.raises(ValueError, match="images_per_class"):
        preview(waves, images_per_class=7, out=tmp_path / "out", pipeline=tiny)
    with pytest.raises(TypeError, match="imagess"):
        preview(waves, images_per_class=1, imagess=7)


def test_a_set_without_a_denoiser_has_no_probe(waves, tmp_path):
    found = preview(waves, images_per_class=2, out=tmp_path / "out", method="herding")
    assert math.isnan(found.seconds) and math.isnan(found.psnr) and found.calls == 0
    assert "expected" not in str(found)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.1, "about 1 second"), (40, "about 40 seconds"), (100, "about 1.7 minutes"), (7200, "about 2 hours")],
)
def test_lengths_of_time_are_said_as_one_says_them(seconds, words):
    assert in_words(seconds) == words
