"""Which estimator a point gets: by d, by the products allowed, by a pilot, never by a clock.

The pilot's products are counted and then thrown away, so that what chose is not what measured. The
choice is made point by point: a point's result does not depend on its neighbours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.curvature.estimates import Estimate, Estimator, Method, SpherePoints
from ired_interp.draws import check_seed
from ired_interp.errors import ConfigError, ConvergenceError, ShapeError, UnknownNameError
from ired_interp.landscape import Landscape
from ired_interp.verification import Verification

__all__ = ["DEFAULT_PRODUCTS", "NUM_PILOT", "Request", "estimate"]

DEFAULT_PRODUCTS = 512
NUM_PILOT = 16
# A pilot takes an eighth of the budget at most.
_PILOT_SHARE = 8
# The standard error of 16 samples is too low by a fifth often enough.
_SAFETY = 1.5


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks of an estimate; checked by `estimate`."""

    estimator: str | None
    num_products: int | None
    rtol: float | None
    seed: int
    verify: bool


@dataclass(frozen=True, slots=True)
class _Problem:
    """The points, the ways to the number, the probes."""

    land: Landscape
    y: Tensor
    methods: Mapping[Estimator, Method]
    probes: SpherePoints
    known: Verification

    @property
    def dim(self) -> int:
        return self.land.dim_y

    def at(self, rows: Tensor) -> "_Problem":
        known = self.known.select(rows)
        return _Problem(self.land.select(rows), self.y[rows], self.methods, self.probes, known)

    def run(self, name: Estimator, num_products: int, spent: int, reason: str) -> Estimate:
        """One method at every point, after ``spent`` products on something else."""
        method, n = self.methods[name], self.y.shape[0]
        if name == "exact" and num_products < self.dim:
            raise ShapeError(
                f"num_products: expected at least d = {self.dim} for 'exact', found "
                f"{num_products}; leave it out, or choose another estimator."
            )
        if num_products < method.least:
            raise ShapeError(
                f"num_products: expected at least {method.least} for {name!r}, found "
                f"{num_products}: fewer leave no standard error."
            )
        found = method.run(self.land, self.y, num_products, self.probes)
        full = torch.full((n,), 1.0, dtype=torch.float64, device=self.y.device)
        return Estimate(
            value=found.value.to(self.y),
            standard_error=found.standard_error.to(self.y),
            degrees_of_freedom=(full * found.degrees_of_freedom).to(self.y),
            exact=(full * (name == "exact")).bool(),
            estimator=(name,) * n,
            num_products=(full * (found.num_products + spent)).long(),
            reason=(f"{name}: {reason}",) * n,
            verification=self.known,
        )


def estimate(
    land: Landscape,
    y: Float[Tensor, "n d"],
    methods: Mapping[Estimator, Method],
    request: Request,
    *,
    candidates: tuple[Estimator, ...],
    purpose: str,
) -> Estimate:
    """One number at each point, by the estimator asked for or by the best that fits.

    Args:
        land: The landscape.
        y: The points.
        methods: By name; "exact", which takes d products, is one.
        request: What the caller asked for.
        candidates: Those to choose from where exactness costs too much; the last without a pilot.
        purpose: The name of the probes' streams.

    Raises:
        UnknownNameError, ConfigError, ShapeError, ConvergenceError: As `trace` says.
    """
    check_seed(request.seed)
    land.check_points(y)
    name, most = _checked(methods, request)
    known = land.verification(y, verify=request.verify)
    problem = _Problem(land, y, methods, SpherePoints(request.seed, purpose), known)
    if request.rtol is not None:
        found = _to_tolerance(problem, candidates, request.rtol, most)
    elif name is None:
        found = _within(problem, candidates, DEFAULT_PRODUCTS if most is None else most)
    else:
        usual = problem.dim if name == "exact" else DEFAULT_PRODUCTS
        found = problem.run(name, usual if most is None else most, 0, "as asked.")
    if request.verify and bool(found.exact.any()):
        land.check_closed_hessian(y)
    return found


def _within(problem: _Problem, candidates: tuple[Estimator, ...], budget: int) -> Estimate:
    """The best that a number of products allows."""
    d, cost = problem.dim, NUM_PILOT * len(candidates)
    if d <= budget:
        return problem.run("exact", d, 0, f"d = {d} products do, of {budget} allowed.")
    few = f"{budget} products are allowed, fewer than d = {d}"
    if len(candidates) == 1:
        return problem.run(candidates[0], budget, 0, f"{few}.")
    if budget < _PILOT_SHARE * cost:
        enough = [c for c in candidates if problem.methods[c].least * 2 <= budget]
        return problem.run(enough[-1] if enough else candidates[0], budget, 0, f"{few}.")
    best, _ = _pilot(problem, candidates)
    reason = f"{few}; of {' and '.join(candidates)} the more precise in a pilot of {cost}."
    parts = []
    for i, candidate in enumerate(candidates):
        rows = (best == i).nonzero().flatten()
        if rows.numel():
            parts.append((rows, problem.at(rows).run(candidate, budget - cost, cost, reason)))
    return _join(parts)


