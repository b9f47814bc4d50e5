"""One table of calls, as a new user would try them: what is changed, and the words of the error, or that it works.

Each is refused before anything is written, so that the corrected call finds an empty place.
"""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mgd_helpers.data.class_names import check_class_names
from mgd_helpers.data.datasets import load_data, read_generated
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.data.saving import write_images
from mgd_helpers.distillation import distill
from mgd_helpers.evaluation.audits import audit
from mgd_helpers.evaluation.tables import evaluate
from mgd_helpers.guidance.toys import tiny_pipeline

NAN, WHOLE = float("nan"), "must be a whole number"
WORKS = None


@pytest.fixture(scope="module")
def data():
    """Two classes of three images of noise."""
    images = torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    part = ImageSet(images, torch.arange(6) % 2)
    return Dataset("noise", part, ImageSet(images.flip(0).neg(), part.labels.flip(0)), ("zero", "one"))


@pytest.fixture(scope="module")
def pipe():
    return tiny_pipeline()


@pytest.fixture
def call(data, pipe, tmp_path, monkeypatch, unchecked):
    """`distill` into the folder `out` here, with other arguments where given."""
    monkeypatch.chdir(tmp_path)

    def call(**changed):
        given = {"images_per_class": 1, "out": "out", "guidance": "none", "pipeline": pipe, "steps": 2, "report": False}
        given |= changed
        return unchecked(distill)(given.pop("data", data), **given)

    return call


# case, the arguments that are changed, words of the error
ARGUMENTS = [
    *(
        (f"{name}={value!r}", {name: value}, f"{name} {WHOLE}")
        for name in ("images_per_class", "steps", "batch_size", "set_size", "seed")
        for value in (NAN, True, 2.5, None, "a", "3", [2], -1)
    ),
    *(
        (f"guidance_scale={value!r}", {"guidance_scale": value}, "guidance_scale must be a number from 0 to 100")
        for value in (-1, 1e9, float("inf"), NAN, True, "4")
    ),
    ("guidance=5", {"guidance": 5}, "guidance must be one of none"),
    ("guidance of NaN", {"guidance": lambda targets, cloud, seed: lambda z, level: z * NAN}, "finite"),
    ("guidance of another shape", {"guidance": lambda targets, cloud, seed: lambda z, level: z[:, :1]}, "shape"),
    ("class_labels=-1", {"class_labels": [-1, 0]}, "class_labels must be a whole number from 0 to 999; got -1"),
    ("class_labels=1001", {"class_labels": [1001, 0]}, "class_labels must be a whole number from 0 to 999; got 1001"),
    ("the null class", {"class_labels": [1000, 0]}, "its null class"),
    ("class_labels of fractions", {"class_labels": [0.5, 1.0]}, "class_labels must be a whole number"),
    ("class_labels=5", {"class_labels": 5}, "class_labels must be one per class, 2; got 5"),
    ("class_labels of another class", {"class_labels": {"zero": 0, "two": 1}}, "unknown names ['two']"),
    ("class_labels, a tensor", {"class_labels": torch.tensor([1, 0])}, WORKS),
    ("class_labels, an array", {"class_labels": np.array([1, 0])}, WORKS),
    ("latents of another shape", {"latents": torch.zeros(6, 4, 4, 8)}, "latents must be floating-point numbers"),
    ("latents of whole numbers", {"latents": torch.zeros(6, 4, 8, 8).long()}, "latents must be floating-point numbers"),
    ("latents of too few images", {"latents": torch.zeros(5, 4, 8, 8)}, "those of the 6 training images"),
    ("latents=1e20", {"latents": torch.full((6, 4, 8, 8), 1e20)}, "latents must be finite, and within"),
    ("latents of NaN", {"latents": torch.full((6, 4, 8, 8), NAN)}, "latents must be finite, and within"),
    ("latents of text", {"latents": "latents"}, "latents must be a tensor; got str"),
    ("latents, an array", {"latents": np.zeros((6, 4, 8, 8), np.float32)}, WORKS),
    ("out=''", {"out": ""}, "out must be the path of a folder; got ''"),
    ("out=None", {"out": None}, "out must be the path of a folder; got None"),
    ("out has NUL", {"out": "a\0b"}, "out must be the path of a folder"),
    ("out has a name too long", {"out": "x" * 300}, "at most 255 bytes; got one of 300"),
    ("out is a file", {"out": __file__}, "is a file. Choose another path"),
    ("out is below a file", {"out": f"{__file__}/x"}, "is a file. Choose another path"),
    ("image_to_image=0", {"image_to_image": 0}, "image_to_image must be a number > 0"),
    ("image_to_image=2", {"image_to_image": 2}, "image_to_image must be a number > 0 and <= 1"),
    ("report=1", {"report": 1}, "report must be True or False; got 1"),
    ("prompt", {"prompt": "a {name}"}, "prompt must be left out for DiTPipeline"),
    ("pipeline=5", {"pipeline": 5}, "pipeline must be one of diffusers"),
    ("pipeline of no kind", {"pipeline": "digitz"}, "Did you mean 'digits'?"),
    ("pipeline of the hub, without a network", {"pipeline": "a/b"}, "could not be loaded from the hub"),
    ("one image per class, one asked", {"images_per_class": 1, "guidance": "manifold"}, WORKS),
]  # fmt: skip


