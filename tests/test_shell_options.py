import inspect
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import pytest

from mgd_helpers.shell_options import flag, in_words_of_a_shell, kind_of, parameters_of, values


def function(
    data: str | Path,
    *,
    count: int | Integral,
    scale: float | Real | None = None,
    rank: int | float | str | None = None,
    names: Mapping[str, int | str] | Sequence[int | str] | None = None,
    labels: Mapping[str, int] | None = None,
    prompt: str | Mapping[str, str] | None = None,
    report: bool = True,
    recipe: Any = None,
) -> None:
    pass


KNOWN = parameters_of(function)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int | Integral, int),
        (float | Real | None, float),
        (int | float, float),
        (str | Path, str),
        (int | str | None, str),
        (bool, bool),
        (Mapping[str, int] | None, list),
        (str | Mapping[str, str], list),
        (Any, str),
    ],
)
def test_types_of_options_come_from_annotations(annotation, kind):
    assert kind_of(annotation) is kind


def test_what_a_shell_cannot_give_is_no_option():
    assert [one.name for one in KNOWN] == [name for name in inspect.signature(function).parameters if name != "recipe"]
    assert all(not isinstance(one.annotation, str) for one in KNOWN)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"scale": 1.5}, {"scale": 1.5}),
        ({"rank": "3"}, {"rank": 3}),
        ({"rank": "0.9"}, {"rank": 0.9}),
        ({"rank": "auto"}, {"rank": "auto"}),
        ({"names": ["cat=3", "dog=tabby"]}, {"names": {"cat": 3, "dog": "tabby"}}),
        ({"names": ["3", "5"]}, {"names": [3, 5]}),
        ({"names": ["a=b=3", "dog=5"]}, {"names": {"a=b": 3, "dog": 5}}),
        ({"prompt": ["a photo of a {name}"]}, {"prompt": "a photo of a {name}"}),
        ({"prompt": ["cat=a cat", "dog=a = dog"]}, {"prompt": {"cat": "a cat", "dog": "a = dog"}}),
        ({"prompt": ["a {name}", "the {name}"]}, {"prompt": "the {name}"}),
        ({"report": False}, {"report": False}),
        ({"scale": None, "names": []}, {}),
    ],
)
def test_words_become_what_the_function_takes(given, wanted):
    assert values({"data": "d", "count": 1} | given, KNOWN, None) == {"data": "d", "count": 1} | wanted


def test_a_file_gives_what_the_command_line_does_not(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("count = 2\nscale = 2.0\nreport = false\n[names]\ncat = 3\n")
    found = values({"data": "d", "scale": 3.0}, KNOWN, str(file))
    assert found == {"data": "d", "count": 2, "scale": 3.0, "report": False, "names": {"cat": 3}}


@pytest.mark.parametrize(
    ("given", "config", "words"),
    [
        ({"data": "d"}, None, "--count must be given"),
        ({"count": 1}, None, "data must be given"),
        ({"data": "d", "count": 1, "labels": ["cat=3", "dog"]}, None, "--labels must be given as NAME=VALUE"),
        ({"data": "d", "count": 1, "prompt": ["cat=a", "b"]}, None, "--prompt must be given as NAME=VALUE"),
        ({"data": "d", "count": 1, "labels": ["no.toml"]}, None, "--labels must be a TOML file"),
        ({"data": "d", "count": 1}, "countt = 3", "'countt'. Did you mean 'count'?"),
        ({"data": "d", "count": 1}, "= 3", "--config must be a TOML file"),
    ],
)
def test_what_does_not_fit_is_named(given, config, words, tmp_path):
    file = tmp_path / "run.toml"
    if config:
        file.write_text(config)
    with pytest.raises(ValueError, match="must") as told:
        values(given, KNOWN, str(file) if config else None)
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("image_size must be 32.", "--image-size must be 32."),
        ("Load them with load_data(…, image_size=32).", "Load them with --image-size 32."),
        ("Pass image_size=…, channels=…", "Pass --image-size …, --channels …"),
        ("seed must be a whole number", "--seed must be a whole number"),
        ("Pass per_class=…, or a smaller image_size.", "Pass --per-class …, or a smaller --image-size."),
        ("'a/seed must be' is no folder", "'a/seed must be' is no folder"),
        ("data.image_size is 3", "data.image_size is 3"),
        ("'a/seed=3' was made with seed=3", "'a/seed=3' was made with --seed 3"),
        ("load_data(…, image_size=32, channels=1)", "--image-size 32, --channels 1"),
        ("a size: load_data(…, image_size=8), or train(…, size=8).", "a size: --size 8."),
        ("from the same split, load_data(…, split=…).", "from the same split, --split …."),
        ('guidance="auto" (--guidance auto) tries', "--guidance auto tries"),
        ('mode: guidance="mode", strength=1 (--guidance mode --strength 1)', "mode: --guidance mode --strength 1"),
        ("mgd.evaluate(folder, against=data), or mgd evaluate FOLDER", "mgd evaluate FOLDER"),
        ('mgd.train(data, "pipe") (mgd train DATA --out pipe), and', "mgd train DATA --out pipe, and"),
        (
            "Generate at that size, or pass mgd.data.read_generated(folder, data, image_size=8).",
            "Generate at that size.",
        ),
        ("larger networks (settings=…)", "larger networks (settings=… in Python)"),
        ("source must be one of", "data must be one of"),
        ("channels must be 1 or None (as they are)", "--channels must be 1, or left out (as they are)"),
        ("must be no, bf16, or None; got 3", "must be no, bf16, or left out; got 3"),
        ("against: source must be one of", "against: data must be one of"),
        ("the pipeline's own, seed=3", "the pipeline's own, --seed 3"),
    ],
)
def test_remedies_are_those_of_a_shell(message, wanted):
    known = ["image_size", "channels", "per_class", "seed", "size", "split", "guidance"]
    assert in_words_of_a_shell(message, known) == wanted


def test_where_a_size_cannot_be_asked_for_the_images_must_be_resized():
    message = "must have one size. Pass image_size=…, or resize the odd ones."
    assert (
        in_words_of_a_shell(message, ["image_size"])
        == "must have one size. Pass --image-size …, or resize the odd ones."
    )
    assert in_words_of_a_shell(message, ["seed"]) == "must have one size. Resize the odd ones."


def test_a_flag_has_dashes():
    assert flag("images_per_class") == "--images-per-class"
