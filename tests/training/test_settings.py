from dataclasses import replace

import pytest

from mgd_helpers import Dataset, ImageSet
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.encoding.pipelines import PRETRAINED
from mgd_helpers.training.settings import SETTINGS, fit_to_side, settings_for, small_settings


def test_every_shipped_pipeline_has_its_settings():
    assert set(SETTINGS) == {path.parent.name for path in PRETRAINED.glob("*/model_index.json")}
    assert set(SETTINGS) <= set(PROFILES)


def test_settings_go_by_channels_and_number_and_never_by_name(waves):
    assert settings_for(waves) == settings_for(replace(waves, name="cifar10")) == SETTINGS["digits"]
    many = ImageSet(waves.train.images[:1].expand(10_000, -1, -1, -1), waves.train.labels[:1].expand(10_000))
    assert settings_for(replace(waves, train=many)) == SETTINGS["fashion_mnist"]
    colored = ImageSet(waves.train.images.expand(-1, 3, -1, -1), waves.train.labels)
    assert settings_for(Dataset("digits", colored, colored, waves.class_names)) == SETTINGS["cifar10"]


@pytest.mark.parametrize(("side", "blocks"), [(8, 3), (32, 3), (64, 3), (80, 4), (128, 4), (256, 5)])
def test_latents_of_larger_images_stay_small(side, blocks):
    fitted = fit_to_side(SETTINGS["cifar10"], side)
    assert len(fitted.vae_channels) == blocks and side / 2 ** (blocks - 1) <= 16
    assert replace(fitted, vae_channels=SETTINGS["cifar10"].vae_channels) == SETTINGS["cifar10"]


@pytest.mark.parametrize("name", SETTINGS)
def test_smaller_networks_are_smaller_and_can_still_be_built(name):
    from mgd_helpers.training.architectures import make_dit, make_vae

    sizes = []
    for settings in (SETTINGS[name], small_settings(SETTINGS[name])):
        networks = make_vae(settings, 1, 32), make_dit(settings, 8)
        sizes.append([sum(weight.numel() for weight in network.parameters()) for network in networks])
    assert all(small < 0.5 * usual for usual, small in zip(*sizes, strict=True))
