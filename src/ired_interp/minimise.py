"""Local minima of a landscape, by a trust-region Newton method with exact Hessians.

Source: Conn, Gould & Toint (2000), Trust-Region Methods, algorithms 6.1.1 and 7.3.4; the model is
minimised in the Hessian's eigenbasis, where the secular equation and the hard case are one-line.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.checks import Real, Whole, real, whole_numbers
from ired_interp.errors import NonFiniteError, ShapeError
from ired_interp.landscape import Landscape
from ired_interp.verification import Verification

__all__ = ["Minimum", "minimise"]

_TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}
_NEWTON_STEPS = 50  # of the secular equation; it takes three to eight
_EDGE_ROUND_OFF = 16
_ACCEPT, _SHRINK_BELOW, _GROW_ABOVE = 1e-4, 0.25, 0.75
_LEAST_ALONG = 1e-8  # cosine below which a rank-one correction is left out


@dataclass(frozen=True, slots=True)
class Minimum:
    """Where `minimise` ended at each row.

    Attributes:
        y: The point.
        energy: E there.
        gradient_norm: ‖∇E‖₂ there.
        converged: Whether it is a minimum to the tolerance: ‖∇E‖ ≤ tol·‖H‖·max(1, ‖start‖) and
            no eigenvalue below -tol·‖H‖.
        num_steps: Hessians that were computed for the row.
        verification: How far the derivatives were held against the energy, where the row ended.
    """

    y: Float[Tensor, "n d"]
    energy: Float[Tensor, " n"]
    gradient_norm: Float[Tensor, " n"]
    converged: Bool[Tensor, " n"]
    num_steps: Tensor
    verification: Verification


def minimise(
    land: Landscape,
    y: Float[Tensor, "n d"],
    *,
    tol: Real | None = None,
    max_steps: Whole = 200,
    first_radius: Real = 0.1,
    renew_every: Whole = 1,
    verify: bool = True,
) -> Minimum:
    """Descend from each row of y to a local minimum of its own landscape.

    Rows that do not converge are marked in the result, not raised. A step to where E or ∇E is not
    finite, or where the energy refuses to be evaluated, is taken back and tried again at a quarter
    of its length; a row whose Hessian is not finite stays where it is.

    Between exact Hessians the model follows the gradients by symmetric rank-one updates; a step
    that it failed to foresee renews it at once. Convergence is only ever told from an exact one.

    Args:
        land: The landscape.
        y: Where to start.
        tol: Relative tolerance; 1e-10 if None, in float32 1e-5.
        max_steps: Hessians a row may use; and it may take so many steps times ``renew_every``.
        first_radius: Length of the longest first step; it doubles where the model holds.
        renew_every: Steps from one Hessian to the next: 1 is Newton's method.
        verify: Whether the derivatives are held against the energy (`Landscape.verification`)
            where the rows start and where they end.

    Raises:
        EnergyError: The derivatives are not those of the energy.
        ShapeError: ``tol``, ``max_steps``, ``first_radius`` or ``renew_every`` is not positive.
        ShapeError, DtypeError, NonFiniteError: As the landscape's methods, at the start.

    Cost: one eigendecomposition, one gradient and one energy a step and row; a Hessian where one is
    due.
    Source: of the updates, Conn, Gould & Toint (1991), doi:10.1007/BF01594934.
    """
    max_steps, renew_every = whole_numbers(max_steps=max_steps, renew_every=renew_every)
    tol = None if tol is None else real("tol", tol)
    first_radius = real("first_radius", first_radius)
    limit = _TOLERANCE.get(y.dtype, _TOLERANCE[torch.float32]) if tol is None else tol
    if not (limit > 0 and first_radius > 0) or max_steps < 1 or renew_every < 1:
        raise ShapeError(
            "minimise: expected tol > 0, max_steps ≥ 1, first_radius > 0 and renew_every ≥ 1, "
            f"found {limit}, {max_steps}, {first_radius} and {renew_every}."
        )
    land.check_points(y)
    y = y.detach().clone()
    n, d = y.shape
    scale = y.norm(dim=1).clamp_min(1)
    energy, gradient = land.energy_and_gradient(y)
    known = land.verification(y, verify=verify)
    radius = torch.full_like(energy, first_radius)
    converged = torch.zeros_like(energy, dtype=torch.bool)
    model = _Model(y.new_zeros(n, d, d), torch.full_like(converged, renew_every, dtype=torch.long))
    num_steps = torch.zeros_like(energy, dtype=torch.long)
    open_rows = torch.arange(n, device=y.device)
    for _ in range(max_steps * renew_every):
        due = model.due(open_rows, gradient, limit * scale, renew_every)
        num_steps[due] += 1
        stuck = model.renew(land, due, y)
        open_rows = open_rows[~torch.isin(open_rows, stuck)]
        if open_rows.numel() == 0:
            break
        values, vectors = torch.linalg.eigh(model.hessian[open_rows])
        done = _is_minimum(gradient[open_rows], values, limit, scale[open_rows])
        done &= model.age[open_rows] == 0
        converged[open_rows[done]] = True
        going = ~done & (num_steps[open_rows] < max_steps)
        open_rows, values, vectors = open_rows[going], values[going], vectors[going]
        if open_rows.numel() == 0:
            break
        here = land.select(open_rows)
        step, promised = _model_step(values, vectors, gradient[open_rows], radius[open_rows])
        trial = y[open_rows] + step
        trial_energy, trial_gradient = here.energy_and_gradient_where_defined(trial)
        defined = torch.isfinite(trial_energy) & torch.isfinite(trial_gradient).all(dim=1)
        smaller = trial_gradient.norm(dim=1) < gradient[open_rows].norm(dim=1)
        ratio = _kept(energy[open_rows], trial_energy, promised, smaller)
        ratio = torch.where(defined, ratio, -torch.inf)
        accepted = ratio > _ACCEPT
        rows = open_rows[accepted]
        model.follow(rows, step[accepted], trial_gradient[accepted] - gradient[rows])
        model.age[open_rows[(ratio < _SHRINK_BELOW) & (model.age[open_rows] > 0)]] = renew_every
        y[rows], energy[rows] = trial[accepted], trial_energy[accepted]
        gradient[rows] = trial_gradient[accepted]
        radius[open_rows] = _next_radius(radius[open_rows], step.norm(dim=1), ratio)
    if verify:
        known = land.verification(y)
    return Minimum(y, energy, gradient.norm(dim=1), converged, num_steps, known)


@dataclass(frozen=True, slots=True)
class _Model:
    """The Hessian of each row's quadratic model, and how many steps ago it was exact."""

    hessian: Float[Tensor, "n d d"]
    age: Int[Tensor, " n"]

    def due(self, rows: Tensor, gradient: Tensor, limits: Tensor, renew_every: int) -> Tensor:
        """Those of the rows that need an exact Hessian: it is old, or they may have converged."""
        size = torch.linalg.matrix_norm(self.hessian[rows])  # at least ‖H‖₂
        still = gradient[rows].norm(dim=1) <= limits[rows] * size
        age = self.age[rows]
        return rows[(age >= renew_every) | (still & (age > 0))]

    def renew(self, land: Landscape, rows: Tensor, y: Tensor) -> Int[Tensor, " k"]:
        """Put exact Hessians in; return the rows that have none, because it is not finite."""
        if not rows.numel():
            return rows
        try:
            self.hessian[rows] = land.select(rows).hessian(y[rows], verify=False)
        except NonFiniteError:
            if rows.numel() == 1:
                return rows
            return torch.cat([self.renew(land, row[None], y) for row in rows])
        self.age[rows] = 0
        return rows[:0]

    def follow(self, rows: Tensor, step: Tensor, change: Tensor) -> None:
        """Correct the model by what the gradient did along a step, by symmetric rank one."""
        missed = change - torch.einsum("nde,ne->nd", self.hessian[rows], step)
        along = (missed * step).sum(dim=1)
        least = _LEAST_ALONG * missed.norm(dim=1) * step.norm(dim=1)
        share = torch.where(along.abs() > least, 1 / along, 0)
        self.hessian[rows] += share[:, None, None] * missed[:, :, None] * missed[:, None, :]
        self.age[rows] += 1


