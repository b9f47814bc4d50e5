import pytest

from mgd_helpers.cli import BESIDE, FUNCTIONS
from mgd_helpers.option_help import COMMANDS, OPTIONS
from mgd_helpers.shell_options import parameters_of


@pytest.mark.parametrize("command", FUNCTIONS)
def test_every_option_of_a_command_is_explained(command):
    names = [one.name for one in parameters_of(FUNCTIONS[command])]
    assert [name for name in [*names, "config", *BESIDE.get(command, ())] if name not in OPTIONS] == []
    assert COMMANDS[command].endswith(".")


def test_explanations_are_short():
    assert {name: told for name, told in OPTIONS.items() if len(told) > 160} == {}
