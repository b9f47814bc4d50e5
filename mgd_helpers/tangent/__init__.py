"""Chapter 5. The tangent space of a point cloud, estimated from nearest neighbors, and the dimension it should have."""

from mgd_helpers.tangent.dimension import mle_dimension, two_nn_dimension
from mgd_helpers.tangent.local_pca import TangentSpaces, local_tangent
from mgd_helpers.tangent.neighbors import Neighbors
from mgd_helpers.tangent.spaces import TangentSpace

__all__ = [
    "Neighbors",
    "TangentSpace",
    "TangentSpaces",
    "local_tangent",
    "mle_dimension",
    "two_nn_dimension",
]
