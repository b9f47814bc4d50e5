"""Random changes of training images and of their targets, on the images' device and for all images of a batch at once.

Images are in [-1, 1]. What is drawn comes from a CPU generator, so that every device sees the same changes, and is a
table with one row per image, so that the batches of several students can be changed as one.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor

AUGMENTATIONS = ("none", "shift", "dsa", "imagenet")
# eigenvalues and eigenvectors (columns) of the colours of ImageNet in [0, 1] (Krizhevsky et al. 2012)
EIGENVALUES = (0.2175, 0.0188, 0.0045)
EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
LUMA = (0.299, 0.587, 0.114)
BRIGHTNESS, SATURATION, CONTRAST = range(3)


def augment(
    images: Float[Tensor, "b c h w"], augmentation: str, *, draw: torch.Generator, max_shift: int = 2
) -> Float[Tensor, "b c h w"]:
    """Change each image by itself: `none`; `shift`, by up to `max_shift` pixels; `dsa`; or `imagenet`.

    `dsa` is the field's color_crop_cutout_flip_scale_rotate (Zhao & Bilen 2021) with one of the six drawn per image.
    `imagenet` is its recipe for photographs: a crop of half to all of the area, a flip, brightness, contrast and
    saturation by up to 40 % in random order, and lighting along the principal colours by 0.1. Colours are not clamped.
    """
    return apply_augmentation(images, draw_augmentation(augmentation, images.shape, draw=draw, max_shift=max_shift))


def draw_augmentation(
    augmentation: str, shape: tuple[int, ...], *, draw: torch.Generator, max_shift: int = 2
) -> dict[str, Tensor]:
    """The random numbers of `augment` for images of `shape` (b, c, h, w): CPU tensors of b rows."""
    arguments.one_of("augmentation", augmentation, AUGMENTATIONS)
    max_shift = arguments.whole("max_shift", max_shift, at_least=0)
    if augmentation == "none":
        return {}
    if augmentation == "shift":
        return {"shifts": torch.randint(-max_shift, max_shift + 1, (shape[0], 2), generator=draw)}
    return (_draw_dsa if augmentation == "dsa" else _draw_imagenet)(*shape, draw)


def apply_augmentation(images: Float[Tensor, "b c h w"], drawn: dict[str, Tensor]) -> Float[Tensor, "b c h w"]:
    """Images changed by what `draw_augmentation` has drawn; the tensors of `drawn` lie on any device."""
    drawn = {name: rows.to(images.device) for name, rows in drawn.items()}
    if "shifts" in drawn:
        images = shifted(images, drawn["shifts"])
    if "matrices" in drawn:
        images = warped(images, drawn["matrices"])
    if "factors" in drawn:
        images = recolored(images, drawn["factors"], drawn["order"]) + drawn["offsets"][:, :, None, None]
    if "holes" in drawn:
        images = cut_out(images, drawn["holes"])
    return images


def shifted(images: Float[Tensor, "b c h w"], shifts: Int[Tensor, "b 2"]) -> Float[Tensor, "b c h w"]:
    """Move each image by whole pixels (down, right), repeating its border; on the device, no loop over images."""
    channels, height, width = images.shape[1:]
    shifts = shifts.to(images.device)
    rows = (torch.arange(height, device=images.device) - shifts[:, :1]).clamp(0, height - 1)
    columns = (torch.arange(width, device=images.device) - shifts[:, 1:]).clamp(0, width - 1)
    batch = torch.arange(len(images), device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[:, None, None]
    return images[batch, channel, rows[:, None, :, None], columns[:, None, None, :]]  # never channels-last


def warped(images: Float[Tensor, "b c h w"], matrices: Float[Tensor, "b 2 3"]) -> Float[Tensor, "b c h w"]:
    """Each image read at the places that its matrix gives, bilinearly; outside of the image there are zeros.

    A matrix maps a place (x, y, 1) of the result to a place of the image; both run from -1 to 1, right and down. So
    diag(-1, 1) flips, diag(0.5, 0.5) enlarges the middle, and the last column moves.
    """
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def recolored(
    images: Float[Tensor, "b c h w"], factors: Float[Tensor, "b 3"], order: Int[Tensor, "b 3"]
) -> Float[Tensor, "b c h w"]:
    """Brightness, saturation and contrast times `factors`, each image in its own `order`: pivot + factor (x - pivot).

    The pivot is black for the brightness (0), a pixel's grey for the saturation (1), the image's mean grey for the
    contrast (2). Grey is the luma of three channels, and the mean of any other number.
    """
    channels = images.shape[1]
    weights = images.new_tensor(LUMA if channels == 3 else [1 / channels] * channels).view(1, -1, 1, 1)
    for change in order.T:
        kind, factor = change.view(-1, 1, 1, 1), factors.gather(1, change[:, None]).view(-1, 1, 1, 1)
        grey = (images * weights).sum(1, keepdim=True)
        pivot = torch.where(kind == SATURATION, grey, torch.where(kind == BRIGHTNESS, -1, grey.mean((2, 3), True)))
        images = pivot + factor * (images - pivot)
    return images


def cut_out(images: Float[Tensor, "b c h w"], holes: Int[Tensor, "b 4"]) -> Float[Tensor, "b c h w"]:
    """Images with zeros in the hole (top, bottom, left, right) of each; the lower ends are inside, the upper not."""
    return images.masked_fill(_inside(images, holes), 0)


def draw_cutmix(shape: tuple[int, ...], *, draw: torch.Generator) -> dict[str, Tensor]:
    """Partners [b] and boxes [b, 4] for `cutmix` of images of `shape`; as in the field one box for the whole batch.

    A box takes 1 - r of the area, r ~ Beta(1, 1), and less where the border cuts it.
    """
    count, _, height, width = shape
    partners = torch.randperm(count, generator=draw)
    side = (1 - torch.rand((), generator=draw)).sqrt().item()  # Beta(1, 1) is uniform
    box = []
    for size in (height, width):
        center, half = torch.randint(size, (), generator=draw).item(), int(size * side) // 2
        box += [max(center - half, 0), min(center + half, size)]
    return {"partners": partners, "boxes": torch.tensor(box).expand(count, 4)}


def cutmix(
    images: Float[Tensor, "b c h w"],
    targets: Float[Tensor, "b classes"],
    *,
    partners: Int[Tensor, " b"],
    boxes: Int[Tensor, "b 4"],
) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b classes"]]:
    """CutMix (Yun et al. 2019): paste each partner's box into the image, and mix the targets by the area pasted."""
    partners, boxes = partners.to(images.device), boxes.to(images.device)
    inside = _inside(images, boxes)
    share = inside.to(targets.dtype).mean((1, 2, 3))[:, None]
    return torch.where(inside, images[partners], images), targets + share * (targets[partners] - targets)


