from types import SimpleNamespace

import pytest
import torch

from mgd_helpers import batching


def test_rows_are_found_wherever_a_network_is_given_them():
    seen = []

    def network(rows, scale, *, extra, none=None, img_ids):
        seen.append((len(rows), scale, len(extra["time"]), [len(x) for x in extra["both"]], len(img_ids)))
        return {"sample": 2 * rows}

    split = batching._split(network, 2)
    rows = torch.arange(10.0)[:, None]
    found = split(rows, 7, extra={"time": rows, "both": [rows, torch.ones(3)]}, img_ids=torch.ones(10, 3))
    assert torch.equal(found["sample"], 2 * rows)
    assert seen == [(5, 7, 5, [5, 3], 10)] * 2


def test_a_call_that_fits_is_left_alone(tiny):
    before = dict(vars(tiny.transformer))
    with batching.in_batches(tiny, 4, 4):
        assert vars(tiny.transformer) == before


def test_a_method_comes_back_in_every_case():
    thing = SimpleNamespace()
    with pytest.raises(KeyError), batching.replaced(thing, "decode", 1):
        assert thing.decode == 1
        raise KeyError
    assert not vars(thing)
    thing.decode = 0
    with batching.replaced(thing, "decode", 1):
        pass
    assert thing.decode == 0
