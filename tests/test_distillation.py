import dataclasses
import functools
import hashlib
import json
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import diffusers
import numpy as np
import pytest
import tiny as kinds
import torch
from damage import BESIDE
from PIL import Image

from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.clustering.targets import pick_targets
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.data.records import read_manifest
from mgd_helpers.distillation import distill
from mgd_helpers.encoding.latents import encode
from mgd_helpers.encoding.pipelines import weights_hash
from mgd_helpers.evaluation.tables import evaluate
from mgd_helpers.guidance.factories import GUIDANCES
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.toys import tiny_pipeline
from mgd_helpers.seeding import generators


def mode(targets, cloud, seed):
    return ModePull(50 * targets.latents, strength=0.5)  # the latents of the random VAE are too small to be seen


@pytest.fixture
def run(waves, tiny, tmp_path):
    """`distill` on the toy data with the tiny pipeline into tmp_path / "set", with other options where given."""

    def call(**options):
        defaults = {"images_per_class": 3, "out": tmp_path / "set", "guidance": mode, "pipeline": tiny, "steps": 4}
        return distill(options.pop("data", waves), **(defaults | options))

    return call


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("*/*.png")}


IN_ORDER = [f"{name}/{index:05d}.png" for name in ("zero", "one") for index in range(3)]
EXPECTED = set(IN_ORDER)


def test_the_folder_holds_one_sub_folder_per_class_and_a_manifest(run, waves):
    report = run()
    assert set(files(report.folder)) == EXPECTED
    assert {path.name for path in report.folder.iterdir()} == {"zero", "one", "report.json", *BESIDE}
    assert str(report.worth).splitlines()[1] in (report.folder / "README.md").read_text()
    assert (report.images, report.new) == (6, 6)
    assert "6 images in" in str(report)
    with Image.open(report.folder / "zero/00000.png") as image:
        assert (image.size, image.mode) == ((16, 16), "L")
    assert len(load_data(report.folder).train) == 6


def test_the_manifest_says_how_each_image_was_made(run, waves, tiny):
    report = run(seed=5)
    manifest = read_manifest(report.folder)
    assert manifest == report.manifest
    assert manifest["complete"] is True
    assert manifest["settings"] | {"scheduler_config": None, "data_hash": None, "guidance_code": None} == {
        "data": "waves",
        "data_hash": None,
        "classes": ["zero", "one"],
        "class_labels": [0, 1],
        "images_per_class": 3,
        "guidance": "test_distillation.mode",
        "guidance_code": None,
        "latents": None,
        "package": version("mgd-helpers"),
        "encoder_dtype": "float32",
        "strategy": "levels",
        "representative": "centroid",
        "scheduler": "DDIMScheduler",
        "scheduler_config": None,
        "steps": 4,
        "guidance_scale": 4.0,
        "set_size": 50,
        "seed": 5,
        "weights": weights_hash(tiny),
    }
    assert manifest["settings"]["scheduler_config"]["timestep_spacing"] == "trailing"
    (entry,) = manifest["made_by"]
    assert {"torch", "diffusers", "python", "mgd-helpers"} <= set(entry["versions"])
    assert (entry["device"], entry["images"]) == ("cpu", 6)
    assert datetime.fromisoformat(entry["date"]).tzinfo
    assert manifest["labels"] == report.labels == {"zero": 0, "one": 1}
    assert manifest["note"] == ""
    assert [image["file"] for image in manifest["images"]] == [
        f"{name}/{index:05d}.png" for name in ("zero", "one") for index in range(3)
    ]
    for image in manifest["images"]:
        label = waves.class_names.index(image["class"])
        assert image["generator"] == [5, label, image["index"]]
        assert image["sha256"] == hashlib.sha256((report.folder / image["file"]).read_bytes()).hexdigest()
        assert image["made_by"] == 0
        assert {waves.train.labels[row].item() for row in image["members"]} == {label}


