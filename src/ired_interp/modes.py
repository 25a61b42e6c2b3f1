"""How many minima a landscape has, as far as descents from many starts can tell.

**When two ends are one minimum.** A descent ends within about ‖∇E‖/λ_min of a minimum. Two ends
are the same where they lie within ``tol``·max(1, ‖y‖) of each other, or are linked by others that
do (single linkage). The result carries ``spread``, the largest distance from an end to its
minimum's representative, and ``separation``, the smallest between two minima: where
spread ≪ tol ≪ separation the count does not hang on the choice of tol.

What was not started in the basin of a minimum does not find it: the count is a lower bound, and
says how many starts it rests on.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.checks import Real, Whole, real
from ired_interp.errors import ShapeError
from ired_interp.landscape import Landscape
from ired_interp.minimise import Minimum, minimise

__all__ = [
    "Modes",
    "NoMode",
    "SeveralModes",
    "SingleMode",
    "find_modes",
    "num_minima",
    "same_minimum",
]

# In float32 descents stop where gradients drown: up to a few 1e-4 apart at one minimum.
_TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-3}
# Starts lie far out, and a Hessian costs ten gradients. Longer steps and fewer Hessians would pass
# over basins of shallow minima.
_FIRST_RADIUS, _RENEW_EVERY = 0.3, 4


@dataclass(frozen=True, slots=True)
class NoMode:
    """No descent converged.

    Attributes:
        num_starts: How many there were.
    """

    num_starts: int


@dataclass(frozen=True, slots=True)
class SingleMode:
    """All descents that converged ended at one minimum: there is no barrier to measure.

    Attributes:
        y: The end of lowest energy.
        energy: E there.
        softness: λ_min/‖H‖ there: near 0 the minimum is a valley, and its place is arbitrary.
        num_starts: How many descents there were.
        num_converged: How many of them converged.
        spread: Largest ‖end - y‖/max(1, ‖y‖).
    """

    y: Float[Tensor, " d"]
    energy: float
    softness: float
    num_starts: int
    num_converged: int
    spread: float


@dataclass(frozen=True, slots=True)
class SeveralModes:
    """Distinct minima, by falling number of descents, then by rising energy.

    Attributes:
        y: The end of lowest energy of each.
        energy: E there.
        softness: λ_min/‖H‖ there: near 0 minima of one valley may have been counted apart.
        counts: How many descents ended at each.
        num_starts: How many descents there were.
        spread: Largest ‖end - y‖/max(1, ‖y‖) from an end to its minimum.
        separation: Smallest ‖y_i - y_j‖/max(1, ‖y‖) between two minima.
    """

    y: Float[Tensor, "m d"]
    energy: Float[Tensor, " m"]
    softness: Float[Tensor, " m"]
    counts: Int[Tensor, " m"]
    num_starts: int
    spread: float
    separation: float

    @property
    def num_converged(self) -> int:
        """How many descents converged."""
        return int(self.counts.sum())


Modes = NoMode | SingleMode | SeveralModes


def find_modes(
    land: Landscape,
    starts: Float[Tensor, "n s d"],
    *,
    tol: Real | None = None,
    max_steps: Whole = 200,
) -> list[Modes]:
    """Descend from every start of every row, and tell the minima apart.

    Args:
        land: The landscape, one row a problem.
        starts: s starts a row.
        tol: Distance at which two ends are one minimum, as a share of max(1, ‖y‖); 1e-4 if None, in
            float32 1e-3.
        max_steps: Hessians a descent may use; those that need more are left out and counted.

    Returns:
        One answer a row: `SingleMode`, `SeveralModes`, or `NoMode`.

    Raises:
        ShapeError: No start, starts of other rows than the landscape's, or a ``tol`` that is not in
            (0, 1).
        ShapeError, DtypeError, NonFiniteError: As `minimise`.

    Cost: s descents a row, each as `minimise`, and one Hessian a minimum.
    """
    tol = None if tol is None else real("tol", tol)
    if starts.ndim != 3 or starts.shape[1] < 1:  # noqa: PLR2004 - the number of axes
        raise ShapeError(
            f"find_modes: expected starts of shape [n, s, d] with s ≥ 1, found "
            f"{tuple(starts.shape)}."
        )
    share = _TOLERANCE.get(starts.dtype, _TOLERANCE[torch.float32]) if tol is None else tol
    if not 0 < share < 1:
        raise ShapeError(f"find_modes: tol: expected a share in (0, 1), found {share}.")
    land.check_points(starts[:, 0])
    n, s, d = starts.shape
    owners = torch.arange(n, device=starts.device).repeat_interleave(s)
    ends = minimise(
        land.select(owners),
        starts.reshape(n * s, d),
        max_steps=max_steps,
        first_radius=_FIRST_RADIUS,
        renew_every=_RENEW_EVERY,
    )
    return [
        _told_apart(
            land.select(torch.tensor([row], device=starts.device)), ends, owners == row, share
        )
        for row in range(n)
    ]


def num_minima(modes: Modes) -> int:
    """How many distinct minima were found."""
    if isinstance(modes, SeveralModes):
        return len(modes.y)
    return 0 if isinstance(modes, NoMode) else 1


def same_minimum(modes: Modes) -> float:
    """The share of pairs of starts that end at the same minimum, without bias.

    Σ n_i(n_i - 1)/(N(N - 1)): 1 for a single mode, ½ - 1/(2N - 2) for two of N/2 each. Its inverse
    is the effective number of minima. NaN where fewer than two descents converged.

    Source: Simpson (1949), doi:10.1038/163688a0.
    """
    if isinstance(modes, NoMode) or modes.num_converged < 2:  # noqa: PLR2004 - a pair
        return math.nan
    if isinstance(modes, SingleMode):
        return 1.0
    counts = modes.counts.to(torch.float64)
    total = counts.sum()
    return float((counts * (counts - 1)).sum() / (total * (total - 1)))


def _told_apart(land: Landscape, ends: Minimum, mine: Bool[Tensor, " ends"], tol: float) -> Modes:
    num_starts = int(mine.sum())
    rows = (mine & ends.converged).nonzero().flatten()
    if not len(rows):
        return NoMode(num_starts)
    y, energy = ends.y[rows], ends.energy[rows]
    size = y.norm(dim=1).max().clamp_min(1)
    # Differences, not inner products: cdist's fast form loses half of the digits.
    distance = (y[:, None] - y[None]).norm(dim=2) / size
    labels = _linked(distance <= tol)
    groups = [(labels == label).nonzero().flatten() for label in sorted(set(labels.tolist()))]
    best = [group[energy[group].argmin()] for group in groups]
    spread = max(float(distance[group, at].max()) for group, at in zip(groups, best, strict=True))
    order = sorted(range(len(groups)), key=lambda i: (-len(groups[i]), float(energy[best[i]])))
    chosen = torch.stack([best[i] for i in order])
    softness = _softness(land, y[chosen])
    if len(order) == 1:
        return SingleMode(
            y[chosen[0]],
            float(energy[chosen[0]]),
            float(softness[0]),
            num_starts,
            len(rows),
            spread,
        )
    between = distance[chosen][:, chosen]
    apart = between[~torch.eye(len(order), dtype=torch.bool, device=y.device)]
    return SeveralModes(
        y[chosen],
        energy[chosen],
        softness,
        torch.tensor([len(groups[i]) for i in order], device="cpu"),
        num_starts,
        spread,
        float(apart.min()),
    )


def _linked(near: Bool[Tensor, "e e"]) -> Int[Tensor, " e"]:
    """A label a point, the same for all that are linked by neighbours."""
    labels = torch.arange(len(near), device=near.device)
    while True:
        spread = torch.where(near, labels[None, :], len(near)).amin(dim=1)
        if torch.equal(spread, labels):
            return labels
        labels = spread


def _softness(land: Landscape, y: Float[Tensor, "m d"]) -> Float[Tensor, " m"]:
    rows = torch.zeros(len(y), dtype=torch.long, device=y.device)
    values = torch.linalg.eigvalsh(land.select(rows).hessian(y))
    tiny = torch.finfo(y.dtype).tiny
    soft: Tensor = values[:, 0] / values.abs().amax(dim=1).clamp_min(tiny)
    return soft
