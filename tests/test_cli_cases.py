"""One table of command lines: what was given, the exit status, and words that must be told."""

import contextlib
import shlex

import pytest
from PIL import Image

from mgd_helpers.cli import main

FOLDERS = {"zero": 3, "one": 3}


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A folder with images, a tiny pipeline, files of options, and a set that is finished."""
    from mgd_helpers.guidance.toys import tiny_pipeline

    home = tmp_path_factory.mktemp("home")
    for place, sides in (("data", 16), ("data8", 8), ("other", 16)):
        for name, count in FOLDERS.items():
            folder = home / place / (name if place != "other" else f"class {name}")
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("L", (sides, sides), 40 * index + 10).save(folder / f"{index}.png")
    for split in ("train", "test"):
        for name in FOLDERS:
            folder = home / "split" / split / name
            folder.mkdir(parents=True)
            for index in range(3):
                Image.new("L", (16, 16), 40 * index + 20).save(folder / f"{index}.png")
    (home / "empty").mkdir()
    (home / "file").write_text("x")
    (home / "run.toml").write_text('images_per_class = 1\nguidance = "none"\nsteps = 2\nout = "from_file"\n')
    (home / "odd.toml").write_text("images_per_clas = 1\n")
    (home / "broken.toml").write_text("= 1\n")
    (home / "dry.toml").write_text("dry_run = true\nsteps = 2\n")
    (home / "odd_dry.toml").write_text('dry_run = "yes"\n')
    for index in range(4):
        (home / "flat").mkdir(exist_ok=True)
        Image.new("L", (16, 16), 40 * index).save(home / "flat" / f"{index}.png")
    rows = [f"{index}.png,{'ab'[index % 2]},{('zero', 'one')[index % 2]}" for index in range(4)]
    (home / "flat" / "metadata.csv").write_text("\n".join(["file_name,x,y", *rows]) + "\n")
    for name, sets in (("", '{mine = "ok"}'), ("_one", '"ok"'), ("_odd", "5")):
        text = f'generated = {sets}\nagainst = "split"\nstudents = 0\nbaselines = false\n'
        (home / f"judge{name}.toml").write_text(text)
    (home / "map.toml").write_text('"class zero" = 0\n"class one" = 1\n')
    tiny_pipeline().save_pretrained(home / "pipe")
    with contextlib.chdir(home):  # what other rows begin with: each may run alone
        for line in MADE:
            main(shlex.split(line))
    return home


RUN = "distill data --images-per-class 1 --pipeline pipe --guidance none --steps 2 --no-report"
MADE = (
    f"{RUN} --out ok",
    "encode data --pipeline pipe --out latents.safetensors",
    "encode data --pipeline pipe --split 0.4 --out latents_split.safetensors",
)
# command line, exit status, words
CASES = [
    ("", 2, "Missing command"),
    ("--help", 0, "Commands"),
    ("--version", 0, "mgd 0"),
    ("nonsense", 2, "nonsense"),
    ("--nonsense", 2, "--nonsense"),
    *(
        (f"{command} --help", 0, "Exit status")
        for command in ("distill", "train", "evaluate", "audit", "encode", "info")
    ),
    *((f"{command} --nonsense", 2, "--nonsense") for command in ("distill", "train", "evaluate", "audit", "encode")),
    *((command, 2, "must be given") for command in ("distill", "train", "evaluate", "audit", "encode")),
    ("info", 2, "Missing argument"),
    # numbers
    *(
        (f"{RUN} --out new {option} {value}", 2, words)
        for option, name in (
            ("--steps", "steps"),
            ("--images-per-class", "images-per-class"),
            ("--batch-size", "batch-size"),
            ("--set-size", "set-size"),
        )
        for value, words in (
            ("0", f"--{name} must be a whole number"),
            ("-3", f"--{name} must be a whole number"),
            ("2.5", "a valid integer"),
            ("abc", "a valid integer"),
            ("''", "a valid integer"),
            ("1e3", "a valid integer"),
            ("nan", "a valid integer"),
        )
    ),
    (f"{RUN} --out new --steps 2000", 2, "--steps must be a whole number from 1 to 1000"),
    (f"{RUN} --out new --seed -1", 2, "--seed must be a whole number"),
    (f"{RUN} --out new --seed 1.5", 2, "a valid integer"),
    (f"{RUN} --out new --images-per-class 4", 2, "--images-per-class must not exceed the 3 images"),
    *(
        (f"{RUN} --out new --guidance-scale {value}", 2, "--guidance-scale must")
        for value in ("-1", "nan", "inf", "1e9")
    ),
    (f"{RUN} --out new --guidance-scale much", 2, "a valid number"),
    # words
    *(
        (f"{RUN} --out new {option} {value}", 2, words)
        for option, value, words in (
            ("--guidance", "manifolds", "Did you mean 'manifold'?"),
            ("--guidance", "''", "--guidance must be one of"),
            ("--strategy", "level", "Did you mean 'levels'?"),
            ("--representative", "centroids", "Did you mean 'centroid'?"),
            ("--method", "herdin", "Did you mean 'herding'?"),
            ("--pipeline", "digitz", "Did you mean 'digits'?"),
            ("--pipeline", "nowhere/at-all", "could not be loaded from the hub"),
            ("--pipeline", "empty", "a folder with a model_index.json"),
            ("--pipeline", "file", "must be"),
        )
    ),
    # options of a guidance
    (f"{RUN} --out new --strength 0.5", 2, "--strength"),
    (f"{RUN} --out new --guidance mode --strength -1", 2, "strength must"),
    (f"{RUN} --out new --guidance mode --rank 3", 2, "--rank"),
    (f"{RUN} --out new --guidance mode --window 2", 2, "must"),
    # data
    ("distill nowhere --images-per-class 1 --out new --pipeline pipe", 2, "data must be one of digits"),
    ("distill '' --images-per-class 1 --out new --pipeline pipe", 2, "data must be one of digits"),
    ("distill digit --images-per-class 1 --out new", 2, "Did you mean 'digits'?"),
    ("distill empty --images-per-class 1 --out new --pipeline pipe", 2, "empty"),
    ("distill file --images-per-class 1 --out new --pipeline pipe", 2, "file"),
    ("distill data --images-per-class 1 --out new", 2, "pipeline must be given"),
    ("distill data data --images-per-class 1 --out new", 2, "data"),
    # classes
    (f"{RUN.replace('data', 'other')} --out new", 2, "class zero"),
    (f"{RUN} --out new --class-labels zero=0", 2, "--class-labels"),
    (f"{RUN} --out new --class-labels zero=0 --class-labels one=9999", 2, "--class-labels"),
    (f"{RUN} --out new --class-labels zero=0 --class-labels two=1", 2, "two"),
    (f"{RUN} --out new --class-labels nowhere.toml", 2, "nowhere.toml"),
    (f"{RUN} --out new --class-labels broken.toml", 2, "broken.toml"),
    (f"{RUN} --out new --class-labels zero", 2, "--class-labels"),
    (f"{RUN.replace('data', 'other')} --out ok_map --class-labels map.toml", 0, "2 images in ok_map"),
    (
        f"{RUN.replace('data', 'other')} --out ok_pairs --class-labels 'class zero=0' --class-labels 'class one=one'",
        0,
        "2 im",
    ),
    (f"{RUN} --out ok_list --class-labels 1 --class-labels 0", 0, "2 images in ok_list"),
    # where to
    (f"{RUN} --out file", 2, "--out must be a folder"),
    (f"{RUN} --out file/below", 2, "--out must be a folder"),
    (f"{RUN} --out ''", 2, "--out must be the path of a folder"),
    (f"{RUN} --out data", 2, "--out must"),
    (f"{RUN} --out /proc/new", 2, "out must"),
    # options from a file
    ("distill data --pipeline pipe --config run.toml --no-report", 0, "2 images in from_file"),
    ("distill data --pipeline pipe --config run.toml --no-report --out ok_won", 0, "2 images in ok_won"),
    ("distill data --pipeline pipe --config odd.toml --out new", 2, "Did you mean 'images_per_class'?"),
    ("distill data --pipeline pipe --config broken.toml --out new", 2, "--config must be a TOML file"),
    ("distill data --pipeline pipe --config nowhere.toml --out new", 2, "--config must be a TOML file"),
    ("distill data --pipeline pipe --config empty --out new", 2, "--config must be a TOML file"),
    # look before you leap
    (f"{RUN} --out new --dry-run", 0, "Nothing was written."),
    (f"{RUN} --out new --dry-run", 0, "zero"),
    (f"{RUN} --out new --dry-run --steps 0", 2, "--steps must be"),
    (f"{RUN} --out ok --dry-run", 0, "would make 0 images in 'ok', with 0 denoiser calls Nothing was written."),
    (f"{RUN} --out ok --dry-run --seed 3", 2, "seed differ"),
    (f"{RUN} --out data8 --dry-run", 2, "--out must be a new or empty folder, or one made by the same call"),
    (f"{RUN.replace('data', 'other')} --out new --dry-run", 2, "class zero"),
    (f"{RUN} --out new --dry-run --picture shown.png", 0, "Nothing was written but 'shown.png'."),
    (f"{RUN} --out new --dry-run --picture below/shown.PNG", 0, "Nothing was written but 'below/shown.PNG'."),
    (f"{RUN} --out new --dry-run --picture shown.jpg", 2, "--picture must be a file that ends in .png"),
    (f"{RUN} --out new --dry-run --picture ''", 2, "--picture must be a file that ends in .png"),
    (f"{RUN} --out new --dry-run --picture file/shown.png", 2, "--picture must be a folder"),
    (
        "distill data --images-per-class 1 --method herding --out new --dry-run --picture none.png",
        2,
        "samples must be there to be saved; there are none of a method without a denoiser",
    ),
    (f"{RUN} --out new --picture shown.png", 2, "--picture must be left out without --dry-run"),
    (f"{RUN} --out new --config dry.toml", 0, "Nothing was written."),
    (f"{RUN} --out ok_no_dry --config dry.toml --no-dry-run", 0, "2 images in ok_no_dry"),
    (f"{RUN} --out new --config odd_dry.toml", 2, "--dry-run must be True or False; got 'yes'"),
    (f"{RUN} --out new --method herding --dry-run --pipeline pipe", 2, "--pipeline must be left out"),
    # it runs
    (f"{RUN} --out ok_new", 0, "2 images in ok_new (2 new"),
    (f"{RUN} --out ok", 0, "2 images in ok (0 new"),
    (f"{RUN} --out ok --seed 3", 2, "seed differ"),
    *(
        (f"distill data --images-per-class 1 --out ok_{name} --method {name} --no-report", 0, "(2 new")
        for name in ("random-real", "herding", "k-center", "nearest-real")
    ),
    (f"{RUN} --out new --method herding", 2, "--pipeline must be left out"),
    # info
    ("info ok", 0, "ok"),
    ("info pipe", 0, "pipe"),
    ("info nowhere", 2, "nowhere"),
    ("info file", 2, "which is another file. Name the folder that it lies in."),
    ("info ''", 2, "path must be a folder of images or of a pipeline, or a file that mgd encode wrote; got ''"),
    ("info data/zero/0.png", 2, "is another file"),
    ("info data", 0, "zero"),
    # encode
    ("encode data --pipeline pipe --out ok.safetensors", 0, "latents of 6 images"),
    ("encode data8 --pipeline pipe --image-size 8 --out new", 2, "got 8 x 8. Load them with --image-size 16."),
    ("encode data8 --pipeline pipe --out latents8.safetensors", 0, "latents of 6 images"),
    ("encode data --pipeline pipe --split 0.4 --out ok_split.safetensors", 0, "latents of 4 images"),
    ("encode data --pipeline pipe --out ''", 2, "--out must be the path"),
    ("encode flat --pipeline pipe --out new", 2, "--label-column must be given"),
    ("encode flat --pipeline pipe --label-column y --out latents_flat.safetensors", 0, "latents of 4 images"),
    ("info latents.safetensors", 0, "shape: 4 x 8 x 8 each of the training images of: data encoded by: pipe"),
    ("info latents.safetensors", 0, "latents (6)"),
    ("encode data --pipeline pipe --out empty", 2, "--out must be a file"),
    ("encode data --pipeline nowhere --out new", 2, "nowhere"),
    ("encode nowhere --pipeline pipe --out new", 2, "nowhere"),
    (f"{RUN} --out ok_latents --latents latents.safetensors", 0, "2 images in ok_latents"),
    (f"{RUN} --out ok_both --split 0.4 --latents latents_split.safetensors", 0, "2 images in ok_both"),
    (f"{RUN} --out new --split 0.4 --latents latents.safetensors", 2, "those of the 4 training images"),
    (f"{RUN} --out new --latents file", 2, "--latents must be a file that mgd encode wrote"),
    (f"{RUN} --out new --latents data", 2, "'data' is none: it is a folder"),
    (f"{RUN} --out new --latents nowhere", 2, "--latents must be a file that mgd encode wrote"),
    # evaluate and audit
    ("evaluate nowhere --against split", 2, "nowhere"),
    ("evaluate --config judge.toml", 0, "mine 2"),
    ("evaluate --config judge_one.toml", 0, "tested on 6 images of split"),
    ("evaluate --config judge_odd.toml", 2, "generated must be a folder of images"),
    ("evaluate '' --against split", 2, "generated must be a folder of images, with one sub-folder per class; got ''"),
    ("evaluate ok --against split --split 2 --students 0", 2, "--split must be a number > 0 and < 1"),
    ("audit '' --against split", 2, "generated must be a folder of images, with one sub-folder per class; got ''"),
    ("evaluate ok --against nowhere", 2, "nowhere"),
    ("evaluate ok --against split --students -1", 2, "--students must"),
    ("evaluate ok --against split --students x", 2, "a valid integer"),
    ("evaluate ok --against split --seed -1", 2, "--seed must"),
    ("evaluate ok --against split --device gpu", 2, "--device must be a device"),
    ("evaluate ok --against split --device cuda:7", 2, "--device must be a device"),
    ("evaluate ok --against split --students 0", 0, "tested on 6 images of split"),
    ("evaluate empty --against split --students 0", 2, "empty"),
    ("evaluate other --against split --students 0", 2, "class zero"),
    ("evaluate ok ok --against split --students 0", 2, "generated must be different folders; got 'ok' twice."),
    ("evaluate ok ./ok --against split --students 0", 2, "generated must be different folders; got './ok' twice."),
    ("evaluate data --against data --students 0", 0, "4 of the 6 images of 'data' are test images: its scores flatter"),
    ("evaluate split/test --against split --students 0", 0, "'split/test' is the test split itself"),
    ("evaluate data --against flat --label-column y --students 0", 0, "on 2 images of flat"),
    ("evaluate data8 --against data --students 0", 2, "got 8x8. Generate at that size."),
    ("audit split/test --against split --students 0", 0, "'split/test' is the test split itself"),
    ("audit data --against flat --students 0", 2, "--label-column must be given"),
    ("audit data --against flat --label-column y --students 0", 0, "distance to the nearest training image"),
    ("audit nowhere --against split", 2, "nowhere"),
    ("audit ok --against nowhere", 2, "nowhere"),
    ("audit ok --against split --rounds 0", 2, "--rounds must"),
    ("audit ok --against split --rounds x", 2, "a valid integer"),
    ("audit ok --against split --students 0", 0, "distance to the nearest training image"),
    # train
    ("train nowhere --out new", 2, "nowhere"),
    ("train '' --out new", 2, "data must be one of digits"),
    ("train data --out new --channels 2", 2, "--channels must be 1 (gray), 3 (color), or left out"),
    ("train data --out new --work data/work", 2, "--work must lie outside the folder of the data"),
    ("train data --out file", 2, "--out must be a folder"),
    ("train data --out new --device gpu", 2, "--device must be a device"),
    ("train data --out new --minutes 0", 2, "--minutes must"),
    ("train data --out new --minutes x", 2, "a valid number"),
    ("train data --out new --size 17", 2, "--size"),
    ("train flat --out new", 2, "--label-column must be given"),
    ("train flat --out new --label-column z", 2, "--label-column must be a column"),
    ("train data --out data/pipe", 2, "--out must lie outside the folder of the data"),
    ("train data --out new --precision int4", 2, "--precision must be one of"),
]


@pytest.mark.parametrize(("line", "status", "words"), CASES, ids=lambda value: None)
def test_a_command_line_ends_as_it_should(line, status, words, home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ended = 0
    try:
        main(shlex.split(line))
    except SystemExit as end:
        ended = end.code
    told = capsys.readouterr()
    assert ended == status, told
    assert words in " ".join((told.err if status else told.out).split()), told
    assert not (home / "new").exists(), "a call that is refused leaves nothing behind"
    if status == 2:
        assert told.err.count("\n") == 1 and told.err.startswith("mgd")


def test_there_are_many_cases():
    assert len(CASES) >= 160
