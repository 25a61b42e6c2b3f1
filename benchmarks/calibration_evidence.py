"""Calibration of `judge` itself: effects drawn by hand, no landscape.

The two nulls are the hardest that there are for a verdict which asks for an effect beyond null and
beyond control: in one the effect is nothing while the control lies far below, in the other the
effect is large and the control has it too. Effects are drawn with standard deviation 1 (Student's
t with 3 degrees of freedom: with scale 1) and have mean 0 before they are moved. They are normal,
heavy-tailed, or skewed (lognormal of a standard normal; upwards, or mirrored).
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import xarray as xr
from calibration_case import Case, Results

from ired_interp.experiments.hypothesis import Evidence, Hypothesis
from ired_interp.stats import FloatArray

__all__ = ["CASES"]

FAR = 5.0  # standard deviations: there is no doubt about it
SHIFT = 2.0  # of the planted effect
FAMILY = 5  # hypotheses of an experiment
NUMS_PROBLEMS = (6, 10, 20)
NUM_DRAWS = 5  # of untrained networks

Draw = Callable[[np.random.Generator, tuple[int, ...]], FloatArray]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Standard normal."""
    return rng.normal(size=shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Student's t with 3 degrees of freedom."""
    return rng.standard_t(3, size=shape)


def skewed_up(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Lognormal with mean 0 and standard deviation 1: skewness 6.2."""
    half = np.exp(0.5)
    values: FloatArray = (rng.lognormal(size=shape) - half) / (half * np.sqrt(np.e - 1))
    return values


def skewed_down(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Its mirror image."""
    return -skewed_up(rng, shape)


DRAWS: dict[str, Draw] = {
    "normal": normal,
    "heavy tails": heavy,
    "skewed up": skewed_up,
    "skewed down": skewed_down,
}


def statistic(results: xr.DataTree) -> Evidence:
    """What the generators below have drawn."""
    data = results.to_dataset()
    return Evidence(
        effect=data["effect"].values,
        control=data["control"].values,
        model=data["model"].values,
        unit="1",
    )


HYPOTHESIS = Hypothesis(
    id="above-both",
    statement="The effect lies above 0 and above the control.",
    statistic=statistic,
    direction="greater",
    supports="An effect above 0 and above the control at most problems.",
    refutes="An effect below 0 or below the control at most problems.",
    control="Drawn like the effect, at the same problems.",
    source="planted",
)


def as_results(effect: FloatArray, control: FloatArray, model: FloatArray) -> xr.DataTree:
    """A tree as a run would have left it."""
    control_dims = ("problem",) if control.ndim == 1 else ("draw", "problem")
    return xr.DataTree(
        xr.Dataset(
            {
                "effect": ("problem", effect),
                "control": (control_dims, control),
                "model": ("problem", model.astype(np.int64)),
            }
        )
    )


def independent(seed: int, *, draw: Draw, n: int, effect: float, control: float) -> xr.DataTree:
    """Problems of one model, moved by ``effect`` and ``control``."""
    rng = np.random.default_rng(seed)
    one, other = draw(rng, (n,)), draw(rng, (n,))
    return as_results(one + effect, other + control, np.zeros(n))


def within_models(
    seed: int, *, num_models: int, each: int, effect: float, control: float
) -> xr.DataTree:
    """Problems within models: half of the variance is between models."""
    rng = np.random.default_rng(seed)
    moved = [
        (rng.normal(size=(num_models, 1)) + rng.normal(size=(num_models, each))).ravel() / 2**0.5
        for _ in range(2)
    ]
    models = np.repeat(np.arange(num_models), each).astype(np.float64)
    return as_results(moved[0] + effect, moved[1] + control, models)


def untrained(seed: int, *, n: int, effect: float, over_draws: bool) -> xr.DataTree:
    """A network beside untrained ones, each of which sways all its problems by a normal draw."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(1 + NUM_DRAWS, 1)) + rng.normal(size=(1 + NUM_DRAWS, n))
    control = values[1:] if over_draws else values[1:].mean(axis=0)
    # So far above 0 that only the control is left to tell.
    return as_results(values[0] + effect + 4 * FAR, control + 4 * FAR, np.zeros(n))


def _case(name: str, null: Results | None, truth: Results | None = None) -> Case:
    return Case(name=name, hypotheses=(HYPOTHESIS,), null=null, truth=truth, family=FAMILY)


def _independent_cases() -> list[Case]:
    cases = []
    for name, draw in DRAWS.items():
        for n in NUMS_PROBLEMS:
            planted = partial(independent, draw=draw, n=n)
            cases += [
                _case(
                    f"{name}, n = {n}: no effect",
                    partial(planted, effect=0.0, control=-FAR),
                    partial(planted, effect=SHIFT, control=0.0),
                ),
                _case(
                    f"{name}, n = {n}: control the same",
                    partial(planted, effect=FAR, control=FAR),
                ),
            ]
    return cases


def _model_cases() -> list[Case]:
    return [
        _case(
            f"{num_models} models of {each} problems: no effect",
            partial(within_models, num_models=num_models, each=each, effect=0.0, control=-FAR),
            partial(within_models, num_models=num_models, each=each, effect=SHIFT, control=0.0),
        )
        for num_models, each in ((3, 10), (6, 10), (10, 10), (20, 5))
    ]


CASES = (
    *_independent_cases(),
    *_model_cases(),
    _case(
        f"1 network beside {NUM_DRAWS} untrained draws, n = 20: control the same",
        partial(untrained, n=20, effect=0.0, over_draws=True),
        partial(untrained, n=20, effect=4 * FAR, over_draws=True),
    ),
    _case(
        f"the same, had the {NUM_DRAWS} draws been averaged first",
        partial(untrained, n=20, effect=0.0, over_draws=False),
    ),
)