def test_images_are_what_the_parts_make_by_hand(run, waves, tiny):
    report = run(seed=2, batch_size=3)
    cloud = encode(tiny.vae, waves.train.of_class(1))
    targets = pick_targets(bisect(cloud, n_leaves=3, seed=2), images_per_class=3)
    one_each = generators(2, 1, range(3))
    with steer(tiny, mode(targets, cloud, 0), generators=one_each):
        images = tiny(class_labels=[1] * 3, generator=one_each, num_inference_steps=4).images
    for index, image in enumerate(images):
        with Image.open(report.folder / f"one/{index:05d}.png") as written:
            assert written.tobytes() == image.tobytes()


def test_classes_share_batches_and_each_follows_its_own_guidance(run, waves, tiny):
    report = run(seed=2)
    rules = {}
    for label in (0, 1):
        cloud = encode(tiny.vae, waves.train.of_class(label))
        rules[label] = mode(pick_targets(bisect(cloud, n_leaves=3, seed=2), images_per_class=3), cloud, 0)
    one_each = [*generators(2, 0, range(3)), *generators(2, 1, range(3))]

    def both(denoised, level):  # a second half would be that of classifier-free guidance
        parts = zip(denoised.split(3), level.sample.split(3), (0, 1, 0, 1), strict=False)
        return torch.cat([rules[label](part, dataclasses.replace(level, sample=noisy)) for part, noisy, label in parts])

    with steer(tiny, both, generators=one_each):
        images = tiny(class_labels=[0] * 3 + [1] * 3, generator=one_each, num_inference_steps=4).images
    for image, file in zip(images, IN_ORDER, strict=True):
        with Image.open(report.folder / file) as written:
            assert written.tobytes() == image.tobytes()


@pytest.mark.parametrize("guidance", [*GUIDANCES, mode, lambda targets, cloud, seed: None])
def test_every_guidance_runs(run, guidance):
    report = run(guidance=guidance, steps=2)  # also of classes with fewer images than the manifold takes neighbours
    assert report.new == 6
    if isinstance(guidance, str):
        assert {image["guidance"] for image in report.manifest["images"]} == {guidance}


def test_guidance_none_is_the_stock_pipeline(run, tiny):
    report = run(guidance="none", batch_size=3)
    images = tiny(class_labels=[0] * 3, generator=generators(0, 0, range(3)), num_inference_steps=4).images
    for index, image in enumerate(images):
        with Image.open(report.folder / f"zero/{index:05d}.png") as written:
            assert written.tobytes() == image.tobytes()


def test_each_image_follows_its_own_target_in_any_batch_and_after_a_restart(run, tmp_path):
    made = []

    def spy(targets, cloud, seed):
        made.append(list(zip(targets.nodes, targets.latents.sum((1, 2, 3)).tolist(), strict=True)))
        return mode(targets, cloud, seed)

    report = run(guidance=spy, batch_size=4)  # three and three, each a set
    assert "The guidance also uses made, of which nothing is known here." in report.manifest["note"]
    assert [node for part in made for node, _ in part] == [image["node"] for image in report.manifest["images"]]
    before = made.copy()
    (tmp_path / "set/one/00002.png").unlink()
    run(guidance=spy, batch_size=4)
    assert made[2:] == before[1:]  # with all targets of its set, as in the first run


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", [diffusers.DDIMScheduler, diffusers.DDPMScheduler])
def test_batch_size_does_not_change_the_images(run, tmp_path, scheduler):
    pipe = tiny_pipeline(scheduler(clip_sample=False))
    folders = [run(out=tmp_path / str(size), batch_size=size, pipeline=pipe).folder for size in (1, 2, 3)]
    images = [load_data(folder).train.images for folder in folders]
    for other in images[1:]:
        torch.testing.assert_close(images[0], other, rtol=0, atol=1.01 / 127.5)  # one grey level of rounding


def test_the_seed_changes_the_images_and_nothing_else_does(run, tmp_path):
    first = run().folder
    assert files(run(out=tmp_path / "again").folder) == files(first)
    assert not set(files(run(out=tmp_path / "other", seed=1).folder).values()) & set(files(first).values())


def test_a_second_call_makes_nothing(run):
    before = files(run().folder)
    again = run()
    assert (again.images, again.new) == (6, 0)
    assert files(again.folder) == before