def _to_tolerance(
    problem: _Problem, candidates: tuple[Estimator, ...], rtol: float, most: int | None
) -> Estimate:
    """Doubled from the size that a pilot predicts until the standard error is small enough.

    A method that may gain more than the prediction's 1/√size starts at twice the pilot, and makes
    way for the exact value at d/2.
    """
    d, cost = problem.dim, NUM_PILOT * len(candidates)
    if d <= 2 * cost and (most is None or d <= most):
        return problem.run("exact", d, 0, f"d = {d} products do, little more than a pilot.")
    if most is not None and most < cost + NUM_PILOT:
        raise ShapeError(
            f"num_products: expected at least {min(d, cost + NUM_PILOT)} beside rtol, found "
            f"{most}: the pilot alone takes {cost}."
        )
    best, share = _pilot(problem, candidates)
    needed = _SAFETY * NUM_PILOT * (share / rtol).square()
    doublings = (needed / NUM_PILOT).clamp(1, 2 * d).log2().ceil().long()
    gains = [problem.methods[c].can_gain for c in candidates]
    doublings = torch.where(
        doublings.new_tensor(gains)[best] > 0, doublings.clamp(max=1), doublings
    )
    waiting = torch.arange(problem.y.shape[0], device=problem.y.device)
    sizes, first = NUM_PILOT * 2**doublings, NUM_PILOT * 2**doublings
    parts = []
    while waiting.numel():
        groups = torch.stack([best[waiting], sizes[waiting], first[waiting]], dim=1)
        later = []
        for i, size, start in sorted(set(map(tuple, groups.tolist()))):
            rows = waiting[(groups == groups.new_tensor([i, size, start])).all(dim=1)]
            spent = cost + size - start  # start + 2·start + … + size/2
            part, name = problem.at(rows), candidates[i]
            if (2 * size > d if gains[i] else size >= d) or (
                most is not None and spent + size > most
            ):
                _check_affordable(name, rtol, size, spent, d, most)
                why = f"{name} would take {size} products for a share of {rtol:g}."
                parts.append((rows, part.run("exact", d, spent, why)))
                continue
            found = part.run(name, size, spent, f"its standard error reaches a share of {rtol:g}.")
            met = found.standard_error <= rtol * found.value.abs()
            parts.append((rows[met], _select(found, met)))
            later.append(rows[~met])
        waiting = torch.cat(later).sort().values if later else waiting[:0]
        sizes = 2 * sizes
    return _join(parts)


def _check_affordable(
    name: Estimator, rtol: float, size: int, spent: int, d: int, most: int | None
) -> None:
    if most is not None and spent + d > most:
        raise ConvergenceError(
            f"rtol: expected a standard error ≤ {rtol:g}·|value| within {most} products a point; "
            f"after {spent}, {name} would take about {size} more and the exact value {d}. Allow "
            "more products or a larger rtol."
        )


def _pilot(
    problem: _Problem, candidates: tuple[Estimator, ...]
) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
    """Place of the most precise candidate at each point, and its standard error / |value|."""
    probes = SpherePoints(problem.probes.seed, problem.probes.purpose + ".pilot")
    found = [problem.methods[c].run(problem.land, problem.y, NUM_PILOT, probes) for c in candidates]
    errors = torch.stack([sample.standard_error for sample in found])
    values = torch.stack([sample.value for sample in found])
    best = errors.argmin(dim=0)
    error, value = (a.gather(0, best[None])[0] for a in (errors, values))
    return best, torch.where(error > 0, error / value.abs(), 0.0)


def _select(found: Estimate, rows: Tensor) -> Estimate:
    places = rows.nonzero().flatten().tolist()
    return Estimate(
        value=found.value[rows],
        standard_error=found.standard_error[rows],
        degrees_of_freedom=found.degrees_of_freedom[rows],
        exact=found.exact[rows],
        estimator=tuple(found.estimator[i] for i in places),
        num_products=found.num_products[rows],
        reason=tuple(found.reason[i] for i in places),
        verification=found.verification.select(rows),
    )


def _join(parts: list[tuple[Tensor, Estimate]]) -> Estimate:
    """The rows of several estimates, put back into the points' order."""
    order = torch.cat([rows for rows, _ in parts]).argsort()
    found = [part for _, part in parts]
    names = [name for part in found for name in part.estimator]
    reasons = [reason for part in found for reason in part.reason]
    return Estimate(
        value=torch.cat([part.value for part in found])[order],
        standard_error=torch.cat([part.standard_error for part in found])[order],
        degrees_of_freedom=torch.cat([part.degrees_of_freedom for part in found])[order],
        exact=torch.cat([part.exact for part in found])[order],
        estimator=tuple(names[i] for i in order.tolist()),
        num_products=torch.cat([part.num_products for part in found])[order],
        reason=tuple(reasons[i] for i in order.tolist()),
        verification=Verification.join([part.verification for part in found]).select(order),
    )


def _checked(
    methods: Mapping[Estimator, Method], request: Request
) -> tuple[Estimator | None, int | None]:
    """The estimator's name and the number of products, once they are known to make sense."""
    most, rtol = request.num_products, request.rtol
    if rtol is not None and not rtol > 0:
        raise ConfigError(f"rtol: expected a positive share of the value, found {rtol}.")
    if request.estimator is None:
        return None, most
    if rtol is not None:
        raise ConfigError(
            f"rtol: expected no estimator beside it, found {request.estimator!r}; a pilot chooses. "
            "Leave one of the two out."
        )
    for name in methods:
        if name == request.estimator:
            return name, most
    raise UnknownNameError(
        f"estimator: expected one of {', '.join(map(repr, methods))}, or None to choose, found "
        f"{request.estimator!r}."
    )
