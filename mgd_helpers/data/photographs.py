"""Photographs of one's own, from a folder without sub-folders: squares from their middle, the right way up."""

from __future__ import annotations

from pathlib import Path

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.data.folders import IMAGE_SUFFIXES
from mgd_helpers.data.images import from_uint8, pixels_of, stack
from mgd_helpers.progress import progress


def read_photographs(
    folder: str | Path, *, image_size: int, at_least: int = 2, at_most: int = 50
) -> Float[Tensor, "n 3 size size"]:
    """Read the photographs of a folder, in the order of their names, in color and in [-1, 1].

    A camera may write the pixels of an upright photograph lying on its side, with a note how to turn it: it is turned.
    Then the largest square in the middle is taken, and resized. Files are opened one after the other, so that memory
    holds only what is returned. Of more than `at_most` photographs, as many are taken in even steps. Only pixels are
    kept: no place, no time, no name.

    Raises `ValueError` where there is no such folder, where it holds fewer than `at_least` photographs, and for a file
    that is no image.
    """
    from PIL import Image, ImageOps

    image_size = arguments.whole("image_size", image_size, at_least=1)
    at_least = arguments.whole("at_least", at_least, at_least=1)
    at_most = arguments.whole("at_most", at_most, at_least=at_least)
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(
            f"folder must hold your photographs; {str(folder)!r} is no folder. Make it beside the notebook, and put "
            f"{at_least} or more photographs into it."
        )
    inside = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    paths = [path for path in inside if path.suffix.lower() in IMAGE_SUFFIXES]
    if len(paths) < at_least:
        others = sorted({path.suffix.lower() for path in inside if path not in paths})
        unread = f" Files of the kind {', '.join(others)} are not read: save them as JPEG." if others else ""
        raise ValueError(
            f"folder must hold {at_least} or more photographs ({', '.join(IMAGE_SUFFIXES)}); {str(folder)!r} holds "
            f"{len(paths)}.{unread or ' Put more into it.'}"
        )
    taken = paths
    if len(paths) > at_most:
        taken = [paths[number * len(paths) // at_most] for number in range(at_most)]
    pixels = []
    for path in progress(taken, "read photographs", unit="photograph"):
        try:
            with Image.open(path) as image:
                pixels.append(pixels_of(ImageOps.exif_transpose(image), image_size, 3))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(
                f"{path.name} must be a photograph that PIL reads; got: {error} Save it as JPEG, or take it out."
            ) from error
    return from_uint8(stack(pixels, len(pixels), folder))
