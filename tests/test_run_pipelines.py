import dataclasses
import re

import pytest
import torch

from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.data.saving import write_images
from mgd_helpers.encoding.compatibility import check_images
from mgd_helpers.encoding.facts import write_facts
from mgd_helpers.encoding.pipelines import load_pipeline
from mgd_helpers.run_pipelines import MappedClass, alike, asked_for, choose, class_mapping, describe_pipeline, read_for

ASKED = dict.fromkeys(("class_labels", "class_map", "prompt", "guidance_scale"))


def named(waves, *names):
    return Dataset("named", waves.train, waves.test, names)


@pytest.mark.parametrize(
    ("names", "options", "asked"),
    [
        (("zero", "one"), {}, [0, 1]),
        (("ONE", "zero"), {}, [1, 0]),
        (("cat", "one"), {"class_map": {"cat": "zero"}}, [0, 1]),
        (("cat", "dog"), {"class_map": {"cat": 1, "dog": "zero"}}, [1, 0]),
        (("cat", "dog"), {"class_labels": [1, 0]}, [1, 0]),
        (("cat", "one"), {"class_map": {"cat": 1, "one": 1}}, [1, 1]),
    ],
)
def test_each_class_is_mapped_and_counted(waves, tiny, names, options, asked):
    rows = class_mapping(tiny, named(waves, *names), **options)
    assert [row.asked for row in rows] == asked
    assert [row.known_as for row in rows] == [("zero", "one")[label] for label in asked]
    assert [(row.name, row.images) for row in rows] == [(name, 6) for name in names]
    settings = describe_pipeline(tiny, named(waves, *names), None, **ASKED | options)
    assert settings["class_labels"] == asked
    assert asked_for({"classes": names} | settings) == dict(zip(names, asked, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"class_labels must be given: the pipeline knows no class named \['zeroes'\].*class_map=.*mean 'zero'"),
        ({"class_map": {"zeroes": "two"}}, "must be labels that the pipeline knows; got 'two' for class 'zeroes'"),
        ({"class_map": {"zeroes": 5000}}, "from 0 to 999; got 5000 for class 'zeroes'"),
        ({"class_map": {"x": 1}}, "class_map must name classes of the data"),
        ({"class_map": {"zeroes": "one"}}, "class_map must keep 'zeroes' and 'one' apart, or map both"),
        ({"class_map": {"zeroes": 1}, "class_labels": [0, 1]}, "class_map must be left out where class_labels"),
        ({"prompt": "a {name}"}, "prompt must be left out for DiTPipeline, which is asked by class labels"),
    ],
)
def test_a_class_that_is_not_known_is_told_with_the_remedy(waves, tiny, options, message):
    with pytest.raises(ValueError, match=message):
        class_mapping(tiny, named(waves, "zeroes", "one"), **options)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, ""),
        ({"a": 0, "b": 1}, ""),
        ({"a": 1, "b": 1, "c": 1, "d": 0}, "a, b and c are asked for alike, by 1."),
        ({"a": "x", "b": "y", "c": "x"}, "a and c are asked for alike, by 'x'."),
    ],
)
def test_classes_that_are_asked_for_alike_are_said(asked, said):
    assert alike(asked) == said


def test_a_pipeline_without_conditions_is_asked_nothing(waves):
    import diffusers
    import tiny as kinds

    pipe = kinds.ddpm(diffusers.DDPMScheduler(clip_sample=False))
    assert class_mapping(pipe, waves)[0] == MappedClass("zero", 6, None)
    with pytest.raises(ValueError, match=r"class_map must be left out for DDPMPipeline, which takes no conditions"):
        class_mapping(pipe, waves, class_map={"zero": 1})
    with pytest.raises(ValueError, match="guidance_scale must be left out for DDPMPipeline"):
        describe_pipeline(pipe, waves, None, **ASKED | {"guidance_scale": 2.0})
    assert describe_pipeline(pipe, waves, None, **ASKED)["guidance_scale"] is None


@pytest.mark.parametrize("side", [12, 16, 40])
def test_a_folder_is_read_at_the_pipelines_size_and_channels(waves, tiny, tmp_path, side):
    images = torch.rand(12, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    write_images(tmp_path / "data", ImageSet(images, waves.train.labels), class_names=waves.class_names)
    data, pipe = read_for(tmp_path / "data", tiny)
    assert pipe is tiny
    assert data.train.images.shape == (12, 1, 16, 16)


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 32, 32)])
def test_a_set_of_the_catalogue_is_read_at_the_pipelines_size_and_channels(tiny, shape):
    pipe = tiny if shape[0] == 1 else load_pipeline("cifar10")
    data, _ = read_for("digits", pipe)
    check_images(pipe, data.train.images)
    assert data.train.images.shape == (1500, *shape)
    assert (data.name, data.profile) == ("digits", "digits")


@pytest.mark.parametrize("data", ["digits", "waves"])
def test_what_a_refusal_of_images_says_can_be_done(waves, tmp_path, data):
    """Data at hand are as they are: the remedy is to load them so, and that is possible."""
    pipe, source = load_pipeline("cifar10"), data
    if data == "waves":
        source = tmp_path / "waves"
        write_images(source, waves.train, class_names=waves.class_names)
    found = load_data(source)
    while found.train.images.shape[1:] != (3, 32, 32):
        with pytest.raises(ValueError, match=r"Load them with load_data\(…, \w+=\d+\)") as refused:
            check_images(pipe, found.train.images)
        name, value = re.search(r"(\w+)=(\d+)", str(refused.value)).groups()
        options = {"image_size": found.train.images.shape[-1], "channels": found.train.images.shape[1]}
        assert options[name] != int(value)
        found = load_data(source, **options | {name: int(value)})
    check_images(pipe, found.train.images)


def test_the_scale_is_the_pipelines_whatever_the_data_are_called(waves, tiny, tmp_path):
    tiny.save_pretrained(tmp_path / "pipe")
    write_facts(tmp_path / "pipe", guidance_scale=1.25)
    for name in ("waves", "digits", "imagenette"):
        data = dataclasses.replace(waves, name=name)
        pipe, said, profile = choose(data, tmp_path / "pipe", load_pipeline(tmp_path / "pipe"), at_hand=True)
        assert (said, profile) == (str(tmp_path / "pipe"), None)
        assert describe_pipeline(pipe, data, profile, **ASKED)["guidance_scale"] == 1.25


@pytest.mark.parametrize("pipeline", [None, "digits"])
def test_a_set_of_the_catalogue_brings_its_own(waves, pipeline):
    data = dataclasses.replace(waves, name="digits", profile="digits")
    loaded = None if pipeline is None else load_pipeline(pipeline)
    pipe, said, profile = choose(data, pipeline, loaded, at_hand=True)
    assert (said, profile) == ("digits", PROFILES["digits"])
    assert choose(data, pipe, pipe, at_hand=True)[2] == PROFILES["digits"]  # loaded by hand


def test_a_folder_has_none_of_its_own_whatever_it_is_called(waves):
    for at_hand in (True, False):
        with pytest.raises(ValueError, match="pipeline must be given for data 'digits'"):
            choose(dataclasses.replace(waves, name="digits"), None, None, at_hand=at_hand)
