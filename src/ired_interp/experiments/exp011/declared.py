"""What EXP-011 declares: its variables, its claims, and what of them is shown.

Errors are compared by (a - b)/(a + b), problem by problem: 0 where both ways are as good, 1 where
the second makes no error and the first does, and bounded, so that no problem outweighs the others.
"""

from functools import partial
from typing import Final

import numpy as np
import xarray as xr

from ired_interp.anatomy import ARMS, RELEASED
from ired_interp.digits import number
from ired_interp.experiments.hypothesis import Role
from ired_interp.experiments.kit.claims import Claim
from ired_interp.experiments.kit.expressions import Expression, pick
from ired_interp.experiments.kit.tables import Lines, MeanTable, Words
from ired_interp.experiments.kit.variables import V, declare
from ired_interp.experiments.page import Definitions

__all__ = ["CLAIMS", "LINES", "SAID", "TABLES", "VARIABLES", "ways"]

# Answers of order 1 this many units in the last place off are as good as exact.
_ROUND_OFF: Final = 1_000
_COUNTED = "none: counted"
_OF_STARTS = "spread over starts"
_number = partial(V, mean=True)

VARIABLES = declare(
    V("given", "problem arm y_dim", "", "What each way answers from the first start, unscaled."),
    _number(
        "error",
        "problem arm",
        "y^2",
        "Squared error an entry of the answer, mean over starts.",
        _OF_STARTS,
    ),
    _number(
        "energy",
        "problem arm",
        "energy",
        "E at s_t times the answer, at the finest level of the run, mean over starts.",
    ),
    _number(
        "change",
        "problem arm",
        "1",
        "rms distance of the answer from that of the released rule from the same start, over the "
        "rms error of the latter; mean of squares over starts, then the root.",
    ),
    _number(
        "to_minimum",
        "problem arm",
        "y",
        "rms distance an entry, unscaled, from the answer of the first start to the minimum of the "
        "finest level that a Newton descent reaches from it; missing where that does not converge, "
        "and for untrained weights but with the released rule.",
        "gradient below 1e-10·‖H‖ (1e-5 in float32)",
        may_be_missing=True,
    ),
    _number(
        "num_minima",
        "problem arm",
        "1",
        "Distinct minima of the finest level that Newton descents from the answers of all starts "
        "reach: a lower bound of how many there are; for untrained weights with the released rule "
        "alone.",
        "none: counted, ends within 1e-4 are one",
        may_be_missing=True,
    ),
    _number(
        "apart",
        "problem arm",
        "1",
        "Share of pairs of starts whose descents end at different minima: 0 for a single "
        "one; likewise.",
        _COUNTED,
        may_be_missing=True,
    ),
    _number(
        "cost",
        "problem arm",
        "gradients",
        "Gradients that the answer took, mean over starts; a Hessian counts as 2·d of them.",
        _COUNTED,
    ),
    _number(
        "path_error",
        "problem arm level",
        "y^2",
        "Squared error an entry of the prediction after each level, mean over starts; missing at "
        "levels that the way leaves out.",
        _OF_STARTS,
        may_be_missing=True,
    ),
    _number(
        "path_cost",
        "problem arm level",
        "gradients",
        "`cost` up to the end of each level.",
        _COUNTED,
    ),
)


def _gain(worse: str, better: str) -> Expression:
    """By how much the error of one way exceeds that of another, in -1 … 1."""

    def of(data: xr.Dataset) -> xr.DataArray:
        a, b = (data["error"].sel(arm=name).astype(float) for name in (worse, better))
        floor = (_ROUND_OFF * np.finfo(data["error"].dtype).eps) ** 2
        return ((a - b) / (a + b).where(a + b > floor)).fillna(0.0)

    return Expression(("error",), of)


_CONTROL = "the same network with untrained weights, at the same problems and starts"
_PAPER = "Du et al. (2024), table 3 and the released code"


def _claim(
    identity: str,
    statement: str,
    worse: str,
    better: str,
    source: str,
    *,
    role: Role = "confirmatory",
) -> Claim:
    return Claim(
        id=identity,
        statement=f"{statement}, by more than with untrained weights.",
        effect=_gain(worse, better),
        what=f"a relative excess of the error of “{worse}” over that of “{better}”",
        source=source,
        chart="errors",
        note=f"(a − b)/(a + b) of {worse} and {better}",
        control=_CONTROL,
        role=role,
    )


