"""Statistics of EXP-006 over problems, and the spectrum across problems."""

from typing import Any

import numpy as np
import torch
import xarray as xr

from ired_interp.experiments.exp006_hypotheses import shared_shares
from ired_interp.experiments.exp006_variables import AT_ENDS, AT_NOISE, AT_POINTS, PLACES, UNITS
from ired_interp.experiments.over_problems import STATISTICS, mean_variable, summarised
from ired_interp.score_field import (
    bootstrap_error,
    centred_svd,
    concentration,
    marchenko_pastur_edge,
    num_beyond_edge,
)

__all__ = ["summary"]

_AXES = ("level", "place", "end")
_LEAST = 3
_WIDE = 1.959964  # of a standard error, to 95 %


def summary(data: xr.Dataset) -> xr.Dataset:
    """Means over problems with BCa bootstrap intervals, and the spectrum of the mean scores.

    The problem is the unit of replication: draws of weights are averaged first.
    """
    variables: dict[str, Any] = {
        name: mean_variable(data[name], _AXES, UNITS[name], name)
        for name in (*AT_POINTS, *AT_ENDS, *AT_NOISE)
    }
    for name, over in (("eigenvalue", "problem"), ("noise_eigenvalue", "problem")):
        values = data[name].mean([d for d in (over, "draw") if d in data[name].dims])
        variables[f"mean_{name}"] = (
            values.dims,
            values.values,
            {"units": "1", "long_name": f"mean over problems: {name}"},
        )
    variables |= _across(data)
    return summarised(
        data,
        variables,
        ("level", "timestep", "sigma", "place", "end"),
        {name: data.attrs[name] for name in ("components", "noise_draws")},
    )


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
        "shared_share": mean_variable(
            shared, _AXES, "1", "held-out share of the components of other problems"
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
