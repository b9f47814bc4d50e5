"""A GPU that is not there: tensors that say they lie on another device, and hold their values in memory all the same.

    with on():
        torch.ones(3, device=DEVICE) + torch.ones(3)   # RuntimeError, as on a real GPU

Whatever mixes devices fails as it would there, NumPy and plots refuse such tensors, and values are right. So a whole
lab can be run on it, to see that everything lies where it must.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode

NAME = "pretend"
THERE = hasattr(backend_registration, "_setup_privateuseone_for_python_backend")  # a new torch has it
DEVICE = torch.device("privateuseone", 0)
aten = torch.ops.aten
MOVES = (aten._to_copy.default, aten.copy_.default)  # from device to device
INDEXED = (aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default)

PRODUCTS = (aten.convolution.default, aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default)


class Remote(torch.Tensor):
    """A tensor that says it lies on the device; `own` is where its values are."""

    own: torch.Tensor

    @staticmethod
    def __new__(cls, own: torch.Tensor) -> Remote:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            own.size(),
            strides=own.stride(),
            storage_offset=own.storage_offset(),
            dtype=own.dtype,
            layout=own.layout,
            device=DEVICE,
            requires_grad=False,
        )

    def __init__(self, own: torch.Tensor) -> None:
        self.own = own

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return carried_out(function, args, kwargs or {})

    def tolist(self) -> Any:
        """As of any tensor: a GPU's numbers can be read."""
        return self.own.tolist()

    def __format__(self, spec: str) -> str:
        return format(self.own, spec)

    def __repr__(self) -> str:
        return f"Remote({self.own!r})"


class Device(TorchDispatchMode):
    """Takes what is made on the device, or moved there from memory."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and keeping the compiler out takes its time at every operation

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if Remote not in types and "device" not in kwargs:  # all of it lies in memory, as most of a lab does
            return function(*args, **kwargs)
        return carried_out(function, args, kwargs)


def carried_out(function: Any, args: tuple, kwargs: dict) -> Any:
    """What an operation gives: computed in memory, with the answer where a GPU would have it."""
    given = _tensors((*args, *kwargs.values()))
    there = [one for one in given if isinstance(one, Remote)]
    asked = kwargs.get("device")
    if not there and (asked is None or torch.device(asked).type != DEVICE.type):
        return function(*args, **kwargs)
    if there and function not in MOVES and (strays := _strays(function, args, given)):
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but {function} got one on {DEVICE} and one of shape "
            f"{list(strays[0].shape)} on the cpu."
        )
    plain = _changed(args, Remote, lambda one: one.own)
    named = {name: _changed(value, Remote, lambda one: one.own) for name, value in kwargs.items()}
    target = DEVICE if asked is None else torch.device(asked)
    if asked is not None:
        named["device"] = "cpu"
    if named.get("pin_memory"):
        named["pin_memory"] = False
    if function in PRODUCTS and all(one.dtype == torch.float16 for one in given):
        answer = function(*_changed(plain, torch.Tensor, torch.Tensor.float), **named).half()
    else:
        answer = function(*plain, **named)
    if target.type != DEVICE.type:
        return answer
    if function is aten.copy_.default:
        return args[0]
    known = {id(one.own): one for one in there}  # in-place operations give what they were given
    return _changed(answer, torch.Tensor, lambda one: known.get(id(one)) if id(one) in known else Remote(one))


def _tensors(values: Any) -> list[torch.Tensor]:
    """The tensors among some values and in their lists, found more quickly than by `pytree`: operations are many."""
    found = []
    for one in values:
        if isinstance(one, torch.Tensor):
            found.append(one)
        elif isinstance(one, list | tuple):
            found += _tensors(one)
    return found


def _changed(value: Any, kind: type, change: Any) -> Any:
    """A value, or a list or tuple of values, with those of a kind changed."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(_changed(one, kind, change) for one in value)
    return value


def _strays(function: Any, args: tuple, given: list[torch.Tensor]) -> list[torch.Tensor]:
    """Tensors in memory that a GPU would not take: neither single numbers, nor rows that something is indexed by."""
    strays = [one for one in given if not isinstance(one, Remote) and one.ndim > 0]
    if function in INDEXED and isinstance(args[0], Remote):
        return [one for one in strays if all(one is not index for index in args[1])]
    return strays


def _empty(name: str) -> Any:
    function = operator.attrgetter(name if "." in name else f"{name}.default")(aten)

    def empty(*args: Any, **kwargs: Any) -> Remote:
        return Remote(function(*args, **kwargs | {"device": "cpu", "pin_memory": False}))

    return empty


def _copy(source: torch.Tensor, to: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    ends = [one.own if isinstance(one, Remote) else one for one in (source, to)]
    ends[1].copy_(ends[0])
    return to


@contextlib.contextmanager
def on() -> Iterator[torch.device]:
    """Within the context the device is there."""
    global _ready
    if not _ready:
        backend_registration._setup_privateuseone_for_python_backend(NAME)
        for name in ("empty.memory_format", "empty_strided"):  # which torch calls below its modes
            torch.library.impl(f"aten::{name}", "privateuseone", _empty(name))
        torch.library.impl("aten::_copy_from", "privateuseone", _copy)
        _ready = True
    with Device():
        yield DEVICE


_ready = False
