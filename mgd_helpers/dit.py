"""What DiTPipeline leaves out of the original DiT sampler: the learned variance, and guidance on three channels.

The denoiser predicts noise and variance, [B, 2C, ...]. DiTPipeline hands the first half to the scheduler and drops the
second, which a DDPM step with a learned variance needs; and its classifier-free guidance acts on all C channels, where
the released models were sampled with guidance on the first three. Both are put right by looking at the denoiser's
output on its way into the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from mgd_helpers._shapes import Tensor


@contextmanager
def original_dit(pipe, *, variance: bool, cfg_channels: int | None) -> Iterator[Callable[[Tensor], Tensor]]:
    """Within the context, `complete(model_output)` has the variance behind it that the denoiser predicted last, and
    classifier-free guidance acts on the first `cfg_channels` channels only (all of them where it is None)."""
    channels, null = pipe.transformer.config.in_channels, 1000  # DiTPipeline's own label for no class
    if cfg_channels is not None and not 1 <= cfg_channels <= channels:
        raise ValueError(f"cfg_channels must lie between 1 and the latents' {channels} channels; got {cfg_channels}.")
    last = {}

    def look(module, args, kwargs, output):
        predicted, labels = output.sample, kwargs["class_labels"]
        half = len(labels) // 2
        doubled = half and (labels[half:] == null).all() and (labels[:half] != null).any()
        if cfg_channels is not None and doubled:
            # guidance between equal predictions is none: the unconditional half takes over the conditional one
            predicted = predicted.clone()
            predicted[half:, cfg_channels:channels] = predicted[:half, cfg_channels:channels]
            output.sample = predicted
        last["variance"] = predicted[:, channels:]
        return output

    def complete(model_output):
        if not variance or model_output.shape[1] > channels:  # where contexts are nested the first has done it
            return model_output
        return torch.cat([model_output, last["variance"]], 1)

    handle = pipe.transformer.register_forward_hook(look, with_kwargs=True)
    try:
        yield complete
    finally:
        handle.remove()
