"""What is drawn beside, below and over each other: places of a dimension, cases, quantities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import xarray as xr

from ired_interp.experiments.kit.expressions import Pick, pick

__all__ = [
    "CASE",
    "QUANTITY",
    "Facet",
    "Limit",
    "Quantity",
    "facet",
    "facet_of",
    "picked",
    "quantities_of",
    "quantity",
]

CASE: Final = "case"
"""A facet: a panel for each network."""
QUANTITY: Final = "quantity"
"""A facet: a panel for each quantity."""

Limit: TypeAlias = "float | Pick | None"
"""What a quantity would be: a number, or a variable of the summary."""


@dataclass(frozen=True)
class Facet:
    """Places of a dimension, each with a panel or a line of its own.

    Attributes:
        dim: The dimension; or `CASE`, or `QUANTITY`.
        only: The places that are shown, in their order; those that the results lack are left out.
            None for all.
        words: What is said of a place instead of its name.
        most: So many at most, spread over them all; None for all.
    """

    dim: str
    only: Sequence[object] | None = None
    words: Mapping[Any, str] = field(default_factory=dict)
    most: int | None = None

    def places(self, data: xr.Dataset) -> list[Any]:
        """Those that the data have."""
        known = data[self.dim].values.tolist()
        found = known if self.only is None else [one for one in self.only if one in known]
        if self.most is None or len(found) <= self.most:
            return found
        steps = (len(found) - 1) / (self.most - 1)
        return [found[round(i * steps)] for i in range(self.most)]

    def said(self, place: Any) -> str:
        """What the place is called."""
        plain = f"level {place}" if self.dim == "level" else str(place)
        return self.words.get(place, plain)


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What is drawn up an axis, with what it would be at best and if there were nothing.

    Attributes:
        pick: Of each case's summary.
        title: Of its panel.
        label: Of its axis, with the unit.
        word: What it is called beside others in one panel.
        beside: Others in the same panel, hollow and dashed, each with its word.
        once: Others that a panel has once, of its first case, dotted, each with its word.
        if_there: Like these, where the run has measured them.
        null: Where it would be if there were nothing; a variable is that of each case.
        ideal: Where it would be at best; a variable is the model's.
        scale: ``outliers`` is linear unless numbers of order 1 lie far off.
        low: Lower end of its axis; None for the lowest that is drawn.
        high: Upper end.
    """

    pick: Pick
    title: str = ""
    label: str = ""
    word: str = ""
    beside: Sequence[tuple[Pick, str]] = ()
    once: Sequence[tuple[Pick, str]] = ()
    if_there: Sequence[tuple[Pick, str]] = ()
    null: Limit = None
    ideal: Limit = None
    scale: Literal["linear", "log", "outliers"] = "linear"
    low: float | None = None
    high: float | None = None

    def needs(self) -> tuple[str, ...]:
        """Names of the variables that it is made of."""
        picks = [self.pick, *(one for one, _ in (*self.beside, *self.once))]
        picks += [one for one in (self.null, self.ideal) if isinstance(one, Pick)]
        return tuple(dict.fromkeys(name for one in picks for name in one.variables))


def facet(
    dim: str,
    *,
    only: Sequence[object] | None = None,
    words: Mapping[Any, str] | None = None,
    most: int | None = None,
) -> Facet:
    """Places of a dimension; ``facet("metric", only=("grassmann", "affine"))``."""
    return Facet(dim, only, words or {}, most)


def quantity(variable: str | Pick, **more: Any) -> Quantity:
    """A quantity; ``quantity("partial", label="ρ given ‖δ‖", null=pick("partial_null"))``."""
    return Quantity(pick=picked(variable), **more)


def picked(variable: str | Pick) -> Pick:
    """A variable as a selection."""
    return pick(variable) if isinstance(variable, str) else variable


def facet_of(given: str | Facet | None) -> Facet | None:
    """A dimension as a facet."""
    return Facet(given) if isinstance(given, str) else given


def quantities_of(
    given: str | Pick | Quantity | Sequence[str | Pick | Quantity], **more: Any
) -> list[Quantity]:
    """All that is drawn; what is a variable alone gets what else is said, or its name as label."""
    several = [given] if isinstance(given, (str, Pick, Quantity)) else list(given)
    return [
        one
        if isinstance(one, Quantity)
        else quantity(one, **more | {"label": more.get("label") or picked(one).variable})
        for one in several
    ]
