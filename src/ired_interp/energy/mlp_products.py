"""∇²_yE of IRED's network at fixed points: applied to vectors, or assembled on the CPU.

In the notation of `mlp`, with z_l the tangents of the linear layers before the gain g_l,
e_l = g_l ∘ swish′(a_l) and κ_l = g_l² ∘ c_l (g_1 = 1):

    H = Σ_l z_lᵀ·diag(κ_l)·z_l + 2·z_3ᵀ·diag(e_3)·W_4ᵀW_4·diag(e_3)·z_3,
    z_1 = W_1, z_2 = W_2·diag(e_1)·z_1, z_3 = W_3·diag(e_2)·z_2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp import lapack

__all__ = ["MLPProduct", "assemble"]


@dataclass(frozen=True, slots=True)
class MLPProduct:
    """v ↦ ∇²_yE·v at n points, with everything that does not depend on v computed once.

    Attributes:
        weights: W_1 (its columns of y), W_2 and W_3.
        output_gram: 2·W_4ᵀW_4.
        slopes: e_1, e_2 and e_3 of each point.
        curvatures: κ_1, κ_2 and κ_3 of each point.
    """

    weights: tuple[Float[Tensor, "w d"], Float[Tensor, "w w"], Float[Tensor, "w w"]]
    output_gram: Float[Tensor, "w w"]
    slopes: tuple[Float[Tensor, "n w"], ...]
    curvatures: tuple[Float[Tensor, "n w"], ...]

    def __call__(self, v: Float[Tensor, "n m d"]) -> Float[Tensor, "n m d"]:
        """H·v for m vectors a point: three matrices forward, one across, three back."""
        (first, second, third), (e1, e2, e3) = self.weights, (e[:, None] for e in self.slopes)
        k1, k2, k3 = (k[:, None] for k in self.curvatures)
        z1 = v @ first.mT
        z2 = (z1 * e1) @ second.mT
        z3 = (z2 * e2) @ third.mT
        back = ((z3 * e3) @ self.output_gram).mul_(e3).addcmul_(z3, k3)
        back = (back @ third).mul_(e2).addcmul_(z2, k2)
        back = (back @ second).mul_(e1).addcmul_(z1, k1)
        return back @ first

    def select(self, rows: Int[Tensor, " k"]) -> "MLPProduct":
        """The same at some of the points."""
        return replace(
            self,
            slopes=tuple(e[rows] for e in self.slopes),
            curvatures=tuple(k[rows] for k in self.curvatures),
        )


def assemble(
    weights: Sequence[Tensor],
    slopes: Sequence[Float[Tensor, "n w"]],
    curvatures: Sequence[Float[Tensor, "n w"]],
) -> Float[Tensor, "n d d"]:
    """H at each point on the CPU, one point at a time, which stays in the cache.

    z_2 does not depend on the timestep: points in a row that share e_1 share it.

    Args:
        weights: W_1 (its columns of y), W_2, W_3 and W_4.
        slopes: e_1, e_2 and e_3.
        curvatures: κ_1, κ_2 and κ_3.

    Cost: about 4·d·w² + 3·d²·w + d³ multiplications and additions a point, 2·d·w² fewer where z_2
    is shared.
    """
    first, second, third, last = (w.contiguous() for w in weights)
    num_points, (width, d), num_outputs = slopes[0].shape[0], first.shape, last.shape[0]
    out = first.new_empty(num_points, d, d)
    last = math.sqrt(2) * last
    tangents = (first, torch.empty_like(first), torch.empty_like(first))
    scaled = torch.empty_like(first)
    rows = first.new_empty(num_outputs + 3 * width, d)
    with lapack.same_threads(max(width, d)):
        for i in range(num_points):
            if i == 0 or not torch.equal(slopes[0][i], slopes[0][i - 1]):
                torch.mul(first, slopes[0][i, :, None], out=scaled)
                lapack.multiply(second, scaled, out=tangents[1])
            torch.mul(tangents[1], slopes[1][i, :, None], out=scaled)
            lapack.multiply(third, scaled, out=tangents[2])
            torch.mul(tangents[2], slopes[2][i, :, None], out=scaled)
            lapack.multiply(last, scaled, out=rows[:num_outputs])
            num_plus = _by_sign_(rows, num_outputs, tangents, [c[i] for c in curvatures])
            lapack.gram_(out[i], rows[:num_plus], rows[num_plus:])
    return out


def _by_sign_(
    rows: Tensor, num_outputs: int, tangents: Sequence[Tensor], curvatures: Sequence[Tensor]
) -> int:
    """Write √|κ_l|·z_l below the outputs' rows, those with κ ≥ 0 first; returns where these end."""
    begin = num_outputs
    for negative in (False, True):
        for tangent, curvature in zip(tangents, curvatures, strict=True):
            chosen = ((curvature < 0) == negative).nonzero().flatten()
            block = rows[begin : begin + chosen.shape[0]]
            torch.index_select(tangent, 0, chosen, out=block)
            block *= curvature[chosen].abs().sqrt_()[:, None]
            begin += chosen.shape[0]
        if not negative:
            num_plus = begin
    return num_plus
