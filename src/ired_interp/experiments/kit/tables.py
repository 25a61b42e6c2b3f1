"""Tables of means over problems, declared: for the page, and as lines for a terminal."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import NamedTuple

import numpy as np
import xarray as xr

from ired_interp.digits import number
from ired_interp.experiments import model_page
from ired_interp.experiments.kit.expressions import Pick
from ired_interp.experiments.page import (
    Cell,
    Column,
    Listing,
    Marked,
    RowGroup,
    Section,
    Table,
    Text,
)

__all__ = ["Lines", "MeanColumn", "MeanTable", "Said", "Sentence"]

_ERRORS = (
    "means over problems; in parentheses, in the last digit's unit, the larger half of the 95 %\n"
    "bootstrap interval"
)


class MeanColumn(NamedTuple):
    """A column of a `MeanTable`.

    Attributes:
        head: In words.
        what: Its variable.
        unit: Below the heading; empty if there is none.
        ideal: What it would be in the ideal case, in the table's row of that.
        counted: Whether each cell says of how many problems its mean is.
    """

    head: str
    what: Pick
    unit: str = ""
    ideal: str = ""
    counted: bool = False

    def cell(self, data: xr.Dataset, at: Mapping[str, Hashable]) -> Cell:
        """The mean of a case at one place, with its interval."""
        values = self.what(**at).select(data)
        count = int(values.sel(statistic="count")) if self.counted else 0
        return replace(model_page.cell(values), note=f"n = {count}" if count else "")


@dataclass(frozen=True)
class MeanTable:
    """A table of the page: means over problems with their intervals, a row a case.

    Attributes:
        label: What it holds.
        rows: Dimensions whose places are the groups of rows.
        columns: Heading and variable of each column, or more of it.
        note: How to read it, above the table.
        only: Places of the row dimensions that it shows; all if none.
        without: Places that it leaves out.
        name: Anchor of a section of its own; empty for one that stands among the findings.
        title: Of that section.
        beside: Coordinates of the last of the row dimensions that stand beside it, such as sigma.
        ideal: Label of the row of the columns' ``ideal``; empty if the table has none.
    """

    label: str
    rows: Sequence[str]
    columns: Sequence[tuple[str, Pick] | MeanColumn]
    note: str = ""
    only: Mapping[str, Sequence[Hashable]] = field(default_factory=dict)
    without: Mapping[str, Sequence[Hashable]] = field(default_factory=dict)
    name: str = ""
    title: str = ""
    beside: Sequence[str] = ()
    ideal: str = ""

    def of(self, results: xr.DataTree) -> Table | None:
        """The table of the results; none where no row is left."""
        columns = [MeanColumn(*one) for one in self.columns]
        groups = []
        for places in product(*(self._places(results, dim) for dim in self.rows)):
            at = dict(zip(self.rows, places, strict=True))

            def cells(data: xr.Dataset, at: Mapping[str, Hashable] = at) -> list[Cell]:
                return [one.cell(data, at) for one in columns]

            last = {self.rows[-1]: places[-1]}
            beside = [f"{float(results[name].sel(last)):.3f}" for name in self.beside]
            heads = [*map(str, places), *beside]
            groups.append(RowGroup(heads, model_page.rows_of(results, cells)))
        if not groups:
            return None
        return Table(
            label=self.label,
            group_heads=[_head(name) for name in (*self.rows, *self.beside)],
            row_head="case",
            columns=[
                Column(one.head, one.unit, one.ideal, f"summary/…/{one.what.variable}")
                for one in columns
            ],
            groups=groups,
            reference=self.ideal,
            note=f"Means over problems [95\u00a0% bootstrap interval]. {self.note}".strip(),
        )

    def section(self, results: xr.DataTree) -> Section | None:
        """The section of its own, where it has one and there is something in it."""
        table = self.of(results)
        return None if table is None else Section(self.name, self.title, (table,))

    def _places(self, results: xr.DataTree, dim: str) -> list[Hashable]:
        if dim == "level":
            return list(model_page.levels_of(results))
        known = [place.item() for place in results.coords[dim].values]
        shown, hidden = self.only.get(dim, known), self.without.get(dim, ())
        return [place for place in known if place in shown and place not in hidden]


@dataclass(frozen=True)
class Said:
    """A sentence of the findings with numbers in it: means over problems and what is left.

    Attributes:
        text: With ``{cases}`` for the numbers of all cases, and ``{model}`` for one of the model.
        cases: What of each case.
        model: What of the model alone; none if the text has no such place.
        digits: Of each number.
    """

    text: str
    cases: Pick
    model: Pick | None = None
    digits: int = 3

    def of(self, results: xr.DataTree) -> str:
        """The sentence."""
        cases = model_page.cases_of(results)
        parts = [f"{self._mean(self.cases, case.data)} ({case.label})" for case in cases]
        model = "" if self.model is None else self._mean(self.model, cases[0].data)
        return self.text.format(cases=", ".join(parts), model=model)

    @property
    def variables(self) -> list[str]:
        """Paths of what is said."""
        of_model = [] if self.model is None else [f"summary/model/{self.model.variable}"]
        return [f"summary/…/{self.cases.variable}", *of_model]

    def _mean(self, what: Pick, data: xr.Dataset) -> str:
        values = what.select(data).sel(statistic="mean")
        return number(float(np.nanmean(values) if values.notnull().any() else np.nan), self.digits)


@dataclass(frozen=True)
class Sentence:
    """A sentence of the findings that the results write themselves.

    Attributes:
        of: (results) → it; empty where there is nothing to say.
        variables: Paths of what is said.
    """

    of: Callable[[xr.DataTree], str]
    variables: Sequence[str]


@dataclass(frozen=True)
class Lines:
    """Lines for a terminal: a row a level, the model's columns and a few of the others.

    Attributes:
        columns: Heading and variable, of the model.
        others: Heading and variable of what is shown of each control.
        caption: How to read it.
    """

    columns: Sequence[tuple[str, Pick]]
    others: Sequence[tuple[str, Pick]]
    caption: str

    def of(self, results: xr.DataTree) -> Listing:
        """The lines of the results."""

        def cells(level: int, data: Sequence[xr.Dataset]) -> list[str]:
            of_model = [one(level=level).select(data[0]) for _, one in self.columns]
            others = [one(level=level).select(case) for case in data[1:] for _, one in self.others]
            return [model_page.concise_cell(values) for values in (*of_model, *others)]

        cases = model_page.cases_of(results)
        muted = [f"{case.label[:4]}. {head}" for case in cases[1:] for head, _ in self.others]
        return Listing(
            heads=("k", "σ", *(head for head, _ in self.columns), *muted),
            rows=model_page.listed_levels(results, cells),
            caption=f"{self.caption}\n{_ERRORS}",
            muted=muted,
        )


def _head(name: str) -> Text:
    return {"level": ("level ", Marked("k", "i")), "sigma": "σ_t"}.get(name, name)
