import errno
import json
import subprocess
from importlib.metadata import version

import forks
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image

from mgd_helpers.cli import main


@pytest.fixture
def data(waves, tmp_path):
    for index, (image, label) in enumerate(zip(waves.train.images, waves.train.labels, strict=True)):
        folder = tmp_path / "data" / waves.class_names[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(((image[0] + 1) * 127.5).byte().numpy()).save(folder / f"{index:02d}.png")
    return str(tmp_path / "data")


def test_distill_writes_the_folder_and_says_so(data, tiny, tmp_path, capsys):
    tiny.save_pretrained(tmp_path / "pipe")
    out = tmp_path / "out"
    arguments = ["--images-per-class", "2", "--out", str(out), "--pipeline", str(tmp_path / "pipe")]
    main(["distill", data, *arguments, "--guidance", "mode", "--steps", "3", "--batch-size", "2", "--seed", "7"])
    assert f"\n4 images in {out} (4 new" in capsys.readouterr().out
    settings = json.loads((out / "run.json").read_text())["settings"]
    assert (settings["seed"], settings["steps"], settings["guidance"]) == (7, 3, "mode")


def test_what_is_told_can_be_followed_in_a_shell(data, tiny, tmp_path, capsys):
    tiny.save_pretrained(tmp_path / "pipe")
    arguments = ["--images-per-class", "2", "--pipeline", str(tmp_path / "pipe"), "--guidance", "none", "--steps", "2"]
    main(["distill", data, *arguments, "--out", str(tmp_path / "out"), "--split", "0.3"])
    said = capsys.readouterr().out
    assert "Students judge better, in minutes: mgd evaluate FOLDER --against DATA." in said
    assert "random real images, 5 draws" in said
    assert not [words for words in ("mgd.", "(--", "guidance=", "data,") if words in said]
    main(["distill", data, *arguments, "--out", str(tmp_path / "other")])
    capsys.readouterr()
    main(["evaluate", str(tmp_path / "other"), "--against", data, "--students", "0", "--no-baselines"])
    said = capsys.readouterr().out
    assert "make it from the same split, --split …." in said


def test_of_several_processes_the_first_one_prints(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    main(["distill", data, "--images-per-class", "1", "--out", str(tmp_path / "out"), "--method", "herding"])
    assert capsys.readouterr().out == ""
    assert (tmp_path / "out" / "run.json").exists()


@pytest.mark.slow
def test_evaluate_prints_one_row_per_folder(digits, tmp_path, capsys):
    for digit in range(10):
        for name in ("a", "b"):
            folder = tmp_path / name / str(digit)
            folder.mkdir(parents=True)
            image = digits.train.of_class(digit)[0, 0]
            Image.fromarray(((image + 1) * 127.5).round().byte().numpy()).save(folder / "0.png")
    sets = [str(tmp_path / "a"), str(tmp_path / "b")]
    main(["evaluate", *sets, "--against", "digits", "--students", "0", "--no-baselines"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["images", "student", "student_sd", "nearest_neighbor", "mmd_pixels"]
    assert [line.split()[0] for line in lines[1:3]] == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert lines[3:] == ["tested on 297 images of digits."]


@pytest.mark.parametrize(
    "arguments",
    [
        ["distill", "nowhere", "--images-per-class", "2", "--out", "out"],
        ["distill", "digits", "--images-per-class", "0", "--out", "out"],
        ["evaluate", "nowhere", "--against", "digits"],
    ],
)
def test_wrong_values_end_in_one_line_and_status_2(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"mgd {arguments[0]}: ")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.fixture
def command(data, tiny, tmp_path):
    """`mgd distill` of the toy data with the tiny pipeline, with more words where given."""
    tiny.save_pretrained(tmp_path / "pipe")
    where = ["--out", str(tmp_path / "out"), "--pipeline", str(tmp_path / "pipe")]
    return ["distill", data, "--images-per-class", "2", "--guidance", "none", "--steps", "2", *where]


def refused(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def break_weights(tmp_path):
    path = next((tmp_path / "pipe/vae").glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ("more", "change", "words"),
    [
        (["--steps", "2000"], None, "steps must be a whole number from 1 to 1000; got 2000"),
        (["--guidance", "manifolds"], None, "Did you mean 'manifold'?"),
        (["--pipeline", "digitz"], None, "Did you mean 'digits'?"),
        (["--pipeline", "a/b"], None, "could not be loaded from the hub"),
        ([], break_weights, "it cannot be loaded"),
        ([], lambda tmp_path: (tmp_path / "out").write_text(""), "out must be a folder"),
        (
            [],
            lambda tmp_path: (tmp_path / "out").mkdir() or (tmp_path / "out/manifest.json").write_text("{}"),
            "without settings",
        ),
        ([], lambda tmp_path: (tmp_path / "out").mkdir() or (tmp_path / "out/manifest.json").mkdir(), "cannot be read"),
    ],
)
def test_what_a_person_can_mend_ends_in_one_line_with_the_remedy(command, tmp_path, capsys, more, change, words):
    if change:
        change(tmp_path)
    assert words in refused([*command, *more], capsys)


def test_data_names_that_are_nearly_right(capsys):
    assert "Did you mean 'digits'?" in refused(["distill", "digit", "--images-per-class", "1", "--out", "o"], capsys)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "x.png"),
            "Make room on the disk; the same command then goes",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "Choose another folder, or change its permissions"),
        (OSError("the hub\ndoes not answer"), "the hub does not answer"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "Take a smaller --set-size"),
        (ImportError("pip install datasets"), "pip install datasets"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_what_the_machine_refuses_ends_in_one_line(command, capsys, monkeypatch, error, words):
    def fail(*rows, **options):
        raise error

    monkeypatch.setattr("mgd_helpers.shell_calls.distill", fail)
    assert words in refused(command, capsys)


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), RuntimeError("x"), AssertionError("x")])
def test_faults_of_ours_show_where_they_are(command, monkeypatch, error):
    def fail(*rows, **options):
        raise error

    monkeypatch.setattr("mgd_helpers.shell_calls.distill", fail)
    with pytest.raises(type(error)):
        main(command)


def test_an_interruption_says_how_to_go_on(command, tmp_path, capsys, monkeypatch):
    encode = AutoencoderKL.decode
    calls = []

    def interrupted(self, *rows, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return encode(self, *rows, **options)

    monkeypatch.setattr(AutoencoderKL, "decode", interrupted)
    with pytest.raises(SystemExit) as end:
        main([*command, "--batch-size", "2"])
    assert end.value.code == 130
    output = capsys.readouterr()
    assert output.err == "mgd distill: interrupted. The same command goes on where it stopped.\n"
    main([*command, "--batch-size", "2"])
    assert f"\n4 images in {tmp_path / 'out'} (2 new" in capsys.readouterr().out


def test_the_version_is_told(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"mgd {version('mgd-helpers')}\n"


@pytest.mark.parametrize("arguments", [[], ["distill", "digits"], ["distill", "digits", "--guidance", "magic"]])
def test_wrong_usage_ends_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(" ".join(["mgd", *arguments[:1]]).rstrip() + ": ")


@pytest.mark.slow
def test_the_package_runs_as_a_module():
    result = subprocess.run(
        [*forks.python(), "-m", "mgd_helpers", "--help"], capture_output=True, text=True, check=True
    )
    assert result.stdout.lstrip().startswith("Usage: mgd")


@pytest.mark.slow
def test_warnings_are_one_line_without_code(data, tiny, tmp_path):
    tiny.save_pretrained(tmp_path / "pipe")
    out = tmp_path / "out"
    arguments = ["distill", data, "--images-per-class", "1", "--out", str(out), "--pipeline", str(tmp_path / "pipe")]
    arguments += ["--steps", "2", "--guidance", "none"]
    main(arguments)
    next(out.glob("*/*.png")).write_bytes(b"")
    command = [*forks.python(), "-m", "mgd_helpers", *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    assert next(line for line in told if "damaged" in line).startswith("mgd distill: 1 images in")
    assert not [line for line in told if line.startswith(" ")]  # a line of code
