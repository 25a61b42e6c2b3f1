"""Eigenpairs refined from a start: from the level before (warm) or from random vectors (cold).

A block Davidson iteration without a preconditioner: Rayleigh-Ritz in a growing space, which is
expanded by the residuals of the pairs that have not converged, and compressed to its best Ritz
vectors when it becomes too large. Every product is counted, so that warm and cold can be compared.

A start can be too good: if it holds no part of an eigenvector, neither do its residuals, and the
end that was asked for is found incomplete with perfect residuals. So random directions are added to
the start, and at the end Lanczos runs from a random vector orthogonal to what was found. What it
finds is taken in; what it cannot exclude is reported.
"""

import math
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.checks import Real, Whole, real, whole
from ired_interp.curvature.eigenspaces import End
from ired_interp.draws import RowDraws
from ired_interp.errors import ConvergenceError, ShapeError, UnknownNameError
from ired_interp.landscape import Landscape

__all__ = ["WarmSpectrum", "warm_spectrum"]

_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-5}
_GUARDS = 2
_MISS_PROBABILITY = 0.01


@dataclass(frozen=True, slots=True)
class WarmSpectrum:
    """Eigenpairs of one end at n points, and what they cost.

    Attributes:
        eigenvalues: By falling |λ| (top) or by rising λ (bottom).
        eigenvectors: Orthonormal, one a column.
        residuals: ‖Hv - λv‖₂ of each pair.
        norm: The largest |Ritz value| seen, a lower bound of ‖H‖₂.
        num_products: Hessian products taken a row, the probe's included.
        num_probe_products: Those of the probe alone.
        unseen: How far beyond the last returned pair an eigenvalue that was left out may lie: with
            probability 0.99 over the seed no further. 0 where none can; infinite where the probe
            was too short to say.
        may_have_missed: unseen > 0. False is certain where all d dimensions were spanned, and else
            holds with probability 0.99.
    """

    eigenvalues: Float[Tensor, "n k"]
    eigenvectors: Float[Tensor, "n d k"]
    residuals: Float[Tensor, "n k"]
    norm: Float[Tensor, " n"]
    num_products: Int[Tensor, " n"]
    num_probe_products: Int[Tensor, " n"]
    unseen: Float[Tensor, " n"]
    may_have_missed: Bool[Tensor, " n"]


def warm_spectrum(
    land: Landscape,
    y: Float[Tensor, "n d"],
    start: Float[Tensor, "n d m"] | None = None,
    *,
    num: Whole | None = None,
    end: End = "top",
    tol: Real | None = None,
    num_probe: Whole = 10,
    max_products: Whole | None = None,
    seed: Whole = 0,
) -> WarmSpectrum:
    """The ``num`` first eigenpairs of an end of ∇²_yE at each row of y, from a start.

    Args:
        land: Only ``land.hvp`` is called.
        y: The points.
        start: Vectors to begin from, such as the eigenvectors of the step before, linearly
            independent or not. None begins from ``num`` random ones.
        num: How many pairs; as many as the start has if None.
        end: ``top``, the largest |λ|, or ``bottom``, the lowest λ.
        tol: Largest residual, as a share of the largest |Ritz value|; 1e-8 if None, in float32
            1e-5.
        num_probe: Products of the probe for a missed pair; 0 leaves it out.
        max_products: Bound a row, the probe's excepted; 20·d if None.
        seed: Of the random directions.

    Raises:
        UnknownNameError: No such end.
        ShapeError: The start does not fit, neither start nor num given, or a number out of range.
        ConvergenceError: A residual is above the tolerance after ``max_products``.
        ShapeError, DtypeError, NonFiniteError: y does not fit, or a product is not finite.

    Cost: counted in the result; 2·d·max(4·num, num + 24) numbers held a row.
    Source: Davidson (1975), doi:10.1016/0021-9991(75)90065-0, with residuals as they are; thick
    restarts by Wu & Simon (2000), doi:10.1137/S0895479898334605; the probe's bound by Kuczyński &
    Woźniakowski (1992), doi:10.1137/0613066, theorem 4.2.
    """
    num_probe = whole("num_probe", num_probe)
    num = None if num is None else whole("num", num)
    tol = None if tol is None else real("tol", tol)
    max_products = None if max_products is None else whole("max_products", max_products)
    num = _check(land, y, start, num, end, tol, num_probe)
    n, d = y.shape
    limit = _TOLERANCE.get(y.dtype, _TOLERANCE[torch.float32]) if tol is None else tol
    budget = 20 * d if max_products is None else max_products
    draws = RowDraws(n, seed=seed, purpose="curvature/warm")
    first = draws.normal(d, num).to(y) if start is None else start
    begin = torch.cat([first, draws.normal(d, _GUARDS).to(y)], dim=2)
    found = _converge(land, y, begin, num, end, limit, budget)
    rows = torch.arange(n, device=y.device)
    for _ in range(d if num_probe else 0):  # each round takes in at least one pair
        rows = rows[found.may_have_missed[rows]]  # not those whose d dimensions were spanned
        if not rows.numel():
            break
        draw = draws.normal(d, 1).to(y)[rows]
        probe = _probe(land.select(rows), y[rows], _rows(found, rows), end, num_probe, draw)
        found = _merge(found, rows, unseen=probe.unseen, may_have_missed=probe.unseen > 0)
        for count in (found.num_products, found.num_probe_products):
            count[rows] += probe.vectors.shape[2]
        rows, extra = rows[probe.missed], probe.vectors[probe.missed]
        if rows.numel():
            begin = torch.cat([found.eigenvectors[rows], extra], dim=2)
            better = _converge(land.select(rows), y[rows], begin, num, end, limit, budget)
            spent = {
                "num_products": found.num_products[rows] + better.num_products,
                "num_probe_products": found.num_probe_products[rows],
            }
            found = _merge(found, rows, **(_fields(better) | spent))
    return found


