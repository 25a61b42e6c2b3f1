"""A claim as data: what is asked of the results, what it is held against, and how it came out."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import xarray as xr

from ired_interp.errors import ExperimentError, NonFiniteError, ShapeError
from ired_interp.stats import FloatArray, IntArray, Interval

__all__ = ["Direction", "Evidence", "Hypothesis", "Outcome", "Role", "Verdict"]

Outcome = Literal["supported", "refuted", "inconclusive"]
Direction = Literal["greater", "less"]
Role = Literal["confirmatory", "exploratory"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the statistic of a hypothesis found: one number a problem.

    Choose a scale on which chance is as likely to push up as down (a logarithm of a ratio, an
    angle, a rank correlation): the tests of `verdicts.judge` assume no more than that symmetry.

    Attributes:
        effect: Of each problem, shape [n], float64. NaN where it is not defined; counted.
        null: What it would be if there were nothing: one number, or one a problem, [n].
        control: The same statistic of the control at the same problems, [n]; or [draws, n] where
            the control was drawn several times (untrained networks, random directions).
        model: Which trained model each problem belongs to, [n], where there are several.
        resolution: How far apart two of these numbers may be by round-off alone, in their unit;
            closer ones are the same. Give it wherever null or control can be 0: there nothing but
            the numbers that the effect was computed from tells round-off, which has a sign at
            every problem, from an effect.
        unit: Of the effect: ``1``, ``degrees``.
        note: A sentence of what else matters: problems left out, where it was measured.

    Raises:
        ShapeError: The shapes do not fit one another.
        NonFiniteError: Infinite values, which no mean survives, or a null that is not a number.
        ExperimentError: A resolution that is not a finite number of at least 0.
    """

    effect: FloatArray
    null: float | FloatArray = 0.0
    control: FloatArray | None = None
    model: IntArray | None = None
    resolution: float = 0.0
    unit: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.effect.ndim != 1:
            raise ShapeError(
                f"Evidence: effect: expected one number a problem, [n], found shape "
                f"{self.effect.shape}. Reduce levels, steps and eigenvalues first."
            )
        n = self.effect.size
        _check_shape("null", np.asarray(self.null), n, dims=(0, 1))
        _check_finite("effect", self.effect)
        _check_finite("null", np.asarray(self.null))
        if not np.isfinite(self.null).any() and n:
            raise NonFiniteError(
                "Evidence: null: expected a number, found NaN. It says what the effect would be "
                "if there were nothing; a hypothesis without one cannot be tested."
            )
        if self.control is not None:
            _check_shape("control", self.control, n, dims=(1, 2))
            _check_finite("control", self.control)
        if self.model is not None:
            _check_shape("model", self.model, n, dims=(1,))
        if not 0 <= self.resolution < np.inf:
            raise ExperimentError(
                f"Evidence: resolution: expected a number of at least 0, found {self.resolution}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A claim that can be false, with everything that decides it.

    Attributes:
        id: Unique in its experiment: letters, digits, '-'.
        statement: One sentence that can be false.
        statistic: (results) → `Evidence`; a pure function of the results.
        direction: On which side of null and control the effect supports the statement.
        supports: What would support it, in words.
        refutes: What would refute it, in words.
        control: What the control is, in words.
        source: Paper, plan or formula that it comes from.
        figure: Name of the FigureSpec that shows it.
        needs: Paths of variables; without them it is not judged, and the verdict says so.
        role: ``confirmatory``, or ``exploratory``: its numbers are shown, but it is not tested,
            takes nothing from the others' α, and is never supported or refuted.

    Raises:
        ExperimentError: An id, a direction or a role that cannot be.
    """

    id: str
    statement: str
    statistic: Callable[[xr.DataTree], Evidence]
    direction: Direction
    supports: str
    refutes: str
    control: str
    source: str
    figure: str | None = None
    needs: Sequence[str] = ()
    role: Role = "confirmatory"

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ExperimentError(
                f"Hypothesis: id: expected letters, digits and '-', found {self.id!r}."
            )
        for name, known in (("direction", get_args(Direction)), ("role", get_args(Role))):
            if getattr(self, name) not in known:
                raise ExperimentError(
                    f"Hypothesis {self.id}: {name}: expected {' or '.join(known)}, found "
                    f"{getattr(self, name)!r}."
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a hypothesis came out.

    Attributes:
        id: Of the hypothesis.
        outcome: ``supported``, ``refuted`` or ``inconclusive``.
        estimate: The mean effect over problems.
        null: What it would be if there were nothing; its mean where it differs by problem.
        control: The mean of the control; None without one.
        contrast: The mean of effect - control, paired by problem; None without a control.
        p_for: One-sided p value of the statement: the larger of effect beyond null and effect
            beyond control, 1 where one of them was not measured.
        p_against: Twice the smaller p value of being beyond null or control on the wrong side.
        adjusted_p: Adjusted by Holm over the hypotheses that were tested: of ``p_against`` where
            refuted, else of ``p_for``. NaN where the hypothesis is exploratory.
        num_problems: With a finite effect and null.
        num_models: That these belong to.
        reason: One sentence.
        hedges_g: Size of effect - null: mean over standard deviation of what was tested (problems,
            or the means of models), corrected for few of them. Above 0 where the effect lies above
            its null, whatever the direction. NaN where there are too few, all are equal, or the
            results were written before sizes were.
        rank_biserial: Likewise by ranks, in -1 … 1: 1 where every effect lies above its null.
        share_above: Of what was tested, how much lies above its null.
    """

    id: str
    outcome: Outcome
    estimate: Interval
    null: float
    control: Interval | None
    contrast: Interval | None
    p_for: float
    p_against: float
    adjusted_p: float
    num_problems: int
    num_models: int
    reason: str
    hedges_g: float = math.nan
    rank_biserial: float = math.nan
    share_above: float = math.nan


def _check_shape(name: str, value: npt.NDArray[Any], n: int, *, dims: tuple[int, ...]) -> None:
    if value.ndim not in dims or (value.ndim and value.shape[-1] != n):
        known = {0: "a number", 1: f"[{n}]", 2: f"[draws, {n}]"}
        raise ShapeError(
            f"Evidence: {name}: expected {' or '.join(known[dim] for dim in dims)}, as effect has "
            f"{n} problems, found shape {value.shape}."
        )


def _check_finite(name: str, value: npt.NDArray[Any]) -> None:
    infinite = int(np.isinf(value).sum())
    if infinite:
        raise NonFiniteError(
            f"Evidence: {name}: expected numbers, or NaN where it is not defined, found {infinite} "
            f"infinite of {value.size}. Say NaN, or take a statistic that is bounded."
        )
