"""One thread where the tensors are tiny, and all that torch has elsewhere, by shapes alone.

Threads of one operation wait for each other at its end. Where a machine has other work, one of them may be off the
processor for a time slice, some 20 ms, while the others spin: a call of a small network, fifty operations of a tenth of
a millisecond, then takes a second. One thread waits for nobody. So an operation is shared among threads where it takes
about as long as such a wait; and small work gives the same bits, however many threads torch may use.
"""

from __future__ import annotations

import functools
import inspect
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ParamSpec, TypeVar

import torch
from torch import nn

from mgd_helpers._shapes import Float, Tensor

WORTH_SHARING = 4e8  # multiply-adds of one operation: 10 to 20 ms of one thread
PER_ELEMENT = 20.0  # multiply-adds in the time that a thread needs to read one number from memory, and to write it

Options = ParamSpec("Options")
Answer = TypeVar("Answer")


class _Held(threading.local):  # torch keeps the number of threads for each thread of Python, too
    depth, before = 0, 1


_held = _Held()


def as_many_as_useful(multiply_adds: float, *, device: str | torch.device = "cpu") -> AbstractContextManager[None]:
    """A context in which torch has one thread where a typical operation has few `multiply_adds`, else all it had.

    It changes nothing where the work is large or not on the CPU. It only lowers the number, and gives back the one
    that it found, however it is left; contexts may be nested, and left in any order. For the calling thread alone.

    >>> with as_many_as_useful(1e6):
    ...     torch.get_num_threads()
    1
    """
    small = torch.device(device).type == "cpu" and multiply_adds < WORTH_SHARING
    return _one_thread() if small else nullcontext()


def for_sampling(pipe: Any, rows: int) -> AbstractContextManager[None]:
    """`as_many_as_useful` for a pipeline that makes `rows` images at once, by its denoiser.

    Count both halves of classifier-free guidance. The decoder, called once at the end, does not count. Nothing changes
    where no denoiser is found, or its config does not tell how large its samples are.
    """
    denoiser = getattr(pipe, "transformer", None) or getattr(pipe, "unet", None)
    side = _setting(denoiser, "sample_size", math.inf)
    height, width = side if isinstance(side, list | tuple) else (side, side)
    positions = height * width / _setting(denoiser, "patch_size", 1) ** 2 / _shrinks(denoiser)
    return as_many_as_useful(rows * positions * max(mean_weights(denoiser), 1), device=pipe.device)


def for_encoding(vae: Any, images: Float[Tensor, "n c h w"]) -> AbstractContextManager[None]:
    """`as_many_as_useful` for encoding these images at once."""
    return as_many_as_useful(images[:, 0].numel() / _shrinks(vae) * mean_weights(vae), device=vae.device)


def for_decoding(vae: Any, latents: Float[Tensor, "n c h w"]) -> AbstractContextManager[None]:
    """`as_many_as_useful` for decoding these latents at once."""
    return as_many_as_useful(latents[:, 0].numel() * _shrinks(vae) * mean_weights(vae), device=vae.device)


def for_training(network: nn.Module, images: Any, *, rows: int) -> AbstractContextManager[None]:
    """`as_many_as_useful` for training a network to classify `images`, `rows` of them in a batch.

    Of the images, a tensor or a set, only shape and device count.
    """
    pixels = images.shape[2:].numel() / 8  # where a layer works, on average, in all that `networks.build` knows
    return as_many_as_useful(rows * pixels * mean_weights(network), device=images.device)


def for_rows(function: Callable[Options, Answer]) -> Callable[Options, Answer]:
    """A decorator: `as_many_as_useful` for a function that reads all its rows in each operation.

    Its first argument is a tensor, or a sequence of tensors that are worked on together.
    """

    name = next(iter(inspect.signature(function).parameters))

    @functools.wraps(function)
    def with_useful_threads(*rows: Options.args, **options: Options.kwargs) -> Answer:
        tensors: Any = rows[0] if rows else options.get(name, [])
        tensors = [tensors] if torch.is_tensor(tensors) else tensors
        elements = sum(tensor.numel() for tensor in tensors)
        with as_many_as_useful(PER_ELEMENT * elements, device=tensors[0].device if len(tensors) else "cpu"):
            return function(*rows, **options)

    return with_useful_threads


def mean_weights(network: Any) -> float:
    """How many weights a layer of a network has on average: its multiply-adds at one pixel or token.

    >>> mean_weights(nn.Sequential(nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 5)))
    40.0
    """
    weights = network.parameters() if isinstance(network, nn.Module) else []
    sizes = [weight.numel() for weight in weights if weight.ndim > 1]
    return sum(sizes) / max(len(sizes), 1)


def _shrinks(network: Any) -> int:
    """The sides of a U-Net or VAE halve at each level but one: by how much in all, in the middle of the layers."""
    return 2 ** (len(_setting(network, "block_out_channels", [1])) - 1)


def _setting(network: Any, name: str, default: Any) -> Any:
    """What the config says; the default where it says nothing, or there is none."""
    return getattr(getattr(network, "config", None), name, None) or default


@contextmanager
def _one_thread() -> Iterator[None]:
    if _held.depth == 0:
        _held.before = torch.get_num_threads()
        if _held.before > 1:
            torch.set_num_threads(1)
    _held.depth += 1
    try:
        yield
    finally:
        _held.depth -= 1
        if _held.depth == 0 and _held.before > 1:
            torch.set_num_threads(_held.before)
