"""Shapes in signatures: `Float[Tensor, "batch dim"]`, checked with jaxtyping in the tests.

jaxtyping is no dependency at run time (Colab does not carry it); annotations are never evaluated without it.
"""

from torch import Tensor

__all__ = ["Float", "Int", "Tensor"]

try:
    from jaxtyping import Float, Int
except ImportError:
    Float = Int = None
