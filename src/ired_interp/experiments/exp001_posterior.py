"""The posterior that a landscape claims, held against the errors that its answers have.

At a typical point y = s_t·y* + σ_t·ε the landscape says what the answer is, and how sure it is:

    mean = (y − σ_t·∇E)/s_t        Cov = (σ_t²/s_t²)(I − σ_t·H)

Where E is ideal, E[(mean − y*)²] is Cov's diagonal, entry by entry and given y. So entries are put
into bins by the variance that is claimed for them, and in each bin the mean of the squared errors
that they have is held against the mean of the variances. Both are divided by σ_t²/s_t², the
variance of the noise in y; at the two noisiest levels that factor is so large (40 and 41,500 on
IRED's schedule) that any error of H drowns what it multiplies: no posterior is read there.

Source: Tweedie's formula to the second order, as in Manor & Michaeli (2023), arXiv 2309.13598.
"""

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from ired_interp.experiments.over_problems import statistics
from ired_interp.stats import FloatArray

__all__ = ["MOST_AMPLIFIED", "calibration", "posterior_reading"]

MOST_AMPLIFIED = 20.0
"""σ_t²/s_t² up to which a posterior is read: 9.6 at t = 7 and 40.5 at t = 8 of IRED's schedule."""
_NUM_BINS = 8


def posterior_reading(
    diagonal: Float[Tensor, "n d"],
    gradient: Float[Tensor, "n d"],
    y: Float[Tensor, "n d"],
    answer: Float[Tensor, "n d"],
    *,
    sigma: float | Float[Tensor, "n 1"],
    signal: float | Float[Tensor, "n 1"],
) -> dict[str, Tensor]:
    """Claimed variance and actual squared error of every entry of the answer, in y².

    Args:
        diagonal: Of H, at the points.
        gradient: ∇E there.
        y: Typical points of the answers, in the level's coordinates.
        answer: y*.
        sigma: σ_t, of all points or of each.
        signal: s_t.
    """
    mean = (y - sigma * gradient) / signal
    return {
        "posterior_variance": (sigma / signal) ** 2 * (1 - sigma * diagonal),
        "squared_error": (mean - answer).square(),
    }


def calibration(data: xr.Dataset) -> dict[str, Any]:
    """Bins of entries by claimed variance: means over problems of what was claimed and what is.

    Bins hold as many entries each, of all problems and draws of a level. A problem counts once in a
    bin, by the mean of its entries there: the problem is the unit of replication.

    Args:
        data: One case, with what `posterior_reading` returns.

    Returns:
        Variables of the summary on (level, bin, statistic), in units of σ_t²/s_t²; NaN where no
        posterior is determined.
    """
    scale = (data["sigma"] / data["signal"]) ** 2
    determined = (scale < MOST_AMPLIFIED).values
    order = ("level", "problem", ..., "y_dim")
    num_levels, num_problems = data.sizes["level"], data.sizes["problem"]
    claimed, actual = (
        (data[name] / scale).transpose(*order).values.reshape(num_levels, num_problems, -1)
        for name in ("posterior_variance", "squared_error")
    )
    means = np.full((2, num_problems, num_levels, _NUM_BINS), np.nan)
    entries = np.zeros((num_levels, _NUM_BINS), dtype=np.int64)
    for k in np.flatnonzero(determined):
        places = _places(claimed[k])
        for b in range(_NUM_BINS):
            here = places == b
            entries[k, b] = here.sum()
            for values, out in zip((claimed[k], actual[k]), means, strict=True):
                out[:, k, b] = _mean_of(values, here)
    dims = ("level", "bin", "statistic")
    return {
        **{
            name: (
                dims,
                statistics(xr.DataArray(table, dims=("problem", "level", "bin"))),
                {"units": "σ_t²/s_t²", "long_name": f"{what}, mean over problems by bin"},
            )
            for name, what, table in zip(
                ("claimed_variance", "actual_error"),
                ("claimed posterior variance", "actual squared error"),
                means,
                strict=True,
            )
        },
        "bin_entries": (
            ("level", "bin"),
            entries,
            {"units": "entries", "long_name": "how many entries of answers a bin holds"},
        ),
        "amplification": (
            "level",
            scale.values,
            {"units": "1", "long_name": "σ_t²/s_t², by which a posterior multiplies errors of σH"},
        ),
        "posterior_determined": (
            "level",
            determined.astype(np.int8),
            {"units": "1", "long_name": "1: a posterior can be read; 0: not determined"},
        ),
    }


def _places(values: FloatArray) -> Any:
    """The bin of each value: as many in each, up to ties; -1 for those that are not finite."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.full(values.shape, -1)
    inner = np.quantile(finite, np.linspace(0, 1, _NUM_BINS + 1)[1:-1])
    return np.where(np.isfinite(values), np.searchsorted(inner, values, side="right"), -1)


def _mean_of(values: FloatArray, here: Any) -> FloatArray:
    """Mean over the chosen entries of each problem; NaN where it has none."""
    count = here.sum(axis=1)
    total = np.where(here, values, 0.0).sum(axis=1)
    mean: FloatArray = np.full(len(values), np.nan)
    np.divide(total, count, where=count > 0, out=mean)
    return mean
