import dataclasses
import re
from pathlib import Path

import pytest

from mgd_helpers.data.catalog import CATALOG, PIPELINE_REVISIONS, PROFILES

DIT, _ = PIPELINE_REVISIONS
IMAGENET = [profile for profile in PROFILES.values() if profile.pipeline == DIT]
ROWS = {name: entry["classes"] for name, entry in CATALOG["profiles"].items() if "classes" in entry}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_profiles_are_whole(profile):
    assert PROFILES[profile.name] is profile
    assert len({name.lower() for name in profile.class_names}) == len(profile.class_names)
    assert profile.labels is None or len(profile.labels) == len(profile.class_names)
    assert {len(names) for names in profile.other_names} <= {len(profile.class_names)}
    assert profile.license
    assert not profile.balanced or {size % len(profile.class_names) for size in profile.sizes} == {0}
    assert (profile.hub_id is None) == (profile.megabytes == 0)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_what_a_lab_reads_of_a_set_takes_little_of_twelve_gibibytes(profile):
    most = profile.per_class or max(profile.sizes)
    images = sum(min(size, most * len(profile.class_names)) for size in profile.sizes)
    if profile.pipeline:
        assert 4 * images * profile.channels * profile.image_size**2 < 4 * 2**30
    assert profile.per_class is None or profile.per_class >= 20


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_class_names_can_be_folders_on_any_system(profile, tmp_path):
    for name in profile.class_names:
        assert name == name.strip(" .")
        assert not set(name) & set('/\\:*?"<>|,')
        (tmp_path / name).mkdir()
    assert len(list(tmp_path.iterdir())) == len(profile.class_names)


def test_profiles_are_constants():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PROFILES["cifar10"].sizes = (1, 1)


def test_names_and_sizes_of_the_ten_class_sets():
    nette, woof = PROFILES["imagenette"], PROFILES["imagewoof"]
    assert (nette.sizes, woof.sizes) == ((9469, 3925), (9025, 3929))
    assert nette.labels == (0, 217, 482, 491, 497, 566, 569, 571, 574, 701)
    assert woof.labels == (155, 159, 162, 167, 182, 193, 207, 229, 258, 273)
    assert woof.class_names[0] == "Shih-Tzu"


def test_rows_of_classes_become_names_labels_and_numbers():
    assert set(ROWS) == {profile.name for profile in IMAGENET}
    for name, rows in ROWS.items():
        profile = PROFILES[name]
        assert list(zip(profile.class_names, profile.labels, strict=True)) == [(row[0], row[1]) for row in rows]
        by_number = tuple(row[2] for row in rows) in profile.other_names
        assert by_number == (name != "imagenet100")


def test_an_entry_is_frozen_all_through():
    for profile in PROFILES.values():
        hash(profile)


def numbers():
    """WordNet number to ImageNet index, wherever the catalogue has both."""
    found = {}
    for _, index, number in (row for rows in ROWS.values() for row in rows):
        assert found.setdefault(number, index) == index
    return found


def test_the_index_of_a_class_is_its_place_among_the_sorted_numbers():
    found = numbers()
    assert len(found) == 118  # Shih-Tzu and English foxhound are in two sets
    indices = [found[wnid] for wnid in sorted(found)]
    assert indices == sorted(set(indices))
    assert indices[0] >= 0 and indices[-1] < 1000


def test_labels_of_ten_classes_are_in_the_order_of_their_numbers():
    for name in ("imagenette", "imagewoof"):
        assert list(PROFILES[name].labels) == sorted(PROFILES[name].labels)
        assert list(PROFILES[name].other_names[-1]) == sorted(PROFILES[name].other_names[-1])


def test_the_hub_names_of_imagewoof_are_the_same_breeds_in_another_order():
    ours, hub, _ = PROFILES["imagewoof"].class_names, *PROFILES["imagewoof"].other_names
    assert sorted(name.lower() for name in hub) == sorted(name.lower() for name in ours)
    assert [name.lower() for name in hub] != [name.lower() for name in ours]


def test_imagenet100_is_in_the_order_of_its_labels():
    numbers = [number for _, _, number in ROWS["imagenet100"]]
    assert len(set(numbers)) == 100
    assert numbers[:3] == ["n02869837", "n01749939", "n02488291"]
    known = {"bonnet": 452, "Shih-Tzu": 155, "goose": 99, "borzoi": 169, "gyromitra": 993, "tub": 876}
    profile = PROFILES["imagenet100"]
    assert known.items() <= dict(zip(profile.class_names, profile.labels, strict=True)).items()


def test_tiny_imagenet_is_sorted_and_has_no_pipeline():
    profile = PROFILES["tiny_imagenet"]
    assert profile.pipeline == ""
    assert profile.labels is None
    assert len(profile.class_names) == 200
    assert list(profile.class_names) == sorted(profile.class_names)


def test_imagenet_sets_say_that_their_pipeline_has_seen_them():
    assert {profile.name for profile in IMAGENET} == {"imagenette", "imagewoof", "imagenet100"}
    for profile in IMAGENET:
        assert "has seen these images" in profile.note
        assert profile.image_size == 256
        assert set(profile.labels) <= set(range(1000))


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


PAGE = Path(__file__).parents[2] / "book" / "data.md"


def rows():
    """The table and the notes of the book's page, from the catalogue."""
    table, notes = [], []
    for profile in PROFILES.values():
        numbers = 1 if profile.hub_id else 4  # bytes; the digits are resized in float32, and stay so
        size = numbers * sum(profile.sizes) * profile.channels * profile.image_size**2 / 2**20
        cells = (
            f"`{profile.name}`",
            " + ".join(f"{size:,}" for size in profile.sizes),
            str(len(profile.class_names)),
            f"{profile.image_size} × {profile.image_size}, {'grey' if profile.channels == 1 else 'colour'}",
            f"{profile.megabytes:,} MB, `{profile.hub_id}`" if profile.hub_id else "none, it is bundled",
            f"{size:.0f} MiB" if size < 1000 else f"{size / 1024:.2g} GiB",
            f"`{profile.pipeline}`" if profile.pipeline else "none",
            profile.license,
        )
        table.append(f"| {' | '.join(cells)} |")
        if profile.note:
            notes.append(f"- `{profile.name}`: {profile.note}")
    return table, notes


def written(text):
    """The page with the rows of the catalogue."""
    table, notes = rows()
    text = re.sub(r"(\|---\|[-|]+\n)(\|.*\n)*", lambda found: found[1] + "\n".join(table) + "\n", text, count=1)
    heading = "What a table made with a set has to say:\n\n"
    return re.sub(f"{heading}(- .*\n)*\n*", lambda _: heading + "\n".join(notes) + "\n\n", text, count=1)


def test_the_page_of_the_book_says_what_the_catalogue_says():
    text = PAGE.read_text(encoding="utf-8")
    table, notes = rows()
    lines = re.findall(r"^\| `.*$", text, re.MULTILINE)
    assert [line for line in lines if line.split("`")[1] in PROFILES] == table
    assert re.findall(r"^- `.*$", text, re.MULTILINE) == notes
    assert written(text) == text, "python tests/data/test_catalog.py writes the page"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
