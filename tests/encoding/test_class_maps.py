import json

import pytest

from mgd_helpers.data.catalog import CATALOG
from mgd_helpers.encoding.class_maps import (
    as_word,
    as_words,
    check_apart,
    imagenet,
    label_named,
    names_of,
    prompts_of,
    read_class_map,
    spoken,
)

NAMES = ("tabby", "cliff_dwelling")


def test_the_list_of_imagenet_is_that_of_the_catalogue():
    numbers = list(imagenet())
    assert len(numbers) == 1000
    assert numbers == sorted(numbers)  # the order of the labels
    rows = [row for profile in CATALOG["profiles"].values() for row in profile.get("classes", ())]
    assert rows
    for name, label, number in rows:
        assert numbers[label] == number
        assert name in imagenet()[number]


class Pipe:
    """A pipeline as far as names go."""

    def __init__(self, id2label):
        self.config = type("Config", (), {"id2label": id2label})()
        # as DiTPipeline reads them: of two classes of one name, the last
        self.labels = {name.strip(): key for key, names in id2label.items() for name in names.split(",")}


PUBLIC = Pipe({label: ", ".join(names) for label, names in enumerate(imagenet().values())})


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("tench", 0),
        ("Tinca tinca", 0),
        ("TINCA_TINCA", 0),
        ("n01440764", 0),
        ("Egyptian_cat", 285),
        ("egyptian  cat", 285),
        ("n15075141", 999),
        ("n01440765", None),
        ("llama glama", None),
        ("7", None),
    ],
)
def test_any_name_and_number_of_a_class_means_its_label(name, label):
    assert label_named(name, as_words(names_of(PUBLIC))) == label


def test_a_name_of_two_classes_is_refused():
    with pytest.raises(ValueError, match=r"'crane' is the name of the classes \[134, 517\] of the pipeline. Give its"):
        label_named("crane", as_words(names_of(PUBLIC)))


def test_numbers_of_wordnet_are_known_to_pipelines_of_imagenet_alone():
    other = Pipe({0: "tench", 1: "dog"})
    assert label_named("n01440764", as_words(names_of(other))) is None


@pytest.mark.parametrize(
    ("asked", "mapped", "message"),
    [
        ([1, 2, 3], {}, None),
        ([1, 1, 3], {"a": 1, "b": 1}, None),
        ([1, 1, 3], {"a": 1}, r"keep 'a' and 'b' apart, or map both: both come to 1, 'b' by name\. Map 'b', too"),
        ([1, 3, 1], {"c": 1}, r"keep 'a' and 'c' apart, .*, 'a' by name\. Map 'a', too"),
        ([1, 1, 3], {"c": 3}, r"'a' and 'b' by name\. Map 'a' and 'b', too"),
        ([1, 1, 1], {"a": 1, "b": 1}, r"keep 'a' and 'c' apart, .*, 'c' by name"),
        (["a cat", "a cat", "a dog"], {"b": "cat"}, r"both come to 'a cat', 'a' by name"),
    ],
)
def test_two_classes_share_a_label_on_purpose_alone(asked, mapped, message):
    if message is None:
        check_apart(("a", "b", "c"), asked, mapped)
    else:
        with pytest.raises(ValueError, match=message):
            check_apart(("a", "b", "c"), asked, mapped)


def test_accents_have_one_coding():
    assert as_word("cafe\u0301_Noir") == as_word("caf\u00e9 noir")


def test_a_map_is_a_mapping_or_a_file(tmp_path):
    (tmp_path / "map.toml").write_text('tabby = "tabby cat"\n"Cliff Dwelling" = 500\n')
    (tmp_path / "map.json").write_text(json.dumps({"tabby": "tabby cat", "cliff_dwelling": 500}))
    expected = {"tabby": "tabby cat", "cliff_dwelling": 500}
    for given in (expected, tmp_path / "map.toml", str(tmp_path / "map.json")):
        assert read_class_map(given, NAMES) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (5, "class_map must be a mapping from class names, or the path .*; got 5"),
        (["tabby"], "class_map must be a mapping"),
        ({"tabi": 5}, "class_map must name classes of the data, which are tabby, cliff_dwelling; got 'tabi'.*'tabby'"),
        ("nowhere.toml", "class_map must be the path of a TOML or JSON file, .*'nowhere.toml' cannot be read"),
        (__file__, "cannot be read"),
    ],
)
def test_other_maps_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        read_class_map(given, NAMES)


@pytest.mark.parametrize(
    ("given", "class_map", "prompts"),
    [
        (None, None, ["a photo of a tabby", "a photo of a cliff dwelling"]),
        ("{name}, a {name}", None, ["tabby, a tabby", "cliff dwelling, a cliff dwelling"]),
        ("an ant", {"tabby": "cat"}, None),
        ("{name}", {"tabby": "cat"}, ["cat", "cliff dwelling"]),
        ({"tabby": "a cat", "cliff_dwelling": "old {name}"}, None, ["a cat", "old cliff dwelling"]),
        ({"tabby": "a cat"}, None, None),
        ({"tabby": "a cat", "cliff_dwelling": " "}, None, None),
        ("", None, None),
        ("{name}", {"tabby": 3}, None),
    ],
)
def test_each_class_has_its_prompt(given, class_map, prompts):
    if prompts is None:
        with pytest.raises(ValueError, match=r"^(prompt|class_map) must "):
            prompts_of(given, class_map, NAMES)
    else:
        assert prompts_of(given, class_map, NAMES) == prompts


@pytest.mark.parametrize(
    ("names", "class_map", "prompts"),
    [
        (("cat", "tom"), {"tom": "cat"}, None),
        (("cat", "tom"), {"tom": "cat", "cat": "cat"}, ["cat", "cat"]),
        (("tench", "n01440764"), {}, None),
        (("tench", "n01440764"), {"n01440764": "a fish"}, ["tench", "a fish"]),
    ],
)
def test_two_classes_share_a_prompt_on_purpose_alone(names, class_map, prompts):
    if prompts is None:
        with pytest.raises(ValueError, match=r"^class_map must keep .* apart, or map both"):
            prompts_of("{name}", class_map, names)
    else:
        assert prompts_of("{name}", class_map, names) == prompts


def test_prompts_come_from_a_file_and_numbers_of_wordnet_are_spoken(tmp_path):
    (tmp_path / "prompts.toml").write_text('tabby = "a cat"\ncliff_dwelling = "a house"\n')
    assert prompts_of(str(tmp_path / "prompts.toml"), None, NAMES) == ["a cat", "a house"]
    assert prompts_of("{name}", None, ["n01440764"]) == ["tench"]
    assert spoken("n99999999") == "n99999999"
