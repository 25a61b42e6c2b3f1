"""What came out of EXP-001, in a table, in sentences and for a terminal."""

from collections.abc import Sequence

import xarray as xr

from ired_interp.digits import number, with_interval
from ired_interp.experiments import model_page
from ired_interp.experiments.exp001_measures import MEASURES, constant_ideal
from ired_interp.experiments.page import Cell, Column, Listing, Marked, Row, RowGroup, Table

__all__ = ["NEEDED", "SAID", "findings_table", "in_words", "listing"]

_FINDINGS = (
    "mean_scaled_eigenvalue",
    "smallest_scaled_eigenvalue",
    "largest_scaled_eigenvalue",
    "num_negative",
    "condition_number",
    "participation_ratio",
    "gradient_norm",
)
_SENTENCES = (
    ("mean_scaled_eigenvalue", "The mean σλ"),
    ("largest_scaled_eigenvalue", "The largest σλ, which no posterior can push above 1,"),
    ("num_negative", "The number of eigenvalues below 0, of {d},"),
    ("condition_number", "The condition number (geometric mean)"),
)
SAID = tuple(f"summary/…/{name}" for name, _ in _SENTENCES)
"""Variables of the sentences."""
_LISTED = (
    ("mean_scaled_eigenvalue", "mean σλ"),
    ("smallest_scaled_eigenvalue", "min σλ"),
    ("largest_scaled_eigenvalue", "max σλ"),
    ("num_negative", "λ < 0"),
    ("condition_number", "cond."),
)
_OTHERS = {"untrained": "with untrained weights", "shuffled": "trained on shuffled answers"}
NEEDED = tuple(
    f"summary/model/{name}"
    for name in (
        *(measure.name for measure in MEASURES),
        "scaled_eigenvalues",
        "largest_residual",
        "median_residual",
    )
)


def findings_table(results: xr.DataTree) -> Table:
    """Means over problems with their intervals, by level."""
    groups = level_rows(results)
    problems = results.sizes["problem"]
    incomplete = any(
        row.count is not None and row.count < problems for group in groups for row in group.rows
    )
    left_out = "; the others are left out" if incomplete else ""
    unknown = (
        ""
        if bool(results["ideal_eigenvalues"].notnull().all())
        else " The ideal of this task is not known in closed form; no posterior has σλ above 1."
    )
    return Table(
        label="Key findings by level",
        group_heads=(("level ", Marked("k", "i")), "σ_t"),
        row_head="weights",
        count_head=(Marked("n", "i"),),
        columns=_columns(results),
        reference="ideal, where the same at every level",
        groups=groups,
        note=(
            (
                "The table holds means over problems [95\u00a0% bootstrap interval], by level; "
                "geometric means for the condition number and ‖∇E‖. "
            ),
            Marked("n", "i"),
            f" counts the problems where a point was found{left_out}.{unknown}",
        ),
    )


def level_rows(results: xr.DataTree) -> list[RowGroup]:
    """The rows of the table of findings, model first."""
    table = []
    for level in model_page.levels_of(results):
        rows = []
        for case in model_page.cases_of(results):
            here = case.data.sel(level=level)
            count = int(here["gradient_norm"].sel(statistic="count"))
            cells = tuple(_cell(here[name], count) for name in _FINDINGS)
            rows.append(Row(case.label, cells, count, case.key))
        sigma = float(results["sigma"].sel(level=level))
        table.append(RowGroup((str(level), f"{sigma:.3f}"), tuple(rows)))
    return table


def in_words(results: xr.DataTree) -> list[str]:
    """Sentences on the coarsest and the finest level that were measured."""
    levels = model_page.levels_of(results)
    ends = levels if len(levels) == 1 else [levels[0], levels[-1]]
    cases = model_page.cases_of(results)
    ideals = {measure.name: constant_ideal(measure, results.to_dataset()) for measure in MEASURES}
    sentences = []
    for name, subject in _SENTENCES:
        said = [f"{_said(cases[0].data, name, level)} at level {level}" for level in ends]
        text = f"{subject.format(d=results.sizes['y_dim'])} is {' and '.join(said)}"
        for case in cases[1:]:
            control = [_said(case.data, name, level) for level in ends]
            text += f"; {_OTHERS[case.label]} {' and '.join(control)}"
        ideal = ideals[name]
        sentences.append(f"{text}." if ideal is None else f"{text}. The ideal is {number(ideal)}.")
    return sentences


def listing(results: xr.DataTree) -> Listing:
    """Means over problems with their intervals, a row a level, from ``summary/…``."""

    def cells(level: int, cases: Sequence[xr.Dataset]) -> list[str]:
        here = [case.sel(level=level) for case in cases]
        of_model = [model_page.concise_cell(here[0][name]) for name, _ in _LISTED]
        return of_model + [model_page.concise_cell(one[_LISTED[0][0]]) for one in here[1:]]

    muted = [case.label for case in model_page.cases_of(results)[1:]]
    return Listing(
        heads=("k", "σ", *(label for _, label in _LISTED), *muted),
        rows=model_page.listed_levels(results, cells),
        caption="means over problems; in parentheses, in the last digit's unit, the\n"
        "larger half of the 95 % bootstrap interval; untrained: mean σλ",
        muted=muted,
    )


def _columns(results: xr.DataTree) -> list[Column]:
    root, heads = results.to_dataset(), []
    by_name = {measure.name: measure for measure in MEASURES}
    for measure in (by_name[name] for name in _FINDINGS):
        ideal = constant_ideal(measure, root)
        unit = str(root[measure.name].attrs["units"]).replace("^2", "²")
        heads.append(
            Column(
                measure.label,
                {"1": "", "eigenvalues": f"of {root.sizes['y_dim']}"}.get(unit, unit),
                "–" if ideal is None else number(ideal),
                f"summary/…/{measure.name}",
            )
        )
    return heads


def _cell(statistics: xr.DataArray, count: int) -> Cell:
    mean, low, high = (float(statistics.sel(statistic=s)) for s in ("mean", "low", "high"))
    own = int(statistics.sel(statistic="count"))
    return Cell(*with_interval(mean, low, high), "" if own == count else f"n = {own}")


def _said(summary: xr.Dataset, name: str, level: int) -> str:
    statistics = summary[name].sel(level=level)
    if int(statistics.sel(statistic="count")) == 0:
        return "unknown"
    cell = _cell(statistics, 0)
    return f"{cell.value} {cell.interval}".strip()
