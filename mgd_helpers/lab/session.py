"""Set-up of a lab: seed, device, dtype, plot style and one line of versions."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.encoding.pipelines import LatentPipeline, load_pipeline
from mgd_helpers.provenance import package_versions


@dataclass(frozen=True)
class Lab:
    """What a lab runs on. `dtype` is for the denoiser; geometry stays in float32."""

    chapter: int | None
    seed: int
    device: torch.device
    dtype: torch.dtype

    def load(self, profile: str | Path) -> tuple[Dataset, LatentPipeline]:
        """The data of a profile, on the CPU, and its pipeline, on this lab's device and in its dtype."""
        return load_data(profile), load_pipeline(profile, device=self.device, dtype=self.dtype)


# (tested from, tested below); outside this range `setup` warns and goes on
TESTED = {"torch": ((2, 6), (2, 16)), "diffusers": ((0, 35), (0, 43))}


def setup(*, chapter: int | None = None, seed: int = 0) -> Lab:
    """Seed torch, choose device and dtype, set the plot style, and print one line of versions.

    CUDA of compute capability 8.0 or later gets bfloat16, older CUDA (a T4 only emulates it) float16, a CPU float32.
    Warns, and never fails, where a version lies outside the range the labs were tested with.
    """
    from mgd_helpers.lab.plots.style import use_style

    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.float32
    if device.type == "cuda":
        dtype = torch.bfloat16 if torch.cuda.get_device_capability()[0] >= 8 else torch.float16
    use_style()
    versions = package_versions()
    for name, (low, high) in TESTED.items():
        if not low <= _numbers(versions[name]) < high:
            warnings.warn(
                f"{name} {versions[name]} lies outside the tested range {_dotted(low)} <= version < {_dotted(high)}; "
                "the lab goes on, but figures may differ.",
                stacklevel=2,
            )
    where = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    listed = ", ".join(f"{name} {number}" for name, number in versions.items())
    print(f"{listed}; {where}, {str(dtype).removeprefix('torch.')}; seed {seed}")
    return Lab(chapter, seed, device, dtype)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("+")[0].split(".")[:2] if part.isdigit())


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
