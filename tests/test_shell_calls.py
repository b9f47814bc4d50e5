import errno
import re

import pytest
import torch

from mgd_helpers.shell_calls import FUNCTIONS, in_one_line, options_of, run, said_in_a_shell
from mgd_helpers.worth import REMEDIES, STUDENTS

FULL = OSError(errno.ENOSPC, "No space left on device")
SHORT = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


@pytest.mark.parametrize(
    ("command", "error", "words"),
    [
        ("distill", FULL, "Make room on the disk; the same command then goes on where it stopped."),
        ("train", FULL, "Make room on the disk; the same command then goes on where it stopped."),
        ("encode", FULL, "Make room on the disk."),
        ("evaluate", PermissionError(errno.EACCES, "Permission denied"), "Choose another folder, or change"),
        ("distill", SHORT, "CUDA out of memory. Take a smaller --set-size, or no GPU: CUDA_VISIBLE_DEVICES="),
        ("train", SHORT, "Take a smaller --size, or no GPU"),
        ("evaluate", SHORT, "out of memory. Take no GPU: CUDA_VISIBLE_DEVICES="),
        ("distill", ValueError("images_per_class must be\n1"), "--images-per-class must be 1"),
        ("", MemoryError(), "MemoryError"),
    ],
)
def test_what_went_wrong_is_one_line_with_advice_that_this_command_can_follow(command, error, words):
    assert in_one_line(command, error).endswith(words) or words in in_one_line(command, error)
    assert "\n" not in in_one_line(command, error)


@pytest.mark.parametrize("command", FUNCTIONS)
def test_what_has_no_option_is_not_called_by_one(command):
    first, *others = [one.name for one in options_of(command)]
    assert said_in_a_shell(command, f"{first} must be") == f"{first} must be"
    assert said_in_a_shell(command, f"{others[0]} must be") == f"--{others[0].replace('_', '-')} must be"


@pytest.mark.parametrize("remedy", [*REMEDIES.values(), STUDENTS])
def test_of_remedies_that_are_said_twice_a_shell_hears_its_own(remedy):
    said = said_in_a_shell("distill", remedy)
    assert "--" in said or "mgd " in said
    assert not re.search(r"mgd\.|\w+=|\(--|\(mgd", said), said


def test_what_training_says_of_distilling_can_be_followed():
    said = "distill with image_to_image=…, or with method='nearest-real', or larger networks (settings=…)."
    assert said_in_a_shell("train", said) == (
        "distill with --image-to-image …, or with --method 'nearest-real', or larger networks (settings=… in Python)."
    )


def test_what_stands_beside_the_function_is_checked_as_its_arguments_are():
    with pytest.raises(ValueError, match="picture must be left out without --dry-run"):
        run("distill", "digits", {"picture": "x.png", "images_per_class": 1, "out": "out"})
    with pytest.raises(ValueError, match="dry_run must be True or False; got 'yes'"):
        run("distill", "digits", {"dry_run": "yes", "images_per_class": 1, "out": "out"})


def test_one_set_is_not_two(tmp_path):
    with pytest.raises(ValueError, match=r"generated must be different folders; got 'a/\.\./a' twice"):
        run("evaluate", ["a", "a/../a"], {"against": "digits"})
