"""The ends of many spectra at once, from Krylov spaces that grow until the residuals are small."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.curvature.complement import Explored, search
from ired_interp.curvature.ends import Ends
from ired_interp.curvature.lanczos import (
    KrylovSpace,
    Product,
    grow_until_invariant_,
    random_start,
    restart,
    ritz,
    start,
)

__all__ = ["Extremes", "extremes"]

_SAFETY = 0.5  # the stopping test leaves that share of the tolerance to rounding
_LOOK_AGAIN = 4  # dimensions between two looks at spaces that are nearly there
_SCOUTS = 4  # points that are looked at first


@dataclass(frozen=True, slots=True)
class Extremes:
    """Ritz pairs at the ends of n spectra.

    Attributes:
        values: In the order of `Ends.choose`.
        vectors: Of unit length, as rows.
        images: H times the vectors, as the products gave them.
        norm: The largest |Ritz value| of each point.
        num_products: Hessian products of each point, on the CPU.
        dimensions: Of the first space of each point when it was left, on the CPU.
        converged: Whether all residuals are within the tolerance, on the CPU.
    """

    values: Float[Tensor, "n e"]
    vectors: Float[Tensor, "n e d"]
    images: Float[Tensor, "n e d"]
    norm: Float[Tensor, " n"]
    num_products: Int[Tensor, " n"]
    dimensions: Int[Tensor, " n"]
    converged: Bool[Tensor, " n"]

    def select(self, rows: slice) -> "Extremes":
        """Some of the points."""
        return Extremes(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class _Found:
    """Ritz pairs of p points, as rows."""

    values: Float[Tensor, "p e"]
    vectors: Float[Tensor, "p e d"]
    images: Float[Tensor, "p e d"]

    def select(self, rows: Tensor) -> "_Found":
        return _Found(self.values[rows], self.vectors[rows], self.images[rows])


@dataclass(frozen=True, slots=True)
class _Request:
    """What does not change from round to round."""

    restrict: Callable[[Tensor], Product]
    ends: Ends
    tol: float
    capacity: int
    most_products: int
    first_look: int


def extremes(
    restrict: Callable[[Tensor], Product],
    like: Float[Tensor, "n d"],
    ends: Ends,
    *,
    tol: float,
    capacity: int,
    most_products: int,
    first_look: int,
) -> Extremes:
    """Find the wanted pairs of each point to residuals ≤ tol·‖H‖.

    A space sees one vector of each eigenspace. So when it has converged, a short space in its
    orthogonal complement looks for copies. If that finds a value that belongs to the wanted ones,
    the pairs found are locked and another space is grown beside them from there, until a search
    finds nothing. The same happens where a space becomes invariant before it has enough pairs.

    Args:
        restrict: The product at some of the points, given their indices.
        like: Any tensor of the points' shape, dtype and device.
        ends: Which ends.
        tol: Largest residual, as a share of the largest |Ritz value|.
        capacity: Dimensions of a space held at once; beyond that it is restarted.
        most_products: Points that need more are given up.
        first_look: Dimension at which convergence is first tested.
    """
    n, d = like.shape
    e = ends.num_pairs
    out = Extremes(
        values=like.new_full((n, e), torch.nan),
        vectors=like.new_full((n, e, d), torch.nan),
        images=like.new_full((n, e, d), torch.nan),
        norm=like.new_zeros(n),
        num_products=torch.zeros(n, dtype=torch.int64, device="cpu"),
        dimensions=torch.zeros(n, dtype=torch.int64, device="cpu"),
        converged=torch.zeros(n, dtype=torch.bool, device="cpu"),
    )
    request = _Request(restrict, ends, tol, capacity, most_products, first_look)
    nothing = like.new_zeros(n, 0, d)
    locked = _Found(nothing[..., 0], nothing, nothing)
    waiting = [(torch.arange(n, device="cpu"), random_start(like), locked)]
    num_rounds = 0
    while waiting:
        num_rounds += 1
        waiting.extend(_round(request, num_rounds, *waiting.pop(), out))
    return out


def _round(
    request: _Request, number: int, points: Tensor, first: Tensor, locked: _Found, out: Extremes
) -> list[tuple[Tensor, Tensor, _Found]]:
    """Grow one space at each point until it has converged, or is given up; fill in ``out``.

    Returns the points, in groups, where a search of the complement found more, with where it found
    it and with what is to be locked.
    """
    outside = (locked.vectors,) if locked.vectors.shape[1] else ()
    free = first.shape[1] - locked.vectors.shape[1]
    space = start(first, min(request.capacity, free), outside=outside, stream=f"lanczos/{number}")
    if outside:  # what is left of H may be nothing but the rounding of the whole
        space = replace(space, scale=locked.values.abs().amax(dim=1))
    product = request.restrict(points)
    look = min(request.first_look, space.capacity)
    again: list[tuple[Tensor, Tensor, _Found]] = []
    while points.numel():
        before = space.size
        space = grow_until_invariant_(space, product, look)
        out.num_products[points] += space.size - before
        spent = out.num_products[points] >= request.most_products
        invariant = (space.remainder == 0).cpu()
        due = bool((spent | invariant).any()) or space.size == space.capacity
        if due or _scouts_done(request, space, locked):
            seen = _examine(request, space, locked)
            leave = spent | invariant | (seen.done & (2 * int(seen.done.sum()) >= points.numel()))
            rows = leave.nonzero().flatten()
            if rows.numel():
                k = space.size
                exit_ = _Exit(
                    points[rows],
                    seen.select(rows),
                    found := _pairs(seen, space, locked, rows),
                    Explored(
                        found=found.values,
                        locked_values=locked.values[rows],
                        locked_vectors=locked.vectors[rows],
                        basis=space.basis[rows, :k],
                        onwards=space.basis[rows, k],
                        projected=space.projected[rows, : k + 1, : k + 1],
                    ),
                )
                rows = (~leave).nonzero().flatten()
                points, space, locked = points[rows], space.select(rows), locked.select(rows)
                again += _leave(request, number, exit_, out)
                product = request.restrict(points) if rows.numel() else product
            if points.numel() and space.size == space.capacity:
                space = _restart(request, space)
        look = min(space.size + max(_LOOK_AGAIN, space.size // 16), space.capacity)
    return again


@dataclass(frozen=True, slots=True)
class _Look:
    """What a space knows of its points' ends: indices into the locked values, then its own.

    ``done`` is on the CPU, as everything is that decides which points go on.
    """

    chosen: Int[Tensor, "p e"]
    done: Bool[Tensor, " p"]
    norm: Float[Tensor, " p"]
    vectors: Float[Tensor, "p k k"]

    def select(self, rows: Tensor) -> "_Look":
        return _Look(self.chosen[rows], self.done[rows], self.norm[rows], self.vectors[rows])


def _scouts_done(request: _Request, space: KrylovSpace, locked: _Found) -> bool:
    """Whether the few points that are looked at first have converged."""
    n = space.basis.shape[0]
    if n <= _SCOUTS:
        return True
    rows = torch.linspace(0, n - 1, _SCOUTS, dtype=torch.float32, device="cpu").round().long()
    scouts = replace(
        space,
        basis=space.basis[rows, :, :0],
        images=space.images[rows, :, :0],
        projected=space.projected[rows],
        scale=space.scale[rows],
    )
    return bool(_examine(request, scouts, locked.select(rows)).done.all())


def _examine(request: _Request, space: KrylovSpace, locked: _Found) -> _Look:
    values, vectors = ritz(space)
    estimates = space.remainder[:, None] * vectors[:, -1].abs()
    nothing = torch.zeros_like(locked.values, dtype=torch.float64)
    everything = torch.cat([locked.values.double(), values], dim=1)
    errors = torch.cat([nothing, estimates], dim=1)
    chosen = request.ends.choose(everything)
    norm = everything.abs().amax(dim=1, keepdim=True)
    close = errors.gather(1, chosen) <= _SAFETY * request.tol * norm
    enough = everything.shape[1] >= max(request.ends.top, request.ends.bottom)
    if not enough:
        return _Look(chosen, torch.zeros_like(close[:, 0]).cpu(), norm[:, 0], vectors)
    # A second vector of a cluster may stand in the space half finished: nothing that is not
    # chosen may still be on its way to the wanted ones.
    found = everything.gather(1, chosen)
    low, high = everything - errors, everything + errors
    others = request.ends.may_include(found, low, high, request.tol)
    done = close.all(dim=1) & ~others.scatter(1, chosen, value=False).any(dim=1)
    return _Look(chosen, done.cpu(), norm[:, 0], vectors)


@dataclass(frozen=True, slots=True)
class _Exit:
    """Points whose space is done with: what was seen there, the chosen pairs, and what it held."""

    points: Int[Tensor, " p"]
    seen: _Look
    found: _Found
    explored: Explored


def _leave(
    request: _Request, number: int, exit_: _Exit, out: Extremes
) -> list[tuple[Tensor, Tensor, _Found]]:
    """Write down what was found at some points; return those where a search found more."""
    points, seen, found = exit_.points, exit_.seen, exit_.found
    if number == 1:
        out.dimensions[points] = exit_.explored.basis.shape[1]
    if seen.chosen.shape[1] < request.ends.num_pairs:  # invariant, and too small
        rows = torch.arange(points.numel(), device="cpu")
        onwards = random_start(exit_.explored.basis[:, 0], f"lanczos/onwards/{number}")
        return _locked(points, seen, found, rows, onwards)
    converged = seen.done.clone()
    again: list[tuple[Tensor, Tensor, _Found]] = []
    searched = seen.done.nonzero().flatten()
    if searched.numel():
        explored = exit_.explored
        if searched.numel() < points.numel():
            explored = explored.select(searched)
        there = points[searched]
        outside = search(
            lambda rows: request.restrict(there[rows]),
            explored,
            request.ends,
            tol=request.tol,
            most=request.capacity,
            stream=f"lanczos/search/{number}",
        )
        out.num_products[there] += outside.num_products
        hits = outside.directions.any(dim=1).cpu().nonzero().flatten()
        rows, directions = searched[hits], outside.directions[hits]
        affordable = out.num_products[points[rows]] < request.most_products
        converged[rows] = False
        if bool(affordable.any()):
            again = _locked(points, seen, found, rows[affordable], directions[affordable])
    out.norm[points] = seen.norm.to(out.norm)
    out.values[points] = found.values
    out.vectors[points] = found.vectors
    out.images[points] = found.images
    out.converged[points] = converged
    return again


def _pairs(seen: _Look, space: KrylovSpace, locked: _Found, rows: Tensor) -> _Found:
    """The chosen pairs at some of the points, of unit length, with their Rayleigh quotients."""
    num_locked, k = locked.values.shape[1], seen.vectors.shape[1]
    chosen = seen.chosen[rows]
    own = (chosen - num_locked).clamp_min(0)
    mixing = seen.vectors[rows].gather(2, own[:, None, :].expand(-1, k, -1)).mT.to(space.basis)
    mixing = mixing * (chosen >= num_locked)[:, :, None]
    vectors = space.basis.new_empty(*chosen.shape, space.basis.shape[2])
    images = torch.empty_like(vectors)
    for i, row in enumerate(rows.tolist()):  # one by one: the spaces are not copied
        torch.mm(mixing[i], space.basis[row, :k], out=vectors[i])
        torch.mm(mixing[i], space.images[row, :k], out=images[i])
    if num_locked:
        old = (chosen < num_locked)[:, :, None]
        index = chosen.clamp_max(num_locked - 1)[:, :, None].expand_as(vectors)
        vectors = torch.where(old, locked.vectors[rows].gather(1, index), vectors)
        images = torch.where(old, locked.images[rows].gather(1, index), images)
    length = torch.linalg.vector_norm(vectors, dim=2, keepdim=True)
    vectors, images = vectors / length, images / length
    return _Found((vectors * images).sum(dim=2), vectors, images)


def _locked(
    points: Tensor, seen: _Look, found: _Found, rows: Tensor, directions: Tensor
) -> list[tuple[Tensor, Tensor, _Found]]:
    """Where to look on, with the pairs found so far: each once, in groups of as many."""
    same = seen.chosen[:, :, None] == seen.chosen[:, None, :]
    first = ~same.tril(-1).any(dim=2)[rows]
    counts = first.sum(dim=1).cpu()
    groups = []
    for count in torch.unique(counts).tolist():
        group = (counts == count).nonzero().flatten()
        order = first[group].to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :count]
        wide = order[:, :, None].expand(-1, -1, found.vectors.shape[2])
        there = rows[group]
        pairs = _Found(
            found.values[there].gather(1, order),
            found.vectors[there].gather(1, wide),
            found.images[there].gather(1, wide),
        )
        groups.append((points[there], directions[group], pairs))
    return groups


def _restart(request: _Request, space: KrylovSpace) -> KrylovSpace:
    """Keep the Ritz vectors nearest to the wanted ends, a third of the space beyond them."""
    values, vectors = ritz(space)
    num_kept = request.ends.num_pairs
    num_kept += max(1, (space.capacity - num_kept) // 3)
    kept = request.ends.nearest(values, num_kept)
    combinations = vectors.gather(2, kept[:, None, :].expand(-1, vectors.shape[1], -1))
    return restart(space, combinations, values.gather(1, kept))
