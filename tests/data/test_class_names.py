import unicodedata

import pytest

from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.data.class_names import check_class_names, folder_names

STRANGE = [
    "../x",
    "..",
    ".",
    "",
    "/tmp",
    "a/b",
    "a\\b",
    "C:\\x",
    "a\0b",
    "a\nb",
    "\u2028",
    ".hidden",
    "dots.",
    "space ",
    " ",
    "~",
    "...",
    "CON",
    "nul",
    "Aux.txt",
    "com1",
    "lpt9 .x",
    "COM²",
    "what?",
    "a:b",
    "a*",
    '"',
    "<a>",
    "|",
    "x" * 256,
    "é" * 128,
    "\ud800",
]


def is_a_plain_folder(folder):
    return (
        folder not in ("", ".", "..")
        and not set(folder) & set('/\\<>:"|?*\0\n')
        and folder[0] != "."
        and folder[-1] not in ". "
        and len(folder.encode()) <= 255
    )


@pytest.mark.parametrize("name", STRANGE)
def test_every_name_becomes_one_folder_inside(name, tmp_path):
    folders = folder_names([name, "other"])
    assert folders["other"] == "other"
    assert is_a_plain_folder(folders[name])
    (tmp_path / folders[name]).mkdir()  # which the file system takes
    assert [path.name for path in tmp_path.iterdir()] == [folders[name]]


def test_strange_names_stay_apart():
    folders = folder_names(STRANGE)
    assert len({folder.casefold() for folder in folders.values()}) == len(STRANGE)


@pytest.mark.parametrize("name", [name for name in STRANGE if name not in ("~",)])
def test_strange_names_do_not_become_themselves(name):
    assert folder_names([name])[name] != name


ORDINARY = ("T - shirt or top", "café", "東京", "x" * 255, "a.b", "~x", "test", "cat", "Config", "com10", " a", "n014")


@pytest.mark.parametrize("names", [*(profile.class_names for profile in PROFILES.values()), ORDINARY])
def test_ordinary_names_are_their_own_folders(names):
    assert folder_names(names) == {name: name for name in names}


@pytest.mark.parametrize(
    "pair", [("Cat", "cat"), ("STRASSE", "straße"), ("é", unicodedata.normalize("NFD", "é")), ("É", "e\u0301")]
)
def test_twins_that_some_file_system_takes_for_one_are_told_apart(pair):
    folders = folder_names([*pair, "dog"])
    assert folders["dog"] == "dog"
    seen = {unicodedata.normalize("NFC", folder).casefold() for folder in folders.values()}
    assert len(seen) == 3


def test_a_folder_does_not_depend_on_the_order():
    assert folder_names(["Cat", "cat", "a/b"]) == folder_names(["a/b", "cat", "Cat"])


def test_one_that_looks_like_anothers_escape_is_told_apart():
    escaped = folder_names(["a/b"])["a/b"]
    folders = folder_names(["a/b", escaped])
    assert len(set(folders.values())) == 2


def test_names_of_splits_are_escaped_where_they_would_be_read_as_such():
    assert folder_names(["test", "cat"]) == {"test": "test", "cat": "cat"}
    assert not {"train", "test", "val"} & set(folder_names(["train", "test"]).values())
    assert not {"train", "test", "val"} & set(folder_names(["train", "val"]).values())
    assert folder_names(["train", "test", "cat"])["train"] == "train"  # which nobody reads as splits


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("cat", "class_names must be a sequence of strings, one per class; got 'cat'"),
        (None, "class_names must be a sequence of strings"),
        ((0, 1), "class_names must be strings; got 0, a int"),
        (("a", None), "class_names must be strings; got None"),
        (("a", "b", "a"), "class_names must all be different; got 'a' 2 times"),
        (("a",), "class_names must name every class, at least 2 for labels up to 1; got 1"),
    ],
)
def test_names_that_are_none_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        check_class_names(names, at_least=2)
