import numpy as np
import pytest
import torch

from mgd_helpers.lab.claims import print_claims


def test_each_claim_is_a_line_and_the_values_stand_in_one_column(capsys):
    print_claims({"short": True, "a longer claim": False, "P_T = P_Tᵀ": "9 of 9"})
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["short:          True", "a longer claim: False", "P_T = P_Tᵀ:     9 of 9"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        (torch.tensor(False), "False"),
        (np.bool_(True), "True"),
        (torch.tensor([True]), "True"),
        (1234, "1234"),
        (torch.tensor(7), "7"),
        (0.12549, "0.125"),
        (torch.tensor(2.99999), "3.00"),
        (99.99, "100"),
        (float("nan"), "nan"),
        ([10, 10, 10], "[10, 10, 10]"),
        ("10 of 10 classes", "10 of 10 classes"),
    ],
)
def test_values_are_told_alike_whatever_holds_them(capsys, value, text):
    print_claims({"it": value})
    assert capsys.readouterr().out == f"it: {text}\n"


def test_more_than_one_value_is_no_claim_and_nothing_is_printed(capsys):
    with pytest.raises(ValueError, match=r"'all equal' must hold one value; got shape \(3,\)\. Reduce it"):
        print_claims({"fine": True, "all equal": torch.arange(3) == 1})
    assert capsys.readouterr().out == ""


def test_no_claims_print_nothing(capsys):
    print_claims({})
    assert capsys.readouterr().out == ""
