"""What the page says in words and tables, taken from the results; nothing is computed here."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from pathlib import PurePath
from typing import Any

import xarray as xr

from ired_interp.experiments.exp001_measures import MEASURES, constant_ideal
from ired_interp.experiments.exp001_variables import DEFINITIONS, Definition
from ired_interp.report.numbers import number, with_interval

__all__ = [
    "POINTS",
    "Cell",
    "Column",
    "LevelRows",
    "Row",
    "VariableRow",
    "asked_words",
    "columns",
    "command_line",
    "config_of",
    "in_words",
    "level_rows",
    "level_words",
    "missing_parts",
    "model_label",
    "provenance_rows",
    "variable_rows",
]

POINTS = {
    "typical": "s_t·y* + σ_t·ε, on the shell around the scaled answer where the level was trained "
    "and where the ideal holds; a problem has one ε for all of its levels",
    "scaled_solution": "s_t·y*, the scaled answer, which is the ideal landscape's minimum",
    "solution": "y*, the answer itself, meaningful at the last levels only",
    "trajectory": "where the solver was at the end of that level",
    "minimum": "the local minimum that a Newton descent reaches from the solver's trajectory",
}

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
_NEEDED = (
    *(measure.name for measure in MEASURES),
    "scaled_eigenvalues",
    "largest_residual",
    "median_residual",
)
_MAIN_OPTIONS = ("model", "problems", "levels", "point", "seed")


@dataclass(frozen=True)
class Column:
    """A measure's head: its label, its unit if it has one, its ideal if that is a constant."""

    label: str
    unit: str
    ideal: str


@dataclass(frozen=True)
class Cell:
    """A mean over problems, its interval, and a note where problems are missing."""

    mean: str
    interval: str
    note: str


@dataclass(frozen=True)
class Row:
    """One case at one level: ``key`` is ``model`` or ``control``, ``count`` its problems."""

    key: str
    label: str
    count: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class LevelRows:
    """The rows of one level, model first."""

    level: int
    sigma: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class VariableRow:
    """A variable of the results, and how it was measured."""

    name: str
    dims: str
    units: str
    meaning: str
    error: str


def missing_parts(results: xr.DataTree) -> list[str]:
    """What the page needs and the results do not hold; empty for results of this version."""
    missing = [] if "config" in results.attrs else ["attribute config"]
    summary = results.children["summary"].children if "summary" in results.children else {}
    if "model" not in summary:
        return [*missing, "group summary/model"]
    for name, group in summary.items():
        missing += [f"summary/{name}/{part}" for part in _NEEDED if part not in group.data_vars]
    return missing


def config_of(results: xr.DataTree) -> dict[str, Any]:
    """The planned config, as the results hold it."""
    content: dict[str, Any] = json.loads(results.attrs["config"])
    return content


def model_label(model: str) -> str:
    """A bundled name as it is, a path by its last two parts."""
    return "/".join(PurePath(model).parts[-2:])


def level_words(levels: Sequence[int]) -> str:
    """``10 levels (k = 1 … 10)``, or each of them if they are not consecutive."""
    ordered = sorted(levels)
    if len(ordered) == 1:
        return f"1 level (k\u00a0=\u00a0{ordered[0]})"
    named = ", ".join(map(str, ordered))
    if ordered[-1] - ordered[0] > 1 and {b - a for a, b in pairwise(ordered)} == {1}:
        named = f"{ordered[0]}\u00a0…\u00a0{ordered[-1]}"
    return f"{len(ordered)} levels (k\u00a0=\u00a0{named})"


def asked_words(results: xr.DataTree) -> str:
    """Which eigenvalues were computed: ``all 16 eigenvalues``, or those of the ends."""
    config, d = config_of(results), results.sizes["y_dim"]
    top, bottom = config.get("top"), config.get("bottom", 0)
    if top is None:
        return f"all {d} eigenvalues"
    said = [f"the {top} largest by |λ|"] * (top > 0) + [f"the {bottom} lowest"] * (bottom > 0)
    return f"{' and '.join(said)} of the {d} eigenvalues"


def columns(results: xr.DataTree) -> list[Column]:
    """Heads of the table of findings."""
    root, heads = results.to_dataset(), []
    for measure in _measures():
        ideal = constant_ideal(measure, root)
        unit = str(root[measure.name].attrs["units"]).replace("^2", "²")
        heads.append(
            Column(
                measure.label,
                {"1": "", "eigenvalues": f"of {root.sizes['y_dim']}"}.get(unit, unit),
                "–" if ideal is None else number(ideal),
            )
        )
    return heads


