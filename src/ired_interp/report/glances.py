"""A verdict at a glance: effect and control with their intervals beside the null, on one line."""

import math
from dataclasses import dataclass

from ired_interp.digits import number, with_interval
from ired_interp.experiments.kit.chart_cases import margins
from ired_interp.experiments.verdict_data import StoredVerdict
from ired_interp.stats import Interval

__all__ = ["Ends", "Glance", "glance_of"]

_WIDTH = 220


@dataclass(frozen=True)
class Ends:
    """An interval, in CSS pixels from the left."""

    low: float
    mean: float
    high: float


@dataclass(frozen=True)
class Glance:
    """What is drawn of a verdict, in CSS pixels from the left.

    Attributes:
        null: Where there is nothing.
        effect: Mean and interval.
        control: Likewise; None where it was not measured.
        said: The same in words.
    """

    null: float
    effect: Ends
    control: Ends | None
    said: str


def glance_of(one: StoredVerdict) -> Glance | None:
    """None where nothing was measured."""
    verdict = one.verdict
    if not verdict.num_problems:
        return None
    shown = [verdict.estimate, *([] if verdict.control is None else [verdict.control])]
    low, high = margins([verdict.null, *(n for i in shown for n in (i.low, i.mean, i.high))], 0.05)

    def place(value: float) -> float:
        return round(_WIDTH * (value - low) / (high - low), 1)

    def ends(interval: Interval) -> Ends:
        """Of one problem there is no interval."""
        known = [n if math.isfinite(n) else interval.mean for n in (interval.low, interval.high)]
        return Ends(place(known[0]), place(interval.mean), place(known[1]))

    return Glance(
        null=place(verdict.null),
        effect=ends(verdict.estimate),
        control=None if verdict.control is None else ends(verdict.control),
        said=_in_words(one),
    )


def _in_words(one: StoredVerdict) -> str:
    verdict = one.verdict
    cases = [("effect", verdict.estimate), ("control", verdict.control)]
    said = [
        f"{word} {' '.join(with_interval(of.mean, of.low, of.high))}"
        for word, of in cases
        if of is not None
    ]
    return f"{', '.join(said)}, null {number(verdict.null)}"
