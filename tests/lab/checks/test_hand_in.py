"""The project of lab 10: planted faults are told in a sentence, looks are counted, the interval is the paired one."""

import shutil

import pytest
import torch
from damage import edit

import mgd_helpers as mgd
from mgd_helpers import paired_difference
from mgd_helpers.data.images import png
from mgd_helpers.lab import checks
from mgd_helpers.lab.checks.hand_in import moved_distances, read
from mgd_helpers.lab.checks.held_back import LOOKS, halves, nearest_real, outcome, right_answers

TEN = torch.arange(10)
FINE = "project: nothing is wrong with this folder.\n"


@pytest.fixture(scope="module")
def means(digits):
    """The mean of each class."""
    return mgd.ImageSet(torch.stack([digits.train.of_class(label).mean(0) for label in range(10)]), TEN)


@pytest.fixture(scope="module")
def written(means, digits, tmp_path_factory):
    return mgd.write_images(tmp_path_factory.mktemp("written") / "mine", means, class_names=digits.class_names)


@pytest.fixture(scope="module")
def distilled(tmp_path_factory):
    out = tmp_path_factory.mktemp("distilled") / "mine"
    return mgd.distill("digits", images_per_class=1, out=out, guidance="mode", steps=3, seed=4).folder


@pytest.fixture
def handed(written, tmp_path):
    """A copy of a good folder, to spoil."""
    return shutil.copytree(written, tmp_path / "mine")


@pytest.fixture
def sampled(distilled, tmp_path):
    """A copy of a folder of `distill`."""
    return shutil.copytree(distilled, tmp_path / "sampled")


def said(folder, capsys):
    checks.project.verify(folder)
    line = capsys.readouterr().out
    assert line.startswith("project: ") and line.count("\n") == 1
    return line.removeprefix("project: ")


def changed(folder, change):
    """Change the manifest of a folder."""
    edit(folder, change)


def rewritten(tmp_path, images, digits, labels=TEN):
    return mgd.write_images(tmp_path / "other", mgd.ImageSet(images, labels), class_names=digits.class_names)


# --- what is no such folder


@pytest.mark.parametrize("thing", ["nowhere", 3, 0.5, [1], {"a": 1}, torch.zeros(3), print, object()])
def test_what_is_no_folder_is_told(thing, capsys):
    assert said(thing, capsys).startswith("a folder is wanted; ")


def test_the_stub_is_not_started(capsys):
    assert said(None, capsys) == "not started. A first hint: checks.project.hint(1)\n"


def test_hints_come_in_three_steps(capsys):
    for step in (1, 2, 3):
        checks.project.hint(step)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"project, hint {step} of 3" for step in (1, 2, 3)]
    with pytest.raises(ValueError, match="step must be a whole number from 1 to 3"):
        checks.project.hint(0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no manifest"),
        ("{", "cannot be read"),
        ("[]", "the manifest is none of"),
        ('{"settings": 3, "images": []}', "must name the classes"),
        ('{"settings": {"classes": ["0"]}, "images": [], "complete": true}', "no checksums"),
    ],
)
def test_a_manifest_that_is_none_is_told(handed, content, sentence, capsys):
    for name in ("run.json", "manifest.jsonl"):
        (handed / name).unlink()
    if content:
        (handed / "run.json").write_text(content)
    assert sentence in said(handed, capsys)


# --- planted faults


def test_a_good_folder_is_right(handed, capsys):
    assert said(handed, capsys) == said(str(handed), capsys) == FINE.removeprefix("project: ")


def test_a_missing_image_is_told(handed, capsys):
    (handed / "3" / "00000.png").unlink()
    assert said(handed, capsys) == "3/00000.png is not what the manifest lists: missing.\n"


def test_a_changed_image_is_told(handed, means, capsys):
    (handed / "3" / "00000.png").write_bytes(png(means.images[4]))
    assert said(handed, capsys) == "3/00000.png is not what the manifest lists: changed.\n"


def test_an_image_beside_the_listed_ones_is_told(handed, means, capsys):
    (handed / "3" / "00001.png").write_bytes(png(means.images[4]))
    assert "00001.png" in said(handed, capsys)


def test_two_images_of_a_class_are_told(means, digits, tmp_path, capsys):
    folder = rewritten(tmp_path, means.images[[0, 0, *range(1, 10)]], digits, torch.tensor([0, 0, *range(1, 10)]))
    assert said(folder, capsys) == "one image per class is wanted; class 0 has 2.\n"


def test_a_class_without_image_is_told(means, digits, tmp_path, capsys):
    folder = rewritten(tmp_path, means.images[:9], digits, TEN[:9])
    assert said(folder, capsys) == "one image per class is wanted; class 9 has 0.\n"


def test_images_of_another_size_are_told(means, digits, tmp_path, capsys):
    assert "32x32" in said(rewritten(tmp_path, means.images[..., :16, :16], digits), capsys)