def level_rows(results: xr.DataTree) -> list[LevelRows]:
    """The table of findings, by level."""
    cases = _cases(results)
    table = []
    for level in _levels(results):
        rows = []
        for key, label, summary in cases:
            here = summary.sel(level=level)
            count = int(here["gradient_norm"].sel(statistic="count"))
            cells = tuple(_cell(here[name], count) for name in _FINDINGS)
            rows.append(Row(key, label, count, cells))
        sigma = float(results["sigma"].sel(level=level))
        table.append(LevelRows(level, f"{sigma:.3f}", tuple(rows)))
    return table


def in_words(results: xr.DataTree) -> list[str]:
    """Sentences on the coarsest and the finest level that were measured."""
    levels = _levels(results)
    ends = levels if len(levels) == 1 else [levels[0], levels[-1]]
    cases = _cases(results)
    ideals = {measure.name: constant_ideal(measure, results.to_dataset()) for measure in MEASURES}
    sentences = []
    for name, subject in _SENTENCES:
        said = [f"{_said(cases[0][2], name, level)} at level {level}" for level in ends]
        text = f"{subject.format(d=results.sizes['y_dim'])} is {' and '.join(said)}"
        if len(cases) > 1:
            control = [_said(cases[1][2], name, level) for level in ends]
            text += f"; with untrained weights {' and '.join(control)}"
        ideal = ideals[name]
        sentences.append(f"{text}." if ideal is None else f"{text}. The ideal is {number(ideal)}.")
    return sentences


def variable_rows(results: xr.DataTree) -> list[VariableRow]:
    """Every variable of the root group."""
    root = results.to_dataset()
    rows = []
    for key, variable in root.data_vars.items():
        name, text = str(key), str(variable.attrs.get("long_name", ""))
        known = DEFINITIONS.get(name, Definition(text, ""))
        dims = " × ".join(f"{dim} {size}" for dim, size in variable.sizes.items())
        units = str(variable.attrs.get("units", "")).replace("^2", "²")
        rows.append(VariableRow(name, dims, units, known.meaning, known.error))
    return rows


def provenance_rows(results: xr.DataTree) -> list[tuple[str, str]]:
    """All attributes of the results, the config a row a field."""
    rows = []
    for key, value in results.attrs.items():
        if key == "config":
            config = config_of(results)
            rows += [(f"config: {name}", _plain(entry)) for name, entry in config.items()]
        else:
            rows.append((str(key), str(value)))
    return rows


def command_line(experiment: str, config: Mapping[str, Any], config_class: type[Any]) -> str:
    """The command that plans the same run: the main options, and what differs from a default."""
    options = {name: config[name] for name in _MAIN_OPTIONS}
    for field in fields(config_class):
        if field.name in options or field.metadata.get("planned") or field.default is MISSING:
            continue
        # A run that was planned before the field was there did as its metadata say.
        value = config.get(field.name, field.metadata.get("before", field.default))
        if value != field.default:
            options[field.name] = value
    words = [
        f"--{name.replace('_', '-')} {shlex.quote(_plain(value))}"
        for name, value in options.items()
    ]
    return " \\\n    ".join([f"ired-interp run {experiment}", *words, "--out NEW"])


def _levels(results: xr.DataTree) -> list[int]:
    return sorted(int(level) for level in results.coords["level"].values)


def _measures() -> list[Any]:
    by_name = {measure.name: measure for measure in MEASURES}
    return [by_name[name] for name in _FINDINGS]


def _cases(results: xr.DataTree) -> list[tuple[str, str, xr.Dataset]]:
    groups = results["summary"].children
    cases = [("model", "model", groups["model"].to_dataset())]
    if "untrained" in groups:
        cases.append(("control", "untrained", groups["untrained"].to_dataset()))
    return cases


def _cell(statistics: xr.DataArray, count: int) -> Cell:
    mean, low, high = (float(statistics.sel(statistic=s)) for s in ("mean", "low", "high"))
    own = int(statistics.sel(statistic="count"))
    return Cell(*with_interval(mean, low, high), "" if own == count else f"n = {own}")


def _said(summary: xr.Dataset, name: str, level: int) -> str:
    statistics = summary[name].sel(level=level)
    if int(statistics.sel(statistic="count")) == 0:
        return "unknown"
    cell = _cell(statistics, 0)
    return f"{cell.mean} {cell.interval}".strip()


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
