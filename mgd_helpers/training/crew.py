"""Who trains: one process or several, and in which precision; `accelerate` sees to both.

Each process draws the whole batch by the same seed, and takes every n-th row of it. The parts' gradients are averaged,
weighted by their rows: several processes take the steps of one, but for rounding, and may go on where it stopped.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Tensor

PRECISIONS = ("no", "fp16", "bf16")


@dataclass(frozen=True)
class Crew:
    """Process `rank` of `count`; `accelerator` is that of `accelerate`, where one is needed."""

    device: torch.device
    rank: int = 0
    count: int = 1
    accelerator: Any = None

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and tells how far the training is."""
        return self.rank == 0

    @property
    def precision(self) -> str:
        """`no` (float32), `fp16` or `bf16`."""
        return self.accelerator.mixed_precision if self.accelerator else "no"

    def rows(self, batch: int) -> slice:
        """Which rows of a batch are for this process."""
        return slice(self.rank, batch, self.count)

    def weight(self, batch: int) -> float:
        """What the mean over the own rows counts, so that the average over processes is the mean over the batch."""
        return len(range(batch)[self.rows(batch)]) * self.count / batch

    def autocast(self) -> AbstractContextManager[Any]:
        """A context for the forward pass, in the precision asked for."""
        return self.accelerator.autocast() if self.accelerator else nullcontext()

    def prepare(self, optimizer: torch.optim.Optimizer) -> Any:
        """The optimizer, which skips steps whose gradients overflow in half precision."""
        return self.accelerator.prepare_optimizer(optimizer) if self.accelerator else optimizer

    def descend(self, loss: Float[Tensor, ""], optimizer: Any, parameters: list[torch.nn.Parameter]) -> float:
        """Gradients of the loss, averaged over processes and clipped, in one step; returns the averaged loss."""
        optimizer.zero_grad(set_to_none=True)
        if self.accelerator is None:
            loss.backward()
        else:
            self.accelerator.backward(loss)
            loss = self._averaged(loss, parameters)
            self.accelerator.unscale_gradients(optimizer)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss.item()

    def _averaged(self, loss: Tensor, parameters: list[torch.nn.Parameter]) -> Tensor:
        if self.count == 1:
            return loss
        grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([loss.detach().float().view(1), *(grad.flatten() for grad in grads)])  # one call, not hundreds
        flat = self.accelerator.reduce(flat, reduction="mean")
        for grad, mean in zip(grads, flat[1:].split([grad.numel() for grad in grads]), strict=True):
            grad.copy_(mean.view_as(grad))
        return flat[0]

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.count > 1:
            self.accelerator.wait_for_everyone()


ALONE = Crew(torch.device("cpu"))


def crew_for(device: torch.device, precision: str | None = None) -> Crew:
    """This process and its precision, as `torchrun` or `accelerate launch` have started it; by default alone, float32.

    Raises `ValueError` for a precision that the device does not have.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    asked = arguments.one_of(
        "precision", precision or os.environ.get("ACCELERATE_MIXED_PRECISION", "no"), PRECISIONS, or_else=", or None"
    )
    if asked == "fp16" and device.type == "cpu":
        raise ValueError("precision must be 'no' or 'bf16' on a CPU; got 'fp16'. Pass a GPU as device, or 'bf16'.")
    if count == 1 and asked == "no":
        return Crew(device)
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=count == 1)  # else it keeps the precision of an earlier training
    accelerator = Accelerator(mixed_precision=asked, cpu=device.type == "cpu")
    device = accelerator.device if device.type != "cpu" else device  # not cpu:0, cpu:1, …
    return Crew(device, accelerator.process_index, accelerator.num_processes, accelerator)
