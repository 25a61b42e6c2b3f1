"""The spectrum at the points of a level, as EXP-001 stores it: what is asked, what is known."""

from dataclasses import dataclass
from typing import Final, get_args

import torch
from torch import Tensor

from ired_interp import curvature
from ired_interp.curvature.eigenspaces import End
from ired_interp.curvature.routes import Route
from ired_interp.experiments.exp001_variables import ALL, BOTTOM, TOP

__all__ = ["ROUTES", "Request", "of_spectrum"]

ROUTES: Final = get_args(Route)
"""By number, as results hold them."""


@dataclass(frozen=True)
class Request:
    """What is asked of the spectrum at each point.

    Attributes:
        top: Largest by |λ|, or None for all.
        bottom: Lowest.
        vectors: Eigenvectors to keep of each end.
        parts: Whether to split by layer.
        posterior: Whether to read a posterior, which needs the whole spectrum and typical points.
    """

    top: int | None
    bottom: int
    vectors: int
    parts: bool
    posterior: bool

    @property
    def ends(self) -> tuple[End, ...]:
        """The ends of which something was asked."""
        if self.top is None:
            return (TOP, BOTTOM)
        asked: tuple[tuple[End, int], ...] = ((TOP, self.top), (BOTTOM, self.bottom))
        return tuple(end for end, num in asked if num)

    def wanted(self, d: int) -> list[str]:
        """Why each eigenvalue is there."""
        return [ALL] * d if self.top is None else [TOP] * self.top + [BOTTOM] * self.bottom

    def columns(self, end: End) -> slice:
        """Which eigenvalues the vectors of an end are looked for among."""
        if self.top is None:
            return slice(None)
        return slice(0, self.top) if end == TOP else slice(self.top, None)


def of_spectrum(
    spec: curvature.Spectrum, sigma: float | Tensor, request: Request
) -> dict[str, Tensor]:
    """Eigenvalues, their certificates, and what sums them up as far as it is known.

    Args:
        spec: At n points.
        sigma: σ_t of all, or of each, [n].
        request: What was asked of it.
    """
    values, residuals = spec.eigenvalues, spec.residuals
    sigma = torch.as_tensor(sigma).to(values)
    measured = {
        "eigenvalues": values,
        "residuals": residuals,
        "radii": spec.radii,
        "clusters": spec.clusters,
        "cluster_radii": spec.cluster_radii,
        "index_low": spec.index_low,
        "index_high": spec.index_high,
        "roundoff": spec.roundoff,
        "route": torch.tensor([ROUTES.index(route) for route in spec.routes], device="cpu"),
        "scaled_eigenvalues": sigma.reshape(-1, 1) * values,
    }
    if request.top is not None:
        unknown = torch.full_like(spec.norm, torch.nan)
        lowest = values.amin(dim=1)
        # Top pairs of either sign hold that end of the spectrum, as they are the largest by |λ|.
        # Bottom pairs hold the lower one, and the upper one only where they are all.
        every = spec.eigenvectors.shape[1] in (request.top, request.bottom)
        upper = values if every else values[:, : request.top]
        largest = upper.amax(dim=1) if upper.shape[1] else unknown
        measured |= dict.fromkeys(_OF_ALL, unknown)
        measured |= {
            "num_negative": spec.index_low,
            "num_undetermined": spec.index_high - spec.index_low,
            "largest_scaled_eigenvalue": sigma
            * (largest if every else torch.where(largest > 0, largest, unknown)),
            "smallest_scaled_eigenvalue": sigma
            * (lowest if request.bottom or every else torch.where(lowest < 0, lowest, unknown)),
        }
        return measured
    return measured | {
        "condition_number": _if_determined(
            curvature.condition_number(values), values.abs().amin(dim=1), values, residuals
        ),
        "positive_condition_number": _if_determined(
            curvature.positive_condition_number(values),
            torch.where(values > 0, values, torch.inf).amin(dim=1),
            values,
            residuals,
        ),
        "participation_ratio": curvature.participation_ratio(values),
        "spectral_gap": curvature.spectral_gap(values),
        "num_negative": curvature.num_negative(values, residuals),
        "num_undetermined": curvature.num_undetermined(values, residuals),
        "mean_scaled_eigenvalue": sigma * values.mean(dim=1),
        "largest_scaled_eigenvalue": sigma * values[:, -1],
        "smallest_scaled_eigenvalue": sigma * values[:, 0],
    }


_OF_ALL = (
    "condition_number",
    "positive_condition_number",
    "participation_ratio",
    "spectral_gap",
    "mean_scaled_eigenvalue",
)


def _if_determined(ratio: Tensor, smallest: Tensor, values: Tensor, residuals: Tensor) -> Tensor:
    """A condition number, infinite where its denominator is no larger than its error."""
    unknown = smallest <= curvature.eigenvalue_errors(values, residuals).amax(dim=1)
    return torch.where(unknown, torch.inf, ratio)
