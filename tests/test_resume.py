"""A folder that `distill` made, in part or in whole: what a second call does to it."""

import dataclasses
import io
import shutil
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from damage import BESIDE, DAMAGE, TORN, as_one_file
from PIL import Image

from mgd_helpers import distillation
from mgd_helpers import making as steps
from mgd_helpers.data.datasets import read_generated
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.data.lock import locked
from mgd_helpers.data.records import read_manifest
from mgd_helpers.distillation import distill
from mgd_helpers.encoding.latents import encode
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.toys import tiny_pipeline

pytestmark = pytest.mark.slow  # every test is some runs


def pull(targets, cloud, seed):
    return ModePull(50 * targets.latents, strength=0.5)  # the latents of the random VAE are too small to be seen


@pytest.fixture(scope="module")
def three():
    """Three classes of five images: a set of them is more than a batch of four."""
    images = torch.rand(15, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    part = ImageSet(images, torch.arange(15) % 3)
    return Dataset("three", part, part.take([0, 1, 2]), ("a", "b", "c"))


SETTINGS = {"images_per_class": 5, "guidance": pull, "steps": 3, "class_labels": [0, 1, 1], "batch_size": 4}


@pytest.fixture
def run(three, tiny, tmp_path):
    def call(**options):
        return distill(
            options.pop("data", three), **({"out": tmp_path / "set", "pipeline": tiny, **SETTINGS} | options)
        )

    return call


@pytest.fixture(scope="module")
def made(three, tmp_path_factory):
    """The folder that `run()` makes, made once."""
    return distill(three, out=tmp_path_factory.mktemp("made") / "set", pipeline=tiny_pipeline(), **SETTINGS).folder


@pytest.fixture
def finished(made, tmp_path):
    """A copy of it where `run` makes its own: what is left of an earlier call."""
    return shutil.copytree(made, tmp_path / "set")


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("*/*.png") if path.is_file()}


def manifest_of(folder):
    return read_manifest(folder)


def spy(monkeypatch, name):
    calls, original = [], getattr(steps, name)
    monkeypatch.setattr(steps, name, lambda *rows, **options: calls.append(rows) or original(*rows, **options))
    return calls


PATTERNS = {
    "one": ["a/00000"],
    "the last": ["c/00004"],
    "one of each class": ["a/00001", "b/00002", "c/00003"],
    "a class": [f"b/0000{index}" for index in range(5)],
    "two neighbours across classes": ["a/00004", "b/00000"],
    "every second": [f"{name}/0000{index}" for name in "abc" for index in (0, 2, 4)],
    "all but one": [f"{name}/0000{index}" for name in "abc" for index in range(5)][1:],
    "all": [f"{name}/0000{index}" for name in "abc" for index in range(5)],
}


@pytest.mark.parametrize("guidance", [pull, "manifold", "released", "none", "match+transport"])
def test_whatever_lacks_comes_back_to_the_byte(run, guidance):
    folder = run(guidance=guidance).folder
    whole = files(folder)
    for lacking in PATTERNS.values():
        for name in lacking:
            (folder / f"{name}.png").unlink()
        assert run(guidance=guidance).new == len(lacking)
        assert files(folder) == whole


@pytest.mark.parametrize("lacking", PATTERNS)
def test_only_what_lacks_is_written(run, finished, lacking):
    for name in PATTERNS[lacking]:
        (finished / f"{name}.png").unlink()
    times = {path: path.stat().st_mtime_ns for path in finished.glob("*/*.png")}
    run()
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_batches_hold_whole_sets_and_do_not_depend_on_what_lacks(run, monkeypatch):
    calls = spy(monkeypatch, "sample_batch")
    folder = run(images_per_class=2).folder
    first = [batch.keys for _, batch, *_ in calls]
    assert first == [[(0, 0), (0, 1)], [(1, 0), (1, 1), (2, 0), (2, 1)]]  # of three sets of two, four fit
    (folder / "b/00000.png").unlink()
    calls.clear()
    run(images_per_class=2)
    assert [(batch.keys, batch.wanted) for _, batch, *_ in calls] == [(first[1], [(1, 0)])]


