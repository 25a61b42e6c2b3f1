"""The spectral density of ∇²_yE: how many eigenvalues lie where."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Real, Whole, real, whole_numbers
from ired_interp.curvature.estimates import SpherePoints, chunks, mean_and_error
from ired_interp.curvature.quadrature import Measure, QuadratureRoute, measure
from ired_interp.draws import check_seed
from ired_interp.errors import ConfigError, DtypeError, NonFiniteError, ShapeError
from ired_interp.landscape import Landscape
from ired_interp.verification import Verification

__all__ = ["EigenvalueCount", "SpectralDensity", "eigenvalues_below", "spectral_density"]

# k steps resolve a Gaussian of width 1.25·span/k: its coefficients of degree 2k and more are below
# e^(-12) of it.
_WIDTH_STEPS = 1.25
# Beyond the outermost nodes a Gaussian has 2e-9 of its mass.
_MARGIN = 6
_STEEPEST = math.sqrt(2 * math.pi * math.e)
# Nodes that carry less do not widen the grid.
_NEGLIGIBLE = 1e-12


@dataclass(frozen=True, slots=True)
class SpectralDensity:
    """The eigenvalue density at n points, broadened by Gaussians; it integrates to 1.

    Attributes:
        grid: Where the density is given, in energy / y².
        density: Share of the eigenvalues per unit of curvature, in y² / energy.
        standard_error: Of ``density`` over draws of the probes, pointwise; 0 if ``exact``.
        remainder: Error that more probes would not remove: round-off, to first order, and unless
            ``exact`` what the last quarter of the Lanczos steps changed.
        width: Standard deviation of the Gaussians.
        nodes: Where each probe's measure has its masses, ascending; if ``exact`` the eigenvalues.
        weights: The masses; a probe's sum is 1.
        dim: d, the number of eigenvalues.
        exact: Whether the eigenvalues themselves were broadened.
        estimator: "exact" or "quadrature".
        num_products: Hessian products a point.
        reason: One sentence on why this estimator.
        verification: How far the derivatives were held against the energy.
    """

    grid: Float[Tensor, "n g"]
    density: Float[Tensor, "n g"]
    standard_error: Float[Tensor, "n g"]
    remainder: Float[Tensor, "n g"]
    width: Float[Tensor, " n"]
    nodes: Float[Tensor, "n m k"]
    weights: Float[Tensor, "n m k"]
    dim: int
    exact: bool
    estimator: QuadratureRoute
    num_products: int
    reason: str
    verification: Verification


@dataclass(frozen=True, slots=True)
class EigenvalueCount:
    """How many eigenvalues lie below each value.

    Attributes:
        count: Their number, a mean over probes unless it is exact.
        standard_error: Of ``count`` over draws of the probes; 0 if exact.
        low: The least that ``count`` could be with more steps and the same probes; if exact, the
            count without the eigenvalues that round-off could move across.
        high: The most, likewise.
    """

    count: Float[Tensor, "n g"]
    standard_error: Float[Tensor, "n g"]
    low: Float[Tensor, "n g"]
    high: Float[Tensor, "n g"]


def spectral_density(
    land: Landscape,
    y: Float[Tensor, "n d"],
    *,
    width: Real | None = None,
    grid: Float[Tensor, " g"] | None = None,
    num_points: Whole = 256,
    estimator: QuadratureRoute | None = None,
    num_probes: Whole = 16,
    num_steps: Whole = 64,
    seed: Whole = 0,
    verify: bool = True,
) -> SpectralDensity:
    """The density (1/d)·Σ_i g_w(λ - λ_i) of the eigenvalues of ∇²_yE at each row of y.

    Exact where d ≤ num_probes·num_steps, otherwise by stochastic Lanczos quadrature.

    Args:
        land: The landscape; its ``max_bytes`` bounds the bases of the Lanczos runs held at once,
            but not the one Hessian (exact) or the one run (quadrature) that must be.
        y: The points.
        width: w, the Gaussians' standard deviation, in energy / y². None takes what num_steps can
            resolve, 1.25·span/num_steps with the span from the lowest to the highest eigenvalue
            seen, by either route; ‖H‖ in place of a span of 0, and 1 where H = 0.
        grid: Values to give the density at, shared by all points; None spans each point's own
            spectrum and 6·w to either side.
        num_points: Of that own grid.
        estimator: "exact" or "quadrature"; None chooses.
        num_probes: Random starts; at least 2.
        num_steps: Lanczos steps from each, at most d of which are taken.
        seed: Of the probes, which all points share.
        verify: Whether the derivatives are held against the energy (`Landscape.verification`).

    Raises:
        EnergyError: The derivatives are not those of the energy.
        UnknownNameError: No such estimator.
        ConfigError: ``width`` is not a positive number, or the seed is out of range.
        ShapeError: Fewer than 2 probes, 1 step or 2 grid points, or a grid too coarse for the
            width.
        ShapeError, DtypeError, NonFiniteError: y or the grid does not fit, or E or a product is
            not finite.

    Cost: num_probes·num_steps Hessian products a point; d, or the closed form, and a
    tridiagonalisation, if exact.

    Source: Lin, Saad & Yang (2016), doi:10.1137/130934283; Ubaru, Chen & Saad (2017),
    doi:10.1137/16M1104974.
    """
    num_points, num_probes, num_steps = whole_numbers(
        num_points=num_points, num_probes=num_probes, num_steps=num_steps
    )
    width = None if width is None else real("width", width, error=ConfigError)
    if width is not None and not 0 < width < math.inf:
        raise ConfigError(f"width: expected a positive number, found {width}.")
    if num_points < 2:  # noqa: PLR2004 - the ends
        raise ShapeError(f"num_points: expected at least 2, found {num_points}.")
    land.check_points(y)
    if grid is not None:
        _check_values("grid", grid, y)
    known = land.verification(y, verify=verify)
    found = measure(
        land,
        y,
        estimator=estimator,
        num_probes=num_probes,
        num_steps=num_steps,
        early_share=0.75,
        probes=SpherePoints(check_seed(seed), "curvature.quadrature"),
    )
    if verify and found.exact:
        land.check_closed_hessian(y)
    low, high = _ends(found)
    widths = (
        _default_width(low, high, num_steps, y) if width is None else torch.full_like(low, width)
    )
    if grid is None:
        at = _own_grid(low, high, widths, num_points)
    else:
        at = grid.double().expand(y.shape[0], -1)
    density, error, remainder = _broadened(found, at, widths, land.max_bytes)
    # The customary allowance d·ε·‖H‖ for an eigenvalue, times a Gaussian's steepest slope.
    moved = y.shape[1] * torch.finfo(y.dtype).eps * found.nodes.abs().amax(dim=(1, 2))
    remainder = remainder + (moved / widths.square() / _STEEPEST)[:, None]
    return SpectralDensity(
        grid=at.to(y),
        density=density.to(y),
        standard_error=error.to(y),
        remainder=remainder.to(y),
        width=widths.to(y),
        nodes=found.nodes.to(y),
        weights=found.weights.to(y),
        dim=y.shape[1],
        exact=found.exact,
        estimator=found.estimator,
        num_products=found.num_products,
        reason=found.reason,
        verification=known,
    )


def eigenvalues_below(found: SpectralDensity, values: Float[Tensor, " g"]) -> EigenvalueCount:
    """How many eigenvalues lie below each value, from a density's nodes, not broadened.

    A Gauss rule with k nodes brackets its own measure (Chebyshev, Markov & Stieltjes; Szegő 1975,
    section 3.41): the true mass below a value differs from the weights below it by no more than the
    weight of the nearest node on either side. ``low`` and ``high`` are those brackets, averaged.

    Raises:
        ShapeError, DtypeError, NonFiniteError: The values do not fit.

    Cost: none.
    """
    _check_values("values", values, found.grid)
    n, m, k = found.nodes.shape
    at = values.double().expand(n, m, -1).contiguous()
    nodes, d = found.nodes.double(), found.dim
    if found.exact:
        norm = nodes.abs().amax(dim=2, keepdim=True)
        room = d * torch.finfo(found.nodes.dtype).eps * norm
        bounds = (at, at - room, at + room)
        below = [torch.searchsorted(nodes, b)[:, 0].to(values) for b in bounds]
        return EigenvalueCount(below[0], torch.zeros_like(below[0]), below[1], below[2])
    mass = torch.cat([torch.zeros_like(nodes[..., :1]), found.weights.double().cumsum(2)], dim=2)
    mass = mass / mass[..., -1:]
    place = torch.searchsorted(nodes, at)
    count, error = mean_and_error(d * mass.gather(2, place))
    low = d * mass.gather(2, (place - 1).clamp_min(0)).mean(dim=1)
    high = d * mass.gather(2, (place + 1).clamp_max(k)).mean(dim=1)
    return EigenvalueCount(*(a.to(values) for a in (count, error, low, high)))


def _ends(found: Measure) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """The lowest and the highest node that counts."""
    counts = found.weights > _NEGLIGIBLE
    low = torch.where(counts, found.nodes, torch.inf).amin(dim=(1, 2))
    high = torch.where(counts, found.nodes, -torch.inf).amax(dim=(1, 2))
    return low, high


def _default_width(low: Tensor, high: Tensor, num_steps: int, y: Tensor) -> Tensor:
    span, norm = high - low, low.abs().maximum(high.abs())
    span = torch.where(span > y.shape[1] * torch.finfo(y.dtype).eps * norm, span, norm)
    span = torch.where(span > 0, span, 1.0)
    return _WIDTH_STEPS * span / num_steps


def _own_grid(low: Tensor, high: Tensor, width: Tensor, num_points: int) -> Tensor:
    low, high = low - _MARGIN * width, high + _MARGIN * width
    needed = int(((high - low) / width).max().ceil()) + 1
    if num_points < needed:
        raise ShapeError(
            f"num_points: expected at least {needed} for a width of {float(width.min()):.3g} over "
            f"these spectra, found {num_points}: the grid would step over the peaks. Ask for more, "
            "a larger width, or give the grid."
        )
    share = torch.linspace(0, 1, num_points, dtype=torch.float64, device=low.device)
    return low[:, None] + (high - low)[:, None] * share


def _broadened(
    found: Measure, grid: Tensor, width: Tensor, max_bytes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The density on the grid, its standard error over probes, and what the last steps changed."""
    density, error, change = (torch.zeros_like(grid) for _ in range(3))
    n, m, k = found.nodes.shape
    for rows in chunks(n, 16 * m * k * 8, max_bytes):
        for places in chunks(grid.shape[1], 3 * (rows.stop - rows.start) * m * k * 8, max_bytes):
            at, w = grid[rows, None, places, None], width[rows, None, None, None]
            samples = _gaussians(found.nodes[rows], found.weights[rows], at, w)
            if found.exact:
                density[rows, places] = samples[:, 0]
                continue
            density[rows, places], error[rows, places] = mean_and_error(samples)
            early = _gaussians(found.early_nodes[rows], found.early_weights[rows], at, w)
            change[rows, places] = (samples - early).mean(dim=1).abs()
    return density, error, change


def _gaussians(nodes: Tensor, weights: Tensor, at: Tensor, width: Tensor) -> Tensor:
    """Σ_j w_j·g(at - θ_j), [n, m, g]."""
    off = (at - nodes[:, :, None]) / width
    bells = (off.square() / -2).exp() @ weights[..., None]
    return bells[..., 0] / (width[..., 0] * math.sqrt(2 * math.pi))


def _check_values(name: str, values: Tensor, like: Tensor) -> None:
    if values.ndim != 1 or values.shape[0] == 0:
        raise ShapeError(f"{name}: expected shape [g] with g ≥ 1, found {tuple(values.shape)}.")
    if values.dtype != like.dtype or values.device != like.device:
        raise DtypeError(
            f"{name}: expected {like.dtype} on {like.device} as y is, found {values.dtype} on "
            f"{values.device}; convert it with .to()."
        )
    if not bool(torch.isfinite(values).all()):
        raise NonFiniteError(f"{name}: expected finite numbers, found NaN or infinity.")
