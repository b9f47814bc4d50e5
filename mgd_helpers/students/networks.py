"""The networks that serve as students: ConvNet, ResNet-18 and ResNetAP-10, all with instance norm.

    logits = head(features(images))

Instance norm is GroupNorm with one group per channel, and works the same in training and after it, so that a network
has no state but its weights, and several can be trained at once.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Tensor

NETWORKS = (*(f"convnet{depth}" for depth in range(1, 10)), "resnet18", "resnetap10")


def build(
    network: str,
    *,
    channels: int,
    n_classes: int,
    image_size: int | tuple[int, int],
    width: int | None = None,
    seed: int = 0,
) -> ConvNet | ResNet18 | ResNetAP10:
    """A new network by name: `convnet3` (or any other depth: `convnet6`, …), `resnet18`, `resnetap10`.

    `image_size` is the side of square images or (height, width), in pixels; `width` the number of channels after the
    first convolution, by default the field's, 128 for a ConvNet and 64 for a ResNet. The weights are drawn on the CPU
    from `seed`, and torch's global state stays as it is.

    Raises `ValueError` for other names and for too small images.

    >>> sum(weight.numel() for weight in build("convnet3", channels=3, n_classes=10, image_size=32).parameters())
    320010
    """
    network = arguments.one_of("network", network, NETWORKS)
    seed = arguments.whole("seed", seed, at_least=0, at_most=2**64 - 1)
    channels, n_classes = _whole(channels=channels, n_classes=n_classes)
    resnets: dict[str, type[ResNet18 | ResNetAP10]] = {"resnet18": ResNet18, "resnetap10": ResNetAP10}
    usual = 64 if network in resnets else 128
    width = arguments.whole("width", usual if width is None else width, at_least=1)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also set the state of every GPU
        if network in resnets:
            return resnets[network](channels, n_classes, image_size=image_size, width=width)
        return ConvNet(channels, n_classes, image_size=image_size, depth=int(network[-1]), width=width)


class ConvNet(nn.Module):
    """The field's ConvNet: blocks of 3x3 convolution, instance norm, ReLU and 2x2 mean pooling, then one linear layer.

    `features` gives what enters the linear layer, [B, width * h * w].
    """

    def __init__(
        self, channels: int, n_classes: int, *, image_size: int | tuple[int, int], depth: int = 3, width: int = 128
    ) -> None:
        super().__init__()
        _whole(channels=channels, n_classes=n_classes, depth=depth, width=width)
        if min(_sides(image_size)) < 2**depth:
            raise ValueError(f"image_size must be at least 2**depth = {2**depth}; got {image_size}. Take fewer blocks.")
        blocks = []
        for block in range(depth):
            blocks += [
                nn.Conv2d(channels if block == 0 else width, width, 3, padding=1),
                _instance_norm(width),
                nn.ReLU(),
                nn.AvgPool2d(2),
            ]
        self.features = nn.Sequential(*blocks, nn.Flatten())
        self.head = nn.Linear(width * math.prod(side // 2**depth for side in _sides(image_size)), n_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        return self.head(self.features(images))


class ResNet18(nn.Module):
    """ResNet-18 (He et al. 2016): four stages of two residual blocks, strides 1, 2, 2, 2, and the mean over the map.

    Images whose shorter side has up to 64 pixels enter by a 3x3 convolution, larger ones by a 7x7 convolution of stride
    2 and max pooling. `features` gives what enters the linear layer, [B, 8 * width].
    """

    def __init__(self, channels: int, n_classes: int, *, image_size: int | tuple[int, int], width: int = 64) -> None:
        super().__init__()
        _whole(channels=channels, n_classes=n_classes, width=width)
        if _shorter_side(image_size) <= 64:
            stem = [_convolution(channels, width, 3), _instance_norm(width), nn.ReLU()]
        else:
            stem = [_convolution(channels, width, 7, stride=2), _instance_norm(width), nn.ReLU()]
            stem += [nn.MaxPool2d(3, stride=2, padding=1)]
        blocks = []
        for stage in range(4):
            inside, outside = width * 2 ** max(stage - 1, 0), width * 2**stage
            blocks += [_Residual(inside, outside, stride=1 if stage == 0 else 2), _Residual(outside, outside)]
        self.features = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(8 * width, n_classes)
        _he_initialize(self)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        return self.head(self.features(images))


class ResNetAP10(nn.Module):
    """The field's ResNetAP-10: four stages of one residual block; mean pooling stands in for every stride.

    The architecture is that of the code of "Dataset Condensation via Efficient Synthetic-Data Parameterization" (Kim
    et al. 2022) and, before it, "Dataset Condensation with Gradient Matching" (Zhao et al. 2021). Images whose shorter
    side has up to 64 pixels enter by a 3x3 convolution, larger ones by a 7x7 convolution and 4x4 mean pooling.
    `features` gives what enters the linear layer, [B, 8 * width].
    """

    def __init__(self, channels: int, n_classes: int, *, image_size: int | tuple[int, int], width: int = 64) -> None:
        super().__init__()
        _whole(channels=channels, n_classes=n_classes, width=width)
        if _shorter_side(image_size) <= 64:
            stem = [_convolution(channels, width, 3), _instance_norm(width), nn.ReLU()]
        else:
            stem = [_convolution(channels, width, 7), _instance_norm(width), nn.ReLU(), nn.AvgPool2d(4)]
        blocks = [_Residual(width, width)]
        blocks += [_Residual(width * 2**stage, width * 2 ** (stage + 1), pool=2) for stage in range(3)]
        self.features = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(8 * width, n_classes)
        _he_initialize(self)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        return self.head(self.features(images))


class _Residual(nn.Module):
    """A residual block, relu(x' + norm(conv(relu(norm(conv(x)))))), made smaller by a stride or by mean pooling.

    x' is x, or a 1x1 convolution of it where its shape changes.
    """

    def __init__(self, inside: int, outside: int, *, stride: int = 1, pool: int = 1) -> None:
        super().__init__()
        shrink = [nn.AvgPool2d(pool)] if pool > 1 else []
        self.residual = nn.Sequential(
            _convolution(inside, outside, 3, stride=stride),
            _instance_norm(outside),
            nn.ReLU(),
            *shrink,
            _convolution(outside, outside, 3),
            _instance_norm(outside),
        )
        self.shortcut: nn.Module = nn.Identity()
        if inside != outside or stride > 1:
            projection = _convolution(inside, outside, 1, stride=stride)
            self.shortcut = nn.Sequential(projection, *shrink, _instance_norm(outside))

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        return (self.shortcut(images) + self.residual(images)).relu()


def _instance_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(channels, channels)


def _convolution(inside: int, outside: int, size: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, size, stride=stride, padding=size // 2, bias=False)  # a norm follows


def _he_initialize(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _whole(**sizes: Any) -> list[int]:
    return [arguments.whole(name, size, at_least=1) for name, size in sizes.items()]


def _sides(image_size: Any) -> tuple[int, int]:
    sides = image_size if isinstance(image_size, tuple | list | torch.Size) else (image_size, image_size)
    if len(sides) != 2:
        raise ValueError(f"image_size must be one whole number, or (height, width); got {image_size!r}.")
    height, width = (arguments.whole("image_size", side, at_least=1) for side in sides)
    return height, width


def _shorter_side(image_size: Any) -> int:
    if min(_sides(image_size)) < 16:  # the last maps would be of one pixel, and instance norm makes zeros of them
        raise ValueError(f"image_size must be at least 16 for a ResNet; got {image_size}. Take convnet3.")
    return min(_sides(image_size))
