"""What a Krylov space cannot see: wanted eigenvalues in its orthogonal complement.

A Krylov space holds one vector of each eigenspace. Copies of an eigenvalue, and vectors that the
start had no part of, are outside of it. So a short space is grown in the complement, from a random
direction.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.curvature.ends import Ends
from ired_interp.curvature.lanczos import KrylovSpace, Product, grow_, random_start, ritz, start

__all__ = ["Explored", "Search", "search"]

_STEP = 8  # dimensions that the search grows by
_SAFETY = 3.0  # errors of its values that must lie between them and the wanted ones
_NEAR = 1e-4  # of ‖H‖: where the best of the search comes so close to the wanted ones,
_THOROUGH = 40  # it goes on to that many, as one of two near values hides the other for long


@dataclass(frozen=True, slots=True)
class Explored:
    """What is known of p points: a space, and what it avoided.

    Attributes:
        found: The wanted values, in the order of `Ends.choose`.
        locked_values: Of the pairs that the space avoided.
        locked_vectors: Their vectors, as rows.
        basis: Of the space.
        onwards: Its next direction.
        projected: QᵀHQ, and the coupling to the next direction, float64.
    """

    found: Float[Tensor, "p e"]
    locked_values: Float[Tensor, "p l"]
    locked_vectors: Float[Tensor, "p l d"]
    basis: Float[Tensor, "p k d"]
    onwards: Float[Tensor, "p d"]
    projected: Float[Tensor, "p b b"]

    @property
    def num_free(self) -> int:
        """Dimensions of the complement."""
        return self.basis.shape[2] - self.basis.shape[1] - self.locked_vectors.shape[1]

    def select(self, rows: Int[Tensor, " r"]) -> "Explored":
        """Some of the points."""
        return Explored(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Search:
    """What was found outside.

    Attributes:
        directions: A way towards a wanted value in the complement; 0 where there is none.
        num_products: Hessian products of each point.
    """

    directions: Float[Tensor, "p d"]
    num_products: Int[Tensor, " p"]


def search(
    restrict: Callable[[Tensor], Product],
    explored: Explored,
    ends: Ends,
    *,
    tol: float,
    most: int,
    stream: str,
) -> Search:
    """Look for wanted values outside the spaces.

    Args:
        restrict: The product at some of the points, given their indices.
        explored: The spaces, which have converged.
        ends: Which pairs.
        tol: Values that differ by less, as a share of ‖H‖, are the same.
        most: Products to spend on each point.
        stream: Name of the random numbers.

    Cost: 8 products a point, and more where what they find is close to the wanted values, or not
    yet known to lie apart from them.
    """
    basis = explored.basis
    num_points = basis.shape[0]
    directions = torch.zeros_like(basis[:, 0])
    spent = torch.zeros(num_points, dtype=torch.int64, device="cpu")
    most = min(explored.num_free, most)
    if most < 1:
        return Search(directions, spent)
    locked = explored.locked_vectors
    outside = (locked, basis) if locked.shape[1] else (basis,)
    first = random_start(directions, stream)
    complement = start(first, most, outside=outside, stream=stream)
    points = torch.arange(num_points, device="cpu")
    while points.numel():
        size = min(complement.size + _STEP, most)
        complement = grow_(complement, restrict(points), size)
        seen = _look(explored, complement, ends, tol)
        leave = ~seen.unsure if size < most else torch.ones_like(seen.unsure)
        rows = leave.nonzero().flatten()
        if rows.numel():
            spent[points[rows]] = size
            directions[points[rows]] = _way(
                explored.select(rows), complement.select(rows), seen.select(rows), ends, tol
            )
            rows = (~leave).nonzero().flatten()
            points, explored = points[rows], explored.select(rows)
            complement = complement.select(rows)
    return Search(directions, spent)


@dataclass(frozen=True, slots=True)
class _Look:
    """Ritz pairs of the complement.

    Attributes:
        values: Ascending.
        vectors: As columns.
        errors: Of the values, at most.
        better: Which of them belong among the wanted ones.
        unsure: Where none does, and it may be because they have not come far enough; on the CPU.
    """

    values: Float[Tensor, "p c"]
    vectors: Float[Tensor, "p c c"]
    errors: Float[Tensor, "p c"]
    better: Bool[Tensor, "p c"]
    unsure: Bool[Tensor, " p"]

    def select(self, rows: Int[Tensor, " r"]) -> "_Look":
        return _Look(*(getattr(self, field.name)[rows] for field in fields(self)))


def _look(explored: Explored, complement: KrylovSpace, ends: Ends, tol: float) -> _Look:
    found = explored.found
    values, vectors = ritz(complement)
    errors = complement.remainder[:, None] * vectors[:, -1].abs()
    better = ends.may_include(found, values, values, tol)
    reach = errors
    if complement.size < _THOROUGH:
        close = _NEAR * found.abs().amax(dim=1, keepdim=True).double()
        # Where the space is invariant, each step was a new random direction: it has seen enough.
        reach = torch.maximum(_SAFETY * errors, close * (errors > 0))
    may = ends.may_include(found, values - reach, values + reach, tol)
    unsure = (may.any(dim=1) & ~better.any(dim=1)).cpu()
    return _Look(values, vectors, errors, better, unsure)


def _way(
    explored: Explored, complement: KrylovSpace, seen: _Look, ends: Ends, tol: float
) -> Float[Tensor, "p d"]:
    """Directions towards wanted values; 0 where there is none."""
    basis = complement.basis[:, : complement.size]
    mixing = (seen.vectors * seen.better[:, None, :]).sum(dim=2)
    # H takes the complement back into the space, along its next direction: a vector that lies in
    # both of them in part is seen by neither.
    overlap = torch.einsum("pcd,pd->pc", basis, explored.onwards)
    coupling = explored.projected[:, -1, -2, None] * overlap.double()
    reach = seen.errors + torch.einsum("pcj,pc->pj", seen.vectors, coupling).abs()
    may = ends.may_include(explored.found, seen.values - reach, seen.values + reach, tol)
    rows = (may.any(dim=1) & ~seen.better.any(dim=1)).nonzero().flatten()
    if rows.numel():
        mixing[rows] = _together(explored, complement, coupling, ends, tol, rows)
    return (basis * mixing.to(basis)[:, :, None]).sum(dim=1)


def _together(
    explored: Explored,
    complement: KrylovSpace,
    coupling: Float[Tensor, "p c"],
    ends: Ends,
    tol: float,
    rows: Int[Tensor, " r"],
) -> Float[Tensor, "r c"]:
    """The way, in the complement, to what it and the space hold together; 0 if nothing better."""
    k, c = explored.basis.shape[1], complement.size
    whole = coupling.new_zeros(rows.shape[0], k + c, k + c)
    whole[:, :k, :k] = explored.projected[rows, :k, :k]
    whole[:, k:, k:] = complement.projected[rows, :c, :c]
    whole[:, k - 1, k:] = whole[:, k:, k - 1] = coupling[rows]
    values, vectors = torch.linalg.eigh(whole)
    locked = explored.locked_values[rows].double()
    everything = torch.cat([locked, values], dim=1)
    chosen = ends.choose(everything)
    found, again = explored.found[rows].double(), everything.gather(1, chosen)
    own = (chosen - locked.shape[1]).clamp_min(0)
    outside = vectors[:, k:].gather(2, own[:, None, :].expand(-1, c, -1))
    outside = outside * (chosen >= locked.shape[1])[:, None, :]
    most = outside.square().sum(dim=1).argmax(dim=1)
    way: Tensor = outside[torch.arange(rows.shape[0], device="cpu"), :, most]
    return way * ends.improved(found, again, tol)[:, None]
