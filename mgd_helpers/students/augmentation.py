"""Random changes of training images and of their targets, on the images' device and for all images of a batch at once.

Images are in [-1, 1]. `random_augmentation` and `random_cutmix` draw parameters, from a CPU generator, so that every
device sees the same changes; one row per image, so that the batches of several students can be changed as one.
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
    images: Float[Tensor, "b c h w"], augmentation: str, *, generator: torch.Generator, max_shift: int = 2
) -> Float[Tensor, "b c h w"]:
    """Change each image by itself: `none`; `shift`, by up to `max_shift` pixels; `dsa`; or `imagenet`.

    `dsa` is the field's color_crop_cutout_flip_scale_rotate (Zhao & Bilen 2021) with one of the six drawn per image.
    `imagenet` is its recipe for photographs: a crop of half to all of the area, a flip, brightness, contrast and
    saturation by up to 40 % in random order, and lighting along the principal colours by 0.1. Colours are not clamped.
    """
    parameters = random_augmentation(augmentation, images.shape, generator=generator, max_shift=max_shift)
    return apply_augmentation(images, parameters)


def random_augmentation(
    augmentation: str, shape: tuple[int, ...], *, generator: torch.Generator, max_shift: int = 2
) -> dict[str, Tensor]:
    """Draw the parameters of `augment` for images of `shape` (b, c, h, w): CPU tensors of b rows."""
    arguments.one_of("augmentation", augmentation, AUGMENTATIONS)
    max_shift = arguments.whole("max_shift", max_shift, at_least=0)
    if augmentation == "none":
        return {}
    if augmentation == "shift":
        return {"shifts": torch.randint(-max_shift, max_shift + 1, (shape[0], 2), generator=generator)}
    return _random_dsa(shape, generator) if augmentation == "dsa" else _random_imagenet(shape, generator)


def apply_augmentation(images: Float[Tensor, "b c h w"], parameters: dict[str, Tensor]) -> Float[Tensor, "b c h w"]:
    """Change images by what `random_augmentation` has drawn; the tensors of `parameters` lie on any device."""
    parameters = {name: rows.to(images.device) for name, rows in parameters.items()}
    if "shifts" in parameters:
        images = translate(images, parameters["shifts"])
    if "matrices" in parameters:
        images = affine(images, parameters["matrices"])
    if "factors" in parameters:
        images = color_jitter(images, parameters["factors"], parameters["order"])
        images = images + parameters["offsets"][:, :, None, None]
    if "holes" in parameters:
        images = cutout(images, parameters["holes"])
    return images


def translate(images: Float[Tensor, "b c h w"], shifts: Int[Tensor, "b 2"]) -> Float[Tensor, "b c h w"]:
    """Move each image by whole pixels (down, right), repeating its border; on the device, no loop over images."""
    channels, height, width = images.shape[1:]
    shifts = shifts.to(images.device)
    rows = (torch.arange(height, device=images.device) - shifts[:, :1]).clamp(0, height - 1)
    columns = (torch.arange(width, device=images.device) - shifts[:, 1:]).clamp(0, width - 1)
    batch = torch.arange(len(images), device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[:, None, None]
    return images[batch, channel, rows[:, None, :, None], columns[:, None, None, :]]  # never channels-last


def affine(images: Float[Tensor, "b c h w"], matrices: Float[Tensor, "b 2 3"]) -> Float[Tensor, "b c h w"]:
    """Read each image at the places that its matrix gives, bilinearly; outside of the image there are zeros.

    A matrix maps a place (x, y, 1) of the result to a place of the image; both run from -1 to 1, right and down. So
    diag(-1, 1) flips, diag(0.5, 0.5) enlarges the middle, and the last column moves.
    """
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def color_jitter(
    images: Float[Tensor, "b c h w"], factors: Float[Tensor, "b 3"], order: Int[Tensor, "b 3"]
) -> Float[Tensor, "b c h w"]:
    """Multiply brightness, saturation and contrast by `factors`, in an `order` per image: pivot + factor (x - pivot).

    The pivot is black for the brightness (0), a pixel's grey for the saturation (1), the image's mean grey for the
    contrast (2). Grey is the luma of three channels, and the mean of any other number.
    """
    channels = images.shape[1]
    weights = images.new_tensor(LUMA if channels == 3 else [1 / channels] * channels).view(1, -1, 1, 1)
    for change in order.T:
        kind, factor = change.view(-1, 1, 1, 1), factors.gather(1, change[:, None]).view(-1, 1, 1, 1)
        gray = (images * weights).sum(1, keepdim=True)
        pivot = torch.where(kind == SATURATION, gray, torch.where(kind == BRIGHTNESS, -1, gray.mean((2, 3), True)))
        images = pivot + factor * (images - pivot)
    return images


def cutout(images: Float[Tensor, "b c h w"], holes: Int[Tensor, "b 4"]) -> Float[Tensor, "b c h w"]:
    """Put zeros in the hole (top, bottom, left, right) of each image; the lower ends are inside, the upper not."""
    return images.masked_fill(_inside(images, holes), 0)


def random_cutmix(shape: tuple[int, ...], *, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw partners [b] and boxes [b, 4] for `cutmix` of images of `shape`; as in the field one box for the batch.

    A box takes 1 - r of the area, r ~ Beta(1, 1), and less where the border cuts it.
    """
    count, _, height, width = shape
    partners = torch.randperm(count, generator=generator)
    side = (1 - torch.rand((), generator=generator)).sqrt().item()  # Beta(1, 1) is uniform
    box = []
    for size in (height, width):
        center, half = int(torch.randint(size, (), generator=generator)), int(size * side) // 2
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


