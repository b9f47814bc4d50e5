"""Several students of one set trained at once (torch.func.vmap) against the same ones trained one after the other.

The set is 10 classes of 10 random images of 32 pixels: only the time counts here. `difference` is the largest
difference between weights of the two, over the largest weight; `times_faster` is above 1 where together is faster.
"""

from __future__ import annotations

import torch
from harness import arguments, hot_spots, peak_mib, report, seconds_each

from mgd_helpers.seeding import generator
from mgd_helpers.students.training import Recipe, train_students

CLASSES, SIZE = 10, 32


def main() -> None:
    options = arguments(__doc__.splitlines()[0])
    draw, on_gpu = generator(options.seed), options.device != "cpu"
    images = torch.randn(100, 3, SIZE, SIZE, generator=draw).clamp(-1, 1).to(options.device)
    labels = (torch.arange(100) % CLASSES).to(options.device)
    networks = [("convnet3", 4)] if options.quick else [("convnet3", 32)]
    if on_gpu and not options.quick:
        networks += [("convnet3", 128), ("resnet18", 64)]
    steps, repeats = (2, 1) if options.quick else (50 if on_gpu else 5, 3)
    rows = []
    for network, width in networks:
        recipe = Recipe(steps=steps, network=network, width=width)
        for students in (2,) if options.quick else (3, 10):

            def train(together, recipe=recipe, students=students):
                return train_students(
                    images, labels, n_classes=CLASSES, recipe=recipe, seeds=range(students), together=together
                )

            ways = [lambda train=train: train(1), lambda train=train, students=students: train(students)]
            looped, vmapped = seconds_each(ways, device=options.device, repeats=repeats)
            rows.append(
                {
                    "network": f"{network}, width {width}",
                    "students": students,
                    "looped_seconds": looped / steps / students,  # of one step of one student
                    "vmapped_seconds": vmapped / steps / students,
                    "times_faster": looped / vmapped,
                    "looped_peak_mib": peak_mib(ways[0], device=options.device),
                    "vmapped_peak_mib": peak_mib(ways[1], device=options.device),
                    "difference": difference(*(way() for way in ways)),
                }
            )
    profile = hot_spots(ways[1], device=options.device, repeats=1)
    report(
        "students",
        rows,
        options=options,
        images=list(images.shape),
        batch=recipe.batch_size,
        steps=steps,
        profile=profile,
    )


def difference(ones, others) -> float:
    pairs = [
        pair for two in zip(ones, others, strict=True) for pair in zip(*(s.parameters() for s in two), strict=True)
    ]
    gap = max((one - other).abs().max().item() for one, other in pairs)
    return gap / max(one.abs().max().item() for one, _ in pairs)


if __name__ == "__main__":
    main()
