import json
import subprocess
import sys

import pytest
from PIL import Image

from mgd_helpers.cli import main
from mgd_helpers.distill import GUIDANCES


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
    assert capsys.readouterr().out.startswith(f"4 images in {out} (4 new")
    settings = json.loads((out / "manifest.json").read_text())["settings"]
    assert (settings["seed"], settings["steps"], settings["guidance"]) == (7, 3, "mode")


def test_evaluate_prints_one_row_per_folder(digits, tmp_path, capsys):
    for digit in range(10):
        for name in ("a", "b"):
            folder = tmp_path / name / str(digit)
            folder.mkdir(parents=True)
            image = digits.train.of_class(digit)[0, 0]
            Image.fromarray(((image + 1) * 127.5).round().byte().numpy()).save(folder / "0.png")
    main(["evaluate", str(tmp_path / "a"), str(tmp_path / "b"), "--against", "digits", "--students", "0"])
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


@pytest.mark.parametrize("arguments", [[], ["distill", "digits"], ["distill", "digits", "--guidance", "magic"]])
def test_wrong_usage_ends_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: mgd" in capsys.readouterr().err


def test_every_guidance_can_be_chosen(capsys):
    with pytest.raises(SystemExit):
        main(["distill", "--help"])
    assert "{" + ",".join(sorted(GUIDANCES)) + "}" in capsys.readouterr().out


def test_the_package_runs_as_a_module():
    result = subprocess.run([sys.executable, "-m", "mgd_helpers", "--help"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("usage: mgd")