def nothing_left(folder):
    return not [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("case", "changed", "words"), ARGUMENTS, ids=[case for case, *_ in ARGUMENTS])
def test_arguments_are_taken_or_refused_by_name_with_nothing_left(call, tmp_path, case, changed, words):
    if words is WORKS:
        assert call(**changed).new == 2
        return
    with pytest.raises((ValueError, FileNotFoundError)) as told:
        call(**changed)
    assert words in str(told.value)
    assert nothing_left(tmp_path)
    assert call().new == 2  # the corrected call


NAMES = ["../x", "/tmp", "a/b", "", ".", "..", "a\0b", "ü" * 150, ".hidden", "con", "a.", "a ", "a\nb", "x" * 300]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_whatever_a_class_is_called_its_images_stay_inside_and_come_back(call, data, tmp_path, name):
    named = dataclasses.replace(data, class_names=(name, "one"))
    report = call(data=named, class_labels=[0, 1])
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("0*.png")]
    assert len(files) == report.images == 2 and all(file.startswith("out/") and file.count("/") == 2 for file in files)
    assert read_generated(report.folder, named).labels.tolist() == [0, 1]
    assert report.labels == {name: 0, "one": 1}
    assert call(data=named, class_labels=[0, 1]).new == 0


def test_classes_called_train_and_test_are_classes(call, data):
    named = dataclasses.replace(data, class_names=("train", "test"))
    report = call(data=named, class_labels=[0, 1])
    assert read_generated(report.folder, named).labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((5, "one"), "class_names must be strings; got 5, a int"),
        ((None, "one"), "class_names must be strings; got None"),
        (("one", "one"), "class_names must all be different; got 'one' 2 times"),
        (("one",), "class_names must name every class, at least 2"),
        ("ab", "class_names must be a sequence of strings"),
    ],
)
def test_names_that_are_none_are_refused_where_the_data_are_made(unchecked, names, words):
    with pytest.raises(ValueError, match="class_names must") as told:
        unchecked(check_class_names)(names, at_least=2)
    assert words in str(told.value)


def test_images_with_gradients_are_taken_and_those_without_values_refused(call, data, tmp_path):
    tracked = ImageSet(data.train.images.clone().requires_grad_(), data.train.labels)
    assert call(data=dataclasses.replace(data, train=tracked)).new == 2
    meta = ImageSet(data.train.images.to("meta"), data.train.labels)
    with pytest.raises(ValueError, match="data must have images with values; got images on the device 'meta'"):
        call(data=dataclasses.replace(data, train=meta), out="meta")
    assert not (tmp_path / "meta").exists()


