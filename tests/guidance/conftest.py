"""Targets, and clean predictions near them: modules with latents of another shape have their own."""

import pytest
from levels import LATENT


@pytest.fixture
def targets(randn):
    return randn(3, *LATENT)


@pytest.fixture
def denoised(randn, targets):
    return targets + randn(3, *LATENT)
