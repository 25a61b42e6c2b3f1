"""Statistics of EXP-006 over problems, and the spectrum across problems."""

from typing import Any

import numpy as np
import torch
import xarray as xr

from ired_interp.experiments.exp006_hypotheses import shared_shares
from ired_interp.experiments.exp006_variables import AT_ENDS, AT_NOISE, AT_POINTS, PLACES, UNITS
from ired_interp.score_field import (
    bootstrap_error,
    centred_svd,
    concentration,
    marchenko_pastur_edge,
    num_beyond_edge,
)
from ired_interp.stats import bootstrap_mean

__all__ = ["STATISTICS", "summary"]

STATISTICS = ("mean", "low", "high", "count")
_AXES = ("level", "place", "end")
_LEAST = 3
_WIDE = 1.959964  # of a standard error, to 95 %


def summary(data: xr.Dataset) -> xr.Dataset:
    """Means over problems with BCa bootstrap intervals, and the spectrum of the mean scores.

    The problem is the unit of replication: draws of weights are averaged first. Problems at which a
    number is not defined are left out and not counted.
    """
    variables: dict[str, Any] = {}
    for name in (*AT_POINTS, *AT_ENDS, *AT_NOISE):
        variables[name] = _means(data[name].astype(float), name, UNITS[name])
    for name, over in (("eigenvalue", "problem"), ("noise_eigenvalue", "problem")):
        values = data[name].mean([d for d in (over, "draw") if d in data[name].dims])
        variables[f"mean_{name}"] = (
            values.dims,
            values.values,
            {"units": "1", "long_name": f"mean over problems: {name}"},
        )
    variables |= _across(data)
    coords = {name: data[name] for name in ("level", "timestep", "sigma", "place", "end")}
    return xr.Dataset(
        variables,
        coords=coords | {"statistic": list(STATISTICS)},
        attrs={"confidence": 0.95, "unit_of_replication": "problem"}
        | {name: data.attrs[name] for name in ("components", "noise_draws")},
    )


def _means(values: xr.DataArray, name: str, units: str) -> Any:
    if "draw" in values.dims:
        values = values.mean("draw")
    dims = tuple(dim for dim in _AXES if dim in values.dims)
    table = values.transpose(*dims, "problem").values
    out = np.empty((*table.shape[:-1], len(STATISTICS)))
    for place in np.ndindex(table.shape[:-1]):
        interval = bootstrap_mean(table[place], seed=0)
        out[place] = interval.mean, interval.low, interval.high, interval.count
    return (*dims, "statistic"), out, {"units": units, "long_name": f"mean over problems: {name}"}


def _across(data: xr.Dataset) -> dict[str, Any]:
    """The spectrum of the problems' mean scores, which problems share their directions in."""
    n, d = data.sizes["problem"], data.sizes["y_dim"]
    levels, places = data["level"].values, list(PLACES)
    e = max(min(n - 1, d), 1)
    shape = (len(levels), len(places))
    spectrum, beyond = np.full((*shape, e), np.nan), np.full(shape, np.nan)
    concentrated = np.full((*shape, len(STATISTICS)), np.nan)
    draws = (
        [data.isel(draw=i) for i in range(data.sizes["draw"])] if "draw" in data.dims else [data]
    )
    shares = np.stack(
        [np.stack([shared_shares(one, place) for place in places], axis=2) for one in draws]
    ).mean(axis=0)
    if n >= _LEAST:
        for at in np.ndindex(shape):
            found = []
            for one in draws:
                rows = one["mean_score"].sel(place=places[at[1]]).isel(level=at[0])
                rows = rows.transpose("problem", "y_dim")
                found.append(_one_spectrum(torch.from_numpy(rows.values).double()))
            values, counts, means, errors = (np.array(part) for part in zip(*found, strict=True))
            spectrum[at], beyond[at] = values.mean(axis=0), counts.mean()
            wide = _WIDE * errors.mean()
            concentrated[at] = means.mean(), means.mean() - wide, means.mean() + wide, n
    shared = xr.DataArray(shares, dims=("problem", "level", "place"))
    axes = ("level", "place")
    edge = marchenko_pastur_edge(n, d) if n >= _LEAST else np.nan
    return {
        "problems_eigenvalue": (
            (*axes, "problems_rank"),
            spectrum,
            {
                "units": "1",
                "long_name": "covariance spectrum over problems of the mean scores, over its mean",
            },
        ),
        "problems_edge": ((), edge, {"units": "1", "long_name": "the Marchenko-Pastur edge of it"}),
        "problems_beyond_edge": (
            axes,
            beyond,
            {"units": "components", "long_name": "components over problems beyond the edge"},
        ),
        "problems_concentration": (
            (*axes, "statistic"),
            concentrated,
            {
                "units": "1",
                "long_name": "concentration over problems, 1 by chance; ±1.96 standard errors of "
                "a bootstrap over problems",
            },
        ),
        "shared_share": _means(shared, "held-out share of the components of other problems", "1"),
    }


def _one_spectrum(rows: torch.Tensor) -> tuple[Any, float, float, float]:
    found = centred_svd(rows)
    relative = found.eigenvalues * found.num_entries / found.eigenvalues.sum()
    error = bootstrap_error(
        rows, lambda some: concentration(centred_svd(some)), seed=0, num_resamples=100
    )
    count, value = float(num_beyond_edge(found)), float(concentration(found))
    return relative.numpy(), count, value, error
