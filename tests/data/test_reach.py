import pytest

from mgd_helpers.data.reach import check_columns, check_outside


@pytest.mark.parametrize("out", ["data", "data/out", "data/../data/a/b", "./data/out"])
def test_what_is_written_into_the_data_is_refused(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    for source in ("data", tmp_path / "data", "link"):
        with pytest.raises(ValueError, match="out must lie outside the folder of the data"):
            check_outside(out, source)


@pytest.mark.parametrize("source", ["digits", "nowhere", "a\0b", "x" * 5000, 5, None, "data"])
def test_beside_the_data_and_with_others_all_is_free(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    check_outside("out", source)
    check_outside("database", source)


def test_columns_are_names_and_for_data_that_are_yet_to_be_read(waves):
    check_columns("folder", image_column="photo", label_column=None)
    for odd in (5, "", ["a"]):
        with pytest.raises(ValueError, match="label_column must be the name of a column"):
            check_columns("folder", label_column=odd)
    with pytest.raises(ValueError, match="image_column must be left out for a Dataset"):
        check_columns(waves, image_column="photo")
