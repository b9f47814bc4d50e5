"""Image files to tensors and back. Bytes 0 to 255, as they are kept, stand for float32 from -1 to 1:

from_uint8: x / 127.5 - 1; to_uint8: (x + 1) * 127.5, rounded.
"""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.data.free_memory import check_memory
from mgd_helpers.progress import progress

ORIENTATION = 0x0112  # the EXIF entry
BORDERED = "set in a black border of width "
MOST = 20  # times: sides that differ by more are a strip, and what is enlarged by more is a dot


def from_uint8(pixels: Tensor) -> Float[Tensor, "*shape"]:
    """Pixels 0 to 255 (uint8) as float32 in [-1, 1]; `to_uint8` gives them back exactly.

    >>> from_uint8(torch.tensor([0, 51, 255], dtype=torch.uint8))
    tensor([-1.0000, -0.6000,  1.0000])
    """
    # by a tensor, because a GPU does not divide by a number: it multiplies with 1 / 127.5, which rounds otherwise
    return pixels.float().div_(torch.full((), 127.5, device=pixels.device)).sub_(1)


def to_uint8(images: Float[Tensor, "*shape"]) -> Tensor:
    """Images in [-1, 1] as pixels 0 to 255 (uint8), rounded as diffusers rounds them; what lies outside is cut off.

    >>> to_uint8(torch.tensor([-1.0, -0.6, 1.01]))
    tensor([  0,  51, 255], dtype=torch.uint8)
    """
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def read_images(
    files: Iterable[tuple[str, Any]],
    count: int,
    where: str | Path,
    *,
    image_size: int | None = None,
    channels: int | None = None,
    padding: int | None = None,
    as_stored: bool = False,
    seen: Counter[str] | None = None,
) -> Tensor:
    """Read the `count` images of `files`, as bytes 0 to 255 [N, C, H, W] (uint8).

    `files` are pairs of a name and what PIL opens; names and `where` are for messages.

    A file is a path, bytes, or an image of PIL. Images are turned upright, and transparent ones laid on white; `seen`
    counts them, and by `BORDERED` those that get a border. With `as_stored` they are neither turned nor laid on white,
    because published figures of known sets are of the pixels as stored.

    Raises `ValueError` for a file that is no image, or not one of 8 bits, and for images of different sizes;
    `MemoryError` where all together do not fit, before the first is opened where the size is known.
    """
    from PIL import Image

    if image_size is not None:
        check_memory(count, (image_size, image_size, *([channels] if channels else [])), where)
    seen = Counter() if seen is None else seen

    def read() -> Iterator[np.ndarray]:
        for name, file in progress(files, f"read {where}", unit="image", total=count):
            try:
                with file if isinstance(file, Image.Image) else Image.open(file) as image:
                    if not as_stored:
                        _check_sides(image, image_size)
                    image = image if as_stored else upright(image, seen)
                    pixels = pixels_of(image, image_size, channels, padding, seen)
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # Syntax: a broken PNG
                raise ValueError(
                    f"{name} of {str(where)!r} must be an image that PIL reads; got: {error} Repair the file, or take "
                    "it out."
                ) from error
            yield pixels

    return stack(read(), count, where)


def upright(image: Any, seen: Counter[str]) -> Any:
    """An image of PIL as a viewer shows it: turned as its EXIF entry says, and on white where it is transparent.

    Raises `ValueError` for an image of several frames or pages, of which only one could be meant.
    """
    from PIL import Image, ImageOps

    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a telephone's: a photograph and its depth
        raise ValueError(f"{image.n_frames} frames or pages. Save the one that is meant as a file of its own.")
    _check_depth(image)
    turned = image
    try:
        if image.getexif().get(ORIENTATION, 1) in range(2, 9):
            turned = ImageOps.exif_transpose(image)
            seen["turned upright, as their EXIF entry says"] += 1
    except (struct.error, TypeError, KeyError, SyntaxError):
        turned = image  # an entry that nobody can read turns nothing
    if turned.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in turned.info:
        gray = turned.mode in ("L", "LA", "La", "1")
        layers = turned.convert("RGBA")
        if layers.getchannel("A").getextrema()[0] < 255:
            seen["transparent, and laid on white"] += 1
            layers = Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers)
        return layers.convert("RGB").getchannel(0) if gray else layers.convert("RGB")
    return turned


