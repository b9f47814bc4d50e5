"""Tiny pipelines of every kind with all their parts, text encoders and tokenizers too, as `distill` is given them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import tiny
import torch

WIDTH = tiny.WIDTH
SIZES = {"intermediate_size": 2 * WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2}


def ddim(**config):
    from diffusers import DDIMScheduler

    return DDIMScheduler(clip_sample=False, steps_offset=1, **config)


def flow():
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler()


def clip(*, projected=False):
    """A tokenizer and a text encoder of CLIP."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    with tempfile.TemporaryDirectory() as folder:
        words = tiny.tokenizer(Path(folder))
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=WIDTH,
        projection_dim=WIDTH,
        max_position_embeddings=words.model_max_length,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        **SIZES,
    )
    return words, (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def t5(width=WIDTH):
    """A tokenizer and an encoder of T5."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

    signs = ["<pad>", "</s>", "<unk>"]
    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    words = Tokenizer(models.Unigram([(token, -1.0) for token in [*signs, "▁", *letters]], unk_id=2))
    words.pre_tokenizer = pre_tokenizers.Metaspace()
    fast = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    fast.model_max_length = 16
    config = T5Config(vocab_size=len(fast), d_model=width, d_kv=4, d_ff=2 * WIDTH, num_layers=1, num_heads=2)
    return fast, T5EncoderModel(config)


def stable_diffusion():
    from diffusers import StableDiffusionPipeline

    words, encoder = clip()
    parts = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return StableDiffusionPipeline(
        vae=tiny.vae(), unet=tiny.text_unet(), scheduler=ddim(), text_encoder=encoder, tokenizer=words, **parts
    )


def sdxl():
    from diffusers import StableDiffusionXLPipeline

    (words, encoder), (words_2, encoder_2) = clip(), clip(projected=True)
    unet = tiny.text_unet(
        cross_attention_dim=2 * WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + WIDTH,
    )
    return StableDiffusionXLPipeline(
        vae=tiny.vae(),
        unet=unet,
        scheduler=ddim(),
        text_encoder=encoder,
        tokenizer=words,
        text_encoder_2=encoder_2,
        tokenizer_2=words_2,
        add_watermarker=False,
    )


def sd3():
    from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline

    (words, encoder), (words_2, encoder_2) = clip(projected=True), clip(projected=True)
    words_3, encoder_3 = t5(2 * WIDTH)
    transformer = SD3Transformer2DModel(
        sample_size=tiny.SIZE,
        patch_size=2,
        in_channels=tiny.CHANNELS,
        out_channels=tiny.CHANNELS,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=2 * WIDTH,
        caption_projection_dim=16,
        pooled_projection_dim=2 * WIDTH,
    )
    return StableDiffusion3Pipeline(
        transformer=transformer,
        vae=tiny.vae(shift=0.1),
        scheduler=flow(),
        text_encoder=encoder,
        tokenizer=words,
        text_encoder_2=encoder_2,
        tokenizer_2=words_2,
        text_encoder_3=encoder_3,
        tokenizer_3=words_3,
    )


def flux():
    pipe = tiny.flux(flow())
    (words, encoder), (words_2, encoder_2) = clip(), t5()
    pipe.register_modules(text_encoder=encoder, tokenizer=words, text_encoder_2=encoder_2, tokenizer_2=words_2)
    return pipe


KINDS = {
    "DiTPipeline": lambda: tiny.dit(ddim(timestep_spacing="trailing")),
    "StableDiffusionPipeline": stable_diffusion,
    "StableDiffusionXLPipeline": sdxl,
    "StableDiffusion3Pipeline": sd3,
    "FluxPipeline": flux,
    "DDPMPipeline": lambda: tiny.ddpm(_ddpm()),
    "DDIMPipeline": lambda: tiny.ddim(ddim()),
}


def _ddpm():
    from diffusers import DDPMScheduler

    return DDPMScheduler()  # clips, as the public pixel models do


def saved(kind: str, folder: Path) -> Path:
    """The pipeline of a kind, saved."""
    from diffusers.utils import logging

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipe = KINDS[kind]()
    logging.disable_progress_bar()
    pipe.save_pretrained(folder)
    return folder
