"""A GPU that is not there: torch's fake tensors, which have a shape, a type and a place, claim to lie on it.

Whatever mixes devices, or asks for a value, fails. `fake_gpu(monkeypatch)` is the context in which they exist, `move`
puts a pipeline there, and `places` tells of a network where and as what its inputs came.
"""

from __future__ import annotations

import contextlib

import diffusers
import numpy
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily

from mgd_helpers.encoding.pipelines import modules
from mgd_helpers.guidance import noise

aten = torch.ops.aten


@contextlib.contextmanager
def fake_gpu(monkeypatch):
    """Within the context, new tensors are fake, and may lie on "cuda"; gives the `FakeGPU` that counts looks at values.

    The schedule of the pipeline in it must be `OnTheHost`.
    """
    levels = noise.noise_levels

    def real_levels(scheduler):
        with unset_fake_temporarily():  # the table lies on the host, where numbers are numbers
            return levels(scheduler)

    with monkeypatch.context() as patch:
        patch.setattr(noise, "noise_levels", real_levels)
        # without a GPU there is no engine for gradients on it: they are made up, of the right shape, in the right place
        patch.setattr(torch, "enable_grad", torch.no_grad)
        patch.setattr(torch.autograd, "grad", lambda energy, where: (torch.empty_like(where),))
        # torch asks for any device, and takes one that another test pretends for a real one
        patch.setattr(FakeTensorMode, "avoid_device_init", not torch.cuda.is_available())
        with FakeTensorMode(allow_non_fake_inputs=True), FakeGPU() as gpu:
            yield gpu


def move(pipe) -> None:
    """Put the networks of a pipeline on the fake GPU, in the type that they have; within `fake_gpu` only."""
    for part in modules(pipe).values():
        part.to_empty(device="cuda")


def places(network, method: str, monkeypatch) -> list[tuple[str, torch.dtype]]:
    """A list that fills with device and type of all numbers with a fraction that a method is called with."""
    seen, function = [], getattr(network, method)

    def watched(*args, **kwargs):
        given = [one for one in (*args, *kwargs.values()) if torch.is_tensor(one) and one.is_floating_point()]
        seen.extend((one.device.type, one.dtype) for one in given)
        return function(*args, **kwargs)

    monkeypatch.setattr(network, method, watched)
    return seen


class FakeGPU(torch.overrides.TorchFunctionMode):
    """What a torch without CUDA lacks for fake CUDA tensors: indexing by Python. Counts looks at truth values, all of
    which are answered with yes; any other look at a value fails by itself."""

    def __init__(self):
        super().__init__()
        self.looks = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        match function.__name__ if args and isinstance(args[0], FakeTensor) else "":
            case "__bool__":
                self.looks += 1
                return True
            case "__int__":
                self.looks += 1
                return 12
            case "__getitem__":
                return part_of(*args)
            case "__setitem__":
                if isinstance(args[1], slice):
                    return aten.copy_(part_of(*args[:2]), args[2])
                return aten.index_put_(args[0], [args[1]], args[2])
            case "__invert__":
                return aten.bitwise_not(args[0])
            case "numpy":
                return numpy.zeros(tuple(args[0].shape))
        answer = function(*args, **(kwargs or {}))
        if isinstance(answer, FakeTensor) and answer.device.type == "cpu":
            given = [one for one in (*args, *(kwargs or {}).values()) if isinstance(one, FakeTensor)]
            self.looks += any(one.device.type == "cuda" for one in given)  # a copy to the host waits, too
        return answer


def part_of(tensor, index):
    """`tensor[index]` by operations."""
    index, dim, chosen = index if isinstance(index, tuple) else (index,), 0, []
    if any(one is Ellipsis for one in index):
        place = next(place for place, one in enumerate(index) if one is Ellipsis)
        rest = tensor.ndim - sum(one is not None and one is not Ellipsis for one in index)
        index = index[:place] + (slice(None),) * rest + index[place + 1 :]
    for one in index:
        if one is None:
            tensor, dim = aten.unsqueeze(tensor, dim), dim + 1
        elif isinstance(one, slice):
            tensor, dim = aten.slice(tensor, dim, one.start, one.stop, one.step or 1), dim + 1
        elif torch.is_tensor(one):
            chosen, dim = [*chosen, *[None] * (dim - len(chosen)), one], dim + 1
        else:
            tensor = aten.select(tensor, dim, one)
    return aten.index(tensor, chosen) if chosen else tensor


class OnTheHost(diffusers.DDIMScheduler):
    """DDIM whose timesteps are plain numbers: with fake ones the stock scheduler cannot tell whether it is done."""

    def set_timesteps(self, count, device=None):
        with unset_fake_temporarily():
            super().set_timesteps(count)
        self.timesteps = self.timesteps.tolist()
