from mgd_helpers.catalog import PROFILES


def test_profiles_are_whole():
    for name, profile in PROFILES.items():
        assert profile.name == name
        assert len(set(profile.class_names)) == len(profile.class_names)
        assert not any("/" in label for label in profile.class_names)  # they become folders
        assert profile.labels is None or len(profile.labels) == len(profile.class_names)
        assert profile.pipeline
        assert profile.licence


def test_the_mirror_is_found_by_name_or_hub_id(tmp_path, monkeypatch):
    monkeypatch.delenv("MGD_DATA_DIR", raising=False)
    profile = PROFILES["cifar10"]
    assert profile.local() is None
    monkeypatch.setenv("MGD_DATA_DIR", str(tmp_path))
    assert profile.local() is None
    (tmp_path / "uoft-cs" / "cifar10").mkdir(parents=True)
    assert profile.local() == tmp_path / "uoft-cs" / "cifar10"
    (tmp_path / "cifar10").mkdir()
    assert profile.local() == tmp_path / "cifar10"
