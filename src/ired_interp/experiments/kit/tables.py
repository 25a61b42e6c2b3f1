"""Tables of means over problems, declared: for the page, and as lines for a terminal."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

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

__all__ = ["Lines", "MeanTable", "Said"]

_ERRORS = (
    "means over problems; in parentheses, in the last digit's unit, the larger half of the 95 %\n"
    "bootstrap interval"
)


@dataclass(frozen=True)
class MeanTable:
    """A table of the page: means over problems with their intervals, a row a case.

    Attributes:
        label: What it holds.
        rows: Dimensions whose places are the groups of rows.
        columns: Heading and variable of each column.
        note: How to read it, above the table.
        only: Places of the row dimensions that it shows; all if none.
        without: Places that it leaves out.
        name: Anchor of a section of its own; empty for one that stands among the findings.
        title: Of that section.
        ideals: Of each column what it is in the ideal case, where there is a row of those.
        reference: Label of that row.
    """

    label: str
    rows: Sequence[str]
    columns: Sequence[tuple[str, Pick]]
    note: str = ""
    only: Mapping[str, Sequence[Hashable]] = field(default_factory=dict)
    without: Mapping[str, Sequence[Hashable]] = field(default_factory=dict)
    name: str = ""
    title: str = ""
    ideals: Sequence[str] = ()
    reference: str = ""

    def of(self, results: xr.DataTree) -> Table | None:
        """The table of the results; none where no row is left."""
        groups = []
        for places in product(*(self._places(results, dim) for dim in self.rows)):
            at = dict(zip(self.rows, places, strict=True))

            def cells(data: xr.Dataset, at: Mapping[str, Hashable] = at) -> list[Cell]:
                return [model_page.cell(one(**at).select(data)) for _, one in self.columns]

            groups.append(RowGroup([*map(str, places)], model_page.rows_of(results, cells)))
        if not groups:
            return None
        ideals = self.ideals or ("",) * len(self.columns)
        return Table(
            label=self.label,
            group_heads=[_head(dim) for dim in self.rows],
            row_head="case",
            columns=[
                Column(head, reference=ideal, variable=f"summary/…/{one.variable}")
                for (head, one), ideal in zip(self.columns, ideals, strict=True)
            ],
            groups=groups,
            reference=self.reference,
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


def _head(dim: str) -> Text:
    return ("level ", Marked("k", "i")) if dim == "level" else dim
