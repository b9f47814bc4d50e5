"""Images of PIL to tensors: bytes 0..255 become float32 in [-1, 1]."""

from __future__ import annotations

import numpy as np
import torch

from mgd_helpers._shapes import Float, Tensor


def pixels(image, image_size: int | None, channels: int | None = None) -> np.ndarray:
    """An image of PIL as bytes; a 28x28 one gets a border of two pixels to 32, so that its own pixels stay exact."""
    from PIL import Image, ImageOps

    if channels is not None:
        image = image.convert("L" if channels == 1 else "RGB")
    image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    if image_size == 32 and image.size == (28, 28):
        image = ImageOps.expand(image, 2)
    if image_size is not None and image.size != (image_size, image_size):
        image = ImageOps.fit(image, (image_size, image_size), Image.Resampling.BICUBIC)
    return np.array(image)


def stack(images: list[np.ndarray], where) -> Float[Tensor, "n c h w"]:
    """Pixels 0 to 255, [H, W] or [H, W, 3] each, to one tensor in [-1, 1]."""
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise ValueError(
            f"images of {str(where)!r} must have one size and one number of channels; found {sorted(shapes)[:4]}. "
            "Pass image_size=…, and convert the odd ones to grey or to colour."
        )
    stacked = torch.from_numpy(np.stack(images))
    stacked = stacked[:, None] if stacked.ndim == 3 else stacked.permute(0, 3, 1, 2)
    return stacked.contiguous().float().div_(127.5).sub_(1)
