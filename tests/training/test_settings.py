from dataclasses import replace

from mgd_helpers import Dataset, ImageSet
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.encoding.pipelines import PRETRAINED
from mgd_helpers.training.settings import SETTINGS, settings_for


def test_every_shipped_pipeline_has_its_settings():
    assert set(SETTINGS) == {path.parent.name for path in PRETRAINED.glob("*/model_index.json")}
    assert set(SETTINGS) <= set(PROFILES)


def test_settings_go_by_name_and_else_by_channels(waves):
    assert settings_for(replace(waves, name="digits")) == SETTINGS["digits"]
    assert settings_for(waves) == SETTINGS["fashion_mnist"]
    colored = ImageSet(waves.train.images.expand(-1, 3, -1, -1), waves.train.labels)
    assert settings_for(Dataset("mine", colored, colored, waves.class_names)) == SETTINGS["cifar10"]
