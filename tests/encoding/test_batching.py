import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from mgd_helpers.encoding import batching
from mgd_helpers.encoding.memory import BatchSize
from mgd_helpers.guidance.sampling import sample
from mgd_helpers.seeding import generators


def test_rows_are_found_wherever_a_network_is_given_them():
    seen = []

    def network(rows, scale, *, extra, none=None, img_ids, names):
        seen.append((len(rows), scale, len(extra["time"]), [len(x) for x in extra["both"]], len(img_ids), names))
        return {"sample": 2 * rows}

    split = partial(batching._in_parts, network, 10, BatchSize(5))
    rows = torch.arange(10.0)[:, None]
    found = split(
        rows, 7, extra={"time": rows, "both": [rows, torch.ones(3)]}, img_ids=torch.ones(10, 3), names=list(range(10))
    )
    assert torch.equal(found["sample"], 2 * rows)
    assert seen == [(5, 7, 5, [5, 3], 10, names) for names in ([0, 1, 2, 3, 4], [5, 6, 7, 8, 9])]


def test_a_call_that_fits_is_passed_on_as_it_is(tiny):
    seen = []
    before = dict(vars(tiny.transformer))
    tiny.transformer.forward = lambda *args, **kwargs: seen.append((args, kwargs)) or "answer"
    rows = torch.ones(8, 4, 8, 8)
    with batching.in_batches(tiny, 4, BatchSize(4)):
        assert tiny.transformer.forward(rows, timestep=3) == "answer"
    assert seen[0][0][0] is rows and seen[0][1] == {"timestep": 3}
    del tiny.transformer.forward
    assert vars(tiny.transformer) == before


def test_a_method_comes_back_in_every_case():
    thing = SimpleNamespace()
    thing.decode = first = lambda: 0
    with pytest.raises(KeyError), batching.replaced(thing, "decode", lambda: 1):
        assert thing.decode() == 1
        raise KeyError
    assert thing.decode is first


def test_a_network_without_rows_is_named():
    rows = [torch.ones(3), torch.ones(3)]
    assert batching._in_parts(lambda rows: rows, 3, BatchSize(3), rows) is rows
    with pytest.raises(ValueError, match=r"with a tensor of rows; it calls .* Pass a batch_size that"):
        batching._in_parts(lambda rows: rows, 3, BatchSize(2), rows)


def test_threads_that_sample_with_one_pipeline_wait_for_their_turn_and_a_bare_call_is_left_alone(tiny):
    def bare():
        found = tiny(class_labels=[0, 1], generator=generators(0, 0, range(2)), num_inference_steps=2, output_type="np")
        return torch.as_tensor(found.images)

    alone, plain = sample(tiny, [0, 1, 1], steps=2, batch_size=2), bare()
    with ThreadPoolExecutor(3) as pool:
        rounds = [pool.submit(sample, tiny, [0, 1, 1], steps=2, batch_size=2) for _ in range(6)]
        assert all(torch.equal(one.result(), alone) for one in rounds)
    assert "decode" not in vars(tiny.vae)
    inside = threading.Event()
    decode, found, rows = tiny.vae.decode, {}, set()
    kept = tiny.transformer.register_forward_pre_hook(
        lambda module, args: rows.add((threading.current_thread().name, len(args[0]))), prepend=True
    )

    def look(denoised, level):
        if not inside.is_set():
            inside.set()
            thread = threading.Thread(target=lambda: found.update(bare=bare()), name="bare")
            thread.start()
            thread.join()
        return denoised

    assert sample(tiny, [0, 1], guidance=look, steps=2, batch_size=1).shape == (2, 1, 16, 16)
    kept.remove()
    assert ("bare", 4) in rows and ("bare", 2) not in rows  # two images, each in two rows, in one piece
    torch.testing.assert_close(found["bare"], plain, rtol=0, atol=1e-6)
    assert tiny.vae.decode == decode
