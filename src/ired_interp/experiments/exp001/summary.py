"""Statistics of EXP-001 over problems, which the charts and tables show.

The problem is the unit of replication: draws of weights are averaged first. What an older run did
not measure is left out.

**Calibration of the posterior.** Where E is ideal, E[(mean − y*)²] is the diagonal of the claimed
covariance, entry by entry and given y. So entries are put into bins by the variance that is claimed
for them, and in each bin the mean of the squared errors that they have is held against the mean of
the variances. Both are divided by σ_t²/s_t², the variance of the noise in y; at the two noisiest
levels that factor is so large (40 and 41,500 on IRED's schedule) that any error of H drowns what it
multiplies: no posterior is read there.
"""

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr

from ired_interp.curvature import Eigenspace, overlap_levels, overlap_problems
from ired_interp.experiments.exp001.measure import ALL
from ired_interp.experiments.over_problems import STATISTICS, statistics
from ired_interp.geometry import overlap_null
from ired_interp.stats import FloatArray

__all__ = ["MEASURES", "MOST_AMPLIFIED", "Measure", "calibration", "overlaps", "summary"]

MOST_AMPLIFIED = 20.0
"""σ_t²/s_t² up to which a posterior is read: 9.6 at t = 7 and 40.5 at t = 8 of IRED's schedule."""
_NUM_BINS = 8
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Of the density: points of the grid, eigenvalue spans a Gaussian's width goes into, as in
# curvature.spectral_density, and widths beyond the outermost eigenvalue.
_GRID, _WIDTHS, _MARGIN = 256, 51.2, 6
_TINY = 1e-9
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Measure:
    """A number a problem and level, and how it is averaged over problems.

    Attributes:
        name: The variable in the results.
        label: For axes and tables.
        ideal: What the ideal landscape of a determined answer has at every level, if that is a
            constant; the ideal's participation ratio is d.
        mean: ``arithmetic``, or ``geometric`` for a number that spans decades.
    """

    name: str
    label: str
    ideal: float | None
    mean: Literal["arithmetic", "geometric"] = "arithmetic"

    def ideal_of(self, results: xr.Dataset) -> float | None:
        """The ideal, where it is the same at every level.

        None unless the answer is determined, so that every ideal σ_t·λ is 1.
        """
        scaled = (results["ideal_eigenvalues"] * results["sigma"]).values
        if not np.allclose(scaled, 1.0, rtol=0, atol=_ROUNDING):
            return None
        return float(results.sizes["y_dim"]) if self.name == "participation_ratio" else self.ideal


MEASURES = (
    Measure("mean_scaled_eigenvalue", "mean σλ", 1.0),
    Measure("largest_scaled_eigenvalue", "largest σλ", 1.0),
    Measure("smallest_scaled_eigenvalue", "smallest σλ", 1.0),
    Measure("num_negative", "negative eigenvalues", 0.0),
    Measure("participation_ratio", "participation ratio", None),
    Measure("condition_number", "condition number", 1.0, "geometric"),
    Measure("positive_condition_number", "condition number, λ > 0", 1.0, "geometric"),
    Measure("spectral_gap", "gap λ₁ − λ₂", 0.0),
    Measure("gradient_norm", "‖∇E‖", None, "geometric"),
)


