"""Pipelines of every kind through `distill`: saved to disk, loaded by path, stopped and gone on with."""

from types import SimpleNamespace

import pytest
import tiny as tiny_parts
import torch
import whole_pipelines
from diffusers import DiffusionPipeline, UNet2DModel
from PIL import Image

from mgd_helpers.batches import asked
from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.data.saving import write_images
from mgd_helpers.distillation import distill
from mgd_helpers.encoding.facts import write_facts
from mgd_helpers.encoding.pipelines import load_pipeline

NAMES = ("red_fox", "n01440764")
OPTIONS = {"images_per_class": 2, "steps": 3, "guidance": "mode", "report": False}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of colored images of 20 x 24 pixels, and the pipelines, saved where they are asked for first."""
    place = tmp_path_factory.mktemp("kinds")
    images = torch.rand(10, 3, 20, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    labels = torch.arange(10) % 2
    write_images(place / "data", ImageSet(images, labels), class_names=NAMES)
    for record in [path for path in (place / "data").iterdir() if path.is_file()]:
        record.unlink()  # a folder of anybody's

    def folder(kind):
        if kind not in ("data",) and not (place / kind).exists():
            whole_pipelines.saved(kind, place / kind)
            if kind == "FluxPipeline":
                write_facts(place / kind, image_size=16)
        return place / kind

    return folder


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("0*.png")}


ASKED = {
    "DiTPipeline": {"class_map": {"red_fox": "one", "n01440764": 0}},
    "StableDiffusionPipeline": {},
    "StableDiffusionXLPipeline": {"prompt": "one {name}"},
    "StableDiffusion3Pipeline": {"class_map": {"red_fox": "fox"}},
    "FluxPipeline": {"prompt": {"red_fox": "a fox", "n01440764": "a fish"}},
    "DDPMPipeline": {},
    "DDIMPipeline": {},
}
LABELS = {
    "DiTPipeline": {"n01440764": 0, "red_fox": 1},
    "StableDiffusionPipeline": {"n01440764": "a photo of a tench", "red_fox": "a photo of a red fox"},
    "StableDiffusionXLPipeline": {"n01440764": "one tench", "red_fox": "one red fox"},
    "StableDiffusion3Pipeline": {"n01440764": "a photo of a tench", "red_fox": "a photo of a fox"},
    "FluxPipeline": {"n01440764": "a fish", "red_fox": "a fox"},
    "DDPMPipeline": {},
    "DDIMPipeline": {},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", whole_pipelines.KINDS)
def test_every_kind_distils_a_folder_and_goes_on_to_the_same_bytes(folders, tmp_path, kind):
    options = OPTIONS | ASKED[kind] | {"pipeline": folders(kind)}
    report = distill(folders("data"), out=tmp_path / "set", **options)
    made = files(report.folder)
    assert report.labels == LABELS[kind]
    assert sorted(made) == [f"{name}/0000{index}.png" for name in sorted(NAMES) for index in range(2)]
    side = 8 if kind in ("DDPMPipeline", "DDIMPipeline") else 16
    for name in made:
        with Image.open(report.folder / name) as image:
            assert (image.size, image.mode) == ((side, side), "L" if kind == "DiTPipeline" else "RGB")
    lost = sorted(made)[-1]
    (report.folder / lost).unlink()
    assert distill(folders("data"), out=tmp_path / "set", **options).new == 1
    assert files(report.folder) == made
    late = distill(folders("data"), out=tmp_path / "late", **options, image_to_image=0.5)
    assert files(late.folder) != made
    train = load_data(folders("data")).train
    for image in late.manifest["images"]:
        assert train.labels[image["start"]] == sorted(NAMES).index(image["class"])
    with pytest.raises(ValueError, match=r"of the same settings; .* image_to_image differ"):
        distill(folders("data"), out=tmp_path / "late", **options)


@pytest.mark.parametrize("kind", ["DDPMPipeline", "DDIMPipeline"])
def test_a_strong_pull_of_a_pixel_model_ends_on_its_targets(folders, tmp_path, kind):
    """With one image of a class its target is the mean image of the class."""
    options = OPTIONS | {"images_per_class": 1, "strength": 1.0, "window": 0.0}
    report = distill(folders("data"), out=tmp_path, pipeline=folders(kind), **options)
    train = load_data(folders("data"), image_size=8).train
    means = torch.stack([train.of_class(label).mean(0) for label in range(2)])
    found = load_data(report.folder).train.images
    torch.testing.assert_close(found, means, rtol=0, atol=0.02)


def test_each_class_may_have_a_pipeline_of_its_own(folders, tmp_path):
    first, second = folders("DDIMPipeline"), folders("DDPMPipeline")
    options = OPTIONS | {"guidance": "none"}
    report = distill(folders("data"), out=tmp_path / "a", pipeline={"red_fox": first, "n01440764": second}, **options)
    turned = distill(folders("data"), out=tmp_path / "b", pipeline={"red_fox": second, "n01440764": first}, **options)
    alike = distill(folders("data"), out=tmp_path / "c", pipeline={"red_fox": first, "n01440764": first}, **options)
    assert files(report.folder)["red_fox/00000.png"] == files(alike.folder)["red_fox/00000.png"]
    assert files(turned.folder)["n01440764/00001.png"] == files(alike.folder)["n01440764/00001.png"]
    assert files(report.folder)["n01440764/00000.png"] != files(alike.folder)["n01440764/00000.png"]
    (report.folder / "n01440764/00001.png").unlink()
    made = files(turned.folder)
    (turned.folder / "n01440764/00001.png").unlink()
    pipeline = {"red_fox": second, "n01440764": first}
    assert distill(folders("data"), out=tmp_path / "b", pipeline=pipeline, **options).new == 1
    assert files(turned.folder) == made


@pytest.mark.parametrize(
    ("pipeline", "options", "message"),
    [
        ("DDPMPipeline", {"guidance": "none"}, "guidance must not be 'none' with DDPMPipeline, which takes no cond"),
        ("DDPMPipeline", {"prompt": "{name}"}, "prompt must be left out for DDPMPipeline"),
        ("DDPMPipeline", {"guidance_scale": 2}, "guidance_scale must be left out for DDPMPipeline"),
        ("StableDiffusionPipeline", {"class_labels": [0, 1]}, "class_labels must be left out for StableDiffusionPip"),
        ("StableDiffusionPipeline", {"prompt": "a fox"}, r"prompt must hold \{name\}"),
        ("DiTPipeline", {}, r"class_labels must be given: the pipeline knows no class named \['n01440764', 'red_fox'"),
        ({"red_fox": "DDPMPipeline"}, {}, r"pipeline must have one for each class .*differs in \['n01440764'\]"),
        ({"red_fox": "DDPMPipeline", "n01440764": "DiTPipeline"}, {}, "must map classes to pipelines without cond"),
        ("DDPMPipeline", {"image_to_image": 0}, "image_to_image must be a number > 0 and <= 1; got 0"),
        ("DDPMPipeline", {"image_to_image": 1.5}, "image_to_image must be a number > 0 and <= 1; got 1.5"),
        (None, {"image_to_image": 0.5, "method": "herding"}, "image_to_image must be left out with method='herding'"),
    ],
)
def test_what_is_not_for_a_kind_is_refused_before_anything_is_written(folders, tmp_path, pipeline, options, message):
    given = {name: folders(kind) for name, kind in pipeline.items()} if isinstance(pipeline, dict) else pipeline
    given = folders(given) if isinstance(given, str) else given
    with pytest.raises(ValueError, match=message):
        distill(folders("data"), out=tmp_path / "set", **OPTIONS | {"pipeline": given} | options)
    assert not (tmp_path / "set").exists()


def test_images_at_hand_say_the_size_where_it_can_be_chosen(folders, tmp_path):
    images = torch.rand(4, 3, 24, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    part = ImageSet(images, torch.arange(4) % 2)
    pipeline = folders("StableDiffusionPipeline")
    report = distill(Dataset("tall", part, part, ("a", "b")), out=tmp_path / "set", pipeline=pipeline, **OPTIONS)
    assert report.manifest["settings"]["image_size"] == [24, 16]
    with Image.open(report.folder / "a/00000.png") as image:
        assert image.size == (16, 24)
    odd = Dataset("odd", ImageSet(images[..., :12], part.labels), part, ("a", "b"))
    with pytest.raises(ValueError, match=r"multiples of 8 for this pipeline; got 24 x 12"):
        distill(odd, out=tmp_path / "other", pipeline=pipeline, **OPTIONS)


def test_the_least_share_of_steps_gives_nearly_the_real_image(folders, tmp_path):
    options = OPTIONS | {"steps": 100, "image_to_image": 0.01, "guidance": lambda targets, cloud, seed: None}
    report = distill(folders("data"), out=tmp_path, pipeline=folders("DDIMPipeline"), **options)
    train, found = load_data(folders("data"), image_size=8).train, load_data(report.folder).train.images
    real = train.images[[image["start"] for image in report.manifest["images"]]]
    assert (found - real).abs().mean() < 0.05


class ClassConditional(DiffusionPipeline):
    """A latent pipeline of one's own: a U-Net that takes class labels, without classifier-free guidance."""

    def __init__(self, vae, unet, scheduler):
        super().__init__()
        self.register_modules(vae=vae, unet=unet, scheduler=scheduler)

    @torch.no_grad()
    def __call__(self, class_labels, generator=None, num_inference_steps=50, output_type="pt"):
        config = self.unet.config
        shape = (config.in_channels, config.sample_size, config.sample_size)
        latents = torch.stack([torch.randn(shape, generator=one) for one in generator])
        self.scheduler.set_timesteps(num_inference_steps)
        for time in self.scheduler.timesteps:
            noise = self.unet(latents, time, class_labels=torch.tensor(class_labels)).sample
            latents = self.scheduler.step(noise, time, latents).prev_sample
        images = self.vae.decode(latents / self.vae.config.scaling_factor).sample
        return SimpleNamespace(images=(images / 2 + 0.5).clamp(0, 1))


