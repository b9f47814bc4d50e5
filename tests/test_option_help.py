"""What `--help` prints, read as a person reads it, beside the signatures of the functions behind the commands."""

import inspect
import re

import pytest

import mgd_helpers as mgd
from mgd_helpers.cli import main
from mgd_helpers.clustering.targets import REPRESENTATIVES, STRATEGIES
from mgd_helpers.guidance.factories import GUIDANCES
from mgd_helpers.latents_file import encode_data
from mgd_helpers.methods import METHODS
from mgd_helpers.option_help import COMMANDS, OF_ONE, OPTIONS
from mgd_helpers.runs import AUTO
from mgd_helpers.shell_calls import FUNCTIONS
from mgd_helpers.training.crew import PRECISIONS

BEHIND = {
    "distill": mgd.distill,
    "train": mgd.train,
    "evaluate": mgd.evaluate,
    "audit": mgd.audit,
    "encode": encode_data,
}
OBJECTS = {"settings", "recipe", "features", "metrics", "members"}  # that no shell can give
BESIDE = {"help", "config"}
PREVIEW = {"dry_run", "picture"}


def printed(command, capsys):
    """Usage, and the text beside each option, as `mgd COMMAND --help` prints them."""
    main([command, "--help"])
    lines = capsys.readouterr().out.splitlines()
    options, name = {}, None
    for line in lines[lines.index("Options:") + 1 :]:
        if found := re.match(
            r"  --(?P<name>[\w-]+)(?:(?: / |, )--no-[\w-]+)?(?: (?:[A-Z]+|<.*?>))?(?:  +(?P<told>.*))?$", line
        ):
            name = found["name"].replace("-", "_")
            options[name] = [found["told"] or ""]
        elif name is not None and line.startswith("    "):
            options[name].append(line.strip())
        elif line and not line.startswith(" "):
            break
    return " ".join(lines[: lines.index("Options:")]), {key: " ".join(told).strip() for key, told in options.items()}


def test_the_commands_are_those_whose_functions_are_compared():
    assert FUNCTIONS == BEHIND


@pytest.mark.parametrize("command", BEHIND)
def test_every_argument_is_an_option_and_nothing_else_is(command, capsys):
    usage, options = printed(command, capsys)
    first, *others = (name for name in inspect.signature(BEHIND[command]).parameters if name not in OBJECTS)
    assert first.upper() in usage
    assert set(options) == set(others) | BESIDE | (PREVIEW if command == "distill" else set())


@pytest.mark.parametrize("command", BEHIND)
def test_every_default_is_shown(command, capsys):
    _, options = printed(command, capsys)
    wrong = {}
    for name, one in list(inspect.signature(BEHIND[command]).parameters.items())[1:]:
        if name in OBJECTS:
            continue
        told = options[name]
        if one.default is one.empty:
            fits = told.endswith("(must be given)")
        elif one.default is None:
            fits = "by default" in told and not told.endswith(")")
        else:
            shown = (
                {True: "yes", False: "no"}.get(one.default, one.default) if type(one.default) is bool else one.default
            )
            fits = told.endswith(f"({shown})") and "by default" not in told
        if not fits:
            wrong[name] = (one.default, told)
    assert wrong == {}


@pytest.mark.parametrize(
    ("command", "option", "words"),
    [
        ("train", "size", "by default 32"),
        ("train", "channels", "color where any image is"),
        ("train", "minutes", "until all steps are taken"),
        ("train", "out", "the folder for the pipeline"),
        ("train", "split", "0.2"),
        ("train", "device", "a GPU where there is one"),
        ("evaluate", "device", "the cpu"),
        ("encode", "out", "the file for the latents"),
        ("distill", "out", "the folder to write"),
        ("distill", "split", "by default nothing"),
        ("encode", "split", "by default nothing"),
    ],
)
def test_what_an_option_means_for_this_command_is_said(command, option, words, capsys):
    assert words in printed(command, capsys)[1][option]


@pytest.mark.parametrize(
    ("command", "option", "words"),
    [
        ("distill", "guidance", [*GUIDANCES, AUTO]),
        ("distill", "method", METHODS),
        ("distill", "strategy", STRATEGIES),
        ("distill", "representative", REPRESENTATIVES),
        ("train", "precision", PRECISIONS),
    ],
)
def test_every_word_that_can_be_chosen_is_named(command, option, words, capsys):
    told = printed(command, capsys)[1][option]
    assert [word for word in words if word not in re.split(r"[ ,;:()]+", told)] == []


def test_explanations_are_short_and_used():
    assert {name: told for name, told in (OPTIONS | OF_ONE).items() if len(told) > 160} == {}
    assert all(told.endswith(".") for told in COMMANDS.values())
    taken = {name for function in BEHIND.values() for name in inspect.signature(function).parameters}
    assert set(OPTIONS) - taken == {"config", "path"} | PREVIEW
    assert all(name in inspect.signature(BEHIND[command]).parameters for command, name in OF_ONE)
