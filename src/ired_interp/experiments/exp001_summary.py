"""Statistics of EXP-001 over problems, which the figures and tables show."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from ired_interp.experiments.exp001_measures import MEASURES
from ired_interp.experiments.exp001_overlaps import overlaps
from ired_interp.experiments.exp001_variables import ALL, UNITS
from ired_interp.experiments.over_problems import STATISTICS, statistics

__all__ = ["summary"]

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Of the density: points of the grid, eigenvalue spans a Gaussian's width goes into, as in
# curvature.spectral_density, and widths beyond the outermost eigenvalue.
_GRID, _WIDTHS, _MARGIN = 256, 51.2, 6
_TINY = 1e-9


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
        attrs = {"units": UNITS[measure.name], "long_name": f"{measure.mean} mean over problems"}
        variables[measure.name] = (("level", "statistic"), rows, attrs)
    variables |= _quantiles(found)
    if "radii" in data:
        variables |= _certificates(data, found)
    if "wanted" in data.coords and bool((data["wanted"] == ALL).all()):
        variables |= _density(found["scaled_eigenvalues"])
    if "part_traces" in data:
        variables |= _parts(found)
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


def _broadened(
    values: npt.NDArray[np.float64], grid: npt.NDArray[np.float64], width: float
) -> npt.NDArray[np.float64]:
    bells = np.exp(-(((grid[:, None] - values) / width) ** 2) / 2)
    shares: npt.NDArray[np.float64] = bells.mean(axis=1) / (width * np.sqrt(2 * np.pi))
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
