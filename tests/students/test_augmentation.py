import pytest
import torch
import torch.nn.functional as F

from mgd_helpers.students.augmentation import (
    AUGMENTATIONS,
    EIGENVALUES,
    EIGENVECTORS,
    affine,
    apply_augmentation,
    augment,
    color_jitter,
    cutmix,
    cutout,
    random_augmentation,
    random_cutmix,
    translate,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_shifting_is_padding_with_the_border_and_cropping(randn, device):
    images, shifts = randn(9, 2, 5, 7), torch.cartesian_prod(torch.arange(-1, 2), torch.arange(-1, 2)) * 2
    found = translate(images.to(device), shifts).cpu()
    for image, moved, (down, right) in zip(images, found, shifts.tolist(), strict=True):
        padded = F.pad(image[None], (2, 2, 2, 2), mode="replicate")[0]
        assert torch.equal(moved, padded[:, 2 - down : 7 - down, 2 - right : 9 - right])


def test_no_shift_changes_nothing(randn):
    images = randn(3, 1, 4, 4)
    assert torch.equal(translate(images, torch.zeros(3, 2, dtype=torch.long)), images)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_equal_generators_draw_equal_changes_and_shapes_stay(randn, device, augmentation, channels):
    images = randn(6, channels, 12, 16).clamp(-1, 1).to(device)
    before = images.clone()
    found = augment(images, augmentation, generator=seeded())
    assert found.shape == images.shape and found.device == images.device and found.dtype == images.dtype
    assert torch.equal(found, augment(images, augmentation, generator=seeded()))
    assert torch.equal(found, augment(images, augmentation, generator=seeded(1))) == (augmentation == "none")
    assert torch.equal(images, before)
    assert found.stride() == torch.empty(found.shape).stride()  # or all layers run channels-last, slower on a CPU


def test_unknown_augmentations_are_refused(randn):
    with pytest.raises(ValueError, match=r"augmentation must be one of none, shift, .*; got 'mixup'"):
        augment(randn(1, 1, 4, 4), "mixup", generator=seeded())


def matrix(rows, count=1):
    return torch.tensor(rows).expand(count, 2, 3)


FLIP = matrix([[-1.0, 0, 0], [0, 1, 0]])


def test_flipping_twice_changes_nothing_and_once_is_a_flip(randn, device):
    images = randn(3, 2, 6, 7).to(device)
    flip = FLIP.expand(3, 2, 3).to(device)
    torch.testing.assert_close(affine(images, flip), images.flip(3), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(affine(affine(images, flip), flip), images, rtol=1e-4, atol=1e-4)


def test_moving_by_whole_pixels_leaves_zeros_behind(randn):
    images = randn(1, 1, 6, 8)
    moved = affine(images, matrix([[1, 0, 2 * 2 / 8], [0, 1, -2 * 1 / 6]]))  # reads 2 to the right, 1 above
    assert moved[..., :1, :].abs().max() < 1e-4 and moved[..., 6:].abs().max() < 1e-4
    torch.testing.assert_close(moved[..., 1:, :6], images[..., :5, 2:], rtol=1e-4, atol=1e-4)


def test_a_crop_is_what_interpolation_makes_of_the_piece(randn):
    images = randn(1, 2, 16, 16)
    piece = F.interpolate(images[..., 4:12, 8:16], size=(16, 16), mode="bilinear")
    found = affine(images, matrix([[0.5, 0, 0.5], [0, 0.5, -0.0]]))
    inside = slice(2, -2)  # beyond the piece's border the image goes on
    torch.testing.assert_close(found[..., inside, inside], piece[..., inside, inside], rtol=1e-4, atol=1e-4)


def test_crops_and_flips_of_photographs_are_of_the_promised_size():
    matrices = random_augmentation("imagenet", (4000, 3, 20, 30), generator=seeded())["matrices"]
    assert matrices[:, 0, 1].abs().max() == 0 == matrices[:, 1, 0].abs().max()
    width, height, middle = matrices[:, 0, 0].abs(), matrices[:, 1, 1], matrices[:, :, 2]
    share, aspect = width * height, 1.5 * width / height
    whole = (width == 1) & (height == 1)  # where none of ten tries fits
    assert 0.5 <= share.min() < 0.52 and share.max() <= 1
    assert 3 / 4 - 1e-5 <= aspect[~whole].min() < 0.8 and 1.3 < aspect[~whole].max() <= 4 / 3 + 1e-5
    assert whole.float().mean() < 0.1
    assert (middle.abs() + torch.stack([width, height], 1)).max() <= 1 + 1e-5  # inside the image
    assert (matrices[:, 0, 0] < 0).float().mean() == pytest.approx(0.5, abs=0.03)


def naive_color_jitter(image, factors, order):
    """One RGB image in [-1, 1], NumPy style, one change after the other."""
    for change in order:
        gray = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
        pivot = [torch.full_like(gray, -1), gray, gray.mean().expand_as(gray)][change]
        image = torch.stack([pivot + factors[change] * (channel - pivot) for channel in image])
    return image


def test_colors_change_as_in_the_loop_over_images(randn, device):
    images, factors = randn(4, 3, 5, 5), randn(4, 3).abs()
    order = torch.tensor([[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]])
    found = color_jitter(images.to(device), factors.to(device), order.to(device)).cpu()
    for image, row, changes, changed in zip(images, factors.tolist(), order.tolist(), found, strict=True):
        torch.testing.assert_close(changed, naive_color_jitter(image, row, changes), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_factors_of_one_change_nothing_and_of_zero_all(randn, channels):
    images, order = randn(2, channels, 4, 4), torch.arange(3).expand(2, 3)
    torch.testing.assert_close(color_jitter(images, torch.ones(2, 3), order), images)
    dark = color_jitter(images, torch.tensor([[0.0, 1, 1]] * 2), order)
    torch.testing.assert_close(dark, torch.full_like(dark, -1))
    gray = color_jitter(images, torch.tensor([[1, 0.0, 1]] * 2), order)
    torch.testing.assert_close(gray, gray[:, :1].expand_as(gray))
    flat = color_jitter(images, torch.tensor([[1, 1, 0.0]] * 2), order)
    torch.testing.assert_close(flat, flat[:, :1, :1, :1].expand_as(flat))


def test_lighting_has_the_covariance_of_imagenets_colors():
    parameters = random_augmentation("imagenet", (40_000, 3, 4, 4), generator=seeded())
    vectors, values = torch.tensor(EIGENVECTORS), torch.tensor(EIGENVALUES)
    torch.testing.assert_close(vectors.T @ vectors, torch.eye(3), rtol=0, atol=2e-3)
    expected = vectors @ (0.2 * values).square().diag() @ vectors.T  # 0.1 of [0, 1] is 0.2 of [-1, 1]
    torch.testing.assert_close(parameters["offsets"].T.cov(), expected, rtol=0.05, atol=2e-5)
    factors = parameters["factors"]
    assert 0.6 <= factors.min() < 0.61 and 1.39 < factors.max() <= 1.4
    assert parameters["order"].sort(1).values.unique(dim=0).tolist() == [[0, 1, 2]]
    assert len(parameters["order"].unique(dim=0)) == 6
    assert random_augmentation("imagenet", (5, 1, 4, 4), generator=seeded())["offsets"].eq(0).all()


def fills(values, low, high):
    """Whether the numbers come near both ends of a range and never leave it."""
    margin = 0.02 * (high - low)
    return low - 1e-6 <= values.min() < low + margin and high - margin < values.max() <= high + 1e-6


def test_dsa_makes_one_change_per_image_as_strong_as_in_the_field():
    parameters = random_augmentation("dsa", (6000, 3, 24, 40), generator=seeded())
    matrices, holes = parameters["matrices"], parameters["holes"]
    linear, moves = matrices[:, :, :2], matrices[:, :, 2]
    turned = linear[:, 0, 1] != 0
    zoomed = ~turned & (linear[:, 1, 1] != 1)
    flipped = ~turned & (linear[:, 0, 0] == -1)
    moved = (moves != 0).any(1)
    hole = (holes[:, 1] > holes[:, 0].clamp(min=0)) & (holes[:, 3] > holes[:, 2].clamp(min=0))
    colored = (parameters["factors"] != 1).any(1)
    changes = torch.stack([turned, zoomed, flipped, moved, hole, colored])
    assert changes.sum(0).max() == 1
    shares = changes.float().mean(1)
    assert shares[[0, 1, 3, 4, 5]].tolist() == pytest.approx([1 / 6] * 5, abs=0.02)  # shifts by zero are few
    assert shares[2].item() == pytest.approx(1 / 12, abs=0.02)
    brightness, saturation, contrast = parameters["factors"].T
    assert torch.equal(colored, parameters["offsets"].ne(0).all(1)) and fills(parameters["offsets"], -0.2, 0.2)
    assert brightness.eq(1).all() and fills(saturation, 0, 2) and fills(contrast, 0.5, 1.5)
    size = torch.tensor([40.0, 24.0])  # of x and y
    turns = linear[turned] * size[:, None] / size  # of pixels
    torch.testing.assert_close(turns @ turns.mT, torch.eye(2).expand_as(turns), rtol=0, atol=1e-6)
    assert fills(torch.atan2(turns[:, 1, 0], turns[:, 0, 0]).rad2deg(), -15, 15)
    sides = linear[zoomed].diagonal(dim1=1, dim2=2)
    assert all(fills(side, 1 / 1.2, 1.2) for side in sides.T) and (sides[:, 0] != sides[:, 1]).all()
    pixels = moves * size / 2
    torch.testing.assert_close(pixels, pixels.round(), rtol=0, atol=1e-5)
    assert [end.round().tolist() for end in pixels.aminmax(dim=0)] == [[-5, -3], [5, 3]]  # an eighth
    starts, ends = holes[hole][:, ::2], holes[hole][:, 1::2]
    assert (ends - starts).unique(dim=0).tolist() == [[12, 20]]  # one half of either side, before the border cuts it
    assert [end.tolist() for end in starts.aminmax(dim=0)] == [[-6, -10], [17, 29]]  # any pixel is a middle


def test_dsa_leaves_an_image_alone_but_for_its_one_change(randn):
    images = randn(600, 3, 16, 16).clamp(-1, 1)
    parameters = random_augmentation("dsa", images.shape, generator=seeded())
    found = apply_augmentation(images, parameters)
    hole = parameters["holes"][:, 1] > 0
    kept = found[hole] != 0
    assert hole.any() and 0.5 < kept.float().mean() < 0.95
    torch.testing.assert_close(found[hole][kept], images[hole][kept], rtol=1e-4, atol=1e-4)
    calm = parameters["factors"].eq(1).all(1)
    assert found[calm].abs().max() <= 1 + 1e-5


def test_holes_are_zero_and_the_rest_is_kept(randn, device):
    images, holes = randn(3, 2, 6, 8), torch.tensor([[0, 3, 2, 5], [4, 9, -2, 1], [0, 0, 0, 8]])
    expected = images.clone()
    expected[0, :, 0:3, 2:5] = 0
    expected[1, :, 4:6, 0:1] = 0
    assert torch.equal(cutout(images.to(device), holes).cpu(), expected)


def test_cutmix_mixes_targets_by_the_area_really_pasted(randn, device):
    count, height, width = 5, 9, 12
    images = torch.arange(5.0).view(5, 1, 1, 1).expand(count, 2, height, width)
    seen = []
    for seed in range(40):
        parameters = random_cutmix(images.shape, generator=seeded(seed))
        mixed, targets = cutmix(images.to(device), torch.eye(5, device=device), **parameters)
        for image, target in zip(mixed.cpu(), targets.cpu(), strict=True):
            shares = [(image[0] == other).float().mean() for other in range(5)]
            torch.testing.assert_close(target, torch.stack(shares))
            assert torch.equal(image[0], image[1])
        seen.append(1 - targets.diagonal().min().item())
    assert min(seen) < 0.1 and max(seen) > 0.4


def test_a_cutmix_box_has_the_place_and_the_size_of_its_paper():
    boxes = torch.stack([random_cutmix((2, 1, 100, 100), generator=seeded(seed))["boxes"][0] for seed in range(2000)])
    top, bottom, left, right = boxes.T
    assert boxes.min() == 0 and boxes.max() == 100 and (bottom >= top).all() and (right >= left).all()
    inner = (top > 0) & (bottom < 100) & (left > 0) & (right < 100)
    assert torch.equal((bottom - top)[inner], (right - left)[inner])
    # E of the side that stays inside, per axis s - s^2/4 with s^2 uniform: its square is the area
    side = torch.linspace(0, 1, 10_001).sqrt()
    expected = (side - side.square() / 4).square().mean().item()
    share = ((bottom - top) * (right - left) / 1e4).mean().item()
    assert share == pytest.approx(expected, abs=0.02)