def summary(data: xr.Dataset) -> xr.Dataset:
    """Means with bootstrap intervals, quantiles, density and overlaps of one case.

    The problem is the unit of replication: draws of weights are averaged first. What an older run
    did not measure is left out.
    """
    found = data.where(data["status"] == 0)
    variables: dict[str, Any] = {}
    for measure in MEASURES:
        values = found[measure.name].astype(float)
        if measure.mean == "geometric":
            values = xr.apply_ufunc(np.log10, values.where(values > 0))
        rows = statistics(values)
        if measure.mean == "geometric":
            rows[..., :3] = 10 ** rows[..., :3]
        units = data[measure.name].attrs["units"]
        attrs = {"units": units, "long_name": f"{measure.mean} mean over problems"}
        variables[measure.name] = (("level", "statistic"), rows, attrs)
    variables |= _quantiles(found)
    if "radii" in data:
        variables |= _certificates(data, found)
    if "wanted" in data.coords and bool((data["wanted"] == ALL).all()):
        variables |= _density(found["scaled_eigenvalues"])
    if "part_traces" in data:
        variables |= _parts(found)
    if "posterior_variance" in data:
        variables |= calibration(data)
    coords = {
        "level": data["level"],
        "timestep": data["timestep"],
        "sigma": data["sigma"],
        "eigen": data["eigen"],
        "statistic": list(STATISTICS),
        "quantile": list(_QUANTILES),
    }
    coords |= {name: data[name] for name in ("wanted", "part") if name in data.coords}
    if "eigenvectors" in data:
        variables |= overlaps(data, found)
        coords |= {"end": data["end"], "other_level": data["level"].values}
        if "draw_overlap" in data:
            attrs = {"units": "1", "long_name": "overlap of two noise draws, mean over problems"}
            rows = statistics(found["draw_overlap"])
            variables["draw_overlap"] = (("level", "end", "statistic"), rows, attrs)
        attrs = {"units": "1", "long_name": "overlap with the other problems, mean over problems"}
        rows = statistics(variables.pop("overlap_with_others"))
        variables["problem_overlap"] = (("level", "end", "statistic"), rows, attrs)
    return xr.Dataset(
        variables, coords=coords, attrs={"confidence": 0.95, "unit_of_replication": "problem"}
    )


def _quantiles(found: xr.Dataset) -> dict[str, Any]:
    over = [dim for dim in ("problem", "draw") if dim in found["eigenvalues"].dims]
    norm = abs(found["eigenvalues"]).max("eigen")
    variables: dict[str, Any] = {}
    with warnings.catch_warnings():
        # A level where no point was found is NaN, as it should be.
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        quantiles = found["scaled_eigenvalues"].quantile(_QUANTILES, dim=over)
        variables["scaled_eigenvalues"] = (
            ("level", "eigen", "quantile"),
            quantiles.transpose("level", "eigen", "quantile").values,
            {"units": "1", "long_name": "quantiles over problems of the sorted eigenvalues"},
        )
        for name, what in (("residuals", "‖Hv - λv‖"), ("radii", "certified radius")):
            if name not in found:
                continue
            shares = found[name] / norm
            one = {"residuals": "residual", "radii": "radius"}[name]
            for kind, errors in (
                ("largest", shares.max([*over, "eigen"])),
                ("median", shares.median([*over, "eigen"])),
            ):
                text = f"{kind} {what} / max|λ| over all eigenvalues of all problems"
                attrs = {"units": "1", "long_name": text}
                variables[f"{kind}_{one}"] = ("level", errors.values, attrs)
    return variables


def _certificates(data: xr.Dataset, found: xr.Dataset) -> dict[str, Any]:
    """The index, and how many eigenvalues cannot be told from a neighbour."""
    over = [dim for dim in ("problem", "draw") if dim in data["status"].dims]
    there = data["status"] == 0
    low, high = found["index_low"], found["index_high"]
    certain = (low == high).where(there).mean(over)
    variables: dict[str, Any] = {
        "index_certain": (
            "level",
            certain.values,
            {"units": "1", "long_name": "share of points whose index is certain"},
        ),
        "clustered_share": (
            "level",
            _in_clusters(data).where(there).mean([*over, "eigen"]).values,
            {"units": "1", "long_name": "share of eigenvalues in a cluster of several"},
        ),
    }
    for name, values, least in (("index_low", low, "least"), ("index_high", high, "most")):
        bound = "lower" if least == "least" else "upper"
        variables[name] = (
            ("level", "statistic"),
            statistics(values),
            {"units": "eigenvalues", "long_name": f"mean over problems of the {bound} bound"},
        )
        extreme = values.min(over) if least == "least" else values.max(over)
        variables[f"index_{least}"] = (
            "level",
            extreme.values,
            {"units": "eigenvalues", "long_name": f"the {least} at any point"},
        )
    return variables


