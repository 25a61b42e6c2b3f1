"""What EXP-001 shows: its charts, its table of findings, its sentences and its lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import xarray as xr

from ired_interp.digits import number, with_interval
from ired_interp.experiments import model_page
from ired_interp.experiments.exp001.summary import MEASURES, Measure
from ired_interp.experiments.kit.expressions import pick
from ired_interp.experiments.kit.tables import Lines
from ired_interp.experiments.page import Cell, Column, Marked, Row, RowGroup, Table

__all__ = ["LINES", "SAID", "TABLES", "level_rows", "names_of"]

_BY_NAME = {measure.name: measure for measure in MEASURES}
_FINDINGS = (
    "mean_scaled_eigenvalue",
    "smallest_scaled_eigenvalue",
    "largest_scaled_eigenvalue",
    "num_negative",
    "condition_number",
    "participation_ratio",
    "gradient_norm",
)
_OTHERS = {"untrained": "with untrained weights", "shuffled": "trained on shuffled answers"}
_POINTS = {
    "typical": "s_t·y* + σ_t·ε, on the shell around the scaled answer where the level was trained "
    "and where the ideal holds; a problem has one ε for all of its levels",
    "scaled_solution": "s_t·y*, the scaled answer, which is the ideal landscape's minimum",
    "solution": "y*, the answer itself, meaningful at the last levels only",
    "trajectory": "where the solver was at the end of that level",
    "minimum": "the local minimum that a Newton descent reaches from the solver's trajectory",
}


@dataclass(frozen=True)
class _Findings:
    """Means over problems with their intervals, by level, beside the ideal."""

    name: str = ""
    title: str = ""
    needs: Sequence[str] = (*_BY_NAME, "scaled_eigenvalues", "largest_residual", "median_residual")

    def of(self, results: xr.DataTree) -> Table:
        """The table of the results."""
        groups, problems = level_rows(results), results.sizes["problem"]
        counts = [row.count for group in groups for row in group.rows if row.count is not None]
        left_out = "; the others are left out" if min(counts) < problems else ""
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
            columns=[_column(results.to_dataset(), _BY_NAME[name]) for name in _FINDINGS],
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


def _column(root: xr.Dataset, measure: Measure) -> Column:
    ideal = measure.ideal_of(root)
    unit = str(root[measure.name].attrs["units"]).replace("^2", "²")
    return Column(
        measure.label,
        {"1": "", "eigenvalues": f"of {root.sizes['y_dim']}"}.get(unit, unit),
        "–" if ideal is None else number(ideal),
        f"summary/…/{measure.name}",
    )


def _cell(statistics: xr.DataArray, count: int) -> Cell:
    mean, low, high = (float(statistics.sel(statistic=s)) for s in ("mean", "low", "high"))
    own = int(statistics.sel(statistic="count"))
    return Cell(*with_interval(mean, low, high), "" if own == count else f"n = {own}")


@dataclass(frozen=True)
class _AtEnds:
    """A sentence on a measure at the coarsest and the finest level that were measured."""

    measure: str
    subject: str

    @property
    def variables(self) -> list[str]:
        """Paths of what is said."""
        return [f"summary/…/{self.measure}"]

    def of(self, results: xr.DataTree) -> str:
        """The sentence."""
        levels, cases = model_page.levels_of(results), model_page.cases_of(results)
        ends = sorted({levels[0], levels[-1]})
        said = [f"{self._at(cases[0].data, level)} at level {level}" for level in ends]
        text = f"{self.subject.format(d=results.sizes['y_dim'])} is {' and '.join(said)}"
        for case in cases[1:]:
            control = " and ".join(self._at(case.data, level) for level in ends)
            text += f"; {_OTHERS[case.label]} {control}"
        ideal = _BY_NAME[self.measure].ideal_of(results.to_dataset())
        return f"{text}." if ideal is None else f"{text}. The ideal is {number(ideal)}."

    def _at(self, summary: xr.Dataset, level: int) -> str:
        statistics = summary[self.measure].sel(level=level)
        if int(statistics.sel(statistic="count")) == 0:
            return "unknown"
        cell = _cell(statistics, 0)
        return f"{cell.value} {cell.interval}".strip()


def names_of(results: xr.DataTree) -> Mapping[str, str]:
    """What the notes of EXP-001 may name beside what all notes may."""
    config, beside = model_page.told_of(results).config, model_page.beside_words(results)
    point, d = str(results["point"].item()), results.sizes["y_dim"]
    top, bottom = config.get("top"), config.get("bottom", 0)
    ends = [f"the {top} largest by |λ|"] * bool(top) + [f"the {bottom} lowest"] * bool(bottom)
    of_ends = f"{' and '.join(ends)} of the {d} eigenvalues"
    return {
        "asked": f"all {d} eigenvalues" if top is None else of_ends,
        "levels": _level_words(config["levels"]),
        "point": point,
        "point_meaning": _POINTS[point],
        "model_hash": f"{results.attrs['model_sha256'][:12]}…",
        "as_control": f", beside {beside} as a control" if beside else ", without a control",
    }


def _level_words(levels: Sequence[int]) -> str:
    """``10 levels (k = 1 … 10)``, or each of them if they are not consecutive."""
    ordered = sorted(levels)
    if len(ordered) == 1:
        return f"1 level (k\u00a0=\u00a0{ordered[0]})"
    named = ", ".join(map(str, ordered))
    if ordered[-1] - ordered[0] > 1 and {b - a for a, b in pairwise(ordered)} == {1}:
        named = f"{ordered[0]}\u00a0…\u00a0{ordered[-1]}"
    return f"{len(ordered)} levels (k\u00a0=\u00a0{named})"


SAID = (
    _AtEnds("mean_scaled_eigenvalue", "The mean σλ"),
    _AtEnds("largest_scaled_eigenvalue", "The largest σλ, which no posterior can push above 1,"),
    _AtEnds("num_negative", "The number of eigenvalues below 0, of {d},"),
    _AtEnds("condition_number", "The condition number (geometric mean)"),
)
TABLES = (_Findings(),)
LINES = Lines(
    columns=(
        ("mean σλ", pick("mean_scaled_eigenvalue")),
        ("min σλ", pick("smallest_scaled_eigenvalue")),
        ("max σλ", pick("largest_scaled_eigenvalue")),
        ("λ < 0", pick("num_negative")),
        ("cond.", pick("condition_number")),
    ),
    others=(("mean σλ", pick("mean_scaled_eigenvalue")),),
    caption="",
)
