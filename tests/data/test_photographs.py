"""read_photographs: upright squares from the middle, in the order of the names, and nothing but pixels."""

import pytest
import torch
from PIL import Image

from mgd_helpers.data import read_photographs

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
TURN = 0x0112  # the tag of EXIF that says how the camera was held


def striped(size, *, turned=None):
    """Three stripes from left to right, red, green and blue; `turned` is what the camera says about it."""
    image = Image.new("RGB", size, GREEN)
    image.paste(RED, (0, 0, size[0] // 3, size[1]))
    image.paste(BLUE, (2 * size[0] // 3, 0, *size))
    exif = image.getexif()
    if turned:
        exif[TURN] = turned
    return image, exif


def put(folder, name, image, exif=None):
    image.save(folder / name, **({"exif": exif} if exif else {}))


def test_a_square_is_cut_from_the_middle(tmp_path):
    for name in ("a.png", "b.png"):
        put(tmp_path, name, striped((90, 30))[0])
    photographs = read_photographs(tmp_path, image_size=15)
    assert photographs.shape == (2, 3, 15, 15) and photographs.dtype == torch.float32
    middle = torch.tensor([-1.0, 1.0, -1.0])[:, None, None]  # all green: the stripes beside it are cut off
    assert torch.equal(photographs[0, ..., 1:-1], middle.expand(3, 15, 13))  # the rim mixes with what is cut off


def test_what_the_camera_wrote_lying_on_its_side_is_turned(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        put(tmp_path, name, *striped((48, 48), turned=6))  # "turn by 90 degrees to the right"
    top, bottom = read_photographs(tmp_path, image_size=48)[0][:, [4, 44], 24].T
    assert top.argmax() == 0 and bottom.argmax() == 2  # red above, blue below


def test_names_give_the_order_and_other_files_are_left_out(tmp_path):
    for name, color in (("2.png", BLUE), ("10.webp", RED), (".hidden.png", GREEN)):
        put(tmp_path, name, Image.new("RGB", (8, 8), color))
    (tmp_path / "notes.txt").write_text("not a photograph")
    (tmp_path / "folder.png").mkdir()
    found = read_photographs(tmp_path, image_size=8)
    assert [int(one.mean((1, 2)).argmax()) for one in found] == [0, 2]


def test_gray_and_transparent_ones_become_colors(tmp_path):
    put(tmp_path, "a.png", Image.new("L", (8, 8), 255))
    put(tmp_path, "b.png", Image.new("RGBA", (8, 8), (*RED, 0)))
    assert read_photographs(tmp_path, image_size=4)[:, :, 0, 0].tolist() == [[1, 1, 1], [1, -1, -1]]


def test_of_too_many_some_are_taken_in_even_steps(tmp_path):
    for number in range(7):
        put(tmp_path, f"{number}.png", Image.new("L", (4, 4), 30 * number))
    found = read_photographs(tmp_path, image_size=4, at_most=3)
    assert ((found[:, 0, 0, 0] + 1) * 127.5 / 30).round().tolist() == [0, 2, 4]


def test_what_is_missing_is_told_with_the_remedy(tmp_path):
    with pytest.raises(ValueError, match=r"is no folder\. Make it beside the notebook"):
        read_photographs(tmp_path / "nowhere", image_size=8)
    put(tmp_path, "a.png", Image.new("L", (4, 4)))
    with pytest.raises(ValueError, match=r"2 or more photographs .* holds 1\. Put more into it"):
        read_photographs(tmp_path, image_size=8)
    (tmp_path / "b.HEIC").write_bytes(b"from a telephone")
    with pytest.raises(ValueError, match=r"kind \.heic are not read: save them as JPEG"):
        read_photographs(tmp_path, image_size=8)
    (tmp_path / "c.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"c\.jpg must be a photograph that PIL reads"):
        read_photographs(tmp_path, image_size=8)
    with pytest.raises(ValueError, match="at_most must be"):
        read_photographs(tmp_path, image_size=8, at_least=3, at_most=2)
