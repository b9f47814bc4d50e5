"""Set-up of a lab: seed, device, dtype, plot style and one line of versions; its data, pipeline and latents."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.encoding.latents import encode
from mgd_helpers.encoding.pipelines import LatentPipeline, load_pipeline
from mgd_helpers.provenance import package_versions


@dataclass(frozen=True)
class Lab:
    """What a lab runs on. `dtype` is for the denoiser; geometry stays in float32."""

    chapter: int | None
    seed: int
    device: torch.device
    dtype: torch.dtype

    def load(self, profile: str | Path, per_class: int | None = None) -> tuple[Dataset, LatentPipeline]:
        """The data of a profile, on the CPU, and its pipeline, on this lab's device and in its dtype.

        At most `per_class` training and test images of each class are read, the first ones; by default as many as the
        catalogue says that a lab can afford.
        """
        if per_class is None and str(profile) in PROFILES:
            per_class = PROFILES[str(profile)].per_class
        data = load_data(profile, per_class=per_class)
        return data, load_pipeline(profile, device=self.device, dtype=self.dtype)

    def encode(self, pipe: LatentPipeline, images: Float[Tensor, "n c h w"] | ImageSet) -> Float[Tensor, "n lc lh lw"]:
        """`mgd.encode` with the pipeline's VAE; of many pixels the latents are kept, in `cache_folder()`."""
        cache = cache_folder() if images.shape.numel() >= WORTH_KEEPING else None
        return encode(pipe.vae, images, cache=cache)


WORTH_KEEPING = 2**23  # numbers in all images, 43 of 3 x 256 x 256: encoding fewer is quicker than one notices


def cache_folder() -> Path:
    """Where labs keep latents, on Colab through the end of a session if a drive is mounted.

    It is what `MGD_CACHE_DIR` names, else a folder in the Google drive that Colab has mounted, else the one that the
    system has for such files.
    """
    if named := os.environ.get("MGD_CACHE_DIR"):
        return Path(named).expanduser()
    if COLAB_DRIVE.is_dir():
        return COLAB_DRIVE / "mgd_helpers"
    usual = {"darwin": Path.home() / "Library" / "Caches", "win32": os.environ.get("LOCALAPPDATA")}
    home = usual.get(sys.platform) or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "mgd_helpers"


COLAB_DRIVE = Path("/content/drive/MyDrive")

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