def _kept(energy: Tensor, trial: Tensor, promised: Tensor, smaller: Tensor) -> Tensor:
    """The share of the promised decrease that a trial point has.

    At the bottom of the valley differences drown in round-off; there a smaller gradient decides, as
    a share of 1.
    """
    eps, tiny = torch.finfo(energy.dtype).eps, torch.finfo(energy.dtype).tiny
    flat = promised <= 10 * eps * energy.abs()
    ratio = (energy - trial) / promised.clamp_min(tiny)
    return torch.where(flat, smaller.to(energy.dtype), ratio)


def _next_radius(radius: Tensor, length: Tensor, ratio: Tensor) -> Tensor:
    shrunk = torch.where(ratio < _SHRINK_BELOW, length / 4, radius)
    at_edge = length > 0.99 * radius
    return torch.where((ratio > _GROW_ABOVE) & at_edge, 2 * length, shrunk)


def _is_minimum(gradient: Tensor, values: Tensor, limit: float, scale: Tensor) -> Tensor:
    norm = values.abs().amax(dim=1)
    still: Tensor = gradient.norm(dim=1) <= limit * norm * scale
    return still & (values[:, 0] >= -limit * norm)


def _model_step(
    values: Float[Tensor, "n d"],
    vectors: Float[Tensor, "n d d"],
    gradient: Float[Tensor, "n d"],
    radius: Float[Tensor, " n"],
) -> tuple[Float[Tensor, "n d"], Float[Tensor, " n"]]:
    """The minimiser of gᵀp + ½pᵀHp over ‖p‖ ≤ radius, and the decrease it promises."""
    g = torch.einsum("nde,nd->ne", vectors, gradient)
    # From the lowest eigenvalue on: a step along it alone keeps its digits however near the pole.
    gaps = values - values[:, :1]
    p = -g / (gaps + _from_pole(gaps, g, radius, values[:, 0])[:, None])
    # The hard case: negative curvature that the gradient hardly sees. Go along it to the edge.
    slack = (radius.square() - p.square().sum(dim=1)).clamp_min(0).sqrt()
    along = torch.where(g[:, 0] > 0, -slack, slack)
    hard = (values[:, 0] < 0) & (p.norm(dim=1) < 0.99 * radius)
    p[:, 0] = torch.where(hard, p[:, 0] + along, p[:, 0])
    promised = -(g * p).sum(dim=1) - (values * p.square()).sum(dim=1) / 2
    step: Tensor = torch.einsum("nde,ne->nd", vectors, p)
    return step, promised