def _in_clusters(data: xr.Dataset) -> xr.DataArray:
    """Whether each eigenvalue shares its cluster; a pair that was asked for twice is one."""
    labels = data["clusters"].transpose(..., "eigen")
    shared = np.zeros(labels.shape, dtype=bool)
    for wanted in np.unique(data["wanted"].values):
        columns = np.flatnonzero(data["wanted"].values == wanted)
        here = labels.values[..., columns]
        order = np.argsort(here, axis=-1, kind="stable")
        same = np.diff(np.take_along_axis(here, order, -1), axis=-1) == 0
        edge = np.zeros((*same.shape[:-1], 1), dtype=bool)
        sorted_shared = np.concatenate([edge, same], -1) | np.concatenate([same, edge], -1)
        back = np.argsort(order, axis=-1, kind="stable")
        shared[..., columns] = np.take_along_axis(sorted_shared, back, -1)
    return labels.copy(data=shared)


def _density(scaled: xr.DataArray) -> dict[str, Any]:
    """The density of σλ at each level, of Gaussians at every eigenvalue, with its error."""
    scaled = scaled.transpose("level", "problem", ..., "eigen")
    num_levels, num_problems = scaled.shape[:2]
    grid, density, error = (np.full((num_levels, _GRID), np.nan) for _ in range(3))
    widths = np.full(num_levels, np.nan)
    table = scaled.values.reshape(num_levels, num_problems, -1).astype(float)
    for i, here in enumerate(table):
        rows = [row[np.isfinite(row)] for row in here]
        rows = [row for row in rows if row.size]
        if not rows:
            continue
        low, high = min(row.min() for row in rows), max(row.max() for row in rows)
        size = max(abs(low), abs(high))
        span = high - low if high - low > _TINY * size else size
        widths[i] = span / _WIDTHS if span else 1.0
        grid[i] = np.linspace(low - _MARGIN * widths[i], high + _MARGIN * widths[i], _GRID)
        each = np.stack([_broadened(row, grid[i], widths[i]) for row in rows])
        density[i] = each.mean(axis=0)
        if len(rows) > 1:
            error[i] = each.std(axis=0, ddof=1) / len(rows) ** 0.5
    one = {"units": "1"}
    return {
        "density_grid": (("level", "grid"), grid, one | {"long_name": "σλ"}),
        "density": (
            ("level", "grid"),
            density,
            one | {"long_name": "share of the eigenvalues per unit of σλ, mean over problems"},
        ),
        "density_error": (
            ("level", "grid"),
            error,
            one | {"long_name": "standard error over problems of density"},
        ),
        "density_width": (
            "level",
            widths,
            one | {"long_name": "standard deviation of the Gaussian at each eigenvalue"},
        ),
    }


def _broadened(values: FloatArray, grid: FloatArray, width: float) -> FloatArray:
    bells = np.exp(-(((grid[:, None] - values) / width) ** 2) / 2)
    shares: FloatArray = bells.mean(axis=1) / (width * np.sqrt(2 * np.pi))
    return shares