def test_more_images_than_a_set_holds_are_several_sets_as_even_as_can_be(run, monkeypatch):
    calls, seeds = spy(monkeypatch, "sample_batch"), {}

    def factory(targets, cloud, seed):
        seeds.setdefault(cloud.sum().item(), []).append((seed, len(targets.nodes)))
        return pull(targets, cloud, seed)

    report = run(set_size=3, batch_size=6, guidance=factory)
    assert report.manifest["settings"]["set_size"] == 3
    assert [batch.keys for _, batch, *_ in calls] == [
        [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)],
        [(0, 2), (0, 3), (0, 4)],
        [(1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (2, 4)],
    ]
    assert all([size for _, size in of] == [2, 3] and len({seed for seed, _ in of}) == 2 for of in seeds.values())
    with pytest.raises(ValueError, match=r"out must be a folder of the same settings.*set_size"):
        run(set_size=4, batch_size=6, guidance=factory)


def test_a_folder_from_before_there_were_sets_goes_on(run, finished):
    as_one_file(finished, lambda manifest: manifest["settings"].pop("set_size"))
    (finished / "b/00001.png").unlink()
    assert run().new == 1


def test_only_classes_that_lack_an_image_are_encoded_clustered_and_guided(run, finished, three, monkeypatch):
    (finished / "b/00000.png").unlink()
    encoded, grown, asked = spy(monkeypatch, "denoised_from"), spy(monkeypatch, "bisect"), []

    def factory(targets, cloud, seed):
        asked.append(len(targets))
        return pull(targets, cloud, seed)

    resolve = distillation.resolve
    swapped = lambda *rows, **options: dataclasses.replace(resolve(*rows, **options), factory=factory)  # noqa: E731
    monkeypatch.setattr(distillation, "resolve", swapped)  # under the settings of the first run
    run()
    assert len(encoded) == len(grown) == 1
    assert torch.equal(encoded[0][1], three.train.of_class(1))
    assert asked == [5]  # all targets of the set, though four images are there


def test_a_finished_folder_is_recognised_without_work(run, finished, monkeypatch):
    before = (finished / "run.json").read_bytes()
    for name in ("encode", "bisect", "locked", "write_manifest"):
        monkeypatch.setattr(steps, name, None)
    assert run().new == 0
    assert (finished / "run.json").read_bytes() == before


def test_every_call_that_makes_images_is_recorded_and_no_other(run, monkeypatch):
    first = run().manifest["made_by"]
    monkeypatch.setattr("mgd_helpers.data.records.package_versions", lambda: {"torch": "99"})
    assert run().manifest["made_by"] == first
    folder = run().folder
    (folder / "a/00001.png").unlink()
    manifest = run().manifest
    assert manifest == manifest_of(folder)
    assert manifest["made_by"][:1] == first
    assert manifest["made_by"][1]["versions"] == {"torch": "99"}
    assert [entry["images"] for entry in manifest["made_by"]] == [15, 1]
    assert {image["file"] for image in manifest["images"] if image["made_by"] == 1} == {"a/00001.png"}


@pytest.mark.parametrize("why", DAMAGE)
def test_damaged_images_are_named_and_made_again(run, finished, why):
    whole = files(finished)
    DAMAGE[why](finished / "b/00001.png")
    with pytest.warns(UserWarning, match=rf"1 images in .*set' are damaged, and made again: b/00001.png \({why}\)"):
        assert run().new == 1
    assert files(finished) == whole


def test_another_picture_is_made_again(run, finished, three):
    whole = files(finished)
    shutil.copy(finished / "a/00001.png", finished / "a/00002.png")
    with pytest.warns(UserWarning, match=r"a/00002.png \(changed\)"):
        run()
    assert files(finished) == whole
    assert len(read_generated(finished, three)) == 15


def test_missing_images_are_made_without_a_warning(run, finished):
    (finished / "a/00001.png").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run()