@pytest.mark.parametrize("side", [14, 15, 32, 64])
def test_a_folder_of_another_size_is_read_at_that_of_the_pipeline(call, data, tmp_path, side):
    images = torch.nn.functional.interpolate(data.train.images, side)
    write_images(tmp_path / "data", ImageSet(images, data.train.labels), class_names=data.class_names)
    assert call(data="data", guidance="manifold").new == 2
    with pytest.raises(ValueError, match=rf"images of 16 x 16 for this pipeline; got {side} x {side}\. Load them with"):
        call(data=dataclasses.replace(data, train=ImageSet(images, data.train.labels)), out="other")
    assert not (tmp_path / "other").exists()


def test_images_of_28_pixels_get_a_border_for_a_pipeline_of_32(call, data, tmp_path):
    images = torch.nn.functional.interpolate(data.train.images, 28)
    write_images(tmp_path / "data", ImageSet(images, data.train.labels), class_names=data.class_names)
    report = call(data="data", pipeline=tiny_pipeline(image_size=32), method="decoded-targets")
    assert report.new == 2 and report.manifest["padding"] == 2


@pytest.mark.parametrize(("side", "padding"), [(28, 0), (28, 2), (60, 5)])
def test_the_border_is_that_of_the_pipeline_and_the_data_are_measured_with_it(call, data, tmp_path, side, padding):
    images = torch.nn.functional.interpolate(data.train.images, side)
    write_images(tmp_path / "data/train", ImageSet(images, data.train.labels), class_names=data.class_names)
    write_images(tmp_path / "data/test", ImageSet(images.flip(3), data.train.labels), class_names=data.class_names)
    tiny_pipeline(image_size=32).save_pretrained(tmp_path / "pipe")
    (tmp_path / "pipe/mgd.json").write_text(json.dumps({"padding": padding}))
    made = call(data="data", pipeline="pipe", method="nearest-real")
    first = load_data(tmp_path / "out", channels=1).train.images
    assert (first > -1).any() and (first[..., :padding] == -1).all() and made.manifest["padding"] == padding
    assert call(data="data", pipeline="pipe", method="nearest-real").new == 0
    note = str(evaluate("out", against="data", students=0))
    assert "was made from other images" not in note
    loaded = load_data(tmp_path / "data", image_size=32)
    if loaded.padding and loaded.padding != padding:
        with pytest.warns(UserWarning, match=rf"width 2, and the pipeline learned images with one of {padding}\. Load"):
            call(data=loaded, pipeline="pipe", out="other")
    else:
        call(data=loaded, pipeline="pipe", out="other")


def test_noise_under_the_names_of_the_pipeline_is_reported_as_what_it_is_worth(call, pipe, tmp_path):
    pipe.save_pretrained(tmp_path / "pipe")
    (tmp_path / "pipe/mgd.json").write_text(json.dumps({"reconstruction_error": 1e-4}))
    report = call(pipeline=str(tmp_path / "pipe"), report=True)
    assert "The autoencoder does not know such images" in str(report)


def truncated(folder):
    file = next((folder / "vae").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:100])


def pickled(folder):
    file = next((folder / "transformer").glob("*.safetensors"))
    file.rename(file.with_suffix(".bin"))


def not_a_number(folder):
    from safetensors.torch import load_file, save_file

    file = next((folder / "transformer").glob("*.safetensors"))
    weights = load_file(file)
    next(iter(weights.values())).flatten()[0] = NAN
    save_file(weights, file, metadata={"format": "pt"})


BROKEN = {
    "truncated weights": truncated,
    "pickled weights": pickled,
    "no vae": lambda folder: shutil.rmtree(folder / "vae"),
    "no scheduler": lambda folder: shutil.rmtree(folder / "scheduler"),
    "an index that is no JSON": lambda folder: (folder / "model_index.json").write_text("{"),
    "an index that is empty": lambda folder: (folder / "model_index.json").write_text(""),
    "a part without its config": lambda folder: (folder / "vae/config.json").unlink(),
}


