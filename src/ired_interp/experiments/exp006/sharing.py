"""What problems share: the spectrum of their mean scores, and how much others' components explain.

The problem is the unit of replication: draws of weights are averaged.
"""

from typing import Any

import numpy as np
import torch
import xarray as xr

from ired_interp.experiments.exp006.measure import PLACES
from ired_interp.experiments.over_problems import STATISTICS, mean_variable, summarised
from ired_interp.score_field import (
    bootstrap_error,
    centred_svd,
    concentration,
    held_out_share,
    marchenko_pastur_edge,
    num_beyond_edge,
)
from ired_interp.stats import FloatArray

__all__ = ["over_problems", "shared_shares"]

_BY_PLACE = ("level", "place")
_LEAST = 3  # problems of which there is a spectrum
_WIDE = 1.959964  # of a standard error, to 95 %


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
    """Mean spectra of one case, and the spectrum over problems of the mean scores."""
    variables: dict[str, Any] = {}
    for name in ("eigenvalue", "noise_eigenvalue"):
        means = data[name].mean([dim for dim in ("problem", "draw") if dim in data[name].dims])
        variables[f"mean_{name}"] = _said(means.dims, means.values, f"mean over problems: {name}")
    draws = [data.isel(draw=i) for i in range(data.sizes.get("draw", 0))] or [data]
    shares = np.array([[shared_shares(one, place) for place in PLACES] for one in draws])
    variables["shared_share"] = mean_variable(
        xr.DataArray(shares.mean(axis=0), dims=("place", "problem", "level")),
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
