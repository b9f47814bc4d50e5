"""Chapter 3. Images become scaled latents and come back; the pipelines that hold autoencoder and denoiser."""

from mgd_helpers.encoding.latents import decode, encode, pack
from mgd_helpers.encoding.pipelines import LatentPipeline, Pipeline, TransformerPipeline, load_pipeline

__all__ = [
    "LatentPipeline",
    "Pipeline",
    "TransformerPipeline",
    "decode",
    "encode",
    "load_pipeline",
    "pack",
]