def test_a_missing_image_alone_is_made_again_and_is_the_same(run):
    folder = run(batch_size=1).folder
    before = files(folder)
    (folder / "one/00001.png").unlink()
    times = {name: (folder / name).stat().st_mtime_ns for name in EXPECTED - {"one/00001.png"}}
    assert run(batch_size=1).new == 1
    assert {name: (folder / name).stat().st_mtime_ns for name in times} == times
    assert files(folder) == before


@pytest.mark.slow
def test_an_interrupted_run_goes_on_where_it_stopped(run, tiny, tmp_path, monkeypatch):
    whole = files(run(out=tmp_path / "whole", batch_size=1).folder)
    decode, calls = tiny.vae.decode, []

    def fails_at_the_fourth(*args, **kwargs):
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("power cut")
        return decode(*args, **kwargs)

    monkeypatch.setattr(tiny.vae, "decode", fails_at_the_fourth)
    with pytest.raises(RuntimeError, match="power cut"):
        run(batch_size=1)
    folder = tmp_path / "set"
    assert len(files(folder)) == 3
    assert json.loads((folder / "run.json").read_text())["complete"] is False
    report = run(batch_size=1)
    assert report.new == 3
    assert files(folder) == whole
    assert json.loads((folder / "run.json").read_text())["complete"] is True


def test_a_file_that_exists_is_whole(run, tmp_path, monkeypatch):
    def torn(self, data):
        self.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", torn)
    with pytest.raises(OSError, match="disk full"):
        run()
    assert not files(tmp_path / "set")
    monkeypatch.undo()
    assert run().new == 6
    assert not list((tmp_path / "set").rglob("*.part"))


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({"seed": 1}, "seed"),
        ({"steps": 5}, "steps"),
        ({"images_per_class": 2}, "images_per_class"),
        ({"guidance": "none"}, "guidance, guidance_code"),
        ({"guidance": lambda targets, cloud, seed: None}, "guidance, guidance_code"),
        ({"latents": torch.zeros(12, 4, 8, 8)}, "latents"),
        ({"guidance_scale": 2.0}, "guidance_scale"),
        ({"strategy": "leaves"}, "strategy"),
        ({"representative": "nearest_member"}, "representative"),
        ({"class_labels": [1, 0]}, "class_labels"),
        ({"pipeline": tiny_pipeline(seed=1)}, "weights"),
        ({"pipeline": tiny_pipeline(diffusers.DDPMScheduler(clip_sample=False))}, "scheduler"),
    ],
)
def test_other_settings_never_go_into_the_same_folder(run, options, changed):
    folder = run().folder
    before, record = files(folder), [(folder / name).read_bytes() for name in ("run.json", "manifest.jsonl")]
    with pytest.raises(
        ValueError, match=rf"out must be a folder of the same settings; in .* {changed}.* differ .*Choose another"
    ):
        run(**options)
    assert files(folder) == before
    assert [(folder / name).read_bytes() for name in ("run.json", "manifest.jsonl")] == record


def test_a_folder_with_other_files_is_refused_and_left_alone(run, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"out must be a new or empty folder, or one made by the same call; .* other"):
        run()
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["thesis.txt"]


def test_an_empty_folder_is_fine(run, tmp_path):
    (tmp_path / "set").mkdir()
    assert run().new == 6


def test_classes_are_looked_up_by_name_and_keep_the_order_of_the_data(run, waves, tmp_path):
    turned = Dataset("turned", waves.train, waves.test, ("one", "zero"))
    assert run(data=turned, out=tmp_path / "turned").manifest["settings"]["class_labels"] == [1, 0]


def test_the_labels_of_the_pipeline_can_be_given(run, tmp_path):
    by_name = files(run(guidance="none").folder)
    turned = files(run(guidance="none", out=tmp_path / "turned", class_labels=[1, 0]).folder)
    assert by_name["zero/00000.png"] != turned["zero/00000.png"]


def test_classes_that_share_a_label_on_purpose_are_told(run):
    assert "zero and one are asked for alike, by 1." in str(run(guidance="none", class_map={"zero": 1, "one": 1}))


