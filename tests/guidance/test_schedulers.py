"""What is let in, and why not, is tested where it is used: in test_steering.py and, pair by pair, in test_matrix.py."""

import diffusers
import pytest

from mgd_helpers.guidance import schedulers
from mgd_helpers.guidance.steering import check


def pipe_of(scheduler):
    return type("Bare", (), {"scheduler": scheduler})()


def test_lists_name_schedulers_that_exist_or_existed_and_do_not_overlap():
    lists = [set(schedulers.ON_TARGET), set(schedulers.NEAR_TARGET), set(schedulers.REFUSED)]
    assert sum(map(len, lists)) == len(set.union(*lists))
    assert {name for name in schedulers.ON_TARGET if not hasattr(diffusers, name)} == set()


@pytest.mark.parametrize("name", ["DDIMScheduler", "EulerDiscreteScheduler", "FlowMatchEulerDiscreteScheduler"])
def test_the_laws_at_the_door_hold_for_schedulers_that_are_known_to_keep_them(name):
    from mgd_helpers.guidance.steering import _steered

    config = {"clip_sample": False} if name == "DDIMScheduler" else {}
    scheduler = getattr(diffusers, name)(**config)
    assert schedulers.broken_law(scheduler, _steered) == ""
    check(pipe_of(scheduler))


def test_a_scheduler_that_clamps_breaks_the_second_law():
    from mgd_helpers.guidance.steering import _steered

    scheduler = diffusers.DDIMScheduler(clip_sample=True, clip_sample_range=0.1)
    assert schedulers.broken_law(scheduler, _steered).startswith("the second fails: a full pull ends")
