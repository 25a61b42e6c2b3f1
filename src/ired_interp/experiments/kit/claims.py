"""Claims of an experiment: an effect as an expression, its null, and the words that go with them.

What would support or refute a claim, what it needs and what it is held against follow from these.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ired_interp.experiments.hypothesis import Direction, Evidence, Hypothesis, Role
from ired_interp.experiments.kit.expressions import Expression
from ired_interp.experiments.model_evidence import (
    SAME_NETWORK,
    beside_untrained,
    left_out,
    rows,
    untrained_data,
)
from ired_interp.stats import FloatArray

__all__ = ["Claim"]

_SIDES = {"greater": ("above", "below"), "less": ("below", "above")}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence that can be false, and the expression that decides it.

    Attributes:
        id: Unique in its experiment: letters, digits, '-'.
        statement: The sentence.
        effect: One number a problem, of the data of one network; or, where an expression cannot say
            it, a function of all results.
        what: The effect in words, with its article: ``a rank correlation``.
        null: What it would be if there were nothing: a number, or an expression over the same data.
        null_words: The null in words, as they follow ``above``: ``0``, ``that of the bowl``.
        direction: On which side of null and control the effect supports the sentence.
        source: Paper, plan or formula that it comes from.
        chart: Name of the chart that shows it.
        note: What else matters: where it was measured; a sentence, or a function of the model's
            data.
        mean_of: Numbers a problem and level that the effect is the mean of, where the note is to
            say how many of them are missing.
        needs: Variables beside those of effect and null.
        control: What it is held against, in words.
        role: ``confirmatory``, or ``exploratory``: shown, not tested.
    """

    id: str
    statement: str
    effect: Expression | Callable[[xr.DataTree], Evidence]
    what: str
    direction: Direction = "greater"
    null: float | Expression = 0.0
    null_words: str = "0"
    source: str
    chart: str | None = None
    note: str | Callable[[xr.Dataset], str] = ""
    mean_of: Expression | None = None
    needs: tuple[str, ...] = ()
    control: str = SAME_NETWORK
    role: Role = "confirmatory"

    def hypothesis(self) -> Hypothesis:
        """As it is judged."""
        right, wrong = _SIDES[self.direction]
        used = [one.variables for one in (self.effect, self.null) if isinstance(one, Expression)]
        return Hypothesis(
            id=self.id,
            statement=self.statement,
            statistic=self.evidence,
            direction=self.direction,
            supports=f"{self.what} {right} {self.null_words}, and {right} that of the control",
            refutes=f"one {wrong} {self.null_words}, or {wrong} that of the control",
            control=self.control,
            source=self.source,
            figure=self.chart,
            needs=tuple(dict.fromkeys([*(name for names in used for name in names), *self.needs])),
            role=self.role,
        )

    def evidence(self, results: xr.DataTree) -> Evidence:
        """The effect of the model and of each draw of untrained weights, with its null."""
        effect = self.effect
        if not isinstance(effect, Expression):
            return effect(results)
        root = results.to_dataset()
        note = self.note if isinstance(self.note, str) else self.note(root)
        if self.mean_of is not None:
            beside = untrained_data(results)
            missing = None if beside is None else self.mean_of.of(beside).isnull()
            note += left_out(self.mean_of.of(root).isnull(), missing)
        return beside_untrained(
            results, lambda data: rows(effect.of(data)), null=_null(self.null, root), note=note
        )


def _null(null: float | Expression, data: xr.Dataset) -> float | FloatArray:
    """One number, or one a problem; 0 where it is defined nowhere, as the effect is not either."""
    if not isinstance(null, Expression):
        return null
    beside = rows(null.of(data))
    return 0.0 if np.isnan(beside).all() else beside
