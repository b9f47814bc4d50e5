"""Every lab runs in every profile, all of its cells: with tiny models and made-up images, without a network or a GPU.

`make reproduce` does so with the shipped pipelines, and with as many images as the real sets hold.
In float32 on the CPU; but ImageNet's profile in half precision on a GPU that is not there, where nothing that lies in
the wrong place goes on. A torch that cannot pretend one runs it on the CPU, too.
"""

import os
import shutil
import subprocess
from dataclasses import replace

import forks
import hub_cache
import labs_in_a_profile
import nbformat
import pretend_gpu
import pytest
import torch
from lab_outputs import complaints, streams
from nbformat.v4 import new_code_cell, new_notebook
from notebook_rules import PARAMETERS, ROOT, Lab

LABS = [
    path.stem
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    if any(cell.source == PARAMETERS for cell in Lab.read(path).tagged("parameters"))
]
PER_CLASS = 50  # the fewest that the labs take: 50 leaves of a class, and 47 directions among 48 neighbours
SIZES = (10 * PER_CLASS, 200)  # all images for training, and for tests
SMALL = 80  # pixels of the side, of ImageNet's images: more than 64, as theirs have, and a tenth of the work
NEW_TORCH = pytest.mark.skipif(not pretend_gpu.THERE, reason="this torch has no backends in Python")
OLD_TORCH = pytest.mark.skipif(pretend_gpu.THERE, reason="the walk on a GPU runs the same cells")


def smaller_pipeline():
    """The stand-in for ImageNet's pipeline, for images of `SMALL` pixels."""
    from tiny import imagenet_dit

    pipe = hub_cache.imagenet_pipeline()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        smaller = imagenet_dit(num_layers=1, num_attention_heads=2, attention_head_dim=4, sample_size=SMALL // 8)
        torch.nn.init.normal_(smaller.proj_out_2.weight, std=0.3)
    pipe.register_modules(transformer=smaller)
    return pipe


def thin_copy(name, folder):
    """A shipped pipeline as it is, but for its networks: thin ones with random weights."""
    from diffusers import AutoencoderKL, DiTTransformer2DModel

    from mgd_helpers.encoding.pipelines import PRETRAINED

    shutil.copytree(PRETRAINED / name, folder)
    thin = {"num_layers": 1, "num_attention_heads": 2, "attention_head_dim": 4}
    transformer, vae = folder / "transformer", folder / "vae"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        denoiser = DiTTransformer2DModel.from_config(DiTTransformer2DModel.load_config(transformer) | thin)
        torch.nn.init.normal_(denoiser.proj_out_2.weight, std=0.3)
        denoiser.save_pretrained(transformer)
        thin = {"block_out_channels": [4, 4, 4], "norm_num_groups": 2}
        AutoencoderKL.from_config(AutoencoderKL.load_config(vae) | thin).save_pretrained(vae)
    return folder


def run_in(profile, home, folder, **more):
    """The labs as they ran in a profile, by name; data and pipeline are those in `home`."""
    settings = hub_cache.environment(home) | {"PER_CLASS": str(PER_CLASS), "OMP_NUM_THREADS": "1"} | more
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [*forks.python(), labs_in_a_profile.__file__, profile, str(folder), *LABS]
    subprocess.run(command, cwd=folder, env=os.environ | settings | {"PYTHONPATH": path}, check=True)
    return {name: nbformat.read(folder / f"{name}.ipynb", as_version=4) for name in LABS}


def errors(lab):
    """What was raised, if anything."""
    found = [output for cell in lab.cells for output in cell.get("outputs", []) if output.output_type == "error"]
    return ["\n".join(output.traceback) for output in found]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "settings"),
    [
        ("fashion_mnist", {}),
        ("cifar10", {}),
        pytest.param("imagenette", {"IMAGE_SIZE": str(SMALL)}, marks=OLD_TORCH),
        pytest.param("imagenette", {"IMAGE_SIZE": str(SMALL), "PRETEND": "float16"}, marks=NEW_TORCH),
    ],
    ids=["fashion_mnist", "cifar10", "imagenette", "imagenette on a GPU"],
)
def test_every_lab_runs_in_every_profile(profile, settings, tmp_path, monkeypatch):
    home = tmp_path / "hub"
    monkeypatch.setitem(hub_cache.PROFILES, profile, replace(hub_cache.PROFILES[profile], sizes=SIZES))
    hub_cache.put_data(home, profile)
    settings = settings | {"SIZES": ",".join(map(str, SIZES))}
    if profile == "imagenette":
        commit = hub_cache.PIPELINE_REVISIONS[hub_cache.DIT]
        hub_cache.put_pipeline(home, hub_cache.DIT, smaller_pipeline(), commit=commit)
    else:
        settings |= {"PIPELINE": str(thin_copy(profile, tmp_path / "pipeline"))}
    walk(profile, home, tmp_path, settings)


