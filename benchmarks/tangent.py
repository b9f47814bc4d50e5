"""Tangent projection of one vector: the Gram trick against the dense covariance matrix and its eigenvectors."""

import torch
from harness import arguments, hot_spots, report, seconds

from mgd_helpers import local_tangent
from mgd_helpers.seeding import generator

options = arguments(__doc__)
dim, n_cloud = (256, 100) if options.quick else (4096, 1300)
n_neighbors, rank = 12, 3
draw = generator(options.seed)
cloud = torch.randn(n_cloud, dim, generator=draw).to(options.device)
point, vector = torch.randn(2, 1, dim, generator=draw).to(options.device)
neighbors = cloud[local_tangent(point, cloud, n_neighbors=n_neighbors, rank=rank).indices[0]]
space = local_tangent(point, neighbors, n_neighbors=n_neighbors, rank=rank)


def dense():
    eigenvectors = torch.linalg.eigh(torch.cov(neighbors.T)).eigenvectors[:, -rank:]
    return vector @ eigenvectors @ eigenvectors.T


def thin():
    directions = torch.linalg.svd(neighbors - neighbors.mean(0), full_matrices=False).Vh[:rank]
    return vector @ directions.T @ directions


def gram():
    return local_tangent(point, neighbors, n_neighbors=n_neighbors, rank=rank).tangent_part(vector)


def with_search():
    return local_tangent(point, cloud, n_neighbors=n_neighbors, rank=rank).tangent_part(vector)


def projection_alone():
    return space.tangent_part(vector)


METHODS = {
    "dense covariance and its eigenvectors": dense,
    "thin singular value decomposition": thin,
    "local_tangent and tangent_part": gram,
    f"the same, neighbours sought among {n_cloud:,}": with_search,
    "tangent_part alone": projection_alone,
}
reference, rows, all_threads = dense(), [], torch.get_num_threads()
for name, method in METHODS.items():
    # half a minute on a CPU: once must do. Not by turns: a search would empty the cache before each of the short calls
    often = {"repeats": 1, "warm_up": 0} if method == dense else {"repeats": 101, "warm_up": 10}
    taken = {}
    for threads in sorted({1, all_threads}):  # waking a second thread may cost more than it helps
        torch.set_num_threads(threads)
        taken[threads] = seconds(method, device=options.device, **often)
    torch.set_num_threads(all_threads)
    threads = min(taken, key=taken.get)
    difference = ((method() - reference).norm() / reference.norm()).item()
    rows.append({"method": name, "threads": threads, "seconds": taken[threads], "difference": difference})
for row in rows:
    row["times_faster"] = rows[0]["seconds"] / row["seconds"]
for row, method in zip(rows, METHODS.values(), strict=True):
    row["promised"] = 10_000 if method == gram and options.device == "cpu" else None
report(
    "tangent",
    rows,
    options=options,
    dim=dim,
    n_neighbors=n_neighbors,
    rank=rank,
    cloud=n_cloud,
    profile=hot_spots(gram, device=options.device),
)
