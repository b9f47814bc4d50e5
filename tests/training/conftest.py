"""What the tests of training share: settings of networks so small that a step takes a moment."""

from dataclasses import replace

import pytest
import torch


@pytest.fixture
def settings():
    from mgd_helpers.training import SETTINGS

    small = {"vae_channels": (8, 8), "layers": 1, "heads": 2, "head_dim": 4, "sampling_steps": 2}
    return replace(SETTINGS["digits"], vae_steps=4, vae_batch=4, dit_steps=4, dit_batch=4, ema_decay=0.5, **small)


@pytest.fixture
def weights():
    """All weights of a network in a row: `weights(module)`."""
    return lambda module: torch.cat([weight.flatten() for weight in module.state_dict().values()])
