"""Small random-weight pipelines of every kind that `steer` supports, built from configs, saved and loaded again.

Each runs in a moment and makes no sense; what is tested is the arithmetic around the denoiser.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import torch

SIZE, CHANNELS, WIDTH = 8, 4, 8  # of latents, and of the text that nobody wrote


@dataclass(frozen=True)
class Tiny:
    """A kind of pipeline: how to `build` it around a scheduler, and how to `call` it for latents of some images."""

    build: Callable
    call: Callable  # (pipe, generators, **options) -> final latents [B, ...]
    latent: tuple[int, ...] = (CHANNELS, SIZE, SIZE)
    prediction: str = "epsilon"


SCHEDULERS = {  # that DiTPipeline is steered with
    "DDPM": ("DDPMScheduler", {"clip_sample": False}),
    "DDIM": ("DDIMScheduler", {"clip_sample": False, "timestep_spacing": "trailing"}),
    "DPM-Solver++": ("DPMSolverMultistepScheduler", {}),
    "UniPC": ("UniPCMultistepScheduler", {}),
}


def scheduler_of(kind):
    import diffusers

    name, config = SCHEDULERS[kind]
    return getattr(diffusers, name)(**config)


def vae(shift=None):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=CHANNELS,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        sample_size=2 * SIZE,
        shift_factor=shift,
    )


def text_unet(**options):
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        **{"sample_size": SIZE, "cross_attention_dim": WIDTH} | options,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
    )


def pixel_unet(out_channels=3):
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=SIZE,
        in_channels=3,
        out_channels=out_channels,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )


def dit(scheduler, **options):
    from mgd_helpers.guidance.toys import tiny_pipeline

    return tiny_pipeline(scheduler, **options)


def ddpm(scheduler, **options):
    from diffusers import DDPMPipeline

    return DDPMPipeline(pixel_unet(**options), scheduler)


def ddim(scheduler):
    from diffusers import DDIMPipeline

    return DDIMPipeline(pixel_unet(), scheduler)


def stable_diffusion(scheduler, kind="StableDiffusionPipeline"):
    import diffusers

    parts = {"text_encoder": None, "tokenizer": None, "safety_checker": None, "feature_extractor": None}
    return getattr(diffusers, kind)(
        vae=vae(), unet=text_unet(), scheduler=scheduler, requires_safety_checker=False, **parts
    )


def sdxl(scheduler):
    from diffusers import StableDiffusionXLPipeline

    unet = text_unet(
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + WIDTH,
    )
    parts = dict.fromkeys(("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"))
    return StableDiffusionXLPipeline(vae=vae(), unet=unet, scheduler=scheduler, add_watermarker=False, **parts)


def sd3(scheduler):
    from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline

    transformer = SD3Transformer2DModel(
        sample_size=SIZE,
        patch_size=2,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        caption_projection_dim=16,
        pooled_projection_dim=WIDTH,
    )
    parts = dict.fromkeys(f"{part}{number}" for part in ("text_encoder", "tokenizer") for number in ("", "_2", "_3"))
    return StableDiffusion3Pipeline(transformer=transformer, vae=vae(shift=0.1), scheduler=scheduler, **parts)


def flux(scheduler):
    from diffusers import FluxPipeline, FluxTransformer2DModel

    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=4 * CHANNELS,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        axes_dims_rope=(4, 4, 8),
    )
    parts = dict.fromkeys(("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"))
    return FluxPipeline(transformer=transformer, vae=vae(shift=0.1), scheduler=scheduler, **parts)


def words(count, *, pooled=False):
    """Embeddings of prompts nobody wrote, one per image, the same for the same image."""
    generator = torch.Generator().manual_seed(5)
    return torch.randn(1, *(() if pooled else (4,)), WIDTH, generator=generator).expand(
        count, *[-1] * (1 if pooled else 2)
    )


@contextmanager
def decoded(pipe):
    """DiTPipeline decodes whatever one asks for: a list that fills with the scaled latents that its VAE is given."""
    seen, decode = [], pipe.vae.decode

    def spy(latents, *args, **kwargs):
        seen.append(latents * pipe.vae.config.scaling_factor)
        return decode(latents, *args, **kwargs)

    pipe.vae.decode = spy
    try:
        yield seen
    finally:
        del pipe.vae.decode


def call_dit(pipe, generators, **options):
    options = {"guidance_scale": 1.0} | options
    with decoded(pipe) as latents:  # NumPy has no bfloat16
        pipe(class_labels=[1] * len(generators), generator=generators, output_type="pt", **options)
    return latents[-1]


def call_pixels(pipe, generators, **options):
    images = pipe(batch_size=len(generators), generator=generators, output_type="pt", **options).images
    return 2 * images - 1 if torch.is_tensor(images) else 2 * torch.from_numpy(images).permute(0, 3, 1, 2) - 1


def call_text(pipe, generators, **options):
    """Both kinds of embeddings where the pipeline takes both; classifier-free guidance is on unless told otherwise."""
    import inspect

    takes = inspect.signature(pipe.__call__).parameters
    count, dtype = len(generators), pipe.vae.dtype
    given = {"prompt_embeds": words(count), "guidance_scale": 3.0}
    if "negative_prompt_embeds" in takes and "Flux" not in type(pipe).__name__:
        given["negative_prompt_embeds"] = -words(count)
    if "pooled_prompt_embeds" in takes:
        given["pooled_prompt_embeds"] = words(count, pooled=True)
        if "negative_prompt_embeds" in given:
            given["negative_pooled_prompt_embeds"] = -words(count, pooled=True)
    if "height" in takes:
        given |= {"height": 2 * SIZE, "width": 2 * SIZE}
    given = {name: value.to(dtype) if torch.is_tensor(value) else value for name, value in (given | options).items()}
    return pipe(generator=generators, output_type="latent", **given).images


def call_img2img(pipe, generators, *, image=None, **options):
    """From the noised latents of `image`, by default zeros, at 60 % of the schedule."""
    image = torch.zeros(len(generators), CHANNELS, SIZE, SIZE) if image is None else image
    return call_text(pipe, generators, image=image, strength=0.6, **options)


KINDS = {
    "DiTPipeline": Tiny(dit, call_dit),
    "DDPMPipeline": Tiny(ddpm, call_pixels, (3, SIZE, SIZE)),
    "DDIMPipeline": Tiny(ddim, call_pixels, (3, SIZE, SIZE)),
    "StableDiffusionPipeline": Tiny(stable_diffusion, call_text),
    "StableDiffusionPipeline, v-prediction": Tiny(stable_diffusion, call_text, prediction="v_prediction"),
    "StableDiffusionImg2ImgPipeline": Tiny(
        lambda scheduler: stable_diffusion(scheduler, "StableDiffusionImg2ImgPipeline"), call_img2img
    ),
    "StableDiffusionXLPipeline": Tiny(sdxl, call_text),
    "StableDiffusion3Pipeline": Tiny(sd3, call_text, prediction="flow_prediction"),
    "FluxPipeline": Tiny(flux, call_text, (SIZE * SIZE // 4, 4 * CHANNELS), prediction="flow_prediction"),
}


def make(kind: str, scheduler, **options):
    """A pipeline of `kind`, after a journey to the disk and back."""
    from diffusers import DiffusionPipeline
    from diffusers.utils import logging

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipe = KINDS[kind].build(scheduler, **options)
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)  # it reports each text encoder that is not there
    logging.disable_progress_bar()
    try:
        with tempfile.TemporaryDirectory() as folder:
            pipe.save_pretrained(folder)
            absent = {name: None for name, part in pipe.components.items() if part is None}
            pipe = DiffusionPipeline.from_pretrained(folder, local_files_only=True, use_safetensors=True, **absent)
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False)
    return pipe


def bare(scheduler):
    """All of a pipeline that `steer` asks for, a scheduler and a call: no VAE, and not DiTPipeline."""
    return type("Bare", (), {"scheduler": scheduler, "__call__": lambda self: None})()


def imagenet_dit(**shrunk):
    """The denoiser of facebook/DiT-XL-2-256, random, or `shrunk` in layers and width; all else as in its config."""
    from diffusers import DiTTransformer2DModel

    from benchmarks.models import DIT_XL_2_256

    return DiTTransformer2DModel(**DIT_XL_2_256 | shrunk)


def imagenet_vae(*widths, layers=2, groups=32):
    """A VAE of eightfold reduction, like sd-vae-ft-mse; of its size with widths 128, 256, 512, 512."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=widths,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        layers_per_block=layers,
        norm_num_groups=groups,
        sample_size=256,
        scaling_factor=0.18215,
    )


