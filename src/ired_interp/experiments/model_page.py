"""Pieces of the pages of experiments on models: who was asked, which cases, numbers as cells."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

import xarray as xr

from ired_interp.digits import concise, with_interval
from ired_interp.experiments.config import word_of
from ired_interp.experiments.page import Cell, Marked, Row, Text

__all__ = [
    "Case",
    "Told",
    "beside_words",
    "cases_of",
    "cell",
    "concise_cell",
    "counted",
    "described_layout",
    "levels_of",
    "listed_levels",
    "names_of",
    "networks_layout",
    "num_draws",
    "problems_fact",
    "rows_of",
    "told_of",
]


@dataclass(frozen=True)
class Told:
    """What every page says alike of a run.

    Attributes:
        config: The run's.
        subject: The model's name.
        drawn_of: What a figure is drawn of.
    """

    config: Mapping[str, Any]
    subject: str
    drawn_of: str

    def agreement(self, exactly: str) -> str:
        """How far numbers agree on another machine, in words, where they are in float64."""
        dtype = self.config["dtype"]
        return exactly if dtype == "float64" else f"to the round-off of {dtype}"


@dataclass(frozen=True)
class Case:
    """One summary, in a table.

    Attributes:
        label: In words.
        key: The colour of the label, which is that of the figures.
        data: Means over problems.
    """

    label: str
    key: Literal["", "model", "control"]
    data: xr.Dataset


_CASES: tuple[tuple[str, Literal["", "model", "control"]], ...] = (
    ("model", "model"),
    ("untrained", "control"),
    ("shuffled", "control"),
    ("random", ""),
)


def told_of(results: xr.DataTree) -> Told:
    """Config, subject and what figures are drawn of."""
    config: dict[str, Any] = json.loads(results.attrs["config"])
    subject = "/".join(PurePath(config["model"]).parts[-2:])
    sizes = [counted(results.sizes[f"{one}"], one) for one in ("problem", "level")]
    return Told(config, subject, ", ".join([subject, *sizes]))


def names_of(results: xr.DataTree) -> dict[str, str]:
    """What an experiment's notes may name: the model, counts, sizes as ``num_…``, options."""
    told, others = told_of(results), beside_words(results)
    return {
        **{name: _word(value) for name, value in told.config.items()},
        **{f"num_{dim}": str(size) for dim, size in results.sizes.items()},
        "level_list": ", ".join(map(str, levels_of(results))),
        "model": told.subject,
        "problems": counted(results.sizes["problem"], "problem"),
        "levels": counted(results.sizes["level"], "level"),
        "and_beside": f" and {others}" if others else "",
        "beside": f", beside {others}" if others else "",
        "control": f"beside {others} as a control" if others else "without a control",
    }


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else word_of(value)


def cases_of(results: xr.DataTree) -> list[Case]:
    """The model and those of its controls that were measured."""
    groups = results["summary"].children
    return [Case(name, key, groups[name].to_dataset()) for name, key in _CASES if name in groups]


def num_draws(results: xr.DataTree, control: str) -> int:
    """How many draws a control has; 0 where there is none."""
    controls = results.children["controls"].children if "controls" in results.children else {}
    return int(controls[control].sizes.get("draw", 1)) if control in controls else 0


def beside_words(results: xr.DataTree) -> str:
    """The other networks that were measured; empty if there are none."""
    words = []
    if untrained := num_draws(results, "untrained"):
        words.append(f"{counted(untrained, 'draw')} of untrained weights")
    if num_draws(results, "shuffled"):
        words.append("the network trained on shuffled answers")
    return " and ".join(words)


def networks_layout(results: xr.DataTree, what: str) -> list[tuple[str, str]]:
    """The groups of the other networks, each with what it holds, for `described_layout`."""
    groups = []
    if num_draws(results, "untrained"):
        groups.append(("controls/untrained", f"{what} for each draw of weights;"))
    if num_draws(results, "shuffled"):
        where = "for the network trained on shuffled answers, which no verdict is held against;"
        groups.append(("controls/shuffled", f"{what} {where}"))
    return groups


def levels_of(results: xr.DataTree) -> list[int]:
    """From the noisiest on."""
    return sorted(int(level) for level in results.coords["level"].values)


def counted(count: int, one: str) -> str:
    """``1 problem``, ``3 problems``."""
    return f"{count} {one}{'' if count == 1 else 's'}"


def problems_fact(results: xr.DataTree, config: Mapping[str, Any]) -> tuple[str, Text]:
    """How many problems, and which."""
    text = f"{results.sizes['problem']}, difficulty “{config['difficulty']}”, seed {config['seed']}"
    return "Problems", text


def cell(statistics: xr.DataArray) -> Cell:
    """Mean and interval; a dash where no problem has the number."""
    mean, low, high, count = (
        float(statistics.sel(statistic=s)) for s in ("mean", "low", "high", "count")
    )
    return Cell(*with_interval(mean, low, high)) if count else Cell("–")


def concise_cell(statistics: xr.DataArray) -> str:
    """The mean with the larger half of its interval in the last digit's unit."""
    mean, low, high = (float(statistics.sel(statistic=s)) for s in ("mean", "low", "high"))
    return concise(mean, max(high - mean, mean - low))


def rows_of(results: xr.DataTree, cells_fn: Callable[[xr.Dataset], Sequence[Cell]]) -> list[Row]:
    """A row a case."""
    return [Row(case.label, cells_fn(case.data), None, case.key) for case in cases_of(results)]


def listed_levels(
    results: xr.DataTree, cells_fn: Callable[[int, Sequence[xr.Dataset]], Iterable[str]]
) -> list[list[str]]:
    """Rows of a listing: level, σ_t and the cells that are made of the cases' summaries."""
    data = [case.data for case in cases_of(results)]
    rows = []
    for level in levels_of(results):
        sigma = float(data[0]["sigma"].sel(level=level))
        rows.append([str(level), f"{sigma:.3f}", *cells_fn(level, data)])
    return rows


def described_layout(
    root: Text, groups: Iterable[tuple[str, str]], summary: str
) -> tuple[str | Marked, ...]:
    """What lies where in ``results.h5``.

    Args:
        root: Of the root's own variables.
        groups: Those that there are, each with what it holds.
        summary: What the summaries hold.
    """
    words: list[str | Marked] = [root] if isinstance(root, str) else list(root)
    for name, what in (*groups, ("summary/…", summary)):
        words += [" ", Marked(name, "code"), f" holds {what}"]
    return tuple(words)
