"""What guidance adds to one denoising step, beside one call of a denoiser shaped like DiT-XL/2-256."""

from types import SimpleNamespace

import torch
from diffusers import DDIMScheduler
from harness import arguments, hot_spots, report, seconds, seconds_each
from models import denoiser, working_dtype

from mgd_helpers import ManifoldPull, steer
from mgd_helpers.guidance.noise import noise_level, prediction_type, to_denoised
from mgd_helpers.seeding import generator

options = arguments(__doc__)
device, dtype = options.device, working_dtype(options.device)
batches = (1, 2) if options.quick else (1, 8, 32)
n_cloud, n_neighbors, rank = (50 if options.quick else 1300), 12, 3
torch.manual_seed(options.seed)
model = denoiser(device, quick=options.quick)
shape = (model.config.in_channels, model.config.sample_size, model.config.sample_size)
draw = generator(options.seed)
cloud = torch.randn(n_cloud, *shape, generator=draw).to(device)

scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
scheduler.set_timesteps(50)
timestep = scheduler.timesteps[12]  # in the noisy half, where guidance acts
pipe = SimpleNamespace(scheduler=scheduler)  # all of a pipeline that steer looks at

repeats = 3 if options.quick else 31
rows, profile = [], []
for batch in batches:
    sample, output = torch.randn(2, batch, *shape, generator=draw).to(device, dtype)
    inputs = {"timestep": timestep.to(device).expand(batch), "class_labels": torch.arange(batch, device=device)}
    pull = ManifoldPull(
        torch.randn(batch, *shape, generator=draw).to(device), cloud, n_neighbors=n_neighbors, rank=rank
    )
    level = noise_level(scheduler, timestep, sample)
    denoised = to_denoised(output, level, prediction_type(scheduler))

    def call(sample=sample, inputs=inputs):
        with torch.no_grad():
            return model(sample, **inputs).sample

    def plain(step=scheduler.step, sample=sample, output=output):
        return step(output, timestep, sample)

    def guided(sample=sample, output=output):
        return scheduler.step(output, timestep, sample)  # the one that steer has put there

    def pull_alone(pull=pull, denoised=denoised, level=level):
        return pull(denoised, level)

    # one call takes a minute on a CPU at batch 32: there the first batch alone warms up and repeats
    many = device != "cpu" or batch == batches[0]
    denoising = seconds(call, device=device, repeats=3 if many else 1, warm_up=int(many))
    with steer(pipe, pull):
        took = seconds_each([plain, guided, pull_alone], device=device, repeats=repeats, warm_up=3)
        if batch == batches[-1]:
            profile = hot_spots(guided, device=device)
    promised = 0.02 if device == "cpu" else 0.03 if batch == 32 else None
    rows.append(
        {
            "batch": batch,
            "denoiser_seconds": denoising,
            "step_seconds": took[0],
            "guided_step_seconds": took[1],
            "pull_seconds": took[2],
            "share": (took[1] - took[0]) / denoising,
            "promised": promised,
        }
    )
report(
    "step",
    rows,
    options=options,
    cloud=[n_cloud, *shape],
    n_neighbors=n_neighbors,
    rank=rank,
    dtype=str(dtype).removeprefix("torch."),
    parameters=sum(weights.numel() for weights in model.parameters()),
    profile=profile,
)
