"""The results as a table for a terminal; it shows what the results hold and computes nothing."""

import math

import xarray as xr
from rich.table import Table

__all__ = ["results_table"]

_COLUMNS = (
    ("mean_scaled_eigenvalue", "mean σλ"),
    ("smallest_scaled_eigenvalue", "smallest σλ"),
    ("largest_scaled_eigenvalue", "largest σλ"),
    ("num_negative", "negative"),
    ("condition_number", "condition"),
)


def results_table(results: xr.DataTree, title: str) -> Table:
    """Means over problems with their bootstrap intervals, a row a level, from ``summary/…``."""
    model = results["summary/model"].to_dataset()
    summary = results["summary"].children
    control = summary["untrained"].to_dataset() if "untrained" in summary else None
    table = Table(
        title=title,
        caption="mean over problems ± the larger half of its 95 % bootstrap interval",
    )
    table.add_column("level", justify="right")
    table.add_column("σ", justify="right")
    for _, label in _COLUMNS:
        table.add_column(label, justify="right")
    if control is not None:
        table.add_column("untrained mean σλ", justify="right", style="dim")
    for level in model["level"].values:
        here = model.sel(level=level)
        cells = [str(int(level)), f"{float(here['sigma']):.3f}"]
        cells += [_cell(here[name]) for name, _ in _COLUMNS]
        if control is not None:
            cells.append(_cell(control.sel(level=level)[_COLUMNS[0][0]]))
        table.add_row(*cells)
    return table


def _cell(statistics: xr.DataArray) -> str:
    mean, low, high = (float(statistics.sel(statistic=name)) for name in ("mean", "low", "high"))
    half = max(high - mean, mean - low)
    if not half > 0:  # one problem, or no spread
        return f"{mean:.3g}"
    decimals = max(0, 1 - math.floor(math.log10(half)))
    return f"{mean:.{decimals}f} ±{half:.{decimals}f}"