def test_data_and_pipeline_may_be_folders(run, waves, tiny, tmp_path):
    tiny.save_pretrained(tmp_path / "pipe")
    for index, (image, label) in enumerate(zip(waves.train.images, waves.train.labels, strict=True)):
        folder = tmp_path / "data" / waves.class_names[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(((image[0] + 1) * 127.5).byte().numpy()).save(folder / f"{index:02d}.png")
    report = run(data=tmp_path / "data", pipeline=tmp_path / "pipe")
    assert report.manifest["settings"]["data"] == "data"
    assert report.manifest["settings"]["classes"] == ["one", "zero"]
    assert report.manifest["settings"]["class_labels"] == [1, 0]


@pytest.mark.slow
def test_digits_bring_their_own_pipeline_and_scale(tmp_path):
    report = distill("digits", images_per_class=1, out=tmp_path, guidance="mode", steps=2)
    assert report.new == 10
    assert report.manifest["settings"]["guidance_scale"] == 1.5
    assert report.manifest["pipeline"] == "digits"


def test_the_data_stay_as_they_are(run, waves):
    before = waves.train.images.clone()
    run()
    assert torch.equal(waves.train.images, before)


class Unconditional:
    scheduler = None

    def __call__(self, batch_size=1):
        raise AssertionError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"guidance": "magic"},
            "guidance must be one of none, mode, mgd3, manifold, released, match, ",
        ),
        ({"images_per_class": 0}, "images_per_class must be a whole number >= 1; got 0"),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1; got 0"),
        ({"steps": -1}, "steps must be a whole number >= 1; got -1"),
        ({"images_per_class": 7}, "images_per_class must not exceed the 6 images of class 'zero'; got 7"),
        ({"class_labels": [0]}, "class_labels must be one per class, 2; got 1"),
        (
            {"pipeline": Unconditional()},
            r"pipeline must be one of diffusers that makes images from noise, .* got Unconditional",
        ),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_written(run, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        run(**options)
    assert not (tmp_path / "set").exists()


def test_unknown_class_names_are_refused(run, waves):
    named = Dataset("named", waves.train, waves.test, ("zero", "llama"))
    with pytest.raises(ValueError, match=r"class_labels must be given: the pipeline knows no class named \['llama'\]"):
        run(data=named)


def test_latents_at_hand_give_the_same_images(run, waves, tiny, tmp_path):
    encoded = files(run().folder)
    given = files(run(latents=encode(tiny.vae, waves.train.images), out=tmp_path / "other").folder)
    assert encoded == given
    with pytest.raises(ValueError, match="latents must be those of the 12 training images"):
        run(latents=torch.zeros(3, 4, 4, 4), out=tmp_path / "third")


# the sets of the catalogue


def of_profile(name, label_names, *, count=3, side=256):
    """Blurred noise in colour, called as some classes of a set of the catalogue."""
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(count * len(label_names), 3, 8, 8, generator=generator) * 2 - 1
    images = torch.nn.functional.interpolate(small, size=side, mode="bilinear")
    part = ImageSet(images, torch.arange(len(label_names)).repeat_interleave(count))
    return Dataset(name, part, ImageSet(images[:0], part.labels[:0]), tuple(label_names), profile=name)


def with_pipeline(monkeypatch, name, where, **other):
    monkeypatch.setitem(PROFILES, name, dataclasses.replace(PROFILES[name], pipeline=str(where), **other))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classes", "numbers"),
    [
        ("imagenette", ["church", "tench"], [497, 0]),
        ("imagewoof", ["dingo", "Shih-Tzu"], [273, 155]),
        ("imagenet100", ["carbonara", "coyote"], [959, 272]),
    ],
)
def test_imagenet_sets_flow_through_a_small_dit_of_the_public_kind(tmp_path, monkeypatch, name, classes, numbers):
    kinds.imagenet_pipeline().save_pretrained(tmp_path / "pipe")
    with_pipeline(monkeypatch, name, tmp_path / "pipe", guidance_scale=2.5)
    seen = []
    forward = diffusers.DiTTransformer2DModel.forward
    spy = lambda self, *rows, **options: seen.append((rows, options)) or forward(self, *rows, **options)  # noqa: E731
    monkeypatch.setattr(diffusers.DiTTransformer2DModel, "forward", spy)
    data = of_profile(name, classes, count=14)
    report = distill(data, images_per_class=1, out=tmp_path / "out", steps=3)  # guided along the manifold
    settings = report.manifest["settings"]
    assert settings["class_labels"] == numbers
    assert settings["guidance_scale"] == 2.5
    assert report.manifest["pipeline"] == str(tmp_path / "pipe")
    labels = [options["class_labels"].tolist() for _, options in seen]
    first, second = numbers
    assert labels == [[first, second, 1000, 1000]] * 3  # no class beside them, for classifier-free guidance
    assert {rows[0].shape for rows, _ in seen} == {(4, 4, 32, 32)}
    for name in classes:
        with Image.open(tmp_path / "out" / name / "00000.png") as image:
            assert (image.size, image.mode) == ((256, 256), "RGB")


