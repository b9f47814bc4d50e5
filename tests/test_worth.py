import dataclasses
import inspect
import json
import re

import pytest

import mgd_helpers
from mgd_helpers.distillation import distill
from mgd_helpers.methods import DIFFUSION
from mgd_helpers.worth import REMEDIES, REPORT, Worth, kept_or_weighed, weigh

PLAIN = Worth(
    images=20,
    accuracy=0.5,
    real=0.5,
    real_sd=0.1,
    draws=5,
    nearest=0.6,
    copies=2,
    tested_on="30 test images",
    error=0.01,
    known_error=0.01,
    guidance="mode",
    method=DIFFUSION,
)


@pytest.mark.parametrize(
    ("accuracy", "verdict", "words"),
    [
        (0.39, "worse", "Random real images do better than this set."),
        (0.41, "equal", "Random real images do as well as this set."),
        (0.59, "equal", "Random real images do as well as this set."),
        (0.61, "better", "This set does better than as many random real images."),
    ],
)
def test_a_plain_sentence_and_remedies_unless_the_set_does_better(accuracy, verdict, words):
    worth = dataclasses.replace(PLAIN, accuracy=accuracy)
    assert worth.verdict == verdict
    assert words in str(worth).splitlines()
    assert ("1. another guidance" in str(worth)) == (verdict != "better")


def test_what_was_tried_is_no_remedy_and_a_set_without_denoiser_has_none():
    said = str(dataclasses.replace(PLAIN, tried=("guidance",)))
    assert "--guidance auto" not in said
    assert "1. a pull all the way, to real images" in said
    assert "2. begin at real images" in said
    assert "may help" not in str(dataclasses.replace(PLAIN, method="herding"))


@pytest.mark.parametrize(
    ("error", "known", "words"),
    [
        (0.01, 0.01, "0.01 mean square, 26.0 dB; 1.0 times what it was trained to"),
        (0.03, 0.01, "3.0 times what it was trained to"),
        (0.03, None, "what it was trained to is not known"),
        (None, None, "not measured"),
    ],
)
def test_the_autoencoder_is_compared_with_what_it_was_trained_to(error, known, words):
    said = str(dataclasses.replace(PLAIN, error=error, known_error=known))
    assert words in said
    is_foreign = words[0] == "3"
    assert ("The autoencoder does not know such images" in said) == is_foreign
    assert ("1. a pipeline of your own" in said) == is_foreign  # no guidance mends a decoder


def test_remedies_can_be_followed():
    """Each names arguments that there are, by the name that the command line gives them."""
    known = inspect.signature(distill).parameters
    assert set(REMEDIES) <= set(known)
    for remedy in REMEDIES.values():
        for name in re.findall(r"(\w+)=", remedy):
            assert name in known, name
        options = re.findall(r"--([\w-]+)", remedy.replace("--out pipeline", ""))
        assert options
        assert {name.replace("-", "_") for name in options} <= set(known)
    assert callable(mgd_helpers.train)


@pytest.fixture
def run(waves, tiny, tmp_path):
    def call(**options):
        defaults = {"images_per_class": 2, "out": tmp_path / "set", "pipeline": tiny, "steps": 2, "guidance": "none"}
        return distill(waves, **(defaults | options))

    return call


def test_a_run_ends_with_its_report_and_a_finished_folder_shows_the_one_it_has(run, waves, monkeypatch):
    report = run()
    stored = json.loads((report.folder / REPORT).read_text())
    assert stored["text"] == str(report.worth)
    assert str(report).endswith(stored["text"])
    assert weigh(report.folder, waves, report.manifest) == dataclasses.replace(report.worth, error=None)
    monkeypatch.setattr("mgd_helpers.worth.weigh", None)
    assert run().worth == report.worth


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"of": 3}', None])
def test_a_report_that_is_no_report_or_one_of_other_images_is_made_again(run, waves, damage):
    report = run()
    file = report.folder / REPORT
    if damage is None:
        file.write_text(file.read_text().replace('"of": "', '"of": "0'))
    else:
        file.write_text(damage)
    assert run().worth == report.worth
    assert json.loads(file.read_text())["text"] == str(report.worth)


def test_it_is_left_out_on_request_and_where_nothing_could_judge(run, waves):
    report = run(report=False)
    assert report.worth is None
    assert not (report.folder / REPORT).exists()
    first = dataclasses.replace(waves, train=waves.train.take([0, 1]), test=waves.test.take([]))
    assert kept_or_weighed(report.folder, first, report.manifest) is None


@pytest.mark.parametrize(
    ("options", "tried"),
    [
        ({}, ()),
        ({"guidance": "mode", "strength": 1}, ()),
        ({"guidance": "mode", "representative": "nearest_member"}, ()),
        ({"guidance": "mode", "strength": 1, "representative": "nearest_member"}, ("strength",)),
        ({"image_to_image": 0.5}, ("image_to_image",)),
    ],
)
def test_what_the_run_did_is_what_was_tried(run, options, tried):
    worth = run(**options).worth
    assert worth.tried == tried
    ways = dataclasses.replace(worth, accuracy=0.0, real=1.0).sentences()
    assert [key for key, way in REMEDIES.items() if not any(way in line for line in ways)] == list(tried)


def test_a_report_that_cannot_be_kept_is_no_reason_to_fail(run, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mgd_helpers.worth.write", full)
    with pytest.warns(UserWarning, match="the report could not be kept in .*: .*No space left"):
        assert run().worth is not None