@pytest.mark.parametrize("harm", BROKEN)
def test_a_pipeline_that_is_broken_is_named_before_anything_is_written(call, pipe, tmp_path, harm):
    pipe.save_pretrained(tmp_path / "pipe")
    BROKEN[harm](tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"pipeline '.*pipe' must be a folder that .*; it cannot be loaded: "):
        call(pipeline=str(tmp_path / "pipe"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("guidance", ["none", "mode", "manifold", "match+transport"])
def test_one_weight_that_is_no_number_makes_nothing(call, pipe, tmp_path, guidance):
    pipe.save_pretrained(tmp_path / "pipe")
    not_a_number(tmp_path / "pipe")
    with pytest.raises(ValueError, match="finite"):
        call(pipeline=str(tmp_path / "pipe"), guidance=guidance)
    assert not (tmp_path / "out").exists()
    assert call().new == 2


def test_two_functions_of_one_name_are_two_guidances(call):
    call(guidance=lambda targets, cloud, seed: None)
    with pytest.raises(ValueError, match="guidance_code differ"):
        call(guidance=lambda targets, cloud, seed: lambda z, level: z)


def test_a_disk_that_is_full_is_told_and_the_same_call_goes_on(call, tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(27, "File too large", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="File too large"):
            call()
    assert not list(tmp_path.rglob("*.png"))
    assert call().new == 2


EVALUATED = [
    *(
        (f"students={value!r}", {"students": value}, "students must be a whole number")
        for value in (-1, NAN, 2.5, None)
    ),
    *((f"seed={value!r}", {"seed": value}, "seed must be a whole number") for value in (-1, "a", 1.5)),
    ("device='gpu'", {"device": "gpu"}, "device must be a device such as"),
    ("device='cuda:99'", {"device": "cuda:99"}, "device must be a device of this machine"),
    ("generated=5", {"generated": 5}, "generated must be an ImageSet or a folder of images; got int"),
    ("generated='nowhere'", {"generated": "nowhere"}, "generated must be a folder of images"),
    ("against=5", {"against": 5}, "against: source must be one of"),
    ("against='digitz'", {"against": "digitz"}, "Did you mean 'digits'?"),
]


@pytest.mark.parametrize(("case", "changed", "words"), EVALUATED, ids=[case for case, *_ in EVALUATED])
@pytest.mark.parametrize("judge", [evaluate, audit])
def test_what_cannot_be_judged_is_refused_by_name(call, data, unchecked, judge, case, changed, words):
    given = {"generated": data.train, "against": data, "students": 0} | changed
    with pytest.raises(ValueError) as told:
        unchecked(judge)(given.pop("generated"), **given)
    assert words in str(told.value)


def test_a_data_set_is_no_set_and_a_folder_must_be_whole_and_of_one_size(call, data, unchecked, tmp_path):
    with pytest.raises(ValueError, match=r"Pass one of its splits, \.train or \.test"):
        unchecked(evaluate)(data, against=data, students=0)
    folder = call(images_per_class=2).folder
    (folder / "zero/00000.png").unlink()
    with pytest.raises(ValueError, match=r"must hold the 4 images of its manifest .*missing: zero/00000\.png"):
        evaluate(folder, against=data, students=0)
    small = ImageSet(data.train.images[..., ::2, ::2].contiguous(), data.train.labels)
    write_images(tmp_path / "small", small, class_names=data.class_names)
    with pytest.raises(ValueError, match=r"must hold images of 16x16 pixels, like 'noise'; got 8x8"):
        evaluate(tmp_path / "small", against=data, students=0)
    double = ImageSet(data.train.images.double(), data.train.labels)
    assert len(evaluate({"double": double}, against=data, students=0, baselines=False)) == 1


def test_there_are_many_cases():
    assert len(ARGUMENTS) + len(NAMES) + len(BROKEN) + 2 * len(EVALUATED) >= 120
