"""Matrices of rank r: tangent and normal directions, distance, retraction, Hessian along them.

The m × n matrices of rank r are a manifold of dimension r(m + n - r). At Y = U·diag(S)·Vᵀ, with
P_U = UUᵀ and P_V = VVᵀ, its tangent and normal space project a matrix Z to

    P_T Z = P_U Z + Z P_V - P_U Z P_V        P_N Z = (I - P_U) Z (I - P_V)

in the Frobenius product. (P_U·Z + Zᵀ·P_U, or its like without the last term, is no projection.)
Neither depends on S, nor on the frame that is chosen where singular values repeat; both need the
r-th singular value to be above 0. Divide by the dimension before comparing the two: tangent and
normal space of 20 × 20 matrices at rank 10 have 300 and 100 dimensions.

Leading axes are a batch. Vectors of length m·n are matrices, row-major, as the answers of a task.
Work is done on the input's device and in its dtype, and can be differentiated in Z, the gradient
and the Hessian.

Source: Vandereycken (2013), doi:10.1137/110845768, sections 2.1 and 2.3.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Whole, as_whole, whole_numbers
from ired_interp.errors import ManifoldError, ShapeError
from ired_interp.geometry.checking import check_alike, check_frame, check_matrices

__all__ = [
    "FixedRank",
    "check_sizes",
    "closest",
    "codimension",
    "dimension",
    "distance",
    "normal_basis",
    "normal_part",
    "retract",
    "riemannian_hessian",
    "tangent_basis",
    "tangent_part",
]


@dataclass(frozen=True, slots=True)
class FixedRank:
    """Matrices Y = U·diag(S)·Vᵀ of rank r.

    Attributes:
        u: Orthonormal columns.
        s: Singular values, falling, all above 0.
        v: Orthonormal columns.
    """

    u: Float[Tensor, "... m r"]
    s: Float[Tensor, "... r"]
    v: Float[Tensor, "... n r"]

    def matrix(self) -> Float[Tensor, "... m n"]:
        """Y itself."""
        return (self.u * self.s[..., None, :]) @ self.v.mT


def dimension(m: Whole, n: Whole, rank: Whole) -> int:
    """r(m + n - r), the dimension of the manifold of m × n matrices of rank r.

    Raises:
        ShapeError: Not 1 ≤ r ≤ min(m, n).
    """
    m, n = whole_numbers(m=m, n=n)
    rank = _check_rank(m, n, rank)
    return rank * (m + n - rank)


def codimension(m: Whole, n: Whole, rank: Whole) -> int:
    """(m - r)(n - r), the dimension of its normal space; 0 at full rank.

    Raises:
        ShapeError: Not 1 ≤ r ≤ min(m, n).
    """
    m, n = whole_numbers(m=m, n=n)
    rank = _check_rank(m, n, rank)
    return (m - rank) * (n - rank)


def closest(x: Float[Tensor, "... m n"], rank: Whole) -> FixedRank:
    """The closest matrices of rank r: the singular value decomposition, cut off.

    Raises:
        ManifoldError: A matrix of lower rank (σ_r ≤ max(m, n)·ε·σ_1), which lies at the manifold's
            edge, or one with σ_r = σ_{r+1} to that accuracy, which has several closest ones.
        ShapeError, DtypeError, NonFiniteError: Not finite matrices, or not 1 ≤ r ≤ min(m, n).

    Source: Eckart & Young (1936), doi:10.1007/BF02288367.
    """
    check_matrices("x", x)
    m, n = x.shape[-2:]
    rank = _check_rank(m, n, rank)
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    floor = max(m, n) * torch.finfo(x.dtype).eps * s[..., 0]
    low = s[..., rank - 1] <= floor
    if bool(low.any()):
        first = int(low.flatten().nonzero()[0])
        found = int((s > floor[..., None]).sum(-1).flatten()[first])
        raise ManifoldError(
            f"x: expected matrices of rank {rank} at least, found {int(low.sum())} of "
            f"{low.numel()} of lower rank (first: number {first}, rank {found}). The tangent space "
            "is not defined there; choose a lower rank."
        )
    if rank < min(m, n):
        tied = s[..., rank - 1] - s[..., rank] <= floor
        if bool(tied.any()):
            raise ManifoldError(
                f"x: expected σ_{rank} > σ_{rank + 1}, found them equal in {int(tied.sum())} of "
                f"{tied.numel()} matrices: several matrices of rank {rank} are closest. Choose a "
                "rank at which the singular values have a gap."
            )
    return FixedRank(u[..., :rank], s[..., :rank], vh[..., :rank, :].mT)


def distance(x: Float[Tensor, "... m n"], rank: Whole) -> Float[Tensor, "..."]:
    """‖x - closest matrix of rank ≤ r‖_F: the norm of the discarded singular values.

    Defined everywhere, also where several matrices are closest; not differentiable there.

    Raises:
        ShapeError, DtypeError, NonFiniteError: As `closest`.
    """
    check_matrices("x", x)
    rank = _check_rank(x.shape[-2], x.shape[-1], rank)
    discarded: Tensor = torch.linalg.svdvals(x)[..., rank:]
    return discarded.square().sum(dim=-1).sqrt()


def retract(at: FixedRank, step: Float[Tensor, "... m n"]) -> FixedRank:
    """The point of the manifold closest to Y + step: a retraction of second order.

    Raises:
        ManifoldError: Y + step has lower rank, or several closest points.
        ShapeError, DtypeError, NonFiniteError: The step does not fit.

    Source: Absil & Malick (2012), doi:10.1137/100802529, section 4.
    """
    _check_vector("step", step, at)
    return closest(at.matrix() + step, at.s.shape[-1])


def tangent_part(at: FixedRank, z: Float[Tensor, "... m n"]) -> Float[Tensor, "... m n"]:
    """P_T Z = P_U Z + Z P_V - P_U Z P_V.

    Raises:
        ShapeError, DtypeError, NonFiniteError: Z does not fit, or U or V is no frame.
    """
    return z - normal_part(at, z)


def normal_part(at: FixedRank, z: Float[Tensor, "... m n"]) -> Float[Tensor, "... m n"]:
    """P_N Z = (I - P_U) Z (I - P_V).

    Raises:
        ShapeError, DtypeError, NonFiniteError: Z does not fit, or U or V is no frame.
    """
    _check_vector("z", z, at)
    left = z - at.u @ (at.u.mT @ z)
    return left - (left @ at.v) @ at.v.mT


def tangent_basis(at: FixedRank) -> Float[Tensor, "... d q"]:
    """An orthonormal basis of the tangent space, q = r(m + n - r) flat matrices as columns.

    In order: u_i v_jᵀ (i, then j); u⊥_a v_jᵀ (a, then j); u_i v⊥_bᵀ (i, then b), with u⊥ and v⊥
    some orthonormal complement of U and of V.

    Raises:
        ShapeError, DtypeError, NonFiniteError: U or V is no frame.

    Cost: m·n·q numbers a point.
    """
    u, v = _whole(at)
    r = at.s.shape[-1]
    blocks = (
        _products(u[..., :r], v[..., :r]),
        _products(u[..., r:], v[..., :r]),
        _products(u[..., :r], v[..., r:]),
    )
    return torch.cat(blocks, dim=-1)


def normal_basis(at: FixedRank) -> Float[Tensor, "... d q"]:
    """An orthonormal basis u⊥_a v⊥_bᵀ of the normal space, q = (m - r)(n - r) as columns.

    At full rank there is no normal direction, and q = 0.

    Raises:
        ShapeError, DtypeError, NonFiniteError: U or V is no frame.
    """
    u, v = _whole(at)
    r = at.s.shape[-1]
    return _products(u[..., r:], v[..., r:])


def riemannian_hessian(
    at: FixedRank, gradient: Float[Tensor, "... d"], hessian: Float[Tensor, "... d d"]
) -> Float[Tensor, "... q q"]:
    """The Hessian of E along the manifold at Y, in the basis of `tangent_basis`.

    On ξ = U M Vᵀ + U_p Vᵀ + U V_pᵀ and with G the Euclidean gradient it is

        P_T(H[ξ]) + P_N(G) V_p S⁻¹ Vᵀ + U S⁻¹ U_pᵀ P_N(G)

    Its first term is the projected Hessian (`restrict`). The others are the bend of the manifold:
    they vanish only where the normal gradient does and grow as 1/σ_r, so report both.

    Args:
        at: Y. E's derivatives must be taken there, on the manifold and not near it.
        gradient: ∇E at Y, flat.
        hessian: ∇²E at Y.

    Raises:
        ManifoldError: A singular value that is 0 to round-off (≤ max(m, n)·ε·σ_1), where the bend
            is infinite.
        ShapeError, DtypeError, NonFiniteError: A derivative does not fit, or U or V is no frame.

    Source: Vandereycken (2013), doi:10.1137/110845768, proposition 2.3, for this retraction.
    """
    m, r = at.u.shape[-2:]
    n = at.v.shape[-2]
    check_sizes("riemannian_hessian", at.s, m, n)
    check_matrices("hessian", hessian, shape=(m * n, m * n))
    check_matrices("gradient", gradient[..., None], shape=(m * n, 1))
    basis = tangent_basis(at)
    check_alike("hessian", hessian, "the point", basis)
    out = basis.mT @ hessian @ basis
    p, q = m - r, n - r
    if p == 0 or q == 0:
        return out
    u, v = _whole(at)
    flat = gradient.reshape(*gradient.shape[:-1], m, n)
    normal = u[..., r:].mT @ flat @ v[..., r:]
    # u⊥_a v_jᵀ and u_j v⊥_bᵀ are coupled by N_ab/σ_j.
    bend = torch.diag_embed(1 / at.s)[..., None, :, :, None] * normal[..., :, None, None, :]
    bend = bend.expand(*out.shape[:-2], p, r, r, q).reshape(*out.shape[:-2], p * r, r * q)
    inner = r * r
    coupling = torch.zeros_like(out)
    coupling[..., inner : inner + p * r, inner + p * r :] = bend
    return out + coupling + coupling.mT


def check_sizes(name: str, s: Float[Tensor, "... r"], m: int, n: int) -> None:
    """Refuse singular values of m × n matrices of rank r that are 0 to round-off, or below.

    Raises:
        ManifoldError: One is at most max(m, n)·ε times the largest.
    """
    low = s <= max(m, n) * torch.finfo(s.dtype).eps * s.abs().amax(dim=-1, keepdim=True)
    if bool(low.any()):
        raise ManifoldError(
            f"{name}: expected singular values above 0 by more than max(m, n)·ε·σ_1, found "
            f"{float(s[low].min()):.3g} beside {float(s.max()):.3g}: Y has a lower rank than r."
        )


def _products(a: Tensor, b: Tensor) -> Tensor:
    """All a_i b_jᵀ, flat, as columns (i, then j)."""
    out = torch.einsum("...mi,...nj->...mnij", a, b)
    return out.reshape(*a.shape[:-2], a.shape[-2] * b.shape[-2], a.shape[-1] * b.shape[-1])


def _whole(at: FixedRank) -> tuple[Tensor, Tensor]:
    """U and V, each with an orthonormal complement behind it."""
    check_frame("u", at.u)
    check_frame("v", at.v)
    out = []
    for frame in (at.u, at.v):
        whole = torch.linalg.qr(frame.detach(), mode="complete").Q
        out.append(torch.cat([frame, whole[..., frame.shape[-1] :]], dim=-1))
    return out[0], out[1]


def _check_rank(m: int, n: int, rank: Whole) -> int:
    number = as_whole(rank)
    if number is None or not 1 <= number <= min(m, n):
        raise ShapeError(
            f"rank: expected 1 … {min(m, n)}, as the matrices are {m} × {n}, found {rank!r}."
        )
    return number


def _check_vector(name: str, z: Tensor, at: FixedRank) -> None:
    check_matrices(name, z, shape=(at.u.shape[-2], at.v.shape[-2]))
    check_frame("u", at.u)
    check_frame("v", at.v)
    check_alike(name, z, "the point", at.u)
