import copy
import threading

import pytest
import safetensors.torch
import torch

from mgd_helpers.encoding import cache
from mgd_helpers.encoding.latents import encode
from mgd_helpers.guidance.toys import tiny_pipeline


@pytest.fixture
def images(waves):
    return waves.train.images


@pytest.fixture
def calls(tiny):
    """The blocks that the VAE was asked to encode."""
    seen, real = [], tiny.vae.encode
    tiny.vae.encode = lambda block: seen.append(len(block)) or real(block)
    return seen


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(cache, "tell", lines.append)
    return lines


def only(folder):
    (file,) = folder.iterdir()
    return file


def test_a_second_call_reads_the_same_bits_and_says_so(tiny, images, calls, said, tmp_path):
    first = encode(tiny.vae, images, cache=tmp_path / "new")
    assert torch.equal(first, encode(tiny.vae, images))
    calls.clear()
    assert said == []
    assert torch.equal(encode(tiny.vae, images, cache=str(tmp_path / "new")), first)
    assert calls == []
    assert said == [f"12 latents were read from {str(tmp_path / 'new')!r}, where an earlier call kept them."]


def test_another_object_with_the_same_values_is_the_same(tiny, images, tmp_path):
    encode(tiny.vae, images, cache=tmp_path)
    other = tiny_pipeline().vae
    other.encode = lambda block: pytest.fail("must be read")
    encode(other, images.clone(), cache=tmp_path, batch_size=5)


def scaled(vae):
    vae.register_to_config(scaling_factor=0.5)


def shifted(vae):
    vae.register_to_config(shift_factor=0.1)


def of_other_weights(vae):
    with torch.no_grad():
        next(vae.parameters()).view(-1)[0] += 1e-6


@pytest.mark.parametrize("change", [scaled, shifted, of_other_weights, torch.nn.Module.bfloat16])
def test_whatever_decides_about_latents_is_in_the_key(tiny, images, change):
    before = cache.key_of(tiny.vae, images)
    change(tiny.vae)
    assert cache.key_of(tiny.vae, images) != before


def test_every_pixel_their_order_and_their_shape_are_in_the_key(tiny, images):
    one_off = images.clone()
    one_off[3, 0, 2, 5] += 1e-6
    keys = {cache.key_of(tiny.vae, these) for these in (images, one_off, images.flip(0), images[:-1], images.double())}
    assert len(keys) == 5
    assert cache.key_of(tiny.vae, images.view(12, 1, 8, 32)) not in keys


def test_another_scheme_is_another_key(tiny, images, monkeypatch):
    before = cache.key_of(tiny.vae, images)
    monkeypatch.setattr(cache, "SCHEME", cache.SCHEME + 1)
    assert cache.key_of(tiny.vae, images) != before


def emptied(file):
    file.write_bytes(b"")


def cut(file):
    file.write_bytes(file.read_bytes()[:-1])


def one_bit_off(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def of_others(file):
    safetensors.torch.save_file({"latents": torch.zeros(12, 4, 8, 8)}, file)


def without_latents(file):
    safetensors.torch.save_file({"weights": torch.zeros(1)}, file)


def of_another_key(file):
    said = {"key": "0" * 64, "sha256": cache.tensor_hash(torch.zeros(2))}
    safetensors.torch.save_file({"latents": torch.zeros(2)}, file, metadata=said)


@pytest.mark.parametrize("harm", [emptied, cut, one_bit_off, of_others, without_latents, of_another_key])
def test_a_file_that_is_damaged_or_foreign_is_made_again(tiny, images, calls, said, tmp_path, harm):
    first = encode(tiny.vae, images, cache=tmp_path)
    harm(only(tmp_path))
    calls.clear()
    assert torch.equal(encode(tiny.vae, images, cache=tmp_path), first)
    assert calls == [12] and said == []
    encode(tiny.vae, images, cache=tmp_path)
    assert calls == [12] and len(said) == 1


def test_a_call_that_fails_leaves_nothing(tiny, images, tmp_path):
    def fails(block):
        raise KeyboardInterrupt

    tiny.vae.encode = fails
    with pytest.raises(KeyboardInterrupt):
        encode(tiny.vae, images, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_latents_that_overflow_are_not_kept(tiny, images, tmp_path):
    next(tiny.vae.parameters()).data.fill_(torch.nan)
    with pytest.raises(ValueError, match="finite latents"):
        encode(tiny.vae, images, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_the_latents_come_all_the_same(tiny, images, said, tmp_path):
    (tmp_path / "file").write_text("in the way")
    found = encode(tiny.vae, images, cache=tmp_path / "file")
    assert torch.equal(found, encode(tiny.vae, images))
    assert len(said) == 1 and said[0].startswith("The latents could not be kept in ")


def test_two_at_once_do_no_harm(tiny, images, tmp_path):
    start, found = threading.Barrier(2), []

    def one(vae):
        real = vae.encode
        vae.encode = lambda block: (start.wait(30) and None) or real(block)  # both are at work before one has written
        found.append(encode(vae, images, cache=tmp_path))

    threads = [threading.Thread(target=one, args=(copy.deepcopy(tiny.vae),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and torch.equal(*found)
    tiny.vae.encode = lambda block: pytest.fail("must be read")
    assert torch.equal(encode(tiny.vae, images, cache=tmp_path), found[0])


def test_a_set_kept_as_bytes_is_found_again_by_its_numbers(tiny, kept, calls, tmp_path):
    first = encode(tiny.vae, kept[1].train.images, cache=tmp_path)
    before = list(calls)
    assert torch.equal(encode(tiny.vae, kept[0].train, cache=tmp_path), first)
    assert torch.equal(encode(tiny.vae, kept[1].train, cache=tmp_path), first)
    assert calls == before and only(tmp_path)
