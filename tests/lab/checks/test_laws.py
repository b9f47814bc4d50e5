import pytest
import torch

from mgd_helpers.lab.checks.answers import Slip
from mgd_helpers.lab.checks.laws import alike, between, law, line, one_loss, same, trainable

RIGHT = torch.tensor([1.0, 2.0, 3.0])
SLIPS = {"squared": RIGHT**2, "reversed": RIGHT.flip(0), "no slip here": RIGHT.clone(), "added up": RIGHT.sum()}


@pytest.mark.parametrize(
    ("got", "sentence"),
    [
        (RIGHT**2, "squared"),
        (RIGHT.flip(0), "reversed"),
        (RIGHT.sum(), "added up"),
        (RIGHT[None], r"the shape should be \[3\]; yours has shape \[1, 3\]\."),
        (RIGHT + 0.1, "otherwise"),
    ],
)
def test_a_known_slip_comes_first_then_the_shape_then_the_rest(got, sentence):
    with pytest.raises(Slip, match=sentence):
        same(got, RIGHT, slips=SLIPS, otherwise="otherwise")


def test_the_right_values_pass_also_in_another_precision():
    same(RIGHT.double() * (1 + 1e-5), RIGHT, slips=SLIPS, otherwise="otherwise")


def test_one_number_is_asked_for_in_words():
    with pytest.raises(Slip, match=r"one number is wanted; yours has shape \[3\]\."):
        same(RIGHT, torch.tensor(1.0), slips={}, otherwise="otherwise")


def test_tolerance_is_a_share_of_the_largest_entry():
    large = torch.tensor([0.0, 1000.0])
    assert alike(large + 0.05, large) and not alike(large + 0.2, large) and alike(large + 0.2, large, tolerance=1e-3)
    assert not alike(torch.tensor([0.0]), torch.tensor([1e-9])) and alike(torch.zeros(2), torch.zeros(2))
    assert not alike(torch.zeros(0), torch.zeros(1))


def test_laws_and_ranges_raise_their_sentence():
    law(torch.tensor(True), "never said")
    between(0.5, 0.4, 0.6, name="the share", why="never said")
    with pytest.raises(Slip, match="said"):
        law(False, "said")
    with pytest.raises(Slip, match=r"the share is 0\.70, outside 0\.40 to 0\.60: it grew\."):
        between(torch.tensor(0.7), 0.4, 0.6, name="the share", why="it grew.")


def test_a_line_has_neither_sign_nor_length():
    vector = torch.tensor([3.0, 4.0])
    assert alike(line(-2 * vector), line(vector)) and not alike(line(vector.flip(0)), line(vector))
    assert torch.allclose(line(vector) @ vector.double(), vector.double())


def test_a_loss_is_one_number_with_a_gradient():
    weight = torch.tensor(2.0, requires_grad=True)
    assert one_loss(weight[None] ** 2).equal(torch.tensor(4.0, dtype=torch.float64))
    with pytest.raises(Slip, match=r"the loss should be one number; yours has shape \[3\]\."):
        one_loss(RIGHT)
    trainable(weight**2)
    for lost in (4.0, (weight**2).detach(), (weight**2).item()):
        with pytest.raises(Slip, match="the loss has lost its gradient"):
            trainable(lost)