def test_other_classes_are_told(means, tmp_path, capsys):
    folder = mgd.write_images(tmp_path / "other", means, class_names=[f"number {n}" for n in range(10)])
    assert "must hold classes of 'digits'" in said(folder, capsys)


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("change", ["none", "moved", "faded", "noise"])
def test_a_copy_of_a_real_image_is_told(means, digits, tmp_path, part, change, capsys, randn):
    real = getattr(digits, part).of_class(6)[3]
    real = {
        "none": real,
        "moved": real.roll((2, -1), dims=(1, 2)),
        "faded": 0.7 * real,
        "noise": (real + 0.05 * randn(*real.shape)).clamp(-1, 1),
    }[change]
    images = means.images.clone()
    images[6] = real
    sentence = said(rewritten(tmp_path, images, digits), capsys)
    assert sentence.startswith("the 6 copies training image ") or sentence.startswith(f"the 6 is a {part}"), sentence


def test_round_trips_through_the_autoencoder_are_copies(digits, tmp_path, capsys):
    pipe = mgd.load_pipeline("digits")
    again = mgd.baselines.round_trip(pipe.vae, nearest_real())
    assert "copies training image" in said(rewritten(tmp_path, again.images.clamp(-1, 1), digits), capsys)


def test_honest_images_are_no_copies(digits, means):
    near = moved_distances(digits.test.images[::3], digits.train.images)
    assert moved_distances(means.images, digits.train.images).min() > near.min()
    moved = digits.train.images[:3].roll(-2, dims=3) * 0.5
    assert moved_distances(moved, digits.train.images).max() < 1e-3


# --- seeds


def test_images_of_distill_are_made_again(sampled):
    assert read(sampled)[1].startswith("seeds: all ten were made again from the manifest, the same up to 0 gray levels")


def test_images_without_seeds_are_said_to_have_none(handed):
    assert "no seeds" in read(handed)[1]


def test_a_wrong_seed_is_told(sampled, capsys):
    def change(manifest):
        manifest["settings"]["seed"] = 5
        for image in manifest["images"]:
            image["generator"][0] = 5

    changed(sampled, change)
    assert said(sampled, capsys).startswith("seed 5 and the settings of the manifest make other images")


def test_a_seed_that_contradicts_itself_is_told(sampled, capsys):
    changed(sampled, lambda manifest: manifest["images"][7].update(generator=[9, 7, 0]))
    assert "seed 4, but [9, 7, 0] for 7/00000.png where [4, 7, 0] is due" in said(sampled, capsys)


def test_images_of_another_data_set_are_told(sampled, capsys):
    changed(sampled, lambda manifest: manifest["settings"].update(data_hash="0"))
    assert "from others than the training images" in said(sampled, capsys)


@pytest.mark.parametrize("change", [{"guidance_code": "3.11/2:0"}, {"weights": "0"}, {"guidance": "mine"}])
def test_what_cannot_be_made_again_is_said_and_taken_on_trust(sampled, change):
    changed(sampled, lambda manifest: manifest["settings"].update(change))
    assert read(sampled)[1].startswith("seeds: not tried.")


# --- the look


@pytest.mark.slow
def test_the_report_counts_the_look_and_gives_the_paired_interval(handed, capsys, monkeypatch):
    kept = {}  # students of the same images are the same, so each five of them are trained once

    def answers(images, data):
        key = images.images.sum().item(), data.test.images.sum().item()
        if key not in kept:
            kept[key] = right_answers(images, data)
        return kept[key]

    monkeypatch.setattr("mgd_helpers.lab.checks.held_back.right_answers", answers)
    checks.project(handed)
    first = capsys.readouterr().out
    assert first.startswith(FINE + "seeds: the manifest has checksums and no seeds.")
    images = read(handed)[0]
    _, held_back = halves(mgd.load_data("digits"))
    mine, theirs = (answers(one, held_back) for one in (images, nearest_real()))
    found = paired_difference(mine, theirs)
    assert f"this one with them: 1, at 1 different set.\naccuracy on its {len(mine)} images" in first
    assert f"difference: {100 * found.mean:+.1f} points ({100 * found.low:+.1f} to {100 * found.high:+.1f};" in first
    assert mine.shape == (len(held_back.test), 5) and found.mean == pytest.approx(float((mine - theirs).mean()))
    assert found.low > 0, "the book's own solution beats the nearest real image"
    wider = outcome(images, 4, 4)[-1]
    assert wider != first.splitlines()[-1] and f"difference: {100 * found.mean:+.1f} points" in wider
    assert len(kept) == 2


@pytest.mark.parametrize("content", ["{", "3", "[3]"])
def test_where_looks_cannot_be_counted_there_is_no_look(handed, content, capsys):
    (handed.parent / LOOKS).write_text(content)
    checks.project(handed)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] + "\n" == FINE and lines[-1].startswith("no look: looks.json beside the folder is not")
    assert (handed.parent / LOOKS).read_text() == content


def test_a_folder_that_is_wrong_costs_no_look(handed, capsys):
    (handed / "3" / "00000.png").unlink()
    checks.project(handed)
    assert not (handed.parent / LOOKS).exists() and capsys.readouterr().out.count("\n") == 1
