"""What DiTPipeline leaves out of the original DiT sampler, and what it does not tell: seen at its denoiser.

The denoiser predicts noise and variance, [B, 2C, ...]. DiTPipeline hands the first half to the scheduler and drops the
second, which a DDPM step with a learned variance needs; its classifier-free guidance acts on all C channels, where the
released models were sampled with guidance on the first three; and under it the scheduler sees every image twice, the
second time in rows that are thrown away.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.encoding.callers import NULL_CLASS, calling_pipeline


class Watch:
    """What the denoiser of a DiTPipeline was last asked and answered."""

    def __init__(self, pipe, *, variance: bool, cfg_channels: int | None):
        self.pipe, self.variance, self.cfg_channels = pipe, variance, cfg_channels
        self._doubled, self._called, self._run, self._last = False, False, None, None
        self.thread = threading.get_ident()

    def look(self, module, args, kwargs, output):
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
        """`model_output` with the variance behind it that was predicted last, where the scheduler asks for one."""
        if not self.variance or model_output.shape[1] > self._channels:  # in nested contexts the first has done it
            return model_output
        return torch.cat([model_output, self._last], 1)

    def take_doubled(self) -> bool:
        """Whether every image has two rows in the step that follows the denoiser's last call; asked once a step, since
        a loop of one's own may take steps without it."""
        called, self._called = self._called, False
        return called and self._doubled

    @property
    def _channels(self) -> int:
        return self.pipe.transformer.config.in_channels


@contextmanager
def watched(pipe, *, variance: bool, cfg_channels: int | None) -> Iterator[Watch]:
    """Within the context the denoiser of a DiTPipeline is watched, and classifier-free guidance acts on the first
    `cfg_channels` channels only (all of them where it is None)."""
    channels = pipe.transformer.config.in_channels
    if cfg_channels is not None and not 1 <= cfg_channels <= channels:
        raise ValueError(f"cfg_channels must lie between 1 and the latents' {channels} channels; got {cfg_channels}.")
    watch = Watch(pipe, variance=variance, cfg_channels=cfg_channels)
    handle = pipe.transformer.register_forward_hook(watch.look, with_kwargs=True)
    try:
        yield watch
    finally:
        handle.remove()
