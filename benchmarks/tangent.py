"""Tangent projection of one vector: the Gram trick against the dense covariance matrix and its eigenvectors."""

from __future__ import annotations

import argparse

import torch

from benchmarks.harness import hot_spots, record, seconds
from mgd_helpers import local_tangent, seeding


def main(options: argparse.Namespace) -> None:
    """Each method with one thread and with all, and the time of whichever is faster for it."""
    dim, n_cloud = (256, 100) if options.quick else (4096, 1300)
    sizes = {"n_neighbors": 12, "rank": 3}
    generator = seeding.generator(options.seed)
    cloud = torch.randn(n_cloud, dim, generator=generator).to(options.device)
    point, vector = torch.randn(2, 1, dim, generator=generator).to(options.device)
    neighbors = cloud[local_tangent(point, cloud, **sizes).indices[0]]
    space = local_tangent(point, neighbors, **sizes)

    def dense():
        eigenvectors = torch.linalg.eigh(torch.cov(neighbors.T)).eigenvectors[:, -sizes["rank"] :]
        return vector @ eigenvectors @ eigenvectors.T

    def thin():
        directions = torch.linalg.svd(neighbors - neighbors.mean(0), full_matrices=False).Vh[: sizes["rank"]]
        return vector @ directions.T @ directions

    def gram():
        return local_tangent(point, neighbors, **sizes).tangent_part(vector)

    def with_search():
        return local_tangent(point, cloud, **sizes).tangent_part(vector)

    methods = {
        "dense covariance and its eigenvectors": dense,
        "thin singular value decomposition": thin,
        "local_tangent and tangent_part": gram,
        f"the same, neighbours sought among {n_cloud:,}": with_search,
        "tangent_part alone": lambda: space.tangent_part(vector),
    }
    reference, rows, all_threads = dense(), [], torch.get_num_threads()
    for name, method in methods.items():
        # half a minute on a CPU: once must do. Not by turns: a search would empty the cache before each short call
        often = {"repeats": 1, "warm_up": 0} if method is dense else {"repeats": 101, "warm_up": 10}
        taken = {}
        for threads in sorted({1, all_threads}):  # waking a second thread may cost more than it helps
            torch.set_num_threads(threads)
            taken[threads] = seconds(method, **often)
        torch.set_num_threads(all_threads)
        threads = min(taken, key=taken.get)
        rows.append(
            {
                "method": name,
                "threads": threads,
                "seconds": taken[threads],
                "difference": ((method() - reference).norm() / reference.norm()).item(),
                "times_faster": rows[0]["seconds"] / taken[threads] if rows else 1.0,
                "promised": 10_000 if method is gram and options.device == "cpu" else None,
            }
        )
    profile = hot_spots(gram, device=options.device)
    record("tangent", rows, options=options, dim=dim, **sizes, cloud=n_cloud, profile=profile)