@dataclass(frozen=True, slots=True)
class _Probe:
    vectors: Tensor  # Ritz vectors, [r, d, j]
    missed: Tensor  # [r], whether one is beyond the last pair
    unseen: Tensor  # [r]


@dataclass(frozen=True, slots=True)
class _Ritz:
    """Ritz pairs of r rows, the wanted end first."""

    values: Tensor
    vectors: Tensor
    images: Tensor
    off: Tensor
    residuals: Tensor


def _converge(
    land: Landscape, y: Tensor, start: Tensor, num: int, end: End, limit: float, budget: int
) -> WarmSpectrum:
    n, d = y.shape
    largest = min(d, max(4 * num, num + 24, start.shape[2]))
    space = torch.linalg.qr(start).Q[:, :, :d]
    image = land.hvp(y, space)
    spent = space.shape[2]
    rows = torch.arange(n, device=y.device)
    norm = torch.zeros_like(y[:, 0])
    out = _empty(y, num)
    while True:
        ritz = _ritz(space, image, end)
        norm = norm.maximum(ritz.values.abs().amax(dim=1))
        held = space.shape[2]
        open_pairs = ritz.residuals[:, :num] > limit * norm[:, None]
        rest = open_pairs.any(dim=1) if held >= num else torch.ones_like(norm, dtype=torch.bool)
        if not bool(rest.all()):
            _store(out, rows[~rest], ritz, ~rest, norm[~rest], spent)
            if not bool(rest.any()):
                return out
            rows, y, norm, open_pairs = rows[rest], y[rest], norm[rest], open_pairs[rest]
            ritz = _Ritz(*(value[rest] for value in _fields(ritz).values()))
            land = land.select(rest.nonzero().flatten())
        wanted = min(max(int(open_pairs.sum(dim=1).max()), num - held), budget - spent, d - held)
        if wanted <= 0:
            worst = float((ritz.residuals[:, :num].amax(dim=1) / norm).max())
            raise ConvergenceError(
                f"warm_spectrum: expected residuals ≤ {limit:.1e}·‖H‖ within {budget} products, "
                f"found {worst:.1e}·‖H‖ at {rows.numel()} of {n} points after {spent}. Allow "
                "more, or a larger tol."
            )
        keep = held
        if held + wanted > largest and largest < d:
            keep = min(held, num + max(4, num // 2))
        space = ritz.vectors[:, :, :keep]
        fresh = _beside(space, _directions(ritz, open_pairs, wanted))
        space = torch.cat([space, fresh], dim=2)
        image = torch.cat([ritz.images[:, :, :keep], land.hvp(y, fresh)], dim=2)
        spent += fresh.shape[2]


def _ritz(space: Tensor, image: Tensor, end: End) -> _Ritz:
    block = space.mT @ image
    values, turn = torch.linalg.eigh((block + block.mT) / 2)
    key = -values.abs() if end == "top" else values
    order = key.argsort(dim=1, stable=True)
    values = values.gather(1, order)
    turn = turn.gather(2, order[:, None, :].expand_as(turn))
    vectors, images = space @ turn, image @ turn
    off = images - vectors * values[:, None, :]
    return _Ritz(values, vectors, images, off, torch.linalg.vector_norm(off, dim=1))


def _directions(ritz: _Ritz, open_pairs: Tensor, wanted: int) -> Tensor:
    """Residuals as new directions, those of pairs that have not converged first."""
    others = torch.ones_like(ritz.residuals[:, open_pairs.shape[1] :], dtype=torch.bool)
    later = torch.cat([~open_pairs, others], dim=1).to(torch.int8)
    choice = later.argsort(dim=1, stable=True)[:, :wanted]
    fresh = ritz.off.gather(2, choice[:, None, :].expand(-1, ritz.off.shape[1], -1))
    size = torch.linalg.vector_norm(fresh, dim=1, keepdim=True)
    return fresh / torch.where(size > 0, size, 1)


def _empty(y: Tensor, num: int) -> WarmSpectrum:
    n, d = y.shape
    count = torch.zeros(n, dtype=torch.long, device=y.device)
    return WarmSpectrum(
        eigenvalues=y.new_zeros(n, num),
        eigenvectors=y.new_zeros(n, d, num),
        residuals=y.new_zeros(n, num),
        norm=y.new_zeros(n),
        num_products=count,
        num_probe_products=count.clone(),
        unseen=y.new_zeros(n),
        may_have_missed=count > 0,
    )


def _store(
    out: WarmSpectrum, rows: Tensor, ritz: _Ritz, done: Tensor, norm: Tensor, spent: int
) -> None:
    """Write rows that have converged into a result under construction."""
    num = out.eigenvalues.shape[1]
    complete = ritz.vectors.shape[2] == ritz.vectors.shape[1]
    out.eigenvalues[rows] = ritz.values[done, :num]
    out.eigenvectors[rows] = ritz.vectors[done, :, :num]
    out.residuals[rows] = ritz.residuals[done, :num]
    out.norm[rows] = norm
    out.num_products[rows] = spent
    out.unseen[rows] = 0.0 if complete else torch.inf
    out.may_have_missed[rows] = not complete


def _beside(space: Tensor, fresh: Tensor) -> Tensor:
    """Orthonormal directions beside a frame; some other one where ``fresh`` gives none."""
    frame: Tensor = torch.linalg.qr(torch.cat([space, fresh], dim=2)).Q
    return frame[:, :, space.shape[2] :]


def _probe(
    land: Landscape, y: Tensor, found: WarmSpectrum, end: End, num_probe: int, draws: Tensor
) -> _Probe:
    """Lanczos from a random vector in the complement of what was found."""
    d, num = found.eigenvectors.shape[1:]
    steps = min(num_probe, d - num)
    frame = found.eigenvectors
    space = _beside(frame, draws)
    image = land.hvp(y, space)
    for _ in range(steps - 1):
        fresh = _beside(torch.cat([frame, space], dim=2), image[:, :, -1:])
        space = torch.cat([space, fresh], dim=2)
        image = torch.cat([image, land.hvp(y, fresh)], dim=2)
    ritz = _ritz(space, image, end)
    low, high = ritz.values.amin(dim=1), ritz.values.amax(dim=1)
    last = found.eigenvalues[:, -1]
    cut = last.abs() if end == "top" else -last
    # The pairs are known to their residuals only.
    slack = found.residuals.amax(dim=1) + d * torch.finfo(y.dtype).eps * found.norm
    reached = -low if end == "bottom" else torch.maximum(-low, high)
    unseen = torch.zeros_like(cut)
    if steps < d - num:
        chance = _MISS_PROBABILITY / 2  # an end of the spectrum each
        share = (math.log(1.648 * math.sqrt(d - num) / chance) / (2 * steps - 1)) ** 2
        hidden = torch.full_like(cut, torch.inf)  # too few steps to say
        if share < 1 / 2:
            hidden = share / (1 - 2 * share) * (high - low)
        flat = (high - low <= 2 * slack) & (steps > 1)  # one invariant plane has been seen
        unseen = torch.where(flat, 0, hidden)
    beyond = (reached + unseen - cut - 2 * slack).clamp(min=0)
    return _Probe(ritz.vectors, reached > cut + 2 * slack, beyond)


def _fields(result: WarmSpectrum | _Ritz) -> dict[str, Tensor]:
    return {f.name: getattr(result, f.name) for f in fields(result)}


def _rows(found: WarmSpectrum, rows: Tensor) -> WarmSpectrum:
    return WarmSpectrum(**{name: value[rows] for name, value in _fields(found).items()})


def _merge(found: WarmSpectrum, rows: Tensor, **new: Tensor) -> WarmSpectrum:
    """Some rows of some fields replaced."""
    old = {name: value.clone() for name, value in _fields(found).items()}
    for name, value in new.items():
        old[name][rows] = value
    return WarmSpectrum(**old)


def _check(
    land: Landscape,
    y: Tensor,
    start: Tensor | None,
    num: int | None,
    end: End,
    tol: float | None,
    num_probe: int,
) -> int:
    land.check_points(y)
    n, d = y.shape
    if end not in ("top", "bottom"):
        raise UnknownNameError(f"end: expected one of top, bottom, found {end!r}.")
    if start is None and num is None:
        raise ShapeError("warm_spectrum: give a start, or num for a cold one.")
    if start is not None and (start.shape[:2] != (n, d) or start.dtype != y.dtype):
        raise ShapeError(
            f"start: expected shape ({n}, {d}, m) in {y.dtype}, found {tuple(start.shape)} in "
            f"{start.dtype}."
        )
    num = int(start.shape[2]) if num is None and start is not None else int(num or 0)
    if not 1 <= num <= d:
        raise ShapeError(f"num: expected 1 … d = {d} eigenpairs, found {num}.")
    if tol is not None and not tol > 0:
        raise ShapeError(f"tol: expected a positive share of ‖H‖, found {tol}.")
    if num_probe < 0:
        raise ShapeError(f"num_probe: expected at least 0 products, found {num_probe}.")
    return num