@pytest.mark.slow
def test_the_public_dit_and_its_vae_distil_at_their_full_size(tmp_path, monkeypatch):
    with torch.device("meta"):  # random weights are set below: a million numbers, over and over
        networks = kinds.imagenet_dit(), kinds.imagenet_vae(128, 256, 512, 512)
    drawn = torch.empty(1_000_003).uniform_(-0.02, 0.02, generator=torch.Generator().manual_seed(0)).bfloat16()
    for network in networks:
        network.to(torch.bfloat16).to_empty(device="cpu")
        for values in (*network.parameters(), *network.buffers()):
            for part in values.detach().view(-1).split(len(drawn)):
                part.copy_(drawn[: len(part)])
    pipe = diffusers.DiTPipeline(*networks, diffusers.DDIMScheduler(clip_sample=False))
    pipe.set_progress_bar_config(disable=True)
    data = of_profile("imagewoof", ["dingo"], count=1)
    settings = {"pipeline": pipe, "class_labels": [273], "guidance": "mode", "steps": 1}
    report = distill(data, images_per_class=1, out=tmp_path / "out", **settings)
    with Image.open(report.folder / "dingo" / "00000.png") as image:
        assert (image.size, image.mode) == ((256, 256), "RGB")
        assert np.ptp(np.asarray(image)) > 0


def test_the_denoiser_of_the_public_dit_has_the_shapes_that_we_count_on():
    with torch.device("meta"):  # shapes alone: 750 million numbers stay out of memory
        model = kinds.imagenet_dit()
        output = model(
            torch.empty(2, 4, 32, 32), timestep=torch.empty(2).long(), class_labels=torch.empty(2).long()
        ).sample
    assert output.shape == (2, 8, 32, 32)
    count = lambda module: sum(weight.numel() for weight in module.parameters())  # noqa: E731
    # diffusers keeps the same embedding of time and class in each of the 28 blocks; the authors count it once
    embedding = count(model.transformer_blocks[0].norm1.emb)
    assert count(model) - 27 * embedding == pytest.approx(675e6, rel=0.01)


def test_its_vae_makes_four_channels_of_32_from_256_pixels():
    with torch.device("meta"):
        vae = kinds.imagenet_vae(128, 256, 512, 512)
        latents = vae.encode(torch.empty(1, 3, 256, 256)).latent_dist.mean
        images = vae.decode(latents).sample
    assert latents.shape == (1, 4, 32, 32)
    assert images.shape == (1, 3, 256, 256)
    assert sum(weight.numel() for weight in vae.parameters()) == pytest.approx(83.65e6, rel=1e-3)


def test_imagenet_labels_are_for_the_pipeline_of_the_catalogue_alone(run, tmp_path):
    data = of_profile("imagenette", ["church", "tench"], side=16)
    grey = Dataset(
        data.name, ImageSet(data.train.images[:, :1].contiguous(), data.train.labels), data.test, ("zero", "one")
    )
    assert run(data=grey).manifest["settings"]["class_labels"] == [0, 1]
    with pytest.raises(ValueError, match="class_labels must be given: the pipeline knows no class named"):
        run(data=data, out=tmp_path / "other")


