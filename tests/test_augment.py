import pytest
import torch
import torch.nn.functional as F

from mgd_helpers.augment import AUGMENTATIONS, augment, shifted


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def test_shifting_is_padding_with_the_border_and_cropping(draw, device):
    images, shifts = draw(9, 2, 5, 7), torch.cartesian_prod(torch.arange(-1, 2), torch.arange(-1, 2)) * 2
    found = shifted(images.to(device), shifts).cpu()
    for image, moved, (down, right) in zip(images, found, shifts.tolist(), strict=True):
        padded = F.pad(image[None], (2, 2, 2, 2), mode="replicate")[0]
        assert torch.equal(moved, padded[:, 2 - down : 7 - down, 2 - right : 9 - right])


def test_no_shift_changes_nothing(draw):
    images = draw(3, 1, 4, 4)
    assert torch.equal(shifted(images, torch.zeros(3, 2, dtype=torch.long)), images)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_equal_generators_draw_equal_changes_and_shapes_stay(draw, device, augmentation, channels):
    images = draw(6, channels, 12, 16).clamp(-1, 1).to(device)
    before = images.clone()
    found = augment(images, augmentation, draw=source())
    assert found.shape == images.shape and found.device == images.device and found.dtype == images.dtype
    assert torch.equal(found, augment(images, augmentation, draw=source()))
    assert torch.equal(found, augment(images, augmentation, draw=source(1))) == (augmentation == "none")
    assert torch.equal(images, before)


def test_unknown_augmentations_are_refused(draw):
    with pytest.raises(ValueError, match=r"augmentation must be one of \('none', 'shift', .*; got 'mixup'"):
        augment(draw(1, 1, 4, 4), "mixup", draw=source())
