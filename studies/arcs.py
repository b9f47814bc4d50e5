"""A world whose curvature and whose denoiser can be turned: a product of circular arcs in many dimensions.

A point has d coordinates u in [-L/2, L/2]. Each bends into a plane of its own, with curvature κ = angle / L:

    (sin κu / κ, (1 - cos κu) / κ)          κ = 0: (u, 0), a flat cube;  angle 2π: closed circles

Bending changes no length within the manifold. The other numbers are zero, and the first 2d hold the planes: whatever
is measured here does not notice a rotation. L makes the flat cube's variance one per number, as a pipeline's latents
have it.

The denoiser is E[x₀ | x_t] for points on the manifold plus noise of width s. With w² = noise² + s² signal² and m the
mean of the points under weights softmax(-‖x_t - signal p‖² / 2w²), it is m + (s² signal / w²) (x_t - signal m). It is
exact for s = 0; the larger s, the less it leads back what lies off the manifold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mgd_helpers.guidance.toys import PointCloudPipeline
from mgd_helpers.tangent.spaces import TangentSpace

GRID = 401  # points of an arc that stand for all of them


@dataclass(frozen=True)
class Arcs:
    """The manifold of one angle, the arc that each of its `dim` coordinates spans, among `ambient` numbers."""

    angle: float
    dim: int = 8
    ambient: int = 64

    @property
    def length(self) -> float:
        return math.sqrt(12 * self.ambient / self.dim)

    @property
    def curvature(self) -> float:
        return self.angle / self.length

    def draw(self, n_points: int, generator: torch.Generator) -> Tensor:
        """Points [N, ambient], evenly spread."""
        return self.points((torch.rand(n_points, self.dim, generator=generator) - 0.5) * self.length)

    def points(self, u: Tensor) -> Tensor:
        """The points [N, ambient] at coordinates [N, dim]."""
        return self._padded(self.bend(u).flatten(1))

    def bend(self, u: Tensor) -> Tensor:
        """Coordinates, each in its plane: [..., 2]."""
        if self.angle == 0:
            return torch.stack([u, torch.zeros_like(u)], -1)
        turned = self.curvature * u
        return torch.stack([turned.sin(), 1 - turned.cos()], -1) / self.curvature

    def foot(self, points: Tensor) -> Tensor:
        """The coordinates of the nearest point of the manifold: in each plane the angle, held within the arc."""
        x, y = points[:, : 2 * self.dim].unflatten(1, (self.dim, 2)).unbind(-1)
        u = torch.atan2(self.curvature * x, 1 - self.curvature * y) / self.curvature if self.angle else x
        return u.clamp(-self.length / 2, self.length / 2)

    def off(self, points: Tensor) -> Tensor:
        """The distance of each point to the manifold."""
        return (points - self.points(self.foot(points))).norm(dim=1)

    def along(self, points: Tensor, others: Tensor) -> Tensor:
        """The distance within the manifold between the feet of points and of others; closed circles go both ways."""
        apart = (self.foot(points) - self.foot(others)).abs()
        if self.angle >= 2 * math.pi:
            apart = torch.minimum(apart, self.length - apart)
        return apart.norm(dim=1)

    def tangent(self, points: Tensor, level: object = None) -> TangentSpace:
        """The true tangent spaces at the feet of points, as `ManifoldPull(tangent=…)` takes them."""
        feet = self.foot(points)
        turned = self.curvature * feet
        directions = torch.diag_embed(torch.stack([turned.cos(), turned.sin()], 1)).permute(0, 2, 3, 1)
        return TangentSpace.from_basis(self.points(feet), self._padded(directions.flatten(2)))

    def _padded(self, planes: Tensor) -> Tensor:
        return torch.nn.functional.pad(planes, (0, self.ambient - 2 * self.dim))


class BluntPipeline(PointCloudPipeline):
    """A pipeline in miniature whose denoiser believes in the manifold plus noise of width `blur`."""

    def __init__(self, arcs: Arcs, blur: float, scheduler: Any):
        super().__init__(arcs.points(torch.zeros(1, arcs.dim)), scheduler)  # only its shape is asked for
        self.arcs, self.blur = arcs, blur
        grid = torch.linspace(-arcs.length / 2, arcs.length / 2, GRID)
        self.arc = PointCloudPipeline(arcs.bend(grid), scheduler)

    def denoise(self, sample: Tensor, *, signal: float | Tensor, noise: float | Tensor) -> Tensor:
        """E[x_0 | x_t]; what is a product over planes is worked out plane by plane."""
        width = (noise**2 + (self.blur * signal) ** 2) ** 0.5
        planes = sample[:, : 2 * self.arcs.dim].reshape(-1, 2)
        mean = self.arcs._padded(self.arc.denoise(planes, signal=signal, noise=width).view(len(sample), -1))
        return mean + self.blur**2 * signal / width**2 * (sample - signal * mean)