def _inside(images: Tensor, boxes: Tensor) -> Tensor:
    """The pixels of each image that lie in its box (top, bottom, left, right), as a mask [b, 1, h, w]."""
    top, bottom, left, right = boxes.to(images.device)[:, :, None].unbind(1)  # [b, 1] each
    rows, columns = (torch.arange(size, device=images.device) for size in images.shape[-2:])
    rows, columns = (top <= rows) & (rows < bottom), (left <= columns) & (columns < right)
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _random_imagenet(shape: tuple[int, ...], generator: torch.Generator) -> dict[str, Tensor]:
    count, channels, height, width = shape
    matrices = _crops(count, height, width, generator)
    matrices[:, 0, 0] *= 1 - 2 * (torch.rand(count, generator=generator) < 0.5).float()
    offsets = torch.zeros(count, channels)
    along = 0.1 * torch.randn(count, 3, generator=generator) * torch.tensor(EIGENVALUES)
    if channels == 3:
        offsets = 2 * along @ torch.tensor(EIGENVECTORS).T  # twice: from [0, 1] to [-1, 1]
    return {
        "matrices": matrices,
        "factors": 1 + _symmetric(0.4, count, 3, generator=generator),
        "order": torch.rand(count, 3, generator=generator).argsort(1),
        "offsets": offsets,
    }


def _crops(count: int, height: int, width: int, generator: torch.Generator) -> Float[Tensor, "b 2 3"]:
    """Crops enlarged to the whole image: half to all of its area, width to height between 3/4 and 4/3."""
    area, aspect, tries = (0.5, 1.0), 4 / 3, 10
    shares = area[0] + (area[1] - area[0]) * torch.rand(count, tries, generator=generator)
    ratios = _symmetric(math.log(aspect), count, tries, generator=generator).exp()
    sides = torch.stack([(shares * ratios * height / width).sqrt(), (shares / ratios * width / height).sqrt()], 2)
    fits = (sides <= 1).all(2)
    first = fits.float().argmax(1)  # of the tries the first that fits; none: the whole image
    sides = torch.where(fits.any(1)[:, None], sides[torch.arange(count), first], 1)
    middles = _symmetric(1.0, count, 2, generator=generator) * (1 - sides)
    return torch.cat([torch.diag_embed(sides), middles[:, :, None]], 2)


def _random_dsa(shape: tuple[int, ...], generator: torch.Generator) -> dict[str, Tensor]:
    """All six changes, of which each image keeps one; the five others are made changes to nothing."""
    count, channels, height, width = shape
    color, crop, hole, flip, scale, rotate = torch.randint(6, (count,), generator=generator) == torch.arange(6)[:, None]
    zoom = 1 / 1.2 + (1.2 - 1 / 1.2) * torch.rand(count, 2, generator=generator)
    diagonal = torch.where(scale[:, None], zoom, 1)
    diagonal[:, 0] *= 1 - 2 * (flip & (torch.rand(count, generator=generator) < 0.5)).float()
    angle = _symmetric(math.radians(15), count, generator=generator) * rotate
    turns = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(count, 2, 2)
    turns = turns * torch.tensor([[1, height / width], [width / height, 1]])  # a turn of pixels, also if not square
    most = torch.tensor([int(width / 8 + 0.5), int(height / 8 + 0.5)])
    moves = (torch.rand(count, 2, generator=generator) * (2 * most + 1)).long() - most  # whole pixels
    moves = 2 * moves * crop[:, None] / torch.tensor([width, height])
    factors = torch.rand(count, 3, generator=generator) * torch.tensor([0.0, 2.0, 1.0]) + torch.tensor([1.0, 0.0, 0.5])
    # the field adds +-0.5 to images of variance one; in [-1, 1] that of CIFAR-10 is about 0.4 squared
    offsets = _symmetric(0.2, count, 1, generator=generator) * color[:, None]
    sizes = torch.tensor([height, width])
    low = (torch.rand(count, 2, generator=generator) * sizes).long() - (sizes + 1) // 2 // 2
    high = (low + (sizes + 1) // 2) * hole[:, None]  # a hole that ends at 0 holds nothing
    return {
        "matrices": torch.cat([turns * diagonal[:, None], moves[:, :, None]], 2),
        "factors": torch.where(color[:, None], factors, 1),
        "order": torch.arange(3).expand(count, 3),
        "offsets": offsets.expand(count, channels),
        "holes": torch.stack([low, high], 2).flatten(1),
    }


def _symmetric(most: float, *shape: int, generator: torch.Generator) -> Tensor:
    """Uniform numbers between -most and most."""
    return most * (2 * torch.rand(*shape, generator=generator) - 1)
