"""What DiTPipeline leaves out of the original DiT sampler, and does not tell: read from its denoiser by a hook.

The denoiser predicts noise and variance, [B, 2C, ...]. DiTPipeline hands the first half to the scheduler and drops the
second, which a DDPM step with a learned variance needs; its classifier-free guidance acts on all C channels, where the
released models were sampled with guidance on the first three; and under it the scheduler sees every image twice, the
second time in rows that are thrown away.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.encoding.callers import NULL_CLASS, calling_pipeline
from mgd_helpers.encoding.pipelines import TransformerPipeline


class Watch:
    """What the denoiser of a DiTPipeline was last asked and answered."""

    def __init__(self, pipe: TransformerPipeline, *, variance: bool, cfg_channels: int | None):
        self.pipe, self.variance, self.cfg_channels = pipe, variance, cfg_channels
        self.thread = threading.get_ident()
        self._doubled, self._called = False, False
        self._run: Any = None  # the timesteps of the run whose labels were read
        self._last: Any = None  # the variance that was predicted last

    def look(self, module: torch.nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
        """A forward hook of the denoiser."""
        if self.thread != threading.get_ident() or calling_pipeline("transformer", module) not in (None, self.pipe):
            return None  # others, and a copy made within the context
        self._called = True
        labels, timesteps = kwargs.get("class_labels"), self.pipe.scheduler.timesteps
        if labels is not None and self._run is not timesteps:  # once in a run: reading labels stops a GPU
            self._run, half = timesteps, len(labels) // 2
            self._doubled = bool(half and (labels[half:] == NULL_CLASS).all() and (labels[:half] != NULL_CLASS).any())
        if not (self.variance or self.cfg_channels):
            return None
        predicted, channels = output[0] if isinstance(output, tuple) else output.sample, self._channels
        if self.cfg_channels is not None and self._doubled:
            # guidance between equal predictions is none: the unconditional half takes over the conditional one
            half, predicted = len(predicted) // 2, predicted.clone()
            predicted[half:, self.cfg_channels : channels] = predicted[:half, self.cfg_channels : channels]
            output = (predicted, *output[1:]) if isinstance(output, tuple) else type(output)(sample=predicted)
        self._last = predicted[:, channels:]
        return output

    def complete(self, model_output: Tensor) -> Tensor:
        """Append to `model_output` the variance that was predicted last, where the scheduler asks for one."""
        if not self.variance or model_output.shape[1] > self._channels:  # in nested contexts the first has done it
            return model_output
        return torch.cat([model_output, self._last], 1)

    def take_doubled(self) -> bool:
        """Whether every image has two rows in the step that follows the denoiser's last call.

        Ask once in each step: a second step without a call of the denoiser is that of a loop of one's own.
        """
        called, self._called = self._called, False
        return called and self._doubled

    @property
    def _channels(self) -> int:
        return self.pipe.transformer.config.in_channels


@contextmanager
def watched(pipe: TransformerPipeline, *, variance: bool, cfg_channels: int | None) -> Iterator[Watch]:
    """Within the context, watch the denoiser of a DiTPipeline.

    Classifier-free guidance acts on the first `cfg_channels` channels only, or on all of them where it is `None`.

    Raises `ValueError` for a number of channels that the latents do not have.
    """
    channels = pipe.transformer.config.in_channels
    if cfg_channels is not None and not 1 <= cfg_channels <= channels:
        raise ValueError(f"cfg_channels must lie between 1 and the latents' {channels} channels; got {cfg_channels}.")
    watch = Watch(pipe, variance=variance, cfg_channels=cfg_channels)
    handle = pipe.transformer.register_forward_hook(watch.look, with_kwargs=True)
    try:
        yield watch
    finally:
        handle.remove()
