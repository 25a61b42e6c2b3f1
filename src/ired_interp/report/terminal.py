"""The results as a table for a terminal; it shows what the results hold and computes nothing."""

import math

import xarray as xr
from rich import box
from rich.table import Table

__all__ = ["concise", "results_table"]

_COLUMNS = (
    ("mean_scaled_eigenvalue", "mean σλ"),
    ("smallest_scaled_eigenvalue", "min σλ"),
    ("largest_scaled_eigenvalue", "max σλ"),
    ("num_negative", "λ < 0"),
    ("condition_number", "cond."),
)
_SMALL, _LARGE = 1e-2, 1e4
_BASE = 10


def results_table(results: xr.DataTree, title: str) -> Table:
    """Means over problems with their bootstrap intervals, a row a level, from ``summary/…``."""
    model = results["summary/model"].to_dataset()
    summary = results["summary"].children
    control = summary["untrained"].to_dataset() if "untrained" in summary else None
    table = Table(
        title=title,
        caption="means over problems; in parentheses, in the last digit's unit, the\n"
        "larger half of the 95 % bootstrap interval; untrained: mean σλ",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        pad_edge=False,
    )
    table.add_column("k", justify="right", no_wrap=True)
    table.add_column("σ", justify="right", no_wrap=True)
    for _, label in _COLUMNS:
        table.add_column(label, justify="right", no_wrap=True)
    if control is not None:
        table.add_column("untrained", justify="right", style="dim", no_wrap=True)
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
    return concise(mean, max(high - mean, mean - low))


def concise(mean: float, half: float) -> str:
    """0.95(2) is 0.95 ± 0.02: the error, to one digit, in units of the last digit shown."""
    if not half > 0:  # one problem, or no spread
        return f"{mean:.3g}"
    last = math.floor(math.log10(half))
    if round(half / 10.0**last) == _BASE:  # 0.0096 is 0.01
        last += 1
    rounded = round(mean, -last)
    plain = rounded == 0 or _SMALL <= abs(rounded) < _LARGE
    power = 0 if plain else math.floor(math.log10(abs(rounded)))
    decimals = max(0, power - last)
    digits = round(half / 10.0 ** (power - decimals))
    return f"{mean / 10.0**power:.{decimals}f}({digits})" + (f"e{power}" if power else "")
