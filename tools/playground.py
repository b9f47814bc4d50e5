"""What the playground of the book takes from the package: the curve, the first targets and the noise levels.

The page reads them as a script, `book/_static/playground_data.js`, which `python -m tools figures` writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

import mgd_helpers as mgd
from mgd_helpers.guidance.noise import NoiseLevel, noise_levels
from mgd_helpers.guidance.toys import spiral

STEPS = (1, 2, 5, 10, 25, 50, 100)  # what the slider offers: divisors of the last, so that one table serves them all
N_TARGETS = 4


def curve() -> torch.Tensor:
    """The spiral of chapter 2, [300, 2]."""
    return spiral(300, noise=0.02, seed=0)


def first_targets() -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of the curve, [1, 2], and those of its parts, [4, 2]: root and leaves of a tree."""
    tree = mgd.bisect(curve(), n_leaves=N_TARGETS)
    return tree.centroids[:1], tree.centroids[list(tree.leaves)]


def scheduler() -> Any:
    """DDIM as the labs use it."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(clip_sample=False, timestep_spacing="trailing")


def levels(steps: int) -> list[NoiseLevel]:
    """The noise levels of a run of so many steps, from pure noise on."""
    ddim = scheduler()
    ddim.set_timesteps(steps)
    return noise_levels(ddim)


def constants() -> dict[str, Any]:
    """All of it, as plain numbers that float32 keeps; of the levels the least noisy comes first."""
    one, four = first_targets()
    table = torch.tensor([[level.signal, level.noise] for level in reversed(levels(STEPS[-1]))])
    named = {"curve": curve(), "one": one, "four": four, "levels": table}
    rounded = {name: [[float(f"{x:.9g}") for x in row] for row in rows.tolist()] for name, rows in named.items()}
    return {"steps": STEPS, **rounded}


def write(folder: Path) -> None:
    """Write the script that the page reads."""
    lines = [f"  {json.dumps(name)}: {json.dumps(rows, separators=(',', ':'))}" for name, rows in constants().items()]
    text = "// Written by `python -m tools figures`.\nconst playgroundData = {\n" + ",\n".join(lines) + "\n};\n"
    (folder / "playground_data.js").write_text(text, encoding="utf-8")
