import math

import torch

from mgd_helpers.encoding.callers import NULL_CLASS
from mgd_helpers.training.architectures import make_dit, make_scheduler, make_vae


def test_an_autoencoder_halves_the_side_once_less_than_it_has_widths(settings):
    vae = make_vae(settings, 3, 16)
    assert vae.encode(torch.zeros(2, 3, 16, 16)).latent_dist.mean.shape == (2, 4, 8, 8)


def test_label_dropout_of_the_blocks_is_off(settings):
    dit = make_dit(settings, 8)
    assert dit.config.num_embeds_ada_norm == NULL_CLASS == 1000
    assert [block.norm1.emb.class_embedder.dropout_prob for block in dit.transformer_blocks] == [0.0]


def test_the_scheduler_starts_from_pure_noise_and_clamps_nothing():
    scheduler = make_scheduler()
    scheduler.set_timesteps(50)
    assert scheduler.timesteps[0] == 999
    assert scheduler.config.clip_sample is False
    assert math.sqrt(scheduler.alphas_cumprod[999]) < 0.01