def _from_pole(
    gaps: Float[Tensor, "n d"],
    g: Float[Tensor, "n d"],
    radius: Float[Tensor, " n"],
    lowest: Float[Tensor, " n"],
) -> Float[Tensor, " n"]:
    """The least μ > 0, μ ≥ lowest, at which ‖g/(gaps + μ)‖ is no longer than the radius.

    Newton's method on 1/‖·‖, which is concave and increasing in μ: from the left of its root it
    stays there (Conn, Gould & Toint 2000, section 7.3).
    """
    # Left of the root, and no coordinate is longer than the radius.
    start = (g.abs() / radius[:, None] - gaps).amax(dim=1)
    pole = torch.maximum(lowest, start).clamp_min(torch.finfo(g.dtype).tiny)
    longest = (1 + _EDGE_ROUND_OFF * torch.finfo(g.dtype).eps) * radius
    for _ in range(_NEWTON_STEPS):
        p = g / (gaps + pole[:, None])
        length = torch.linalg.vector_norm(p, dim=1)
        too_long = length > longest
        if not too_long.any():
            break
        slope = (p.square() / (gaps + pole[:, None])).sum(dim=1)
        pole = torch.where(
            too_long, pole + length.square() / slope * (length - radius) / radius, pole
        )
    return pole