def test_an_unfinished_folder_is_not_evaluated(run, finished, three):
    (finished / "a/00001.png").unlink()
    with pytest.raises(ValueError, match=r"must hold the 15 images of its manifest .*missing: a/00001.png\. Repeat"):
        read_generated(finished, three)


@pytest.mark.parametrize("how", TORN)
@pytest.mark.parametrize("file", ["run.json", "manifest.jsonl", "manifest.json"])
def test_a_torn_manifest_is_named(run, finished, file, how):
    if file == "manifest.json":
        as_one_file(finished)
    if (file, how) == ("manifest.jsonl", "empty"):
        return  # a list of no images
    TORN[how](finished / file)
    before = files(finished)
    with pytest.raises(ValueError, match=rf"{file}' must be a manifest .*cannot be read.*choose another folder"):
        run()
    assert files(finished) == before


@pytest.mark.parametrize("content", ["{}", "[]", "5", '"text"', '{"images": []}'])
@pytest.mark.parametrize("file", ["run.json", "manifest.json"])
def test_a_manifest_of_others_is_named(run, finished, file, content):
    as_one_file(finished)
    (finished / "manifest.json").rename(finished / file)
    (finished / file).write_text(content)
    with pytest.raises(ValueError, match=rf"holds a {file} without settings.*choose another folder"):
        run()


def test_a_manifest_that_says_only_the_classes_is_no_run(run, three, tmp_path):
    from mgd_helpers.data.saving import write_images

    write_images(tmp_path / "set", three.train, class_names=three.class_names)
    with pytest.raises(ValueError, match="must be a folder of the same settings"):
        run()


def as_before(manifest):
    """As the version before wrote it."""
    (made,) = manifest.pop("made_by")
    manifest |= {key: made[key] for key in ("versions", "device")}
    for key in ("latents", "guidance_code", "package", "encoder_dtype"):
        del manifest["settings"][key]
    for image in manifest["images"]:
        del image["sha256"], image["made_by"]


def test_a_folder_of_the_version_before_is_read_and_goes_on(run, finished, three):
    whole, versions = files(finished), manifest_of(finished)["made_by"][0]["versions"]
    as_one_file(finished, as_before)
    assert len(read_generated(finished, three)) == 15
    assert run().new == 0
    (finished / "a/00003.png").unlink()
    report = run()
    assert (report.new, files(finished)) == (1, whole)
    assert "which did not note latents, guidance_code, package, encoder_dtype" in report.manifest["note"]
    assert [entry["images"] for entry in report.manifest["made_by"]] == [14, 1]
    assert report.manifest["made_by"][0]["versions"] == versions
    assert "versions" not in report.manifest
    assert len(read_generated(finished, three)) == 15
    with pytest.raises(ValueError, match="seed differ"):
        run(seed=1)


def test_what_diffusers_notes_of_a_schedule_for_itself_is_no_setting(run, tiny, monkeypatch):
    """Its version; and which values are defaults, a list that each process puts in another order."""
    config = tiny.scheduler.config
    for noted in (["beta_end", "beta_start"], ["beta_start", "beta_end"]):
        monkeypatch.setattr(tiny.scheduler, "_internal_dict", type(config)({**config, "_use_default_values": noted}))
        report = run()
    assert report.new == 0
    assert not [name for name in report.manifest["settings"]["scheduler_config"] if name.startswith("_")]
    as_one_file(report.folder, lambda manifest: manifest["settings"]["scheduler_config"].update(_diffusers_version="0"))
    assert run().new == 0
    monkeypatch.setattr(tiny.scheduler, "_internal_dict", type(config)({**config, "beta_end": 0.5}))
    with pytest.raises(ValueError, match="scheduler_config differ"):
        run()


def test_two_runs_at_once_are_one(run, tmp_path):
    folder = tmp_path / "set"
    with locked(folder), pytest.raises(ValueError, match=r"in use by another run \(process \d+ on .*delete"):
        run()
    assert not folder.exists()
    results, start = [], threading.Barrier(2)

    def work():
        start.wait()
        try:
            results.append(run().new)
        except ValueError as error:
            results.append("in use" in str(error))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) in ([True, 15], [0, 15])
    assert not (folder / ".lock").exists()


