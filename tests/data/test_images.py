import io
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from mgd_helpers.data.images import BORDERED, from_uint8, padding_of, pixels_of, png, read_images, stack, to_uint8


def test_every_byte_comes_back(device):
    pixels = torch.arange(256, dtype=torch.uint8)
    images = from_uint8(pixels.to(device)).cpu()
    assert (images.dtype, images[0], images[-1]) == (torch.float32, -1, 1)
    assert torch.equal(to_uint8(images), pixels)
    assert torch.equal(images, pixels.float() / 127.5 - 1)  # to the bit


def test_numbers_are_rounded_as_diffusers_rounds_them_and_cut_off_outside():
    values = torch.rand(100_000, generator=torch.Generator().manual_seed(0)) * 2.2 - 1.1
    for images in (values, values.half(), values.double()):
        theirs = (images.float() / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
        assert torch.equal(to_uint8(images), theirs)
    assert to_uint8(torch.tensor([-7.0, -1, 1, 7])).tolist() == [0, 0, 255, 255]


def test_bytes_become_numbers_from_minus_one_to_one():
    gray = np.array([[0, 255], [51, 204]], dtype=np.uint8)
    assert torch.equal(stack([gray], 1, "here"), torch.tensor([[[[0, 255], [51, 204]]]]).byte())
    assert torch.allclose(from_uint8(stack([gray], 1, "here")), torch.tensor([[[[-1, 1], [-0.6, 0.6]]]]))
    color = np.stack([gray, gray, 255 - gray], -1)
    images = from_uint8(stack(iter([color, color]), 2, "here"))
    assert images.shape == (2, 3, 2, 2)
    assert torch.allclose(images[0, 2], -images[0, 0])


def test_gray_images_become_colored_where_a_later_one_is():
    gray = np.array([[0, 255], [51, 204]], dtype=np.uint8)
    color = np.stack([gray, gray.T, 255 - gray], -1)
    expected = torch.from_numpy(np.stack([np.stack([gray] * 3), color.transpose(2, 0, 1), np.stack([gray] * 3)]))
    assert torch.equal(stack([gray, color, gray], 3, "here"), expected)
    assert stack([gray, color], 3, "here").shape[0] == 2  # where fewer come than were promised


def test_memory_is_asked_for_again_where_images_become_colored(monkeypatch):
    asked = []
    monkeypatch.setattr("mgd_helpers.data.images.check_memory", lambda *what: asked.append(what))
    gray = np.zeros((2, 2), np.uint8)
    stack([gray, gray, np.stack([gray] * 3, -1)], 3, "here")
    assert asked == [(3, (2, 2), "here"), (3, (2, 2, 3), "here")]


def test_small_gray_images_get_a_border_and_keep_their_pixels():
    inside = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    framed = pixels_of(Image.fromarray(inside), 32)
    assert framed.shape == (32, 32)
    assert np.array_equal(framed[2:-2, 2:-2], inside)
    assert framed.sum() == inside.sum()


@pytest.mark.parametrize(("side", "padding", "border"), [(28, 0, 0), (28, 2, 2), (28, 5, 5), (60, 2, 2), (32, 2, 0)])
def test_of_a_resized_image_the_padding_is_a_black_border(side, padding, border):
    seen = Counter()
    found = pixels_of(Image.new("RGB", (side, side), (200, 100, 50)), 32, None, padding, seen)
    inside = found[border : 32 - border, border : 32 - border]
    assert (inside == (200, 100, 50)).all() and inside.sum() == found.sum()
    assert padding_of(seen, 1) == border


def test_a_border_that_only_some_images_have_is_that_of_none():
    assert padding_of({}, 3) == padding_of({"transparent, and laid on white": 3}, 3) == 0
    assert padding_of({f"{BORDERED}2": 3}, 3) == 2
    assert padding_of({f"{BORDERED}2": 2}, 3) is None


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_gray_images_stay_gray_whatever_their_mode(mode):
    image = Image.new("L", (6, 4), 255).convert(mode)
    assert np.array_equal(pixels_of(image, None), np.full((4, 6), 255))
    assert np.array_equal(pixels_of(image, None, 3), np.full((4, 6, 3), 255))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
def test_other_images_are_in_color_and_become_gray_by_their_luma(mode):
    image = Image.new("RGB", (6, 4), (255, 0, 0)).convert(mode)
    assert np.array_equal(pixels_of(image, None), np.full((4, 6, 3), (255, 0, 0)))
    assert np.array_equal(pixels_of(image, 4, 1), np.full((4, 4), 76))


@pytest.mark.parametrize(("mode", "color"), [("RGBA", (9, 8, 7)), ("LA", (9,))])
def test_of_transparent_images_the_colors_beneath_are_kept(mode, color):
    for opacity in (0, 128, 255):
        found = pixels_of(Image.new(mode, (1, 1), (*color, opacity)), None)
        assert found.ravel().tolist() == list(color)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_images_of_more_than_eight_bits_are_refused(tmp_path, mode, channels):
    Image.new(mode, (4, 4), 1000).save(tmp_path / "deep.tif")
    with pytest.raises(ValueError, match=rf"^a/deep.tif of 'here' must .* 8 bits per channel; got mode '{mode}'"):
        read_images([("a/deep.tif", tmp_path / "deep.tif")], 1, "here", channels=channels)


def test_broken_files_are_named(tmp_path):
    Image.effect_noise((400, 400), 50).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "text").write_text("no image")
    (tmp_path / "half").write_bytes(content[: len(content) // 2])
    (tmp_path / "odd").write_bytes(b"IDAT".join(content.split(b"IDAT")[:2]) + b"\0" + content[-99:])  # PIL: SyntaxError
    for broken in ("text", "half", "odd", "absent"):
        files = [(name, tmp_path / name) for name in ("whole.png", broken)]
        with pytest.raises(ValueError, match=f"^{broken} of 'here' must be an image that PIL reads"):
            read_images(files, 2, "here")


def test_images_that_PIL_takes_for_a_bomb_are_named(tmp_path, monkeypatch):
    Image.new("L", (40, 40)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match=r"^large of 'here' must be an image that PIL reads.*decompression bomb"):
        read_images([("large", tmp_path / "large.png")], 1, "here")


def test_images_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r"images of 'here' must have one size; got .* Pass image_size"):
        stack([np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8)], 2, "here")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_has_the_bytes_that_diffusers_gives(channels):
    from diffusers import DiTPipeline

    values = torch.rand(channels, 7, 9, generator=torch.Generator().manual_seed(0)) * 2.2 - 1.1
    theirs = (values / 2 + 0.5).clamp(0, 1).permute(1, 2, 0)[None].numpy()
    with Image.open(io.BytesIO(png(values))) as image:
        assert image.tobytes() == DiTPipeline.numpy_to_pil(theirs)[0].tobytes()
        assert image.size == (9, 7)


def test_every_byte_comes_back_from_a_png():
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    with Image.open(io.BytesIO(png(from_uint8(stack([gray], 1, "here"))[0]))) as image:
        assert np.array_equal(np.asarray(image), gray)


@pytest.mark.parametrize("image", [torch.zeros(2, 4, 4), torch.zeros(4, 4, 4), torch.zeros(4, 4)])
def test_what_png_cannot_hold_is_refused(image, unchecked):
    with pytest.raises(ValueError, match="images must have one channel"):
        unchecked(png)(image)


def test_nan_is_no_color():
    with pytest.raises(ValueError, match="images must be finite to be PNGs"):
        png(torch.full((1, 4, 4), torch.nan))
