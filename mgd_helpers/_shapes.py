"""Shapes in signatures: `Float[Tensor, "batch dim"]`, checked with jaxtyping in the tests.

jaxtyping is no dependency at run time (Colab does not carry it); annotations are never evaluated without it.
"""

from typing import TYPE_CHECKING

from torch import Tensor

__all__ = ["Float", "Int", "Tensor"]

if TYPE_CHECKING:  # a static checker sees the tensor
    from typing import Annotated as Float
    from typing import Annotated as Int
else:
    try:
        from jaxtyping import Float, Int
    except ImportError:
        Float = Int = None
