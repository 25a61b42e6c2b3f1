"""Directions of scores: whose subspace they lie in, what a move along one does, who shares them.

A problem's **own subspace** is

- ``completion``: the observed entries for the top end, the missing ones for the bottom end.
- other tasks of matrices: span{uᵢvᵢᵀ}, of the singular vectors of the answer; for ``inverse`` these
  are the eigenvectors of A, as A⁻¹ has the same.

A random subspace of dimension l explains l/d of a direction. But the identity lies in every
span{uᵢvᵢᵀ} of a symmetric positive answer, and symmetric matrices by more than chance: what every
problem shares says nothing of this one. So the **null** is the share in the subspaces of the other
problems, above which components that know nothing of their problem lie as often as below it.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from ired_interp.energy.base import Energy
from ired_interp.experiments.over_problems import STATISTICS, mean_variable, summarised
from ired_interp.experiments.unit_data import scales_at
from ired_interp.landscape import Landscape
from ired_interp.score_field import (
    bootstrap_error,
    centred_svd,
    concentration,
    held_out_share,
    marchenko_pastur_edge,
    num_beyond_edge,
)
from ired_interp.stats import FloatArray
from ired_interp.tasks import Problems, Task
from ired_interp.tasks.completion import Completion

__all__ = [
    "BOTTOM",
    "ENDS",
    "TOP",
    "over_problems",
    "own_frames",
    "own_subspace_words",
    "rises",
    "shared_shares",
    "shares",
]

TOP: Final = "top"
BOTTOM: Final = "bottom"
ENDS = (TOP, BOTTOM)
"""Of a spectrum."""

_BY_PLACE = ("level", "place")
_LEAST = 3  # problems of which there is a spectrum
_WIDE = 1.959964  # of a standard error, to 95 %


def own_subspace_words(task: str, end: str) -> str:
    """The subspace in words."""
    if task == "completion":
        return "the missing entries" if end == BOTTOM else "the observed entries"
    if task == "inverse":
        return "the matrices with A’s eigenvectors"
    return "the matrices with the answer’s singular vectors"


def own_frames(task: Task, problems: Problems, end: str) -> list[Float[Tensor, "d _"]]:
    """An orthonormal frame of each problem's own subspace; no column where the task has none."""
    y = problems.y
    n, d = y.shape
    flat = torch.eye(d, dtype=y.dtype, device=y.device)
    if isinstance(task.family, Completion):
        seen = problems.parts["mask"].flatten(1)
        kept = ~seen if end == BOTTOM else seen
        return [flat[:, row] for row in kept]
    side = round(d**0.5)
    if side**2 != d:
        return [flat[:, :0]] * n
    u, _, vh = torch.linalg.svd(y.reshape(n, side, side))
    return list(torch.einsum("nri,nic->nrci", u, vh).reshape(n, d, side))


def shares(
    components: Float[Tensor, "n ... d k"], frames: Sequence[Float[Tensor, "d _"]], first: int
) -> tuple[Float[Tensor, "n ..."], Float[Tensor, "n ..."]]:
    """The mean share of n problems' components in their own subspaces, and the null beside it.

    Args:
        components: Unit columns of problems ``first``, ``first`` + 1, …
        frames: Of *all* problems of the run; the others of a problem are all but itself.
        first: Number of the first problem of ``components``.

    Returns:
        Both NaN where the own subspace is nothing or everything. With a single problem the null is
        chance alone.
    """
    mine = torch.arange(len(components), device=components.device)
    chance = components.new_tensor([frame.shape[1] / frame.shape[0] for frame in frames])
    inside = torch.stack(
        [(components.mT @ frame).square().sum(dim=-1).mean(dim=-1) for frame in frames], dim=1
    )
    shape = [1] * (inside.ndim - 2)
    usable = ((chance > 0) & (chance < 1)).reshape(-1, *shape)
    inside = torch.where(usable, inside, torch.nan)
    own = inside[mine, first + mine]
    inside[mine, first + mine] = torch.nan
    others = inside.nanmean(dim=1)
    alone = chance[first + mine].reshape(-1, *shape).to(others)
    beside = torch.where(others.isnan(), alone, others)
    return own, torch.where(own.isnan(), torch.nan, beside)


