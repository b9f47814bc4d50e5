"""One table of inputs: what was given, the exit status (0 it is read, 2 it is refused), and words that must be told.

A row makes a folder or a file by a function, and reads it as the command line does: what is read tells what it `found`.
"""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from mgd_helpers.data.datasets import load_data
from mgd_helpers.runs import resolve


def picture(file, value=100, *, size=(8, 8), mode="L", **saved):
    """A plain image of one color."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(value, int | tuple):
        Image.fromarray(value).save(file, **saved)
        return
    value = value if mode in ("L", "P") or isinstance(value, tuple) else (value,) * len(mode)
    Image.new(mode, size, value).save(file, **saved)


def files(*names):
    """Plain images of these names."""
    return lambda folder: [picture(folder / name) for name in names]


def two(*more):
    """Two classes with two images each, then what `more` does."""
    base = files("a/1.png", "a/2.png", "b/1.png", "b/2.png")
    return lambda folder: [make(folder) for make in (base, *more)]


def touch(*names, content=b"x"):
    def make(folder):
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    return make


def one(name, value=100, **how):
    """One image of a kind of its own."""
    return lambda folder: picture(folder / name, value, **how)


def deep(name, mode):
    return lambda folder: Image.new(mode, (8, 8), 1000).save(folder / name)


def deep_color(name):
    """A PNG of 16 bits per color, which PIL writes none of: a header that says so."""

    def make(folder):
        import struct
        import zlib

        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        rows = b"".join(b"\0" + b"\1\2" * 3 * 8 for _ in range(8))
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
        body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n" + head + body)

    return make


def frames(name, count, **how):
    def make(folder):
        first, *rest = (Image.new("RGB", (8, 8), (60 * number, 0, 0)) for number in range(count))
        first.save(folder / name, save_all=True, append_images=rest, **how)

    return make


def turned(name, orientation):
    def make(folder):
        image = Image.new("RGB", (8, 8))
        exif = image.getexif()
        exif[0x0112] = orientation
        image.save(folder / name, exif=exif)

    return make


def table(rows, name="metadata.csv", *, images=4, head="file_name,label"):
    """A flat folder: images 0.png, 1.png, … and a table."""

    def make(folder):
        for number in range(images):
            picture(folder / f"{number}.png", 10 * number)
        text = "\n".join([head, *rows] if name.endswith("csv") else [json.dumps(row) for row in rows])
        (folder / name).write_text(text + "\n", encoding="utf-8")

    return make


def listed(*labels, key="label", file="file_name"):
    return table([{file: f"{n}.png", key: one} for n, one in enumerate(labels)], "metadata.jsonl", images=len(labels))


def link(name, to):
    return lambda folder: (folder / name).symlink_to(to)


def pipe(name):
    return lambda folder: os.mkfifo(folder / name)


def parquet(labels, kind="class", *, name="x.parquet", images=None, column="label", image="Image", more=None):
    """A Parquet file of images with labels of a kind."""

    def make(folder):
        import datasets

        kinds = {"class": datasets.ClassLabel(names=["cat", "dog"]), "text": datasets.Value("string")}
        kinds |= {"whole": datasets.Value("int64"), "real": datasets.Value("float64")}
        images_of = {"Image": datasets.Image(), "Array3D": datasets.Array3D((8, 8, 3), "uint8")}
        images_of |= {"Array2D": datasets.Array2D((8, 8), "uint8"), "float": datasets.Array3D((8, 8, 3), "float32")}
        rows = {"image": images or [_pixels(image) for _ in labels], column: labels}
        features = {"image": images_of[image], column: kinds[kind]}
        for extra, (values, feature) in (more or {}).items():
            rows[extra], features[extra] = values, kinds.get(feature) or images_of[feature]
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict(rows, datasets.Features(features)).to_parquet(folder / name)

    return make


def _pixels(kind):
    if kind == "Image":
        return Image.new("L", (8, 8))
    return {
        "Array3D": np.zeros((8, 8, 3), np.uint8),
        "Array2D": np.zeros((8, 8), np.uint8),
        "float": np.full((8, 8, 3), 0.5, np.float32),
    }[kind]


SPLITS = ["train", "Train", "TRAIN", "training", "Training"]
TESTS = ["test", "Test", "TEST", "testing", "validation", "Validation", "valid", "Val", "val", "dev", "eval"]
OTHER_TYPES = [".gif", ".psd", ".heic", ".avif", ".txt", ".json", ".npy", ".mp4", ".svg", ".raw", ".zip", ".pdf"]
SIDE = ["._1.png", ".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.png", ".gitkeep"]
SIDE_FOLDERS = ["__MACOSX", ".cache", ".git", ".ipynb_checkpoints", "@eaDir"]
READ = "4 images of 2 classes"

# case, what makes the folder, how it is read, exit status, words
CASES = [
    # layouts
    ("a folder per class", two(), {}, 0, READ),
    ("nothing", lambda folder: None, {}, 2, "must hold images in one sub-folder per class"),
    ("one class", files("a/1.png"), {}, 0, "1 images of 1 classes"),
    ("one image per class", files("a/1.png", "b/1.png"), {}, 0, "2 images of 2 classes"),
    ("an empty class", two(lambda folder: (folder / "c").mkdir()), {}, 2, "holds none of ['c']"),
    ("flat without a table", files("1.png", "2.png"), {}, 2, "put their classes into metadata.jsonl or metadata.csv"),
    ("images nested below a class", two(files("a/x/3.png", "b/y/z/3.png")), {}, 0, "2 images in folders below a class"),
    ("images only nested", files("a/x/3.png", "b/y/3.png"), {}, 0, "2 images in folders below a class"),
    ("wrapped once", files("all/a/1.png", "all/b/1.png"), {}, 2, "holds 'all' alone, with a, b inside"),
    ("loose images beside", two(files("overview.png")), {}, 0, "1 images beside the folders of classes"),
    ("a class called train", files("train/1.png", "car/1.png"), {}, 0, "2 images of 2 classes"),
    ("a class called Test", files("Test/1.png", "car/1.png"), {}, 0, "2 images of 2 classes"),
    *(
        (
            f"splits {train} and {test}",
            files(f"{train}/a/1.png", f"{test}/a/1.png"),
            {},
            0,
            f"test images those of '{test}'",
        )
        for train, test in [*((train, "test") for train in SPLITS[1:]), *(("train", test) for test in TESTS)]
    ),
    *((f"{name} alone", files(f"{name}/a/1.png"), {}, 0, f"those of '{name}'.") for name in SPLITS),
    *((f"{name} alone", files(f"{name}/a/1.png"), {}, 2, "must have a training split") for name in TESTS),
    ("train, test and extra", files("train/a/1.png", "test/a/1.png", "extra/a/1.png"), {}, 0, "the split 'extra'"),
    ("train, test and val", files("train/a/1.png", "test/a/1.png", "val/a/1.png"), {}, 0, "the split 'val'"),
    ("train and extra", files("train/a/1.png", "extra/a/1.png"), {}, 2, "one folder for training"),
    ("two for training", files("train/a/1.png", "Training/a/1.png"), {}, 2, "one folder for training"),
    ("test lacks a class", files("train/a/1.png", "train/b/1.png", "test/a/1.png"), {}, 0, "has no images of 'b'"),
    ("test has more", files("train/a/1.png", "test/a/1.png", "test/b/1.png"), {}, 2, "got also ['b']"),
    ("a split of given share", two(), {"split": 0.5}, 0, "2 of its 4 images are held out"),
    ("a split of splits", files("train/a/1.png", "test/a/1.png"), {"split": 0.5}, 2, "split must be left out"),
    *(
        (f"split={x}", two(), {"split": x}, 2, "split must be a number")
        for x in (0, 1, -0.2, 2, "a", True, float("nan"))
    ),
    # names
    ("accents of two codings", files("Caf\u00e9/1.png", "Cafe\u0301/1.png"), {}, 0, "two codings of its accents"),
    ("accents decomposed", files("Cafe\u0301/1.png"), {}, 0, "1 images of 1 classes"),
    *(
        (f"class {name!r}", files(f"{name}/1.png"), {}, 0, "1 images of 1 classes")
        for name in ("a b", "0", "\u732b", "\U0001f431", "a=b", "a'b", 'a"b', "-x", "x.png", "a;b", "%20", "con", "a~b")
    ),
    # what lies beside
    *(
        (f"{kind} beside", two(touch(f"a/x{kind}")), {}, 0, f"1 {kind} files (such as 'a/x{kind}')")
        for kind in OTHER_TYPES
    ),
    *((f"{kind} alone", two(touch(f"c/x{kind}")), {}, 2, "holds none of ['c']") for kind in OTHER_TYPES[:6]),
    ("capitals", two(touch("a/x.GIF")), {}, 0, "1 .gif files"),
    ("without an ending", two(touch("a/README")), {}, 0, "1 files without an ending"),
    *((f"side file {name}", two(touch(f"a/{name}")), {}, 0, "1 hidden files") for name in SIDE),
    *((f"side folder {name}", two(files(f"{name}/1.png")), {}, 0, "1 hidden folders") for name in SIDE_FOLDERS),
    *((f"{name} in a class", two(files(f"a/{name}/1.png")), {}, 0, "1 hidden folders") for name in SIDE_FOLDERS),
    ("only hidden files", files("a/.1.png"), {}, 2, "holds none of ['a']"),
    ("a pipe", two(pipe("a/pipe.png")), {}, 0, "1 pipes and the like"),
    ("a pipe beside", two(pipe("pipe")), {}, 0, "1 pipes and the like"),
    ("a link back", two(link("a/back", "..")), {}, 0, "1 links that lead back"),
    ("a link to itself", two(link("a/me", "me")), {}, 0, "1 pipes and the like"),
    ("a link to nowhere", two(link("a/3.png", "nowhere.png")), {}, 2, "a/3.png"),
    ("a link to an image", two(link("a/3.png", "1.png")), {}, 0, "5 images of 2 classes"),
    ("a link to a class", two(link("c", "a")), {}, 0, "6 images of 3 classes"),
    ("a link to no image", two(link("a/3.png", "/dev/zero")), {}, 0, "1 pipes and the like"),
    # images
    *(
        (f"{kind} is read", two(one(f"a/3{kind}")), {"channels": 1}, 0, "5 images")
        for kind in (".jpg", ".JPEG", ".bmp", ".webp", ".tif", ".TIFF", ".PNG")
    ),
    *(
        (f"{what} as {kind}", two(touch(f"a/3{kind}", content=content)), {}, 2, f"a/3{kind}")
        for kind in (".png", ".jpg", ".tif", ".webp", ".bmp")
        for what, content in (
            ("text", b"no image"),
            ("nothing", b""),
            ("noise", bytes(range(256)) * 9),
            ("the head of a PNG", b"\x89PNG\r\n\x1a\n"),
        )
    ),
    *((f"mode {mode}", two(deep("a/3.tif", mode)), {}, 2, "8 bits per channel") for mode in ("I;16", "I", "F")),
    *(
        (f"mode {mode} made gray", two(deep("a/3.tif", mode)), {"channels": 1}, 2, "8 bits per channel")
        for mode in ("I;16", "I", "F")
    ),
    ("16 bits gray in a PNG", two(deep("a/3.png", "I;16")), {}, 2, "8 bits per channel"),
    ("48 bits of color", two(deep_color("a/3.png")), {}, 2, "8 bits per channel; got 16 bits"),
    ("an animated WebP", two(frames("a/3.webp", 3)), {}, 2, "3 frames or pages"),
    ("an animated PNG", two(frames("a/3.png", 2)), {}, 2, "2 frames or pages"),
    ("a TIFF of pages", two(frames("a/3.tif", 3)), {}, 2, "3 frames or pages"),
    ("a TIFF of one page", two(frames("a/3.tif", 1)), {}, 0, "5 images"),
    *((f"EXIF {n}", two(turned("a/3.jpg", n)), {}, 0, "1 images are turned upright") for n in range(2, 9)),
    *((f"EXIF {n}", two(turned("a/3.jpg", n)), {}, 0, "5 images") for n in (0, 1, 9, 77)),
    (
        "transparent",
        two(one("a/3.png", (255, 0, 0, 0), mode="RGBA")),
        {},
        0,
        "1 images are transparent, and laid on white",
    ),
    ("half transparent", two(one("a/3.png", (255, 0, 0, 128), mode="RGBA")), {}, 0, "1 images are transparent"),
    ("opaque", two(one("a/3.png", (255, 0, 0, 255), mode="RGBA")), {}, 0, "5 images"),
    ("transparent gray", two(one("a/3.png", (9, 0), mode="LA")), {}, 0, "1 images are transparent"),
    ("transparent palette", two(one("a/3.png", 0, mode="P", transparency=0)), {}, 0, "1 images are transparent"),
    ("transparent WebP", two(one("a/3.webp", (255, 0, 0, 0), mode="RGBA")), {}, 0, "1 images are transparent"),
    ("one pixel, enlarged", two(one("a/3.png", size=(1, 1))), {"image_size": 32}, 2, "1x1 pixels cannot be resized"),
    ("a strip", two(one("a/3.png", size=(2000, 1))), {"image_size": 32}, 2, "2000x1 pixels cannot be resized"),
    ("a strip upright", two(one("a/3.png", size=(9, 400))), {"image_size": 8}, 2, "9x400 pixels cannot be resized"),
    ("one pixel as it is", files("a/1.png"), {"image_size": 1}, 0, "1 images"),
    ("sizes differ", two(one("a/3.png", size=(9, 8))), {}, 2, "must have one size"),
    ("sizes differ, resized", two(one("a/3.png", size=(9, 8))), {"image_size": 8}, 0, "5 images"),
    ("gray and color", two(one("a/3.png", mode="RGB")), {}, 0, "5 images"),
    ("CMYK", two(one("a/3.jpg", mode="CMYK")), {}, 0, "5 images"),
    (
        "splits of two shapes",
        lambda f: [picture(f / "train/a/1.png"), picture(f / "test/a/1.png", size=(9, 9))],
        {},
        2,
        "must have one size",
    ),
    # numbers
    *(
        (f"image_size={x!r}", two(), {"image_size": x}, 2, "image_size must be a whole number")
        for x in (0, -1, 2.5, True, "8", float("nan"), [8], float("inf"))
    ),
    *(
        (f"channels={x!r}", two(), {"channels": x}, 2, "channels must be 1")
        for x in (0, 2, 4, True, "1", 1.0, float("nan"), -1)
    ),
    *(
        (f"per_class={x!r}", two(), {"per_class": x}, 2, "per_class must be a whole number")
        for x in (0, -1, 1.5, True, "1", float("nan"))
    ),
    *((f"image_size=10**{x}", two(), {"image_size": 10**x}, 2, "GiB") for x in (6, 7, 9, 12)),
    ("fewer per class", two(), {"per_class": 1}, 0, "2 images of 2 classes"),
    ("more per class than there are", two(), {"per_class": 99}, 0, READ),
    ("channels=3", two(), {"channels": 3}, 0, READ),
    ("a column without a table", two(), {"label_column": "label"}, 2, "label_column must be left out"),
    ("an image column without a table", two(), {"image_column": "image"}, 2, "image_column must be left out"),
    *((f"label_column={x!r}", two(), {"label_column": x}, 2, "label_column must be the name") for x in (5, "", [])),
    # tables
    ("a table", table(["0.png,a", "1.png,b", "2.png,a", "3.png,b"]), {}, 0, READ),
    ("a table as JSON lines", listed("a", "b", "a", "b"), {}, 0, READ),
    *(
        (f"column {key}", listed("a", "b", key=key), {}, 0, f"column '{key}'")
        for key in ("label", "labels", "class", "Class", "category", "fine_label", "species", "whatever")
    ),
    *(
        (f"files in {file}", listed("a", "b", file=file), {}, 0, "2 images of 2 classes")
        for file in ("file_name", "filename", "file", "path", "image")
    ),
    ("whole numbers", listed(1, 0, 10), {}, 0, "3 images of 3 classes"),
    ("truth", listed(True, False), {}, 0, "2 images of 2 classes"),
    *((f"label {x!r}", listed("a", x), {}, 2, "must have one class") for x in (None, "", " ", -1, 1.5, ["a", "b"], {})),
    ("semicolons", table(["0.png;a", "1.png;b"], head="file_name;label", images=2), {}, 0, "2 images of 2 classes"),
    ("tabs", table(["0.png\ta", "1.png\tb"], head="file_name\tlabel", images=2), {}, 0, "2 images of 2 classes"),
    ("a mark of byte order", table(["0.png,a"], head="\ufefffile_name,label", images=1), {}, 0, "1 images"),
    ("quotes", table(['0.png,"a, b"'], images=1), {}, 0, "1 images of 1 classes"),
    ("images not listed", table(["0.png,a"]), {}, 0, "3 images that the table does not list"),
    ("a file that is not there", table(["0.png,a", "9.png,a"]), {}, 2, "row 2"),
    *(
        (f"file {x!r}", table([f"{x},a"]), {}, 2, "must name a file")
        for x in ("../1.png", "/etc/hostname", "a/../../x.png", "", "C:/x.png")
    ),
    ("no rows", table([]), {}, 2, "must"),
    ("no label column", table(["0.png"], head="file_name"), {}, 2, "label_column must be given"),
    ("no file column", table(["a,b"], head="x,y"), {}, 2, "image_column must be given"),
    ("several columns", table(["0.png,a,b"], head="file_name,x,y"), {}, 2, "label_column must be given"),
    ("several columns, one chosen", table(["0.png,a,b"], head="file_name,x,y"), {"label_column": "y"}, 0, "column 'y'"),
    ("several columns, one known", table(["0.png,a,b"], head="file_name,label,y"), {}, 0, "column 'label'"),
    ("a column that is misspelled", table(["0.png,a"]), {"label_column": "lable"}, 2, "Did you mean 'label'"),
    ("files named by a column", table(["0.png,a"], head="f,label"), {"image_column": "f"}, 0, "1 images"),
    ("no JSON", table([]), {}, 2, "must"),
    (
        "JSON of lists",
        lambda f: [picture(f / "0.png"), (f / "metadata.jsonl").write_text("[1]\n")],
        {},
        2,
        "an object of JSON",
    ),
    (
        "JSON that is broken",
        lambda f: [picture(f / "0.png"), (f / "metadata.jsonl").write_text("{\n")],
        {},
        2,
        "a table that can be read",
    ),
    (
        "bytes for a table",
        lambda f: [picture(f / "0.png"), (f / "metadata.csv").write_bytes(b"\xff\xfe\x00")],
        {},
        2,
        "a table that can be read",
    ),
    (
        "folders and a table",
        two(touch("metadata.csv", content=b"file_name,x\na/1.png,q\n")),
        {},
        0,
        "metadata.csv is not read",
    ),
    (
        "folders and a table that is asked for",
        two(touch("metadata.csv", content=b"file_name,x\na/1.png,q\n")),
        {"label_column": "x"},
        0,
        "1 images of 1 classes",
    ),
    # Parquet
    ("class labels", parquet([0, 1]), {}, 0, "2 images of 2 classes"),
    ("text", parquet(["b", "a"], "text"), {}, 0, "2 images of 2 classes"),
    ("whole numbers in Parquet", parquet([10, 9, 9], "whole"), {}, 0, "3 images of 2 classes"),
    ("numbers with a fraction", parquet([0.5], "real"), {}, 2, "one column of images and one of class labels"),
    (
        "numbers with a fraction, asked for",
        parquet([0.5], "real"),
        {"label_column": "label"},
        2,
        "label_column must hold one class",
    ),
    ("a class label of -1", parquet([0, -1]), {}, 2, "must have a label >= 0"),
    ("text that is missing", parquet(["a", None], "text"), {}, 2, "must have one class"),
    ("text of spaces", parquet(["a", " "], "text"), {}, 2, "must have one class"),
    ("a negative number", parquet([0, -1], "whole"), {}, 2, "must have one class"),
    ("Array3D", parquet([0, 1], image="Array3D"), {}, 0, "2 images of 2 classes"),
    ("Array2D", parquet([0, 1], image="Array2D"), {}, 0, "2 images of 2 classes"),
    ("arrays of fractions", parquet([0], image="float"), {}, 2, "whole numbers 0 to 255"),
    ("a second label", parquet([0], more={"kind": ([1], "class")}), {}, 0, "label_column=… chooses another (kind)"),
    ("a second label, chosen", parquet([0], more={"kind": ([1], "class")}), {"label_column": "kind"}, 0, "1 images"),
    (
        "a second image",
        parquet([0], more={"mask": ([Image.new("L", (8, 8))], "Image")}),
        {},
        0,
        "image_column=… chooses another (mask)",
    ),
    (
        "a second image, chosen",
        parquet([0], more={"mask": ([Image.new("L", (8, 8))], "Image")}),
        {"image_column": "mask"},
        0,
        "1 images",
    ),
    ("a column that is not there", parquet([0]), {"image_column": "photo"}, 2, "image_column must be a column"),
    ("a label for an image", parquet([0]), {"image_column": "label"}, 2, "must be a column of images"),
    ("an image that is missing", parquet([0, 1], images=[Image.new("L", (8, 8)), None]), {}, 2, "must have an image"),
    (
        "splits in names",
        lambda f: [parquet([0, 1], name=f"data/{s}-00000-of-00001.parquet")(f) for s in ("train", "test")],
        {},
        0,
        "and 2 test images of 'test'",
    ),
    ("a broken file", touch("x.parquet", content=b"PAR1"), {}, 2, "data that the package datasets reads"),
    ("an empty file", touch("x.parquet", content=b""), {}, 2, "data that the package datasets reads"),
]


def told(read, make, folder, options):
    """Exit status, and what is told, as the command line tells it."""
    folder.mkdir()
    make(folder)
    try:
        return 0, read(folder, **options).found
    except (ValueError, MemoryError) as error:
        return 2, str(error)


def test_there_are_enough_cases_and_each_is_another_one():
    assert len(CASES) >= 200
    assert len({(case, str(options), status, words) for case, _, options, status, words in CASES}) == len(CASES)


@pytest.mark.parametrize(("case", "make", "options", "status", "words"), CASES, ids=[case[0] for case in CASES])
def test_inputs_end_as_they_should(tmp_path, unchecked, case, make, options, status, words):
    if make.__qualname__.startswith("parquet") or "Parquet" in case:
        pytest.importorskip("datasets")
    ended, said = told(unchecked(load_data), make, tmp_path / "data", options)
    assert (ended, words in said) == (status, True), said


SOURCES = [
    "nowhere",
    "digit",
    "",
    "a\0b",
    "x" * 5000,
    "owner/name/more",
    "http://x.org/y.zip",
    "~/photos",
    "owner/nowhere",
]


@pytest.mark.parametrize("source", [*SOURCES, 5, None, 1.5, ["a"], {}, torch.zeros(2, 1, 4, 4), np.zeros(3)])
def test_what_is_no_source_is_refused_with_what_is(source, unchecked):
    with pytest.raises(ValueError, match="source must be one of"):
        unchecked(load_data)(source)


@pytest.mark.parametrize("content", [b"", b"x"])
def test_a_file_is_no_folder(tmp_path, content):
    (tmp_path / "file.png").write_bytes(content)
    with pytest.raises(ValueError, match="source must be one of"):
        load_data(tmp_path / "file.png")


def test_transparent_and_turned_images_are_as_a_viewer_shows_them(tmp_path):
    picture(tmp_path / "a/1.png", (255, 0, 0, 0), mode="RGBA")
    image = Image.new("RGB", (8, 4))
    image.paste((255, 255, 255), (0, 0, 4, 4))  # white on the left
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    (tmp_path / "b").mkdir()
    image.save(tmp_path / "b/1.png", exif=exif)
    assert load_data(tmp_path, image_size=4).train.images[0].min() == 1
    (tmp_path / "a/1.png").unlink()
    (tmp_path / "a").rmdir()
    shown = load_data(tmp_path).train.images[0]
    assert shown.shape == (3, 8, 4)
    assert (shown[:, :4].min(), shown[:, 4:].max()) == (1, -1)


def test_a_folder_called_like_a_set_is_told_and_read_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    two()(tmp_path / "digits")
    bundled, own = load_data("digits"), load_data("./digits")
    assert "pass './digits' for its images" in bundled.found
    assert (len(bundled.train), bundled.profile) == (1500, "digits")
    assert (len(own.train), own.name, own.profile) == (4, "digits", "")


def test_the_first_call_refuses_what_would_be_written_into_the_data(tmp_path):
    two()(tmp_path / "data")
    given = dict.fromkeys(("pipeline", "class_labels", "latents", "guidance_scale"))
    given |= {"images_per_class": 1, "guidance": "none", "strategy": "levels", "representative": "centroid"}
    given |= {"steps": 2, "set_size": 5, "batch_size": 5, "seed": 0, "method": "random-real"}
    with pytest.raises(ValueError, match="out must lie outside the folder of the data"):
        resolve(tmp_path / "data", out=tmp_path / "data/out", **given)
    run = resolve(tmp_path / "data", out=tmp_path / "out", **given)
    assert run.data.profile == ""
    assert not (tmp_path / "out").exists()
