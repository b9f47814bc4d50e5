"""Every lab runs in every profile, all of its cells: with tiny models and made-up images, without a network or a GPU.

In float32 on the CPU; and ImageNet's profile in half precision on a GPU that is not there, where nothing that lies in
the wrong place goes on.
"""

import os
import subprocess
import sys

import hub_cache
import labs_in_a_profile
import nbformat
import pytest
import torch
from lab_outputs import complaints
from notebook_rules import PARAMETERS, ROOT, Lab

LABS = [
    path.stem
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    if any(cell.source == PARAMETERS for cell in Lab.read(path).tagged("parameters"))
]
PER_CLASS = 60  # the fewest that the labs take: 50 leaves of a class, and 47 directions among 48 neighbours
SMALL = 80  # pixels of the side, of ImageNet's images: more than 64, as theirs have, and a tenth of the work


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


def run_in(profile, home, folder, **more):
    """The labs as they ran in a profile, by name; data and pipeline are those in `home`."""
    settings = hub_cache.environment(home) | {"PER_CLASS": str(PER_CLASS), "OMP_NUM_THREADS": "1"} | more
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, labs_in_a_profile.__file__, profile, str(folder), *LABS]
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
        ("imagenette", {"IMAGE_SIZE": str(SMALL)}),
        ("imagenette", {"IMAGE_SIZE": str(SMALL), "PRETEND": "float16"}),
    ],
    ids=["fashion_mnist", "cifar10", "imagenette", "imagenette on a GPU"],
)
def test_every_lab_runs_in_every_profile(profile, settings, tmp_path):
    home = tmp_path / "hub"
    hub_cache.put_data(home, profile)
    if profile == "imagenette":
        commit = hub_cache.PIPELINE_REVISIONS[hub_cache.DIT]
        hub_cache.put_pipeline(home, hub_cache.DIT, smaller_pipeline(), commit=commit)
    wrong = {}
    for name, lab in run_in(profile, home, tmp_path, **settings).items():
        stored = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        # tiny models with random weights are right in nothing, so that verdicts and numbers turn
        wrong[name] = errors(lab) or complaints(stored, lab, about="digits", verdicts_hold=False)
    assert {name: said for name, said in wrong.items() if said} == {}
    assert len(wrong) >= 9