@pytest.mark.reproduce
@pytest.mark.parametrize("profile", ["fashion_mnist", "cifar10"])
def test_every_lab_runs_with_the_shipped_pipelines(profile, tmp_path):
    hub_cache.put_data(tmp_path / "hub", profile)
    walk(profile, tmp_path / "hub", tmp_path, {})


def walk(profile, home, folder, settings):
    """Run all labs, and assert that each came to its end and says nothing that is wrong there."""
    wrong = {}
    for name, lab in run_in(profile, home, folder, **settings).items():
        stored = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        # on made-up images no model is right in anything, so that verdicts and numbers turn
        wrong[name] = errors(lab) or complaints(stored, lab, about="digits", verdicts_hold=False)
    assert {name: said for name, said in wrong.items() if said} == {}
    assert len(wrong) >= 9


def a_lab(*sources):
    """A lab of these cells, after the one that is tagged `parameters`."""
    cells = [new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), *map(new_code_cell, sources)]
    return new_notebook(cells=cells)


def test_a_lab_runs_in_its_profile_cell_by_cell_up_to_an_error(capsys):
    lab = labs_in_a_profile.in_profile(a_lab("print(PROFILE)", "1 / 0", "print(1)"), "cifar10")
    ran = labs_in_a_profile.run(lab)
    assert [streams(cell) for cell in ran.cells] == ["", "cifar10\n", "", ""]
    assert "ZeroDivisionError" in errors(ran)[0] and len(errors(ran)) == 1
    assert capsys.readouterr().out == ""


def test_a_lab_is_shortened_where_it_names_numbers():
    lab = a_lab(
        "LABEL, STEPS = 3, 25  # steps\nx = STEPS", "%pip list\nSTEPS = 8\nTRIES = STEPS", "def f():\n    STEPS = 9"
    )
    short = labs_in_a_profile.shortened(lab, {"STEPS": 4, "LATER": 1})
    assert [cell.source for cell in short.cells[1:]] == [
        "LABEL, STEPS = 3, 4\nx = STEPS",
        "%pip list\nSTEPS = 4\nTRIES = STEPS",
        "def f():\n    STEPS = 9",
    ]


@pytest.mark.parametrize(
    ("name", "line"), [*zip(("08_luck", *["10_verdict"] * 3), labs_in_a_profile.SPARED, strict=True)]
)
def test_what_is_spared_is_a_line_of_the_labs(name, line):
    lab = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    assert sum(line in cell.source for cell in lab.cells) == 1
    assert not any(line in cell.source for cell in labs_in_a_profile.shortened(lab, {}).cells)


def test_a_lab_without_the_choice_is_told():
    lab = a_lab()
    lab.cells[0].source = "PROFILE = 3"
    with pytest.raises(AssertionError):
        labs_in_a_profile.in_profile(lab, "cifar10")


@NEW_TORCH
def test_what_lies_in_the_wrong_place_ends_a_lab():
    lab = a_lab(
        "import torch\nimport mgd_helpers as mgd\nlab = mgd.setup()",
        "print(torch.ones(2, device=lab.device).device.type, lab.dtype)",
        "torch.ones(2, device=lab.device) + torch.ones(2)",
    )
    with labs_in_a_profile.on_a_gpu("float16"):
        ran = labs_in_a_profile.run(lab)
    assert streams(ran.cells[2]) == f"{pretend_gpu.NAME} torch.float16\n"
    assert "same device" in errors(ran)[0]
