"""With a GPU, or patience. A pipeline of one's own: an autoencoder and a denoiser, trained from nothing."""

from mgd_helpers.training.architectures import make_dit, make_scheduler, make_vae
from mgd_helpers.training.losses import autoencoder_loss, hide, noise_loss
from mgd_helpers.training.own_pipeline import Trained, make_pipeline, train
from mgd_helpers.training.settings import SETTINGS, Settings, settings_for
from mgd_helpers.training.stages import train_dit, train_vae, whiten_channels

__all__ = [
    "SETTINGS",
    "Settings",
    "Trained",
    "autoencoder_loss",
    "hide",
    "make_dit",
    "make_pipeline",
    "make_scheduler",
    "make_vae",
    "noise_loss",
    "settings_for",
    "train",
    "train_dit",
    "train_vae",
    "whiten_channels",
]
