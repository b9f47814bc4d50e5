"""A pipeline's networks in smaller batches than the pipeline calls them with, and a look at what a DiT decodes.

The rows of a network do not know of each other: a call of 2n rows and two calls of n differ by rounding alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import torch

from mgd_helpers._shapes import Tensor

NETWORKS = ("transformer", "unet")
UNBATCHED = ("txt_ids", "img_ids")  # positions of tokens: the same for all rows, however many tokens there are


@contextmanager
def in_batches(pipe, images: int, batch_size: int) -> Iterator[None]:
    """Within the context, denoiser and decoder take at most `batch_size` of the `images` of a call at once."""
    parts = -(-images // batch_size)
    with ExitStack() as stack:
        for network in (getattr(pipe, name, None) for name in NETWORKS):
            if network is not None and parts > 1:
                stack.enter_context(replaced(network, "forward", _split(network.forward, parts)))
        if getattr(pipe, "vae", None) is not None and parts > 1:
            stack.enter_context(replaced(pipe.vae, "decode", _split(pipe.vae.decode, parts)))
        yield


@contextmanager
def latents_decoded(pipe, *, skip: bool) -> Iterator[list[Tensor]]:
    """Within the context a list of what the VAE decodes, in float32 on the CPU; with `skip` of the scaled latents that
    it is handed, and it decodes nothing."""
    seen, decode = [], pipe.vae.decode

    def look(latents, *args, **kwargs):
        if skip:
            seen.append((latents * pipe.vae.config.scaling_factor).float().cpu())
        else:
            answer = decode(latents, *args, **kwargs)
            seen.append((answer[0] if isinstance(answer, tuple) else answer.sample).float().cpu())
        return SimpleNamespace(sample=torch.zeros(len(latents), 1, 1, 1))  # for a pipeline whose images nobody takes

    with replaced(pipe.vae, "decode", look):
        yield seen


@contextmanager
def replaced(thing, name: str, function) -> Iterator[None]:
    """Within the context a method of this one object is another function."""
    before = vars(thing).get(name)
    setattr(thing, name, function)
    try:
        yield
    finally:
        if before is None:
            delattr(thing, name)
        else:
            setattr(thing, name, before)


def _split(function, parts: int):
    def in_parts(*args, **kwargs):
        rows = len(next(value for value in (*args, *kwargs.values()) if torch.is_tensor(value) and value.ndim > 1))
        size = -(-rows // parts)
        answers = [
            function(*_rows(args, rows, start, size), **_rows(kwargs, rows, start, size))
            for start in range(0, rows, size)
        ]
        return _joined(answers)

    return in_parts


def _rows(value, rows, start, size):
    """These rows of whatever has a row for each image; anything else as it is."""
    if torch.is_tensor(value):
        return value[start : start + size] if value.ndim and len(value) == rows else value
    if isinstance(value, Mapping):
        return {name: one if name in UNBATCHED else _rows(one, rows, start, size) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_rows(one, rows, start, size) for one in value)
    return value


def _joined(answers):
    first = answers[0]
    if torch.is_tensor(first):
        return torch.cat(answers)
    if isinstance(first, Mapping):  # an output of diffusers is a mapping, too
        return type(first)(**{name: _joined([answer[name] for answer in answers]) for name in first})
    if isinstance(first, tuple | list):
        return type(first)(_joined(list(parts)) for parts in zip(*answers, strict=True))
    return first