def pixels_of(
    image: Any,
    image_size: int | None,
    channels: int | None = None,
    padding: int | None = None,
    seen: Counter[str] | None = None,
) -> np.ndarray:
    """The pixels 0 to 255 of an image of PIL, [H, W] or [H, W, 3], resized where `image_size` says so.

    Of these pixels `padding` are a black border on each side. Without it a 28x28 image gets one of two to 32, so that
    its own pixels stay exact, and others get none. Of a transparent image the colors beneath are kept, whatever would
    show through; `upright` comes before.

    Raises `ValueError` for more than 8 bits per channel.
    """
    from PIL import Image, ImageOps

    _check_depth(image)
    gray = channels == 1 if channels else image.mode in ("1", "L", "LA")
    image = image.convert("L" if gray else "RGB")
    if image_size is not None and image.size != (image_size, image_size):
        border = (2 if (*image.size, image_size) == (28, 28, 32) else 0) if padding is None else padding
        inner = image_size - 2 * border
        image = image if image.size == (inner, inner) else ImageOps.fit(image, (inner, inner), Image.Resampling.BICUBIC)
        if border:
            image = ImageOps.expand(image, border)
            if seen is not None:
                seen[f"{BORDERED}{border}"] += 1
    return np.array(image)


def padding_of(seen: Mapping[str, int], count: int) -> int | None:
    """The width of the border of all `count` images, by what was `seen`; 0 without one, `None` where some have one."""
    widths = {int(what.removeprefix(BORDERED)): number for what, number in seen.items() if what.startswith(BORDERED)}
    return next((width for width, number in widths.items() if number == count), None) if widths else 0


def _check_sides(image: Any, image_size: int | None) -> None:
    short, long = sorted(image.size)
    if image_size is not None and (long > MOST * short or image_size > MOST * short):
        raise ValueError(
            f"{image.size[0]}x{image.size[1]} pixels cannot be resized to {image_size}x{image_size}: hardly anything "
            "of it would be shown."
        )


def _check_depth(image: Any) -> None:
    # "I;16", "I" and "F": PIL would clip at 255 and make nearly all white; of colors it drops the lower 8 bits
    if image.mode[0] in "IF" or any(";16" in str(tile) for tile in getattr(image, "tile", ())):
        deep = f"mode {image.mode!r}" if image.mode[0] in "IF" else "16 bits"
        raise ValueError(f"images must have 8 bits per channel; got {deep}. For 16 bits save pixels // 257.")


def stack(images: Iterable[np.ndarray], count: int, where: str | Path) -> Tensor:
    """Stack `count` images of pixels 0 to 255, [H, W] or [H, W, 3] each, to bytes [N, C, H, W]; in color if any is.

    They come one by one, so that memory holds each of them once.

    Raises `ValueError` for images of different sizes; `MemoryError` where all together do not fit.
    """
    stacked, sizes, done = torch.empty(0, 0, 0, 0, dtype=torch.uint8), set(), 0
    for image in images:
        sizes.add(image.shape[:2])
        if len(sizes) > 1:  # it goes on only to name them
            continue
        pixels = torch.from_numpy(image)
        pixels = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
        if len(pixels) > stacked.shape[1]:  # the first image, or the first one in color
            check_memory(count, image.shape, where)
            gray, stacked = stacked, torch.empty(count, *pixels.shape, dtype=torch.uint8)
            if done:
                stacked[:done] = gray[:done]
        stacked[done] = pixels
        done += 1
    if len(sizes) > 1:
        raise ValueError(
            f"images of {str(where)!r} must have one size; got {sorted(sizes)[:4]} (height, width). Pass "
            "image_size=…, or resize the odd ones."
        )
    return stacked[:done]


def png(image: Float[Tensor, "c h w"]) -> bytes:
    """An image in [-1, 1], gray or in color, as the content of a PNG file; it has the pixels that diffusers gives."""
    from PIL import Image

    if image.ndim != 3 or len(image) not in (1, 3):
        raise ValueError(f"images must have one channel (gray) or three (color) to be PNGs; got {list(image.shape)}.")
    if not image.isfinite().all():
        raise ValueError("images must be finite to be PNGs; got NaN or infinite values.")
    pixels = to_uint8(image.detach().cpu())
    file = io.BytesIO()
    Image.fromarray(pixels[0].numpy() if len(pixels) == 1 else pixels.permute(1, 2, 0).numpy()).save(file, format="PNG")
    return file.getvalue()
