"""A pipeline's networks in smaller batches than the pipeline calls them with, and a look at what a DiT decodes.

A network treats each row on its own: one call with 2n rows and two calls with n differ by rounding alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.encoding.memory import BatchSize
from mgd_helpers.encoding.pipelines import LatentPipeline, Pipeline

DENOISERS = ("transformer", "unet")
UNBATCHED = ("txt_ids", "img_ids")  # positions of tokens: the same for all rows, however many tokens there are

_locks: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()  # one for each network that is in use
_guard = threading.Lock()


@contextmanager
def alone(pipe: Pipeline) -> Iterator[None]:
    """Within the context no other thread samples with the networks of this pipeline; other threads wait their turn."""
    networks = [getattr(pipe, name, None) for name in (*DENOISERS, "vae")]
    with _guard:
        locks = [_locks.setdefault(one, threading.RLock()) for one in networks if one is not None]
    with ExitStack() as stack:
        for lock in sorted(locks, key=id):  # all threads in one order, or two would wait for each other
            stack.enter_context(lock)
        yield


@contextmanager
def in_batches(pipe: Pipeline, images: int, batch_size: BatchSize) -> Iterator[None]:
    """Within the context, denoiser and decoder take at most `batch_size` of the `images` of a call at once.

    Where memory runs out in one of them, it is asked again for fewer, and nothing that has been made is made anew.
    """
    methods = [(getattr(pipe, name, None), "forward") for name in DENOISERS] + [(getattr(pipe, "vae", None), "decode")]
    with ExitStack() as stack:
        for network, method in methods:
            if network is not None:
                split = partial(_in_parts, getattr(network, method), images, batch_size)
                stack.enter_context(replaced(network, method, split))
        yield


@contextmanager
def latents_decoded(pipe: LatentPipeline, *, skip: bool) -> Iterator[list[Tensor]]:
    """Within the context, a list that fills with the images that the VAE decodes, in float32 on the CPU.

    With `skip` it fills with the scaled latents that the VAE is called with, and nothing is decoded.
    """
    seen: list[Tensor] = []
    with replaced(pipe.vae, "decode", partial(_look, seen, pipe.vae, pipe.vae.decode, skip)):
        yield seen


def _look(
    seen: list[Tensor], vae: Any, decode: Callable[..., Any], skip: bool, latents: Tensor, *args: Any, **kwargs: Any
) -> SimpleNamespace:
    """Note what the VAE decodes, or with `skip` what it is called with."""
    if skip:
        seen.append((latents * vae.config.scaling_factor).float().cpu())
    else:
        answer = decode(latents, *args, **kwargs)
        seen.append((answer[0] if isinstance(answer, tuple) else answer.sample).float().cpu())
    return SimpleNamespace(sample=torch.zeros(len(latents), 1, 1, 1))  # for a pipeline whose images nobody takes


@contextmanager
def replaced(thing: object, name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Within the context, and in this thread only, another function takes the place of a method of this one object."""
    before, original, owner = vars(thing).get(name), getattr(thing, name), threading.get_ident()
    setattr(
        thing,
        name,  # another thread that calls the pipeline itself finds it as it was
        lambda *args, **kwargs: (function if threading.get_ident() == owner else original)(*args, **kwargs),
    )
    try:
        yield
    finally:
        if before is None:
            delattr(thing, name)
        else:
            setattr(thing, name, before)


def _in_parts(function: Callable[..., Any], images: int, batch_size: BatchSize, /, *args: Any, **kwargs: Any) -> Any:
    """What a network answers, asked for at most `batch_size` of the `images` of a call at once."""
    given = [value for value in (*args, *kwargs.values()) if torch.is_tensor(value) and value.ndim > 1]
    if not given and images <= batch_size.images:
        return function(*args, **kwargs)
    if not given:
        raise ValueError(
            f"pipe must call its networks with a tensor of rows; it calls "
            f"{type(getattr(function, '__self__', function)).__name__} without one, so batches cannot be made "
            "smaller. Pass a batch_size that holds all images."
        )
    rows = len(given[0])
    blocks = batch_size.blocks(
        partial(_part, function, args, kwargs, rows),
        rows,
        size=lambda at_once: -(-rows // -(-images // at_once)),  # parts as even as can be
    )
    answers = list(blocks)
    return answers[0] if len(answers) == 1 else _joined(answers)


def _part(function: Callable[..., Any], args: tuple, kwargs: dict, rows: int, start: int, stop: int) -> Any:
    """What a network answers to some of the rows that it is called with."""
    if stop - start == rows:
        return function(*args, **kwargs)
    size = stop - start
    return function(*_rows(args, rows, start, size), **_rows(kwargs, rows, start, size))


def _rows(value: Any, rows: int, start: int, size: int) -> Any:
    """These rows of anything that has a row for each image; anything else as it is."""
    if torch.is_tensor(value):
        return value[start : start + size] if value.ndim and len(value) == rows else value
    if isinstance(value, Mapping):
        return {name: one if name in UNBATCHED else _rows(one, rows, start, size) for name, one in value.items()}
    if isinstance(value, tuple | list):
        if len(value) == rows and not any(
            torch.is_tensor(one) and len(one.shape) and len(one) == rows for one in value
        ):
            return value[start : start + size]  # an entry for each image
        return type(value)(_rows(one, rows, start, size) for one in value)
    return value


def _joined(answers: list) -> Any:
    first = answers[0]
    if torch.is_tensor(first):
        return torch.cat(answers)
    if isinstance(first, Mapping):  # an output of diffusers is a mapping, too
        return type(first)(**{name: _joined([answer[name] for answer in answers]) for name in first})
    if isinstance(first, tuple | list):
        return type(first)(_joined(list(parts)) for parts in zip(*answers, strict=True))
    return first
