"""Tables of means over problems, declared: for the page, and as lines for a terminal."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import NamedTuple, Protocol, runtime_checkable

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
    Table,
    Text,
)

__all__ = [
    "Lines",
    "MeanColumn",
    "MeanTable",
    "Said",
    "Sentence",
    "TableOfResults",
    "Told",
    "Words",
]

_DIGITS = 3  # of a mean without an interval
_ERRORS = (
    "means over problems; in parentheses, in the last digit's unit, the larger half of the 95 %\n"
    "bootstrap interval"
)


@runtime_checkable
class TableOfResults(Protocol):
    """A table of the page; with a name it has a section of its own, with a title."""

    @property
    def name(self) -> str:
        """Anchor of that section; empty for a table that stands among the findings."""
        ...

    @property
    def title(self) -> str:
        """Of that section."""
        ...

    @property
    def needs(self) -> Sequence[str]:
        """Variables of the summary that there is no table without."""
        ...

    def of(self, results: xr.DataTree) -> Table | None:
        """The table of the results; none where no row is left."""
        ...


@runtime_checkable
class Sentence(Protocol):
    """A sentence of the findings."""

    @property
    def variables(self) -> Sequence[str]:
        """Paths of what is said."""
        ...

    def of(self, results: xr.DataTree) -> str:
        """The sentence."""
        ...


@dataclass(frozen=True)
class Words:
    """What a function of the model's summary says: a sentence of the findings, or a cell.

    Attributes:
        names: Of the variables without which there is nothing to say.
        say: (means over problems; in a row, those of its place) → words; empty for none.
    """

    names: tuple[str, ...]
    say: Callable[[xr.Dataset], str]

    def of(self, results: xr.DataTree) -> str:
        """The sentence of the results."""
        return self.say(model_page.cases_of(results)[0].data)

    @property
    def variables(self) -> list[str]:
        """Paths of what is said."""
        return [f"summary/model/{name}" for name in self.names]


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
        return replace(_cell(values), note=f"n = {count}" if count else "")


@dataclass(frozen=True)
class MeanTable:
    """A table of the page: means over problems with their intervals, a row a case.

    A column that has dimensions beside those of the rows shows its mean over them, without an
    interval, as that of several means is not known.

    Attributes:
        label: What it holds.
        rows: Dimensions whose places are the groups of rows.
        columns: Heading and variable of each column, or more of it.
        note: How to read it, above the table.
        only: Places of the row dimensions that it shows; all if none.
        without: Places that it leaves out.
        name: Anchor of a section of its own; empty for one that stands among the findings.
        title: Of that section.
        heads: What a dimension of the rows is called, where that is not its name.
        beside: Coordinates of the last of the row dimensions that stand beside it, such as sigma.
        ideals: Of each column what it is in the ideal case, where there is a row of those.
        reference: Label of that row.
    """

    label: str
    rows: Sequence[str]
    columns: Sequence[tuple[str, Pick] | MeanColumn]
    note: str = ""
    only: Mapping[str, Sequence[Hashable]] = field(default_factory=dict)
    without: Mapping[str, Sequence[Hashable]] = field(default_factory=dict)
    name: str = ""
    title: str = ""
    heads: Mapping[str, str] = field(default_factory=dict)
    beside: Sequence[str] = ()
    ideals: Sequence[str] = ()
    reference: str = ""

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
        ideals = self.ideals or ("",) * len(self.columns)
        return Table(
            label=self.label,
            group_heads=[self.heads.get(n) or _head(n) for n in (*self.rows, *self.beside)],
            row_head="case",
            columns=[
                Column(one.head, one.unit, one.ideal or ideal, f"summary/…/{one.what.variable}")
                for one, ideal in zip(columns, ideals, strict=True)
            ],
            groups=groups,
            reference=self.reference,
            note=f"Means over problems [95\u00a0% bootstrap interval]. {self.note}".strip(),
        )

    @property
    def needs(self) -> list[str]:
        """Variables of the summary that there is no table without."""
        return [one[1].variable for one in self.columns]

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
class Told:
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
        columns: Heading and variable of the model, or words about it.
        others: Heading and variable of what is shown of each control; the control's own name is
            heading enough where it is empty.
        caption: How to read it; with names in braces, as notes have them.
        most: How many of the controls are shown; all if none.
        rows: The dimension whose places are the rows.
        head: Of their names; those of levels need none.
    """

    columns: Sequence[tuple[str, Pick | Words]]
    others: Sequence[tuple[str, Pick]]
    caption: str
    most: int | None = None
    rows: str = "level"
    head: str = ""

    @property
    def needs(self) -> list[str]:
        """Variables of the summary that there are no lines without."""
        shown = [one for _, one in (*self.columns, *self.others)]
        return [
            name
            for one in shown
            for name in (one.names if isinstance(one, Words) else (one.variable,))
        ]

    def of(self, results: xr.DataTree, names: Mapping[str, object]) -> Listing:
        """The lines of the results; ``names`` fill in the caption."""
        cases = model_page.cases_of(results)[: None if self.most is None else self.most + 1]

        def cells(place: Hashable, data: Sequence[xr.Dataset]) -> list[str]:
            at = {self.rows: place}
            of_model = [_listed(one, data[0], at) for _, one in self.columns]
            others = data[1 : len(cases)]
            return of_model + [_listed(one, case, at) for case in others for _, one in self.others]

        muted = [f"{c.label[:4]}. {head}".strip() for c in cases[1:] for head, _ in self.others]
        by_level = self.rows == "level"
        places = results.coords[self.rows].values
        named = [self.head] if places.dtype.kind == "U" else []
        data = [case.data for case in cases]
        return Listing(
            heads=(
                *(("k", "σ") if by_level else (self.head,)),
                *(head for head, _ in self.columns),
                *muted,
            ),
            rows=model_page.listed_levels(results, cells)
            if by_level
            else [[str(place), *cells(place, data)] for place in places.tolist()],
            caption=f"{self.caption.format_map(names)}\n{_ERRORS}".strip(),
            left=named + [head for head, one in self.columns if isinstance(one, Words)],
            muted=muted,
        )


def _cell(statistics: xr.DataArray) -> Cell:
    if statistics.ndim > 1:
        return Cell(number(_over_places(statistics), _DIGITS))
    return model_page.cell(statistics)


def _listed(one: Pick | Words, data: xr.Dataset, at: Mapping[str, Hashable]) -> str:
    if isinstance(one, Words):
        return one.say(data.sel(at))
    statistics = one(**at).select(data)
    if statistics.ndim > 1 or not statistics.sel(statistic="count") > 0:
        return number(_over_places(statistics), _DIGITS)
    return model_page.concise_cell(statistics)


def _over_places(statistics: xr.DataArray) -> float:
    return float(statistics.sel(statistic="mean").mean())


def _head(name: str) -> Text:
    return {"level": ("level ", Marked("k", "i")), "sigma": "σ_t"}.get(name, name)
