import pytest

datasets = pytest.importorskip("datasets")


def test_progress_bars_of_others_are_silent_inside_and_as_they_were_afterwards(monkeypatch):
    from mgd_helpers.data.loudness import quiet_datasets

    datasets.enable_progress_bars()
    with quiet_datasets() as found:
        assert found is datasets
        assert not datasets.is_progress_bar_enabled()
    assert datasets.is_progress_bar_enabled()
