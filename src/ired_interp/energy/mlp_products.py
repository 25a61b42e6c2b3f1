"""∇²_yE of IRED's network at fixed points: applied to vectors, or assembled.

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
from ired_interp.energy.mlp_parts import dense_parts, quadratic_forms

__all__ = ["MLPProduct", "columns_at_once"]

_FEW_COLUMNS = 160  # of y: below, points are taken together and symmetry is not worth its overhead
_COLUMNS_AT_ONCE = 256  # of all points together: large enough a product, small enough a cache


@dataclass(frozen=True, slots=True)
class MLPProduct:
    """∇²_yE at n points, with everything that the forward pass gives computed once.

    Attributes:
        weights: W_1 (its columns of y), W_2, W_3 and W_4.
        output: Matrices whose product is 2·W_4ᵀW_4: that alone, or two narrower ones.
        slopes: e_1, e_2 and e_3 of each point.
        curvatures: κ_1, κ_2 and κ_3 of each point.
        energy: E of each point.
    """

    weights: tuple[Float[Tensor, "w d"], Float[Tensor, "w w"], Float[Tensor, "w w"], Tensor]
    output: tuple[Tensor, ...]
    slopes: tuple[Float[Tensor, "n w"], ...]
    curvatures: tuple[Float[Tensor, "n w"], ...]
    energy: Float[Tensor, " n"]

    @classmethod
    def of(
        cls,
        weights: tuple[Tensor, Tensor, Tensor, Tensor],
        slopes: tuple[Tensor, ...],
        curvatures: tuple[Tensor, ...],
        energy: Tensor,
    ) -> "MLPProduct":
        """From the weights, in any layout, and what the forward pass gave."""
        first, second, third, last = (w.detach().contiguous() for w in weights)
        num_outputs, width = last.shape
        output = (2 * last.mT @ last,) if 2 * num_outputs > width else (2 * last.mT, last)
        slopes, curvatures = (tuple(a.detach() for a in each) for each in (slopes, curvatures))
        return cls((first, second, third, last), output, slopes, curvatures, energy.detach())

    def __call__(self, v: Float[Tensor, "n m d"]) -> Float[Tensor, "n m d"]:
        """H·v for m vectors a point: three matrices forward, one across, three back."""
        (first, second, third, _), (e1, e2, e3) = self.weights, (e[:, None] for e in self.slopes)
        k1, k2, k3 = (k[:, None] for k in self.curvatures)
        z1, z2, z3 = self._tangents(v @ first.mT)
        back = z3 * e3
        for matrix in self.output:
            back = back @ matrix
        back = back.mul_(e3).addcmul_(z3, k3)
        back = (back @ third).mul_(e2).addcmul_(z2, k2)
        back = (back @ second).mul_(e1).addcmul_(z1, k1)
        return back @ first

    def quadratic_parts(self, v: Float[Tensor, "n m d"]) -> Float[Tensor, "n p m"]:
        """vᵀ(part)v for m vectors a point: three matrices forward, none back."""
        tangents = self._tangents(v @ self.weights[0].mT)
        change = (tangents[2] * self.slopes[2][:, None]) @ self.weights[3].mT
        return quadratic_forms(self.curvatures, tangents, change)

    def hessian_parts(self) -> Float[Tensor, "n p d d"]:
        """2·JᵀJ and each layer's z_lᵀ·diag(κ_l)·z_l apart."""
        tangents = self._tangents(self.weights[0].mT.expand(self.energy.shape[0], -1, -1))
        jacobian = (tangents[2] * self.slopes[2][:, None]) @ self.weights[3].mT
        return dense_parts(self.curvatures, tangents, jacobian)

    def _tangents(self, first: Float[Tensor, "n m w"]) -> tuple[Tensor, Tensor, Tensor]:
        """z_l·v of the three layers, vectors as rows, given those of the first."""
        second = (first * self.slopes[0][:, None]) @ self.weights[1].mT
        return first, second, (second * self.slopes[1][:, None]) @ self.weights[2].mT

    def select(self, rows: Int[Tensor, " k"]) -> "MLPProduct":
        """The same at some of the points."""
        return replace(
            self,
            slopes=tuple(e[rows] for e in self.slopes),
            curvatures=tuple(k[rows] for k in self.curvatures),
            energy=self.energy[rows],
        )

    def hessian(self) -> Float[Tensor, "n d d"]:
        """H at each point, exactly symmetric.

        Cost: about 4·d·w² + 3·d²·w + d³ multiplications and additions a point; for few columns of y
        twice the terms in d², in products of many points together.
        """
        device, d = self.energy.device, self.weights[0].shape[1]
        if device.type == "cpu" and d >= _FEW_COLUMNS:
            return _one_by_one(self.weights, self.slopes, self.curvatures)
        num_points = self.energy.shape[0]
        step = max(1, columns_at_once(d, device) // d) if device.type == "cpu" else num_points
        out = self.weights[0].new_empty(num_points, d, d)
        for begin in range(0, num_points, step):
            rows = slice(begin, begin + step)
            out[rows] = _together(
                self.weights, [e[rows] for e in self.slopes], [k[rows] for k in self.curvatures]
            )
        return out


def columns_at_once(d: int, device: torch.device) -> int:
    """Columns whose tangents `MLPProduct.hessian` holds at once; 0 where those of all points."""
    return max(d, _COLUMNS_AT_ONCE) if device.type == "cpu" else 0


def _together(
    weights: Sequence[Tensor],
    slopes: Sequence[Float[Tensor, "k w"]],
    curvatures: Sequence[Float[Tensor, "k w"]],
) -> Float[Tensor, "k d d"]:
    """H of some points in products of all of them, with tangents as rows."""
    first, second, third, last = weights
    e1, e2, e3 = (e[:, None] for e in slopes)
    k1, k2, k3 = (k[:, None] for k in curvatures)
    z1 = first.mT
    z2 = _times(z1 * e1, second.mT)
    z3 = _times(z2 * e2, third.mT)
    jacobian = _times(z3 * e3, last.mT)
    h = (2 * jacobian) @ jacobian.mT
    h += _times(z1 * k1, first)
    h.baddbmm_(z2 * k2, z2.mT)
    h.baddbmm_(z3 * k3, z3.mT)
    return (h + h.mT) / 2


def _times(rows: Float[Tensor, "k d i"], matrix: Float[Tensor, "i o"]) -> Float[Tensor, "k d o"]:
    """One product with the rows of all points under one another."""
    return (rows.flatten(0, 1) @ matrix).view(*rows.shape[:2], matrix.shape[1])


def _one_by_one(
    weights: Sequence[Tensor],
    slopes: Sequence[Float[Tensor, "n w"]],
    curvatures: Sequence[Float[Tensor, "n w"]],
) -> Float[Tensor, "n d d"]:
    """H at each point on the CPU, one point at a time, which stays in the cache.

    z_2 does not depend on the timestep: points in a row that share e_1 share it.
    """
    first, second, third, last = weights
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
