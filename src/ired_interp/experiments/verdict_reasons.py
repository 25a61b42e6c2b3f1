"""The sentence beside a verdict: what decided it, or what is lacking."""

import math
from dataclasses import dataclass

from ired_interp.digits import number
from ired_interp.experiments.hypothesis import Direction, Evidence, Outcome
from ired_interp.stats import Interval, PairedEffect

__all__ = ["Comparison", "Tested", "explored", "reason", "undefined"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences from a null or a control, seen from the side that supports.

    Attributes:
        interval: Of the mean difference, effect less the other.
        num_units: Problems, or models.
        num_favourable: Of the units, how many lie on the side that supports.
        num_unfavourable: On the other side.
        greater: p value of lying on the side that supports, over units.
        less: Of the other side.
        among_draws_greater: The same against the spread of the control's draws; None without.
        among_draws_less: Of the other side.
        num_draws: Of the control; 0 where it was not drawn several times.
    """

    interval: Interval
    num_units: int
    num_favourable: int
    num_unfavourable: int
    greater: float
    less: float
    among_draws_greater: float | None
    among_draws_less: float | None
    num_draws: int

    @property
    def p_values(self) -> tuple[float, float]:
        """Over units and, where there are several draws, over these too: the larger, by side."""
        return (
            max(self.greater, self.among_draws_greater or 0.0),
            max(self.less, self.among_draws_less or 0.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A hypothesis with its p values, before the others of the experiment are looked at."""

    direction: Direction
    evidence: Evidence
    estimate: Interval
    null: float
    control: Interval | None
    against_null: Comparison
    contrast: Comparison | None
    p_for: float
    p_against: float
    num_problems: int
    num_models: int
    over_models: bool
    size: PairedEffect


def undefined(evidence: Evidence) -> str:
    """The reason where no problem has a number."""
    return _with_note(f"Not defined at any of the {evidence.effect.size} problems", evidence.note)


def reason(outcome: Outcome, tested: Tested, *, alpha: float, num_tested: int) -> str:
    """One sentence that decides: numbers, their number of problems, and of whom it holds."""
    if outcome == "supported" and tested.contrast is not None:
        text = _supported(tested, tested.contrast)
    elif outcome == "refuted":
        text = _refuted(tested)
    else:
        text = _inconclusive(tested, alpha, num_tested)
    return _with_note(text + _left_out(tested), tested.evidence.note)


def explored(tested: Tested) -> str:
    """The reason where the hypothesis is exploratory: its numbers, and that they decide nothing."""
    control = "" if tested.control is None else f", control {_interval(tested.control)}"
    text = (
        f"Exploratory, so neither supported nor refuted: {_estimate(tested)}, null "
        f"{_number(tested.null)}{control} (unadjusted p = {number(tested.p_for, 2)} for, "
        f"{number(tested.p_against, 2)} against, {_units(tested, tested.against_null)})"
    )
    return _with_note(text + _left_out(tested), tested.evidence.note)


def _left_out(tested: Tested) -> str:
    total = tested.evidence.effect.size
    missing = total - tested.num_problems
    return f"; not defined at {missing} of {total} problems" if missing else ""


def _supported(tested: Tested, control: Comparison) -> str:
    null = tested.against_null
    side = _side(tested.direction)
    return (
        f"{_estimate(tested)} lies {side} the null {_number(tested.null)} at "
        f"{null.num_favourable} of {_units(tested, null)} and {side} the control at "
        f"{control.num_favourable} of {control.num_units} (difference "
        f"{_interval(control.interval)}), {_of_whom(tested)}"
    )


def _refuted(tested: Tested) -> str:
    null, control = tested.against_null, tested.contrast
    side = _side("less" if tested.direction == "greater" else "greater")
    if control is None or null.p_values[1] <= control.p_values[1]:
        return (
            f"{_estimate(tested)} lies {side} the null {_number(tested.null)} at "
            f"{null.num_unfavourable} of {_units(tested, null)}, {_of_whom(tested)}"
        )
    return (
        f"{_estimate(tested)} lies {side} the control at {control.num_unfavourable} of "
        f"{_units(tested, control)} (difference {_interval(control.interval)}), "
        f"{_of_whom(tested)}"
    )


def _inconclusive(tested: Tested, alpha: float, num_tested: int) -> str:
    null, control = tested.against_null, tested.contrast
    estimate, others = _estimate(tested), f"among {num_tested} hypotheses"
    fewest = math.ceil(math.log2(num_tested / alpha))  # of which the signs alone could decide
    units = null.num_units if control is None else min(null.num_units, control.num_units)
    if units < fewest:
        kind = "models" if tested.over_models else "problems"
        where = "" if null.num_units == units else " where the control is defined"
        among = f" {others}" if num_tested > 1 else ""
        return (
            f"{units} {kind}{where} are too few: below {fewest}{among} nothing can be told from "
            f"chance ({estimate}, null {_number(tested.null)})"
        )
    if null.p_values[0] > alpha:
        return (
            f"{estimate} is not told from the null {_number(tested.null)} "
            f"(p = {number(null.p_values[0], 2)}, {_units(tested, null)})"
        )
    if control is None:
        return (
            f"{estimate} lies {_side(tested.direction)} the null {_number(tested.null)}, but no "
            "control was measured"
        )
    difference = _interval(control.interval)
    if control.greater > alpha:
        return (
            f"The control does the same: {estimate} differs from it by {difference} "
            f"(p = {number(control.greater, 2)}, {_units(tested, control)})"
        )
    if control.p_values[0] > alpha:
        return (
            f"{estimate} differs from the control by {difference}, but the control's "
            f"{control.num_draws} draws differ so much from one another that it could be one of "
            f"them (p = {number(control.p_values[0], 2)})"
        )
    by_draws = control.among_draws_greater == tested.p_for
    return (
        f"{estimate} lies {_side(tested.direction)} null and control, but "
        f"p = {number(tested.p_for, 2)} does not suffice {others}"
        + (f": {control.num_draws} draws of the control are too few" if by_draws else "")
    )


def _side(direction: Direction) -> str:
    return "above" if direction == "greater" else "below"


def _estimate(tested: Tested) -> str:
    unit = tested.evidence.unit
    return _interval(tested.estimate) + (f" {unit}" if unit not in ("", "1") else "")


def _interval(interval: Interval) -> str:
    if not math.isfinite(interval.low):
        return _number(interval.mean)
    return f"{_number(interval.mean)} [{_number(interval.low)}, {_number(interval.high)}]"


def _number(value: float) -> str:
    return number(value, 3)


def _units(tested: Tested, comparison: Comparison) -> str:
    name = "model" if tested.over_models else "problem"
    return f"{comparison.num_units} {name}{'s' * (comparison.num_units != 1)}"


def _of_whom(tested: Tested) -> str:
    if tested.over_models:
        return f"over {tested.num_models} models"
    return "of this model" if tested.num_models == 1 else f"of these {tested.num_models} models"


def _with_note(text: str, note: str) -> str:
    return f"{text}." if not note else f"{text} ({note.strip().removesuffix('.')})."
