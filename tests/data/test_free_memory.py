import math

import pytest

from mgd_helpers.data.free_memory import PEAK, available_memory, check_memory


def test_a_machine_has_some_memory_and_not_all_there_is():
    assert 2**20 < available_memory() < math.inf


def test_what_does_not_fit_is_refused_with_both_numbers(monkeypatch):
    monkeypatch.setattr("mgd_helpers.data.free_memory.available_memory", lambda: PEAK * 4 * 100)
    check_memory(100, (1, 1), "here")
    with pytest.raises(MemoryError, match=r"'here' takes .* GiB as 101 images of 1x1, and this machine has .* free"):
        check_memory(101, (1, 1), "here")
