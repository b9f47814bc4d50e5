"""Tangent projection of one vector: the Gram trick against the dense covariance matrix and its eigenvectors."""

import torch
from harness import arguments, report, seconds

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

reference, once = dense(), {}
once[dense] = seconds(dense, device=options.device, repeats=1, warm_up=0)  # half a minute on a CPU
rows = []
for name, method in METHODS.items():
    took = once.get(method) or seconds(method, device=options.device, repeats=101, warm_up=10)
    rows.append(
        {
            "method": name,
            "seconds": took,
            "times_faster": once[dense] / took,
            "difference": ((method() - reference).norm() / reference.norm()).item() if method != dense else 0.0,
            "promised": 10_000 if method == gram and options.device == "cpu" else None,
        }
    )
report("tangent", rows, options=options, dim=dim, n_neighbors=n_neighbors, rank=rank, cloud=n_cloud)
