import numpy as np
import pytest
import torch
from PIL import Image

from mgd_helpers.images import pixels, stack


def test_bytes_become_numbers_from_minus_one_to_one():
    grey = np.array([[0, 255], [51, 204]], dtype=np.uint8)
    assert torch.allclose(stack([grey], "here"), torch.tensor([[[[-1, 1], [-0.6, 0.6]]]]))
    colour = np.stack([grey, grey, 255 - grey], -1)
    images = stack([colour, colour], "here")
    assert images.shape == (2, 3, 2, 2)
    assert torch.allclose(images[0, 2], -images[0, 0])


def test_small_grey_images_get_a_border_and_keep_their_pixels():
    inside = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    framed = pixels(Image.fromarray(inside), 32)
    assert framed.shape == (32, 32)
    assert np.array_equal(framed[2:-2, 2:-2], inside)
    assert framed.sum() == inside.sum()


def test_modes_are_converted():
    image = Image.fromarray(np.zeros((4, 6, 4), dtype=np.uint8), "RGBA")
    assert pixels(image, None).shape == (4, 6, 3)
    assert pixels(image, 4, 1).shape == (4, 4)


def test_images_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r"images of 'here' must have one size .* Pass image_size"):
        stack([np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8)], "here")
