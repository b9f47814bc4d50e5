"""Shared fixtures. mgd_helpers is imported inside them, never on top: jaxtyping's import hook must come first."""

import gc
import inspect
import os

import pytest
import torch

pytest_plugins = ["order"]
os.environ.update(MGD_QUIET="1", MPLBACKEND="Agg", HF_HUB_OFFLINE="1")


def pytest_ignore_collect(collection_path, config):
    """Tests in a browser run where they are asked for by name: no other run needs one."""
    if collection_path.name == "browser" and not any("browser" in argument for argument in config.args):
        return True
    return None


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is imported and collected stays to the end: the garbage collector need not look through it, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(params=["cpu", *([pytest.param("cuda", marks=pytest.mark.gpu)] if torch.cuda.is_available() else [])])
def device(request):
    """Every device of this machine."""
    return torch.device(request.param)


@pytest.fixture(autouse=True, scope="session")
def no_latents_from_elsewhere(tmp_path_factory):
    """What labs keep goes into a folder of this run."""
    os.environ["MGD_CACHE_DIR"] = str(tmp_path_factory.mktemp("latents"))


@pytest.fixture(scope="session")
def hub_home(tmp_path_factory):
    """The stand-in for the hub's cache, made once, with Imagenette; `hub_cache.use` turns to it."""
    import hub_cache

    return hub_cache.build(tmp_path_factory.mktemp("hub"), sets=("imagenette",))


@pytest.fixture
def randn():
    """Standard normal tensors from a fixed seed, on the CPU: `randn(3, 4)`."""
    generator = torch.Generator().manual_seed(0)
    return lambda *shape, dtype=torch.float32: torch.randn(*shape, generator=generator, dtype=dtype)


@pytest.fixture(scope="session")
def digits():
    from mgd_helpers import load_data

    return load_data("digits")


@pytest.fixture(scope="session")
def waves():
    """A data set of two classes, six grey 16x16 images each: stripes across or down, of random phase and width."""
    from mgd_helpers import Dataset, ImageSet

    generator = torch.Generator().manual_seed(0)
    phase, width = torch.rand(2, 12, 1, 1, generator=generator)
    stripes = torch.sin(6 * phase + (1 + width) * torch.arange(16) / 2).expand(12, 16, 16)
    labels = torch.arange(12) % 2
    images = torch.where(labels[:, None, None] == 0, stripes, stripes.mT)[:, None].contiguous()
    return Dataset("waves", ImageSet(images, labels), ImageSet(images[:4], labels[:4]), ("zero", "one"))


@pytest.fixture(scope="session")
def kept(waves):
    """The waves, rounded, as a data set that is kept as bytes, and one of the numbers that these stand for."""
    from mgd_helpers import Dataset, ImageSet
    from mgd_helpers.data.images import from_uint8, to_uint8

    pixels, labels = to_uint8(waves.train.images), waves.train.labels
    both = ImageSet.of_bytes(pixels, labels), ImageSet(from_uint8(pixels), labels)
    return tuple(Dataset("waves", train, train.take(range(6)), waves.class_names) for train in both)


@pytest.fixture
def tiny():
    """A tiny stock DiTPipeline with random weights and a DDIM scheduler; classes are called zero and one."""
    from mgd_helpers.guidance.toys import tiny_pipeline

    return tiny_pipeline()


@pytest.fixture(params=["DDPM", "DDIM", "DPM-Solver++", "UniPC"])
def sampled(request):
    """The tiny pipeline under each of the four schedulers that DiTPipeline is steered with."""
    from tiny import scheduler_of

    from mgd_helpers.guidance.toys import tiny_pipeline

    return tiny_pipeline(scheduler_of(request.param))


@pytest.fixture(scope="session")
def unchecked():
    """A function without the check of its annotations that these tests run under: what a user's wrong type meets."""
    return inspect.unwrap
