"""The tree of one large class against scikit-learn's BisectingKMeans: time and inertia at equal restarts.

Latents are a Gaussian mixture with low-rank structure: 60 clusters of equal weight in D dimensions, their means
0.3 N(0, I); within a cluster 16 directions of its own with standard deviation about 8, and white noise of 0.3.
scikit-learn runs with k-means++ seeding, as `bisect` does, and with its own default, random rows. Both run in the same
process; `bisect` with all threads, scikit-learn with one or all, whichever the first seed shows to be faster for it.
"""

import torch
from harness import arguments, hot_spots, report, seconds
from sklearn.cluster import BisectingKMeans
from threadpoolctl import threadpool_limits

from mgd_helpers.clusters import bisect
from mgd_helpers.seeding import generator

N_INIT = 5


def mixture(count: int, dim: int, *, seed: int, clusters: int = 60, rank: int = 16) -> torch.Tensor:
    draw = generator(seed)
    means = 0.3 * torch.randn(clusters, dim, generator=draw)
    directions = 8 * torch.randn(clusters, rank, dim, generator=draw) / dim**0.5
    labels = torch.randint(clusters, (count,), generator=draw)
    latents = means[labels] + 0.3 * torch.randn(count, dim, generator=draw)
    for cluster in range(clusters):
        rows = (labels == cluster).nonzero()[:, 0]
        latents[rows] += torch.randn(len(rows), rank, generator=draw) @ directions[cluster]
    return latents


def main() -> None:
    options = arguments(__doc__.splitlines()[0])
    count, dim, n_leaves = (500, 256, 10) if options.quick else (5000, 4096, 50)
    rows = []
    threads_of = {init: sorted({1, torch.get_num_threads()}) for init in ("k-means++", "random")}
    for seed in range(options.seed, options.seed + 3):
        latents = mixture(count, dim, seed=seed)
        on_device, kept = latents.to(options.device), {}

        def ours(seed=seed, on_device=on_device, kept=kept):
            tree = bisect(on_device, n_leaves=n_leaves, n_init=N_INIT, seed=seed)
            kept["bisect"] = tree.inertias[list(tree.leaves)].sum().item()

        time = {"bisect": seconds(ours, device=options.device, repeats=3)}
        for init in ("k-means++", "random"):

            def theirs(init=init, seed=seed, latents=latents, kept=kept):
                model = BisectingKMeans(n_leaves, init=init, n_init=N_INIT, random_state=seed)
                kept[init] = model.fit(latents.numpy()).inertia_

            taken = {}
            for threads in threads_of[init]:
                with threadpool_limits(threads):
                    taken[threads] = seconds(theirs, device=options.device, repeats=1, warm_up=0)
            threads_of[init] = [min(taken, key=taken.get)]
            time[init] = min(taken.values())
        rows += [
            {
                "seed": seed,
                "sklearn_init": init,
                "sklearn_threads": threads_of[init][0],
                "bisect_seconds": time["bisect"],
                "sklearn_seconds": time[init],
                "times_faster": time[init] / time["bisect"],
                "inertia_ratio": kept["bisect"] / kept[init],
                "promised": 3.0,
            }
            for init in ("k-means++", "random")
        ]
    profile = hot_spots(ours, device=options.device, repeats=1)
    report("tree", rows, options=options, latents=[count, dim], n_leaves=n_leaves, n_init=N_INIT, profile=profile)


if __name__ == "__main__":
    main()