def rises(
    model: Energy,
    problems: Problems,
    level: int,
    y: Float[Tensor, "n d"],
    directions: Float[Tensor, "n m d"],
    radius: float,
) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n m"]]:
    """What moves δ = ±radius·σ_t·√d along unit directions change at the points y.

    Returns:
        σ_t·(E(y + δ) + E(y - δ) - 2E(y))/‖δ‖², and the mean rise of ‖ŷ - y*‖² in units of
        ‖δ‖²/s_t², where ŷ = (y - σ_t∇E)/s_t is the one-step answer.
    """
    n, m, d = directions.shape
    signal, sigma = scales_at(model.schedule, level)
    step = radius * sigma * d**0.5
    at = y[:, None]
    moved = torch.cat([at, at + step * directions, at - step * directions], dim=1)
    land = Landscape(model, problems.x.repeat_interleave(1 + 2 * m, dim=0), level)
    energy, gradient = land.energy_and_gradient(moved.flatten(0, 1))
    answer = (moved - sigma * gradient.reshape(moved.shape)) / signal
    error = (answer - problems.y[:, None]).square().sum(dim=-1)

    def both_ways(values: Tensor) -> Tensor:
        return values[:, 1 : m + 1] + values[:, m + 1 :] - 2 * values[:, :1]

    rise = sigma * both_ways(energy.reshape(n, -1))
    return rise / step**2, both_ways(error) / 2 * signal**2 / step**2


def shared_shares(data: xr.Dataset, place: str) -> FloatArray:
    """`held_out_share` of each problem's mean score, [problem, level].

    NaN at the half of the problems that find the components, and everywhere with few problems.
    """
    scores = data["mean_score"].sel(place=place).transpose("level", "problem", "y_dim")
    levels, n, _ = scores.shape
    k = int(data.attrs["components"])
    if (n + 1) // 2 < k + 2:
        return np.full((n, levels), np.nan)
    return np.stack([held_out_share(_rows(level), k).numpy() for level in scores], axis=1)


def over_problems(data: xr.Dataset) -> xr.Dataset:
    """Mean spectra of one case, and the spectrum over problems of the mean scores.

    The problem is the unit of replication: draws of weights are averaged.
    """
    variables: dict[str, Any] = {}
    for name in ("eigenvalue", "noise_eigenvalue"):
        means = data[name].mean([dim for dim in ("problem", "draw") if dim in data[name].dims])
        variables[f"mean_{name}"] = _said(means.dims, means.values, f"mean over problems: {name}")
    draws = [data.isel(draw=i) for i in range(data.sizes.get("draw", 0))] or [data]
    places = data["place"].values
    shared = np.array([[shared_shares(one, place) for place in places] for one in draws])
    variables["shared_share"] = mean_variable(
        xr.DataArray(shared.mean(axis=0), dims=("place", "problem", "level")),
        _BY_PLACE,
        "1",
        "held-out share of the components of other problems",
    )
    return summarised(
        data,
        variables | _spectra(draws),
        ("level", "timestep", "sigma", "signal", "place"),
        {name: data.attrs[name] for name in ("components", "noise_draws")},
    )


def _spectra(draws: list[xr.Dataset]) -> dict[str, Any]:
    """The spectrum of the problems' mean scores, which problems share their directions in."""
    scores = [one["mean_score"].transpose(*_BY_PLACE, "problem", "y_dim") for one in draws]
    *shape, n, d = scores[0].shape
    spectrum, beyond = np.full((*shape, max(min(n - 1, d), 1)), np.nan), np.full(shape, np.nan)
    concentrated = np.full((*shape, len(STATISTICS)), np.nan)
    edge = np.nan
    if n >= _LEAST:
        edge = marchenko_pastur_edge(n, d)
        for at in np.ndindex(*shape):
            found = [_one_spectrum(_rows(one[at])) for one in scores]
            values, counts, means, errors = (np.array(part) for part in zip(*found, strict=True))
            spectrum[at], beyond[at] = values.mean(axis=0), counts.mean()
            wide = _WIDE * errors.mean()
            concentrated[at] = means.mean(), means.mean() - wide, means.mean() + wide, n
    return {
        "problems_eigenvalue": _said(
            (*_BY_PLACE, "problems_rank"),
            spectrum,
            "covariance spectrum over problems of the mean scores, over its mean",
        ),
        "problems_edge": _said((), edge, "the Marchenko-Pastur edge of it"),
        "problems_beyond_edge": _said(
            _BY_PLACE, beyond, "components over problems beyond the edge", "components"
        ),
        "problems_concentration": _said(
            (*_BY_PLACE, "statistic"),
            concentrated,
            "concentration over problems, 1 by chance; ±1.96 standard errors of a bootstrap over "
            "problems",
        ),
    }


def _one_spectrum(rows: torch.Tensor) -> tuple[Any, float, float, float]:
    found = centred_svd(rows)
    relative = found.eigenvalues * found.num_entries / found.eigenvalues.sum()
    error = bootstrap_error(
        rows, lambda some: concentration(centred_svd(some)), seed=0, num_resamples=100
    )
    count, value = float(num_beyond_edge(found)), float(concentration(found))
    return relative.numpy(), count, value, error


def _rows(values: xr.DataArray) -> torch.Tensor:
    return torch.from_numpy(values.values).double()


def _said(dims: Any, values: Any, words: str, unit: str = "1") -> Any:
    return dims, values, {"units": unit, "long_name": words}