CLAIMS = (
    _claim(
        "jumps-matter",
        "Without the denoising jump at each level answers are worse",
        "no-jump",
        RELEASED,
        f"{_PAPER}: the jump is in the code and not in algorithm 2",
    ),
    _claim(
        "steps-matter",
        "Without the inner steps answers are worse",
        "no-steps",
        RELEASED,
        f"{_PAPER}: gradient descent at each level is what the paper adds to denoising",
    ),
    _claim(
        "more-steps-matter",
        "Twenty inner steps a level answer better than five",
        RELEASED,
        "twenty-steps",
        "Du et al. (2024), table 2: more optimisation steps, better answers",
        role="exploratory",
    ),
    _claim(
        "doubling-matters",
        "Inner steps that are not doubled answer worse",
        "single-steps",
        RELEASED,
        "the released code doubles all but the first step; on the ideal quadratic that overshoots",
        role="exploratory",
    ),
    _claim(
        "levels-matter",
        "The last level alone answers worse than all of them",
        "last-level",
        RELEASED,
        "Du et al. (2024): annealing is what lets the descent find the answer",
    ),
    _claim(
        "newton-matters",
        "Newton steps with exact Hessians after the jumps answer better than the released rule",
        RELEASED,
        "jumps-newton",
        "if steps stop short of the minimum, and the minimum is nearer to the answer",
    ),
    Claim(
        id="several-minima",
        statement="From different starts inference ends in the basins of different minima of one "
        "problem, more than with untrained weights.",
        effect=pick("apart", arm=RELEASED),
        what="a share of pairs of starts that end at different minima",
        source="a landscape that has to be searched would have more than one minimum",
        chart="minima",
        note="share of pairs of starts that end at different minima",
        control=_CONTROL,
    ),
)

TABLES = (
    MeanTable(
        "What each way answers, and what it takes",
        ("arm",),
        (
            ("error", pick("error")),
            ("change", pick("change")),
            ("energy", pick("energy")),
            ("to the minimum", pick("to_minimum")),
            ("minima", pick("num_minima")),
            ("gradients", pick("cost")),
        ),
        "Change: distance of the answer from that of the released rule from the same start, over "
        "the latter’s error. Minima: how many the starts of a problem lead to; of untrained "
        "weights they are looked for behind the released rule’s answers alone. Gradients: a "
        "Hessian counts as 2·d.",
        heads={"arm": "way"},
    ),
)


def _mean(model: xr.Dataset, variable: str, arm: str, digits: int = 3) -> str:
    return number(float(model[variable].sel(arm=arm, statistic="mean")), digits)


def _of_released(model: xr.Dataset) -> str:
    return (
        f"The released rule has an error of {_mean(model, 'error', RELEASED)} an entry, for "
        f"{_mean(model, 'cost', RELEASED)} gradients a problem."
    )


def _of_way(model: xr.Dataset, *, arm: str, what: str) -> str:
    return (
        f"{what} the error is {_mean(model, 'error', arm)}, for {_mean(model, 'cost', arm)} "
        f"gradients; the answers differ from the released rule’s by "
        f"{_mean(model, 'change', arm, 2)} of its error."
    )


def _of_starts(model: xr.Dataset) -> str:
    minima = _mean(model, "num_minima", RELEASED)
    return f"The starts of a problem lead to {minima} minima on average."


SAID = (
    Words(("error", "cost"), _of_released),
    *(
        Words(("error", "cost", "change"), partial(_of_way, arm=arm, what=what))
        for arm, what in (
            ("no-steps", "Without inner steps"),
            ("twenty-steps", "With 20 steps a level"),
            ("no-jump", "Without jumps"),
            ("last-level", "At the last level alone"),
            ("jumps-newton", "With Newton steps after the jumps"),
        )
    ),
    Words(("num_minima",), _of_starts),
)
LINES = Lines(
    columns=(
        ("error", pick("error")),
        ("change", pick("change")),
        ("to min.", pick("to_minimum")),
        ("minima", pick("num_minima")),
        ("grads", pick("cost")),
    ),
    others=(("", pick("error")),),
    caption="change: distance from the released rule's answer over its error; to min.: distance\n"
    "to the minimum behind the answer; minima: how many the starts of a problem lead to;\n"
    "grads: gradients, a Hessian is 2·d of them; untr.: error with untrained weights;",
    rows="arm",
    head="way",
)


def ways(results: xr.DataTree) -> dict[str, Definitions]:
    """What the ways of the results are, for the page."""
    meanings = {arm.name: arm.meaning for arm in ARMS}
    asked = [str(name) for name in results.coords["arm"].values]
    return {"ways": Definitions([(name, meanings[name]) for name in asked if name in meanings])}