def test_a_finished_folder_may_be_asked_for_while_it_is_locked(run, finished):
    with locked(finished):
        assert run().new == 0


@pytest.mark.parametrize("left", [".run.json.part", ".manifest.jsonl.0123456789ab.part"])
def test_what_a_full_disk_left_is_taken_away(run, tmp_path, left):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / left).write_text("{")
    assert run().new == 15
    assert {path.name for path in (tmp_path / "set").iterdir()} == {"a", "b", "c", "report.json", *BESIDE}


def nan_guidance(targets, cloud, seed):
    return lambda denoised, level: denoised * torch.nan


def broken(targets, cloud, seed):
    raise ValueError("strength must be less")


@pytest.mark.parametrize("guidance", [nan_guidance, broken])
def test_a_first_try_that_fails_leaves_nothing(run, tmp_path, guidance):
    with pytest.raises(ValueError):
        run(guidance=guidance)
    assert not (tmp_path / "set").exists()
    assert run().new == 15  # with other settings


@pytest.mark.parametrize("part", ["transformer", "vae"])
@pytest.mark.parametrize("guidance", ["none", "mode"])
def test_weights_that_are_nan_make_nothing(run, three, tiny, tmp_path, part, guidance):
    latents = encode(tiny.vae, three.train.images)
    next(getattr(tiny, part).parameters()).data.fill_(torch.nan)
    decoder = tiny.vae.decoder.conv_out.weight.data
    decoder.fill_(torch.nan if part == "vae" else 0.1)
    for given in (None, latents):
        with pytest.raises(ValueError, match=r"finite"):
            run(guidance=guidance, latents=given)
        assert not (tmp_path / "set").exists()


def test_images_that_become_nan_midway_leave_the_folder_unfinished(run, tiny, monkeypatch):
    whole = files(run().folder)
    shutil.rmtree(run().folder)
    decode, calls = tiny.vae.decode, []

    def fails_in_the_second_set(*rows, **options):
        calls.append(1)
        output = decode(*rows, **options)
        if len(calls) == 4:  # a set of five takes two calls
            output.sample.mul_(torch.nan)
        return output

    monkeypatch.setattr(tiny.vae, "decode", fails_in_the_second_set)
    with pytest.raises(ValueError, match="finite"):
        run()
    folder = run().folder
    assert manifest_of(folder)["made_by"][0]["images"] == 5
    assert files(folder) == whole


def test_strange_names_stay_inside_and_come_back(run, three, tmp_path):
    names = ("../x", "Cat", "cat")
    data = Dataset("strange", three.train, three.test, names)
    report = run(data=data)
    assert {path.parent.parent for path in tmp_path.rglob("0*.png")} == {tmp_path / "set"}
    assert len(files(report.folder)) == report.images == 15
    assert report.labels == {"../x": 0, "Cat": 1, "cat": 1}
    assert [image["class"] for image in report.manifest["images"]] == [name for name in names for _ in range(5)]
    assert read_generated(report.folder, data).labels.bincount().tolist() == [5, 5, 5]
    assert run(data=data).new == 0


def test_a_file_in_place_of_a_class_is_named_before_any_work(run, finished, monkeypatch):
    shutil.rmtree(finished / "b")
    (finished / "b").write_text("mine")
    monkeypatch.setattr(steps, "encode", None)
    with pytest.raises(ValueError, match=r"out must be a folder.*set/b' is a file"):
        run()


def test_numbers_of_numpy_are_the_same_settings(run, finished):
    assert run(images_per_class=np.int64(5), steps=np.int32(3), seed=np.uint8(0), guidance_scale=4).new == 0


def test_another_batch_size_goes_on_in_the_same_folder(run, finished):
    whole = files(finished)
    (finished / "b/00001.png").unlink()
    assert run(batch_size=7).new == 1
    grey = [
        np.asarray(Image.open(io.BytesIO(content)), int)
        for content in (files(finished)["b/00001.png"], whole["b/00001.png"])
    ]
    assert abs(grey[0] - grey[1]).max() <= 1