def _inside(images, boxes) -> Tensor:
    """The pixels of each image that lie in its box (top, bottom, left, right), as a mask [b, 1, h, w]."""
    top, bottom, left, right = boxes.to(images.device)[:, :, None].unbind(1)  # [b, 1] each
    rows, columns = (torch.arange(size, device=images.device) for size in images.shape[-2:])
    rows, columns = (top <= rows) & (rows < bottom), (left <= columns) & (columns < right)
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _draw_imagenet(count, channels, height, width, draw) -> dict[str, Tensor]:
    matrices = _crops(count, height, width, draw)
    matrices[:, 0, 0] *= 1 - 2 * (torch.rand(count, generator=draw) < 0.5).float()
    offsets = torch.zeros(count, channels)
    along = 0.1 * torch.randn(count, 3, generator=draw) * torch.tensor(EIGENVALUES)
    if channels == 3:
        offsets = 2 * along @ torch.tensor(EIGENVECTORS).T  # twice: from [0, 1] to [-1, 1]
    return {
        "matrices": matrices,
        "factors": 1 + _symmetric(0.4, count, 3, draw=draw),
        "order": torch.rand(count, 3, generator=draw).argsort(1),
        "offsets": offsets,
    }


def _crops(count, height, width, draw, *, area=(0.5, 1.0), aspect=4 / 3, tries=10) -> Float[Tensor, "b 2 3"]:
    """Crops enlarged to the whole image: shares `area` of it, width to height between 1/`aspect` and `aspect`."""
    shares = area[0] + (area[1] - area[0]) * torch.rand(count, tries, generator=draw)
    ratios = _symmetric(math.log(aspect), count, tries, draw=draw).exp()
    sides = torch.stack([(shares * ratios * height / width).sqrt(), (shares / ratios * width / height).sqrt()], 2)
    fits = (sides <= 1).all(2)
    first = fits.float().argmax(1)  # of the tries the first that fits; none: the whole image
    sides = torch.where(fits.any(1)[:, None], sides[torch.arange(count), first], 1)
    middles = _symmetric(1, count, 2, draw=draw) * (1 - sides)
    return torch.cat([torch.diag_embed(sides), middles[:, :, None]], 2)


def _draw_dsa(count, channels, height, width, draw) -> dict[str, Tensor]:
    """All six changes, of which each image keeps one; the five others are made changes to nothing."""
    color, crop, cutout, flip, scale, rotate = torch.randint(6, (count,), generator=draw) == torch.arange(6)[:, None]
    zoom = 1 / 1.2 + (1.2 - 1 / 1.2) * torch.rand(count, 2, generator=draw)
    diagonal = torch.where(scale[:, None], zoom, 1)
    diagonal[:, 0] *= 1 - 2 * (flip & (torch.rand(count, generator=draw) < 0.5)).float()
    angle = _symmetric(math.radians(15), count, draw=draw) * rotate
    turns = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(count, 2, 2)
    turns = turns * torch.tensor([[1, height / width], [width / height, 1]])  # a turn of pixels, also if not square
    most = torch.tensor([int(width / 8 + 0.5), int(height / 8 + 0.5)])
    moves = (torch.rand(count, 2, generator=draw) * (2 * most + 1)).long() - most  # whole pixels
    moves = 2 * moves * crop[:, None] / torch.tensor([width, height])
    factors = torch.rand(count, 3, generator=draw) * torch.tensor([0.0, 2.0, 1.0]) + torch.tensor([1.0, 0.0, 0.5])
    # the field adds +-0.5 to images of variance one; in [-1, 1] that of CIFAR-10 is about 0.4 squared
    offsets = _symmetric(0.2, count, 1, draw=draw) * color[:, None]
    sizes = torch.tensor([height, width])
    low = (torch.rand(count, 2, generator=draw) * sizes).long() - (sizes + 1) // 2 // 2
    high = (low + (sizes + 1) // 2) * cutout[:, None]  # a hole that ends at 0 holds nothing
    return {
        "matrices": torch.cat([turns * diagonal[:, None], moves[:, :, None]], 2),
        "factors": torch.where(color[:, None], factors, 1),
        "order": torch.arange(3).expand(count, 3),
        "offsets": offsets.expand(count, channels),
        "holes": torch.stack([low, high], 2).flatten(1),
    }


def _symmetric(most, *shape, draw):
    """Uniform numbers between -most and most."""
    return most * (2 * torch.rand(*shape, generator=draw) - 1)