def _parts(found: xr.Dataset) -> dict[str, Any]:
    """Where curvature comes from: means over problems, in units of σλ, and shares."""
    over_entries = found["sigma"] / found.sizes["y_dim"]
    chosen: dict[str, tuple[xr.DataArray, tuple[str, ...], str]] = {
        "scaled_part_traces": (
            found["part_traces"] * over_entries,
            ("level", "part"),
            "part of the mean σλ, σ·trace/d, mean over problems",
        )
    }
    if "part_shares" in found:
        text = "⟨P, H⟩/‖H‖² of each part, mean over problems"
        chosen["part_shares"] = (found["part_shares"], ("level", "part"), text)
    if "contributions" in found:
        chosen["scaled_contributions"] = (
            (found["contributions"] * found["sigma"]).isel(vector=0, drop=True),
            ("level", "part", "end"),
            "σ·vᵀPv along the first vector of each end, mean over problems",
        )
    return {
        name: (
            (*dims, "statistic"),
            statistics(values.transpose(..., "problem", *dims)),
            {"units": "1", "long_name": text},
        )
        for name, (values, dims, text) in chosen.items()
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


def overlaps(data: xr.Dataset, found: xr.Dataset) -> dict[str, Any]:
    """Means over problems and draws, beside what a random subspace gives.

    Args:
        data: One case, with ``eigenvectors``.
        found: The same, NaN where no point was found.

    Returns:
        Variables of the summary, and ``overlap_with_others``: a number a problem, level and end.
    """
    if "draw" not in data.dims:
        data, found = data.expand_dims("draw"), found.expand_dims("draw")
    draws, ends = range(data.sizes["draw"]), range(data.sizes["end"])
    num, num_levels = data.sizes["problem"], data.sizes["level"]
    between, error = (
        np.full((len(draws), num, num_levels, num_levels, len(ends)), np.nan) for _ in range(2)
    )
    others = np.full((len(draws), num, num_levels, len(ends)), np.nan)
    null = overlap_null(data.sizes["y_dim"], data.sizes["vector"], data.sizes["vector"])
    for draw in draws:
        for end in ends:
            spaces = [_space(found, draw, level, end) for level in range(num_levels)]
            table = overlap_levels(spaces)
            between[draw, ..., end], error[draw, ..., end] = table.overlap, table.error
            for level, space in enumerate(spaces):
                across = overlap_problems(space).overlap.numpy().copy()
                np.fill_diagonal(across, np.nan)
                others[draw, :, level, end] = _finite_mean(across, 1)
    one = {"units": "1"}
    unresolved = (found["subspace_angle_error"] >= found.sizes["vector"] ** 0.5).where(
        data["status"] == 0
    )
    dims = ("level", "other_level", "end")
    return {
        "level_overlap": (
            dims,
            _finite_mean(between, (0, 1)),
            one | {"long_name": "overlap tr(PQ)/k between levels, mean over problems"},
        ),
        "level_overlap_error": (
            dims,
            _finite_mean(error, (0, 1)),
            one | {"long_name": "bound on the error of each overlap, mean over problems"},
        ),
        "subspace_unresolved": (
            ("level", "end"),
            unresolved.mean(("draw", "problem")).values,
            one | {"long_name": "share of points where the cut goes through a cluster"},
        ),
        "overlap_null": (
            (),
            null.mean,
            one | {"long_name": "overlap with a random subspace, mean"},
        ),
        "overlap_null_deviation": (
            (),
            null.standard_deviation,
            one | {"long_name": "overlap of one pair with a random subspace, standard deviation"},
        ),
        "overlap_with_others": xr.DataArray(others, dims=("draw", "problem", "level", "end")),
    }


def _space(found: xr.Dataset, draw: int, level: int, end: int) -> Eigenspace:
    here = found.isel(draw=draw, level=level, end=end)
    frame = torch.from_numpy(here["eigenvectors"].transpose("problem", "y_dim", "vector").values)
    gap, angle = (
        torch.from_numpy(here[name].values) for name in ("subspace_gap", "subspace_angle_error")
    )
    return Eigenspace(
        frame=frame,
        eigenvalues=torch.full_like(frame[:, 0], torch.nan),
        gap=gap,
        gap_error=torch.full_like(gap, torch.nan),
        angle_error=angle,
        resolved=angle < frame.shape[2] ** 0.5,
    )


def _finite_mean(values: Any, axis: int | tuple[int, ...]) -> Any:
    """Over what is finite; NaN where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis)
    return np.where(count, np.where(there, values, 0).sum(axis) / np.maximum(count, 1), np.nan)