def test_images_written_before_a_failure_are_vouched_for(run, monkeypatch, tmp_path):
    write, calls = steps.write, []

    def fails_at_the_third(*rows):
        calls.append(1)
        if len(calls) == 3:
            raise OSError("disk full")
        write(*rows)

    monkeypatch.setattr(steps, "write", fails_at_the_third)
    with pytest.raises(OSError, match="disk full"):
        run()
    monkeypatch.undo()
    manifest = manifest_of(tmp_path / "set")
    assert (manifest["complete"], manifest["made_by"][0]["images"]) == (False, 2)
    assert run().new == 13


class Killed(BaseException):
    pass


@pytest.fixture
def kill(monkeypatch):
    """After so many files and lines nothing more is written, as if the process had been killed."""

    def after(count):
        done, replace, add = [], Path.replace, steps.add_record

        def dying(original):
            def step(*rows):
                if len(done) >= count:
                    raise Killed
                done.append(rows)
                return original(*rows)

            return step

        monkeypatch.setattr(Path, "replace", dying(replace))
        monkeypatch.setattr(steps, "add_record", dying(add))
        return done

    return after


OF_TWO = {"images_per_class": 2, "class_labels": [0, 1], "steps": 1, "guidance": "none", "batch_size": 4}


@pytest.fixture(scope="module")
def made_of_two(tmp_path_factory):
    return distill(two(), out=tmp_path_factory.mktemp("two") / "set", pipeline=tiny_pipeline(), **OF_TWO).folder


STATES = {"nothing": range(15), "a part": range(0, 11, 2), "an earlier version": range(1, 11, 2)}


@pytest.mark.parametrize(("before", "count"), [(state, count) for state, counts in STATES.items() for count in counts])
def test_killed_between_any_two_writes_the_same_call_ends_in_the_same_folder(
    run, tmp_path, made_of_two, monkeypatch, kill, count, before
):
    options, folder = {"data": two(), **OF_TWO}, tmp_path / "set"
    whole, listed = files(made_of_two), [image["file"] for image in manifest_of(made_of_two)["images"]]
    if before != "nothing":
        shutil.copytree(made_of_two, folder)
        (folder / "b/00000.png").unlink()
    if before == "an earlier version":
        as_one_file(folder)
    done = kill(count)
    try:
        run(**options)
    except Killed:
        assert len(done) == count
    monkeypatch.undo()
    manifest = run(**options).manifest
    assert files(folder) == whole
    assert manifest == manifest_of(folder)
    assert (manifest["complete"], [image["file"] for image in manifest["images"]]) == (True, listed)
    assert {path.name for path in folder.iterdir()} == {"a", "b", "report.json", *BESIDE}
    assert sum(entry["images"] for entry in manifest["made_by"]) >= 4
    assert run(**options).new == 0


def two():
    images = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    part = ImageSet(images, torch.arange(4) % 2)
    return Dataset("two", part, part.take([]), ("a", "b"))


def test_what_is_shown_beside_the_images_comes_back(run, finished):
    beside = {name: (finished / name).read_bytes() for name in BESIDE}
    for name in ("metadata.jsonl", "contact_sheet.png", "README.md"):
        (finished / name).unlink()
        assert run().new == 0
        (finished / name).write_bytes(b"")
        assert run().new == 0
        assert {name: (finished / name).read_bytes() for name in BESIDE} == beside


def test_without_the_list_of_images_they_are_made_again(run, finished):
    whole = files(finished)
    (finished / "manifest.jsonl").unlink()
    assert run().new == 15
    assert files(finished) == whole


def test_a_class_that_is_a_link_to_elsewhere_is_refused_before_any_work(run, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    folder = run().folder
    shutil.rmtree(folder / "b")
    (folder / "b").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(steps, "encode", None)
    with pytest.raises(ValueError, match="out must hold folders of its own"):
        run()
    assert not list((tmp_path / "elsewhere").iterdir())
