"""Guided images in batches against a loop of one image: images per second, memory, and whether the images agree."""

import torch
from harness import arguments, peak_mib, report, seconds
from models import dit_pipeline

from mgd_helpers import ManifoldPull, bisect, encode, load_data, load_pipeline, pick_targets, sample, window
from mgd_helpers.encoding.pipelines import modules
from mgd_helpers.seeding import generator

options = arguments(__doc__)
device = options.device
batches = (1, 2) if options.quick else (1, 8, 32, 64)
n_images, steps = (2, 2) if options.quick else (64, 25)
LABEL = 3


def digits():
    """The shipped pipeline, the latents of a class and one target per image; classifier-free guidance as it ships."""
    pipe = load_pipeline("digits", device=device)
    cloud = encode(pipe.vae, load_data("digits").train.of_class(LABEL))
    tree = bisect(cloud, n_leaves=n_images, seed=options.seed)
    return pipe, cloud, pick_targets(tree, images_per_class=n_images).latents, 1.5


def dit_xl():
    """The shape of DiT-XL/2-256 among 1,300 random latents, in half precision: its images are noise, its times real."""
    torch.manual_seed(options.seed)
    pipe = dit_pipeline(device, quick=options.quick)
    size, draw = pipe.transformer.config.sample_size, generator(options.seed)
    cloud = torch.randn(1300, 4, size, size, generator=draw).to(device)
    return pipe, cloud, torch.randn(n_images, 4, size, size, generator=draw).to(device), 4.0


rows, weights = [], {}
pipelines = {"digits": digits} | ({} if device == "cpu" and not options.quick else {"DiT-XL/2-256": dit_xl})
for name, make in pipelines.items():
    pipe, cloud, targets, guidance_scale = make()
    pipe.set_progress_bar_config(disable=True)
    parts = [part for module in modules(pipe).values() for part in module.parameters()]
    weights[name] = sum(part.numel() * part.element_size() for part in parts) / 2**20

    def made_at_once(images, batch, pipe=pipe, cloud=cloud, targets=targets, guidance_scale=guidance_scale):
        """The images of these numbers; each has its own target and its own noise, and a call takes `batch` of them."""
        pieces = []
        for start in range(0, len(images), batch):
            some = images[start : start + batch]
            pull = window(ManifoldPull(targets[some], cloud), above=0.5)  # as `distill` guides
            pieces.append(
                sample(
                    pipe, [LABEL] * len(some), keys=[(LABEL, image) for image in some], guidance=pull,
                    seed=options.seed, steps=steps, guidance_scale=guidance_scale, batch_size=batch,
                )
            )  # fmt: skip
        return torch.cat(pieces)

    made_at_once([0], 1)  # warms up
    made = {}
    for batch in batches:

        def run(batch=batch, made_at_once=made_at_once, made=made):
            made[batch] = made_at_once(list(range(n_images)), batch)

        # the loop of one is long enough to be timed once
        took = seconds(run, device=device, repeats=1 if batch == 1 or options.quick else 3, warm_up=0)
        loop = took if batch == 1 else loop
        rows.append(
            {
                "pipeline": name,
                "batch": batch,
                "images_per_second": n_images / took,
                "times_faster": loop / took,
                "peak_mib": peak_mib(lambda batch=batch: made_at_once(list(range(batch)), batch), device=device),
                "difference": (made[batch] - made[1]).abs().max().item() / 2,  # on the scale from 0 to 1
                "promised": 1e-4 if name == "digits" and batch > 1 else None,
            }
        )
report(
    "sampling", rows, options=options, images=n_images, scheduler="DDIM", steps=steps, guidance="manifold",
    weights_mib=weights,
)  # fmt: skip
