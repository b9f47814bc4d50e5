import pytest
import torch
from levels import level_of

from mgd_helpers.guidance.chains import chain
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.windows import acts, window


def test_guidances_act_one_after_another(targets, denoised):
    first, second = ModePull(targets, 0.5), lambda denoised, level: 2 * denoised
    found = chain(first, second)(denoised, level_of(0.8))
    assert torch.equal(found, 2 * first(denoised, level_of(0.8)))
    assert torch.equal(chain(first)(denoised, level_of(0.8)), first(denoised, level_of(0.8)))


def test_each_keeps_its_window(targets, denoised):
    early, late = window(ModePull(targets, 0.5), above=0.6), window(ModePull(targets, 1.0), below=0.4)
    both = chain(early, late)
    assert [acts(both, share) for share in (0.8, 0.5, 0.3)] == [True, False, True]
    torch.testing.assert_close(both(denoised, level_of(0.3)), targets)
    assert torch.equal(both(denoised, level_of(0.8)), early(denoised, level_of(0.8)))
    assert both(denoised, level_of(0.5)) is denoised


@pytest.mark.parametrize(
    ("guidances", "message"), [((), "guidances must be at least one"), ((None,), "guidances must be a function")]
)
def test_what_is_no_chain_is_refused(guidances, message, unchecked):
    with pytest.raises(ValueError, match=message):
        unchecked(chain)(*guidances)
