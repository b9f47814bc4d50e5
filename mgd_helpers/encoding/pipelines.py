"""Pipelines: shipped ones, local folders and hub ids, as stock diffusers pipelines; and a hash of their weights."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from mgd_helpers import arguments
from mgd_helpers.arguments import did_you_mean
from mgd_helpers.data.catalog import PIPELINE_REVISIONS, PROFILES
from mgd_helpers.data.files import bytes_of
from mgd_helpers.encoding.facts import fetch_facts
from mgd_helpers.progress import bar_options, is_a_log, is_quiet

PRETRAINED = Path(__file__).parents[1] / "pretrained"


@runtime_checkable
class Pipeline(Protocol):
    """What is asked of any pipeline, whoever wrote it: a call that denoises, with `scheduler.step` once per step."""

    scheduler: Any

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What diffusers pipelines answer: an object with `images`."""


class LatentPipeline(Pipeline, Protocol):
    """A pipeline that denoises latents: it has an autoencoder, whatever its denoiser is called."""

    vae: Any
    components: Any
    device: Any


class TransformerPipeline(LatentPipeline, Protocol):
    """A latent pipeline whose denoiser is a transformer, as that of `DiTPipeline` is."""

    transformer: Any


def load_pipeline(
    name: str | Path, *, device: str | torch.device | None = None, dtype: torch.dtype | None = None
) -> Any:
    """Load a stock diffusers pipeline, ready to sample: by a shipped name (`"digits"`), a local folder, or a hub id.

    The name of a data set of `mgd_helpers.data.catalog` stands for its pipeline: `"imagenette"` for
    `"facebook/DiT-XL-2-256"`. Shipped pipelines and folders need no network. `device` defaults to CUDA where there is
    one, `dtype` to float32. Only safetensors are read, and no remote code runs.

    All networks are read in `dtype` at once, never in float32 first: in half precision main memory holds half of the
    weights' 32-bit size at most. For that, files of the variant `fp16` are taken where the source has them. The
    autoencoder has the same `dtype`, as its pipeline expects; what overflows there, `encode` and `sample` refuse.

    Raises `ValueError` where the name is neither shipped, nor a folder, nor shaped like a hub id, for a data set
    without a pipeline, and for a folder that lacks a part or holds a broken one; `FileNotFoundError`, with the remedy,
    where it cannot be downloaded.
    """
    device = arguments.device("device", device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if str(name) in PROFILES:
        profile = PROFILES[str(name)]
        if not profile.pipeline:
            raise ValueError(
                f"{profile.name!r} is a data set without a pipeline of its own. Train one, or pass a class-conditional "
                f"one that knows its classes: distill({profile.name!r}, pipeline=…, class_labels=…)."
            )
        name = profile.pipeline
    folder = PRETRAINED / str(name)
    if not (folder / "model_index.json").is_file():
        folder = Path(name)
        if not (folder / "model_index.json").is_file() and (folder.exists() or str(name).count("/") != 1):
            shipped = sorted(path.parent.name for path in PRETRAINED.glob("*/model_index.json"))
            raise ValueError(
                f"name must be a shipped pipeline ({', '.join(shipped)}), a folder with a model_index.json, or a hub "
                f"id like 'facebook/DiT-XL-2-256'; got {str(name)!r}.{did_you_mean(name, (*shipped, *PROFILES))}"
            )
    with contextlib.redirect_stderr(io.StringIO()):  # the import warns of libraries that we do not use
        from diffusers import DiffusionPipeline
        from diffusers.utils import logging
        from safetensors import SafetensorError
    local = folder.is_dir()
    if local or is_quiet() or is_a_log():
        logging.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # it warns that the keys of id2label are text, as they are in any JSON file
    try:
        revision = None if local else PIPELINE_REVISIONS.get(str(name))
        load = functools.partial(
            DiffusionPipeline.from_pretrained,
            str(folder),
            use_safetensors=True,
            local_files_only=local,
            revision=revision,
        )
        pipe = _in_dtype(load, dtype or torch.float32)
        if not local:
            fetch_facts(str(name))
    except (OSError, ValueError, RuntimeError, AttributeError, SafetensorError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise  # a download that does not fit
        raise _not_loaded(name, local, error) from error
    finally:
        logging.enable_progress_bar()
        logging.set_verbosity(verbosity)
    pipe = pipe.to(device)
    pipe.set_progress_bar_config(desc="denoise", **bar_options())
    for module in modules(pipe).values():
        module.eval().requires_grad_(False)
    return pipe


def _in_dtype(load: Callable[..., Any], dtype: torch.dtype) -> Any:
    """Load with the weights in this type; for half precision from files that hold it, where there are any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # diffusers 0.42 has another name for torch_dtype, 0.41 has not
        if dtype in (torch.float16, torch.bfloat16):
            try:
                return load(torch_dtype=dtype, variant="fp16")
            except ValueError as error:
                if "variant=fp16" not in str(error):
                    raise
        return load(torch_dtype=dtype)


def _not_loaded(name: str | Path, local: bool, error: Exception) -> Exception:
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if local:
        return ValueError(
            f"pipeline {str(name)!r} must be a folder that pipe.save_pretrained(…) wrote, with complete weights as "
            f"safetensors; it cannot be loaded: {reason!r}. Save or copy it again."
        )
    return FileNotFoundError(
        f"pipeline {str(name)!r} could not be loaded from the hub: {reason!r}. Check its name, and that it has weights "
        "as safetensors; connect to the network once, or name a folder that holds a copy."
    )


def modules(pipe: Any) -> dict[str, torch.nn.Module]:
    """The pipeline's networks by name, in alphabetical order."""
    return {name: part for name, part in sorted(pipe.components.items()) if isinstance(part, torch.nn.Module)}


def weights_hash(pipe: Any) -> str:
    """SHA-256 of the names and values of all weights of a pipeline: it tells which model made an image."""
    digest = hashlib.sha256()
    for name, module in modules(pipe).items():
        add_weights(digest, name, module)
    return digest.hexdigest()


def add_weights(digest: Any, name: str, module: torch.nn.Module) -> None:
    """Add names, shapes, types and values of the weights of one network to a digest."""
    for key, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}.{key}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(bytes_of(tensor))