def imagenet_pipeline():
    """The public DiT pipeline for 256 pixels, small and random. Its classes have no names one could look up."""
    from diffusers import DDIMScheduler, DiTPipeline

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = (
            imagenet_dit(num_layers=1, num_attention_heads=2, attention_head_dim=4),
            imagenet_vae(4, 4, 4, 4, layers=1, groups=2),
        )
    names = {index: f"class {index}" for index in range(1000)}
    pipe = DiTPipeline(*parts, DDIMScheduler(clip_sample=False), id2label=names)
    pipe.register_to_config(id2label=names)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def tokenizer(folder):
    """A CLIPTokenizer with the smallest vocabulary there is: letters, each within a word and at its end, and two signs.

    Its files are those of Stable Diffusion's, as is all that counts to a pipeline: it pads and cuts to 77 tokens.
    """
    import json

    from transformers import CLIPTokenizer

    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    start, end = "<|startoftext|>", "<|endoftext|>"
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), start, end]
    signs = {"bos_token": start, "eos_token": end, "unk_token": end, "pad_token": end}
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, **signs}
    for name, content in {
        "vocab.json": {token: number for number, token in enumerate(vocabulary)},
        "special_tokens_map.json": signs,
        "tokenizer_config.json": settings,
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder)


def stable_diffusion_1_5(side=64):
    """All parts of the public pipeline of that name, small and random: 512 pixels, prompts of 77 tokens, PNDM.

    A latent is `side` wide, and an image eight times as much.
    """
    from pathlib import Path

    from diffusers import PNDMScheduler, StableDiffusionPipeline
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPTextConfig, CLIPTextModel

    with tempfile.TemporaryDirectory() as folder:
        words = tokenizer(Path(folder))
    sizes = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {
        "vocab_size": len(words),
        "max_position_embeddings": words.model_max_length,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "projection_dim": WIDTH,
        **sizes,
    }
    seen = {"image_size": 224, "patch_size": 112, "projection_dim": WIDTH, **sizes}
    noise = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return StableDiffusionPipeline(
            vae=imagenet_vae(4, 4, 4, 4, layers=1, groups=2),
            text_encoder=CLIPTextModel(CLIPTextConfig(**text)),
            tokenizer=words,
            unet=text_unet(sample_size=side),
            scheduler=PNDMScheduler(**noise, skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1),
            safety_checker=StableDiffusionSafetyChecker(
                CLIPConfig(text_config=text, vision_config=seen, projection_dim=WIDTH)
            ),
            feature_extractor=CLIPImageProcessor(),
        )