def test_a_set_without_a_pipeline_is_refused_with_the_remedy(run, waves, tmp_path):
    tiny_imagenet = dataclasses.replace(waves, name="tiny_imagenet", profile="tiny_imagenet")
    with pytest.raises(ValueError, match=r"without a pipeline of its own.*pipeline=…, class_labels=…"):
        run(data=tiny_imagenet, pipeline=None)
    with pytest.raises(ValueError, match=r"pipeline must be given for data 'waves': only digits, .*Pass a pipeline"):
        run(pipeline=None)
    assert not (tmp_path / "set").exists()
    assert run(data=tiny_imagenet, class_labels=[3, 4]).new == 6  # the remedy


def test_options_of_a_guidance_are_those_of_its_factory_and_settings_where_they_are_given(run, tmp_path):
    plain = files(run(guidance="mode").folder)
    by_hand = files(
        run(guidance=functools.partial(GUIDANCES["mode"], strength=9.0, above=0.0), out=tmp_path / "b").folder
    )
    report = run(guidance="mode", strength=9, window=0, out=tmp_path / "c")
    assert files(report.folder) == by_hand != plain
    assert {report.manifest["settings"][name] for name in ("strength", "window")} == {9.0, 0.0}
    for changed in ({}, {"strength": 8}):
        with pytest.raises(ValueError, match=r"of the same settings; in .* strength.* differ"):
            run(guidance="mode", window=0, out=tmp_path / "c", **changed)


@pytest.mark.parametrize("guidance", ["none", mode])
def test_an_option_that_a_guidance_does_not_have_is_refused(run, guidance):
    with pytest.raises(ValueError, match=r"strength must be left out with .*; got 1"):
        run(guidance=guidance, strength=1)


def test_a_part_is_held_out_on_request_the_same_that_evaluate_holds_out(run, waves, tmp_path):
    alone = dataclasses.replace(waves, test=waves.test.take([]))
    report = run(data=alone, split=0.4, guidance="none")
    assert report.manifest["settings"]["split"] == 0.4
    assert "'waves' has no test split: 4 of its 12 images are held out for it." in report.manifest["note"]
    assert "4 test images" in report.worth.tested_on
    table = evaluate(report.folder, against=alone, split=0.4, students=0)
    assert "flatter" not in table.attrs["note"]
    assert "flatter" in evaluate(run(data=alone, out=tmp_path / "b").folder, against=alone, students=0).attrs["note"]
    with pytest.raises(ValueError, match=r"of the same settings; in .* differ"):
        run(data=alone, guidance="none")


@pytest.mark.parametrize(
    ("split", "images", "message"),
    [
        (0.2, slice(0, 4), "split must be left out for data with a test split; 'waves' has one. Got 0.2"),
        (1.5, slice(0, 0), "split must be a number > 0 and < 1; got 1.5"),
        (0.9, slice(0, 0), "images_per_class must not exceed the 1 images of class 'zero'; got 3"),
    ],
)
def test_a_split_that_cannot_be_is_refused(run, waves, split, images, message):
    data = dataclasses.replace(waves, test=waves.test.take(range(12)[images]))
    with pytest.raises(ValueError, match=message):
        run(data=data, split=split)


@pytest.mark.parametrize(
    ("method", "pipeline"),
    [("diffusion", True), ("nearest-real", True), ("nearest-real", False), ("herding", False), ("round-trip", True)],
)
def test_a_set_kept_as_bytes_gives_the_files_of_its_numbers(kept, tiny, tmp_path, method, pipeline):
    made = []
    for name, data in zip(("bytes", "numbers"), kept, strict=True):
        how = {"method": method, "pipeline": tiny if pipeline else None, "guidance": "none", "steps": 2}
        how |= {} if method != "diffusion" else {"guidance": mode}
        report = distill(data, images_per_class=2, out=tmp_path / name, **how)
        made.append((files(report.folder), report.manifest["settings"], report.worth))
    assert made[0] == made[1]


def test_methods_that_look_at_no_targets_make_numbers_of_no_class(kept, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(ImageSet, "of_class", lambda self, label: seen.append(label))
    distill(kept[0], images_per_class=2, out=tmp_path / "set", method="random-real")
    assert not seen
