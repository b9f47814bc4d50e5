"""tools.playground: the script that the page reads holds what the package computes."""

import json
import re

import pytest
import torch
from page_rules import long_sentences, words

from mgd_helpers.guidance.noise import noise_levels
from tools import playground
from tools.__main__ import ROOT

STATIC = ROOT / "book" / "_static"


@pytest.fixture(scope="module")
def data():
    """What the page reads, as Python reads it."""
    text = (STATIC / "playground_data.js").read_text(encoding="utf-8")
    return json.loads(re.fullmatch(r".*?const playgroundData = (\{.*\});\n", text, re.DOTALL)[1])


def test_the_page_reads_what_the_package_computes(data):
    constants = playground.constants()
    assert list(data) == list(constants) and data["steps"] == list(playground.STEPS)
    for name in ("curve", "one", "four", "levels"):
        torch.testing.assert_close(torch.tensor(data[name]), torch.tensor(constants[name]), rtol=0, atol=1e-6)


def test_one_table_serves_every_number_of_steps(data):
    table = torch.tensor(data["levels"])
    for steps in playground.STEPS:
        scheduler = playground.scheduler()
        scheduler.set_timesteps(steps)
        expected = torch.tensor([[level.signal, level.noise] for level in noise_levels(scheduler)])
        stride = len(table) // steps
        torch.testing.assert_close(table[stride - 1 :: stride].flip(0), expected, rtol=0, atol=1e-6)


def test_the_targets_are_means_of_the_curve_and_of_its_parts(data):
    curve, four = torch.tensor(data["curve"]), torch.tensor(data["four"])
    torch.testing.assert_close(torch.tensor(data["one"][0]), curve.mean(0))
    assert len(four) == playground.N_TARGETS
    nearest = torch.cdist(curve, four).argmin(1)
    parts = torch.stack([curve[nearest == part].mean(0) for part in range(len(four))])
    assert (parts - four).norm(dim=1).max() < 0.15


def test_the_page_is_short_and_so_are_its_sentences():
    page = (ROOT / "book" / "playground.md").read_text(encoding="utf-8")
    assert long_sentences(page) == [] and words(page) <= 560


def test_the_script_is_what_the_command_writes(tmp_path):
    playground.write(tmp_path)
    written, kept = ((folder / "playground_data.js").read_text() for folder in (tmp_path, STATIC))
    assert re.sub(r"[-\d.e]+", "0", written) == re.sub(r"[-\d.e]+", "0", kept), "but for the last digits"
