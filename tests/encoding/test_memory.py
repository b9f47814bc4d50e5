import pytest
import torch

from mgd_helpers.encoding import memory
from mgd_helpers.encoding.memory import BatchSize


class Card:
    """A call that takes at most `most` rows at once, and knows which it was asked for."""

    def __init__(self, most):
        self.most, self.asked = most, []

    def __call__(self, start, stop):
        self.asked.append((start, stop))
        if stop - start > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nGPU 0 has more to say")
        return list(range(start, stop))


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(memory, "tell", lines.append)
    return lines


@pytest.mark.parametrize("most", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("hoped", [1, 4, 5, 32])
def test_every_row_is_answered_once_and_in_order(most, hoped, said):
    card, size = Card(most), BatchSize(hoped)
    found = [row for block in size.blocks(card, 20) for row in block]
    assert found == list(range(20))
    assert size.images <= max(most, 1) if min(hoped, 20) > most else size.images == hoped
    assert len(said) == (min(hoped, 20) > most)


def test_it_goes_on_from_the_row_that_it_has_reached(said):
    card = Card(4)
    card.most = 8
    blocks = BatchSize(8).blocks(card, 24)
    assert next(blocks) == list(range(8))
    card.most = 3
    assert [row for block in blocks for row in block] == list(range(8, 24))
    assert card.asked[:4] == [(0, 8), (8, 16), (8, 12), (8, 10)]
    assert said == ["CUDA out of memory; going on with batch_size=2."]  # once, and not for each half


def test_what_one_call_has_found_out_holds_for_the_next(said):
    card, size = Card(4), BatchSize(16)
    list(size.blocks(card, 16))
    card.asked.clear()
    list(size.blocks(card, 16))
    assert card.asked == [(0, 4), (4, 8), (8, 12), (12, 16)]


def test_rows_that_stand_for_one_image_stay_together(said):
    card = Card(5)
    list(BatchSize(8).blocks(card, 16, size=lambda images: 2 * images))
    assert [stop - start for start, stop in card.asked] == [16, 8, 4, 4, 4, 4]


def test_no_rows_are_one_empty_block():
    card = Card(1)
    assert list(BatchSize(4).blocks(card, 0)) == [[]]


def test_a_single_image_that_does_not_fit_is_an_error_with_a_remedy(said):
    with pytest.raises(torch.OutOfMemoryError, match=r"memory, with a single image at once\. Free the GPU .*float16"):
        list(BatchSize(4).blocks(Card(0), 4))
    assert said == []


def test_other_errors_come_through():
    def broken(start, stop):
        raise RuntimeError("not a matter of memory")

    with pytest.raises(RuntimeError, match="not a matter"):
        list(BatchSize(4).blocks(broken, 4))


def test_what_the_failed_call_held_is_given_back_before_the_next(monkeypatch, said):
    import gc
    import weakref

    held, seen = [], []

    class Large:
        pass

    def call(start, stop):
        large = Large()
        held.append(weakref.ref(large))
        if stop - start > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return stop

    def empty_cache():
        gc.collect()
        seen.append(held[-1]())

    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    assert list(BatchSize(2).blocks(call, 2)) == [1, 2]
    assert seen == [None]
