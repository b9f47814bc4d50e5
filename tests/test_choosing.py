import json

import pytest
import torch

from mgd_helpers import choosing
from mgd_helpers.choosing import CANDIDATES
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.data.splits import split_rows
from mgd_helpers.distillation import distill
from mgd_helpers.students.recipes import Recipe

FULL = {"strength": 1.0, "representative": "nearest_member"}
FEW = (("none", {}), ("mode", {"strength": 0.3}), ("mode", FULL), ("manifold", {}))


@pytest.fixture
def run(waves, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "RECIPE", Recipe(steps=2, batch_size=4, network="convnet1", width=4))
    monkeypatch.setattr(choosing, "CANDIDATES", FEW)

    def call(**options):
        defaults = {"images_per_class": 2, "out": tmp_path / "set", "pipeline": tiny, "steps": 2, "guidance": "auto"}
        return distill(options.pop("data", waves), **(defaults | options))

    return call


@pytest.fixture
def best(monkeypatch):
    """Make the candidate of this place the best one."""

    def call(place):
        scores = iter([[0.9 if number == place else 0.1] * choosing.STUDENTS for number in range(9)])
        monkeypatch.setattr(choosing, "student_accuracies", lambda *given, **options: next(scores))

    return call


def images(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


@pytest.mark.parametrize("place", [1, 2, 3])
def test_the_set_is_that_of_the_guidance_that_taught_best(run, best, tmp_path, place):
    best(place)
    name, options = FEW[place]
    report = run()
    by_name = run(guidance=name, out=tmp_path / "named", **options)
    assert images(report.folder) == images(by_name.folder)
    chosen = json.loads(json.dumps(report.manifest["chosen"]))
    assert (chosen["guidance"], chosen["options"]) == (name, options)
    assert [row["guidance"] for row in chosen["tried"]] == [name for name, _ in FEW]
    assert chosen["tried"][place]["student"] == 0.9
    assert {image["guidance"] for image in report.manifest["images"]} == {name}
    assert report.manifest["settings"]["guidance"] == "auto"
    assert f"Chosen was the guidance {name}" in str(report)
    assert "--guidance auto" not in str(report)


def test_of_equal_ones_the_simplest_is_taken(run, monkeypatch):
    monkeypatch.setattr(choosing, "student_accuracies", lambda *given, **options: [0.5, 0.5])
    assert run().manifest["chosen"]["guidance"] == "none"


def test_a_pull_all_the_way_to_real_images_is_a_candidate_and_is_told(run, best):
    assert ("mode", FULL) in CANDIDATES
    best(2)
    report = run()
    assert "Chosen was the guidance mode (strength 1, representative nearest_member), by" in str(report)
    assert report.manifest["settings"]["representative"] == "centroid"  # what was asked for, or the next call differs
    assert '"representative": "nearest_member"' in (report.folder / "README.md").read_text()


def test_of_targets_that_are_real_images_anyway_there_is_one_such_pull(run, monkeypatch):
    monkeypatch.setattr(choosing, "CANDIDATES", (("none", {}), ("mode", {"strength": 1.0}), ("mode", FULL)))
    tried = run(representative="nearest_member").manifest["chosen"]["tried"]
    assert [row["options"] for row in tried] == [{}, {"strength": 1.0}]


def test_targets_of_one_kind_are_found_once(run, monkeypatch):
    from mgd_helpers import making

    asked, original = [], making.cluster_classes
    monkeypatch.setattr(making, "cluster_classes", lambda run, *given: asked.append(run) or original(run, *given))
    run()
    assert [one.representative for one in asked[:-1]] == ["centroid", "nearest_member"]


@pytest.mark.parametrize("place", [1, 2])
def test_a_run_that_goes_on_takes_what_its_record_names(run, best, monkeypatch, place):
    best(place)
    report = run()
    before = images(report.folder)
    monkeypatch.setattr(choosing, "rehearse", None)
    (report.folder / "one/00001.png").unlink()
    assert run().new == 1
    assert images(report.folder) == before
    with pytest.raises(ValueError, match=r"of the same settings.*seed differ"):
        run(seed=1)


def test_the_candidates_never_see_the_images_held_back(run, waves, monkeypatch):
    seen, original = [], choosing.rehearse
    monkeypatch.setattr(choosing, "rehearse", lambda run, *given: seen.append(run) or original(run, *given))
    judged, accuracies = [], choosing.student_accuracies
    monkeypatch.setattr(
        choosing, "student_accuracies", lambda *given, **options: judged.append(given) or accuracies(*given, **options)
    )
    run(seed=3)
    kept, held_back = split_rows(waves.train.labels, 0.2, 3)
    assert torch.equal(seen[0].data.train.images, waves.train.images[kept])
    for learnt, data in judged:
        assert torch.equal(data.test.images, waves.train.images[held_back])
        assert len(learnt) == 4


def test_classes_images_and_steps_are_few(run, waves, monkeypatch):
    limits = {"CLASSES": 1, "IMAGES": 1, "STEPS": 1}
    for name, value in limits.items():
        monkeypatch.setattr(choosing, name, value)
    chosen = run().manifest["chosen"]
    assert chosen["on"] == "1 training images held back, 1 classes, 1 images of each, 1 steps"


def test_latents_that_are_given_are_those_of_the_images(run, waves, tiny, tmp_path):
    from mgd_helpers.encoding.latents import encode

    given = run(latents=encode(tiny.vae, waves.train.images), out=tmp_path / "given")
    assert given.manifest["chosen"] == run().manifest["chosen"]


def test_one_image_of_each_class_cannot_be_held_back(run, waves, tmp_path):
    single = Dataset("single", waves.train.take([0, 1]), waves.test, waves.class_names)
    with pytest.raises(ValueError, match=r"must have a class of two images at least.*got one of each class. Name a"):
        run(data=single, images_per_class=1)
    assert not (tmp_path / "set").exists()


def test_options_of_a_guidance_are_refused(run):
    with pytest.raises(ValueError, match="strength must be left out with guidance='auto', which tries its own; got 1"):
        run(strength=1)


def test_a_guidance_by_name_is_not_chosen(run, monkeypatch):
    monkeypatch.setattr(choosing, "rehearse", None)
    assert "chosen" not in run(guidance="none").manifest


def test_all_candidates_are_made_of_what_their_guidance_takes():
    for name, options in CANDIDATES:
        own = {key: value for key, value in options.items() if key != "representative"}
        assert callable(choosing.with_options(name, own))  # bound without an error
