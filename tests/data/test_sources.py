import huggingface_hub
import pytest
from PIL import Image

datasets = pytest.importorskip("datasets")

from mgd_helpers.data.datasets import load_data  # noqa: E402


def rows(count=4):
    pictures = [Image.new("L", (4, 4), 10 * number) for number in range(count)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    return datasets.Dataset.from_dict({"image": pictures, "label": [n % 2 for n in range(count)]}, features)


@pytest.fixture
def places(tmp_path):
    rows().to_parquet(tmp_path / "one.parquet")
    rows().to_parquet(tmp_path / "folder/data/train-00000-of-00001.parquet") if (
        (tmp_path / "folder/data").mkdir(parents=True) is None
    ) else None
    rows(2).to_parquet(tmp_path / "folder/data/validation-00000-of-00001.parquet")
    rows().save_to_disk(tmp_path / "saved")
    datasets.DatasetDict(train=rows(), test=rows(2)).save_to_disk(tmp_path / "dict")
    return tmp_path


@pytest.mark.parametrize(("place", "test"), [("one.parquet", 0), ("folder", 2), ("saved", 0), ("dict", 2)])
def test_files_of_datasets_are_read(places, place, test):
    data = load_data(places / place)
    assert data.class_names == ("a", "b")
    assert (len(data.train), len(data.test)) == (4, test)
    assert data.name == place.removesuffix(".parquet")
    assert data.profile == ""


def test_a_set_on_the_hub_is_read_from_its_cache(tmp_path, monkeypatch):
    commit = "0" * 40
    repo = tmp_path / "hub" / "datasets--owner--name"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs/main").write_text(commit)
    (repo / "snapshots" / commit / "data").mkdir(parents=True)
    rows().to_parquet(repo / "snapshots" / commit / "data/train-00000-of-00001.parquet")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    data = load_data("owner/name")
    assert (data.name, len(data.train)) == ("name", 4)
    with pytest.raises(ValueError, match="'owner/other' is no folder here, and could not be read from the hub"):
        load_data("owner/other")


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(ValueError, match=r"data that the package datasets reads; .*x.parquet' is not"):
        load_data(tmp_path / "x.parquet")
