from dataclasses import replace

import pytest

from mgd_helpers.data.files import checksum, tensor_hash
from mgd_helpers.training.crew import ALONE
from mgd_helpers.training.record import described, record, recorded


def test_a_plan_is_found_again_by_what_was_asked_for(settings, waves, tmp_path):
    now = described(waves, settings, ALONE, 5.0)
    assert recorded(tmp_path, now) is None
    planned = replace(settings, dit_steps=3, vae_channels=(8, 8, 8))
    record(tmp_path, now, planned)
    assert recorded(tmp_path, now) == planned


@pytest.mark.parametrize(
    ("minutes", "change", "told"),
    [
        (5.0, {}, None),
        (6.0, {}, "minutes was 5.0 and is 6.0"),
        (None, {}, "minutes was 5.0 and is None"),
        (5.0, {"layers": 7}, "asked was .*'layers': 1.* and is .*'layers': 7"),
    ],
)
def test_another_call_is_refused_by_what_differs(settings, waves, tmp_path, minutes, change, told):
    record(tmp_path, described(waves, settings, ALONE, 5.0), settings)
    now = described(waves, replace(settings, **change), ALONE, minutes)
    if told is None:
        assert recorded(tmp_path, now) == settings
        return
    with pytest.raises(ValueError, match=f"holds one of other data or settings .*{told}"):
        recorded(tmp_path, now)


def test_a_set_kept_as_bytes_is_recorded_as_its_numbers(settings, kept):
    train = kept[1].train
    now = [described(one, settings, ALONE, None) for one in kept]
    assert now[0] == now[1] and now[0]["images"] == [12, 1, 16, 16]
    assert now[0]["data"] == checksum((tensor_hash(train.images) + tensor_hash(train.labels)).encode())
