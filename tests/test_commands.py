import functools
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mgd_helpers.commands import call_of, with_option


def distill(data, *, images_per_class, out, guidance="mode", steps=50, report=True, class_labels=None, latents=None):
    return None


GIVEN = {"data": "digits", "images_per_class": 2, "out": "set"}
BASE = "mgd distill digits --images-per-class 2 --out set"


@pytest.mark.parametrize(
    ("more", "command"),
    [
        ({}, BASE),
        ({"steps": 50, "guidance": "mode", "report": True, "latents": None}, BASE),
        ({"steps": np.int64(50)}, BASE),
        ({"steps": np.int64(7)}, f"{BASE} --steps 7"),
        ({"report": False}, f"{BASE} --no-report"),
        ({"out": Path("my set")}, "mgd distill digits --images-per-class 2 --out 'my set'"),
        ({"data": "a; rm -rf b"}, "mgd distill 'a; rm -rf b' --images-per-class 2 --out set"),
        ({"class_labels": {"a": 3, "b c": "d"}}, f"{BASE} --class-labels a=3 --class-labels 'b c=d'"),
        ({"class_labels": [3, 4]}, f"{BASE} --class-labels 3 --class-labels 4"),
        ({"latents": torch.zeros(2)}, "mgd.distill('digits', images_per_class=2, out='set', latents=latents)"),
        ({"guidance": distill}, "mgd.distill('digits', images_per_class=2, out='set', guidance=guidance)"),
        ({"data": object(), "report": False}, "mgd.distill(data, images_per_class=2, out='set', report=False)"),
        ({"class_labels": {"a": object()}}, f"mgd.{BASE[4:11]}('digits', images_per_class=2, out='set', "
            "class_labels=class_labels)"),
    ],
)  # fmt: skip
def test_a_call_is_written_down_with_what_differs_from_the_defaults(more, command):
    assert call_of(distill, GIVEN | more) == command


def test_the_first_argument_alone_stands_without_its_name():
    def train(data, out, *, minutes=None):
        return None

    assert call_of(train, {"data": "a", "out": "b", "minutes": 5}) == "mgd train a --out b --minutes 5"
    assert call_of(train, {"data": [object()], "out": "b"}) == "mgd.train(data, 'b')"


def test_the_words_of_a_command_are_those_that_were_given():
    names = ["a b", "it's", "$HOME", '"', "ä", "*", "--x"]
    for name in names:
        assert name in shlex.split(call_of(distill, GIVEN | {"out": name}))


def test_another_folder_takes_the_place_of_the_first():
    assert with_option(BASE, "--out", "b c") == "mgd distill digits --images-per-class 2 --out 'b c'"
    assert with_option("mgd.distill(data, out='set')", "--out", "b") == "mgd.distill(data, out='set')"
    assert with_option("", "--out", "b") == ""
    assert with_option("mgd distill digits", "--out", "b") == "mgd distill digits"


def test_a_partial_is_no_word_of_a_shell():
    assert "guidance=guidance" in call_of(distill, GIVEN | {"guidance": functools.partial(distill)})


@pytest.mark.slow
def test_the_command_in_a_record_makes_the_same_images_again(waves, tiny, tmp_path):
    from mgd_helpers import distillation
    from mgd_helpers.cli import main
    from mgd_helpers.data.records import read_manifest
    from mgd_helpers.data.saving import write_images

    data, out = write_images(tmp_path / "my data", waves.train, class_names=waves.class_names), tmp_path / "set"
    tiny.save_pretrained(tmp_path / "pipe")
    options = {"images_per_class": 2, "guidance": "none", "pipeline": str(tmp_path / "pipe"), "steps": 2, "seed": 3}
    distillation.distill(data, out=out, report=False, **options)
    command = read_manifest(out)["command"]
    assert command.endswith("--seed 3 --no-report")
    made = {path: path.read_bytes() for path in out.glob("*/*.png")}
    shutil.rmtree(out)
    main(shlex.split(command)[1:])
    assert {path: path.read_bytes() for path in out.glob("*/*.png")} == made
