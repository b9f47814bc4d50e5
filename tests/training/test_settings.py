from dataclasses import replace

from mgd_helpers import Dataset, ImageSet
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.encoding.pipelines import PRETRAINED
from mgd_helpers.training.settings import SETTINGS, settings_for


def test_every_shipped_pipeline_has_its_settings():
    assert set(SETTINGS) == {path.parent.name for path in PRETRAINED.glob("*/model_index.json")}
    assert set(SETTINGS) <= set(PROFILES)


def test_settings_go_by_channels_and_number_and_never_by_name(waves):
    assert settings_for(waves) == settings_for(replace(waves, name="cifar10")) == SETTINGS["digits"]
    many = ImageSet(waves.train.images[:1].expand(10_000, -1, -1, -1), waves.train.labels[:1].expand(10_000))
    assert settings_for(replace(waves, train=many)) == SETTINGS["fashion_mnist"]
    colored = ImageSet(waves.train.images.expand(-1, 3, -1, -1), waves.train.labels)
    assert settings_for(Dataset("digits", colored, colored, waves.class_names)) == SETTINGS["cifar10"]