def test_a_latent_pipeline_of_ones_own_is_asked_by_its_labels(folders, tmp_path):
    unet = UNet2DModel(
        sample_size=8,
        in_channels=tiny_parts.CHANNELS,
        out_channels=tiny_parts.CHANNELS,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        num_class_embeds=3,
    )
    pipe = ClassConditional(tiny_parts.vae(), unet, whole_pipelines.ddim())
    pipe.save_pretrained(tmp_path / "pipe")
    pipe = ClassConditional.from_pretrained(tmp_path / "pipe")
    pipe.set_progress_bar_config(disable=True)
    options = OPTIONS | {"pipeline": pipe, "image_to_image": 0.7}
    with pytest.raises(ValueError, match="must be a whole number from 0 to 2; got 5 for class 'red_fox'"):
        distill(folders("data"), out=tmp_path / "set", **options, class_map={"red_fox": 5, "n01440764": 0})
    class_map = {"red_fox": 2, "n01440764": 0}
    report = distill(folders("data"), out=tmp_path / "set", **options, class_map=class_map)
    assert report.labels == class_map
    made = files(report.folder)
    (report.folder / "red_fox/00000.png").unlink()
    assert distill(folders("data"), out=tmp_path / "set", **options, class_map=class_map).new == 1
    assert files(report.folder) == made


def test_images_that_a_safety_checker_blackened_are_told(folders, tmp_path, monkeypatch):
    black = lambda pipe, asked, **options: -torch.ones(len(asked), 3, 8, 8)  # noqa: E731
    monkeypatch.setattr("mgd_helpers.batches.sample", black)
    distill(folders("data"), out=tmp_path / "quiet", pipeline=folders("DDIMPipeline"), **OPTIONS)
    pipe = load_pipeline(folders("DDIMPipeline"))
    pipe.safety_checker = "there"
    with pytest.warns(UserWarning, match="4 of 4 images are black: the pipeline's safety checker took them out"):
        distill(folders("data"), out=tmp_path / "set", pipeline=pipe, **OPTIONS)


def test_what_is_asked_is_what_the_settings_say():
    assert asked({"class_labels": [3, 4]}, 1) == 4
    assert asked({"prompts": ["a", "b"], "image_size": [8, 16]}, 1) == {"prompt": "b", "height": 8, "width": 16}
    assert asked({}, 1) == {}
