"""Is there anything to interpret? A model beside the trivial rules of its task, by problem.

A work unit stores what the model answers (`answer_variables`); the rules are fitted and compared
when the units are joined (`skill_summary`), from the results alone.
"""

import json
from typing import Any, Final

import numpy as np
import torch
import xarray as xr

from ired_interp.energy.base import Energy
from ired_interp.errors import NonFiniteError
from ired_interp.experiments.over_problems import statistics
from ired_interp.experiments.page import Definition
from ired_interp.landscape import Landscape
from ired_interp.minimise import minimise
from ired_interp.rules import BestError, Rule, best_error, ladder
from ired_interp.solve import solve
from ired_interp.stats import FloatArray, Interval, bootstrap_mean, skill
from ired_interp.tasks import Difficulty, Problems, Task, task
from ired_interp.tasks.completion import Completion

__all__ = [
    "DIFFICULTY",
    "SKILL",
    "SKILL_DEFINITIONS",
    "STATISTICS",
    "TRAINED_ON",
    "answer_variables",
    "skill_summary",
]

SKILL: Final = "skill"
"""Name of the summary's group."""
DIFFICULTY: Final = "difficulty"
"""Attribute of the results: which generator the problems come from."""
TRAINED_ON: Final = "trained_on"
"""Attribute of the results: which generator the model was trained on, as its card says."""
STATISTICS = ("mean", "low", "high", "count")

# Hessians that the search for the minimum behind an answer may use.
_MOST_STEPS = 50
_GIBBS_PROBLEMS = 64
_LEAST = 2  # problems of which an interval can be had

SKILL_DEFINITIONS = {
    "model_answer": Definition(
        "What the model answers: the end of the released solver, unscaled.",
        "none: it is what the solver gave",
    ),
    "model_minimum": Definition(
        "The local minimum of the finest level that a Newton descent reaches from the answer, "
        "unscaled; NaN where it did not converge.",
        "gradient below 1e-10·‖H‖ (1e-5 in float32)",
    ),
}


def answer_variables(
    model: Energy, problems: Problems, *, seed: int, first: int, bound: float
) -> dict[str, Any]:
    """What the model answers, and the minimum of its finest landscape behind it.

    Args:
        model: In the problems' dtype.
        problems: Of the unit.
        seed: Of the solver's start.
        first: Number of the first problem.
        bound: The solver's clamp.

    Returns:
        Variables for the unit's dataset: ``model_answer`` and ``model_minimum``, [problem, y_dim].

    Raises:
        NonFiniteError: The solver left the finite numbers.

    Cost: the solver's gradients, and up to 50 Hessians a problem.
    """
    try:
        answer = solve(model, problems.x, seed=seed, first=first, bound=bound).y
        finest = model.schedule.num_levels
        signal = float(model.schedule.signal[model.schedule.timestep(finest)])
        found = minimise(
            Landscape(model, problems.x, finest), signal * answer, max_steps=_MOST_STEPS
        )
    except NonFiniteError as error:
        raise NonFiniteError(
            f"{error} The model's answers cannot be compared with trivial rules; skill 'no' "
            "leaves that out."
        ) from error
    minimum = torch.where(found.converged[:, None], found.y / signal, torch.nan)
    return {
        name: (
            ("problem", "y_dim"),
            value.detach().cpu().numpy(),
            {"long_name": SKILL_DEFINITIONS[name].meaning},
        )
        for name, value in (("model_answer", answer), ("model_minimum", minimum))
    }


def skill_summary(results: xr.DataTree) -> dict[str, xr.Dataset]:
    """The group ``skill`` of a summary; empty where the model was not asked for answers.

    Variables, with ``rule`` from the weakest rung to the strongest:

    - ``model_error`` and ``rule_error``: squared error an entry, of each problem;
    - ``mean_model_error``, ``mean_rule_error``: their means with BCa intervals;
    - ``skill``: 1 - MSE/MSE of each rule, paired by problem, with its BCa interval;
    - ``rungs_beaten``: how many rungs from the weakest on have an interval above 0;
    - ``has_skill``: 1 if that is every rung, for ``inverse`` every rung through degree 5;
    - ``best_error``: bounds of the least error that any answer has, and their standard error; NaN
      for completion without noise, where it cannot be estimated;
    - ``distance``: rms distance of answer and minimum from each rule and from the truth, over all
      entries of all problems, in units of the answers' rms; ``digits`` is -log₁₀ of it.

    Args:
        results: Of the run, with the task's attributes ``task``, ``task_size``, ``task_options``
            and ``difficulty``. The rules are fitted on the difficulty that the model was trained
            on, ``trained_on``; on ``same`` where results of an older version do not say.
    """
    root = results.to_dataset()
    if "model_answer" not in root:
        return {}
    attrs = results.attrs
    asked = _task_of(attrs)
    x, y = (torch.from_numpy(root[name].values).to(torch.float64) for name in ("x", "answer"))
    problems = Problems(x, y, {})
    rules = ladder(asked, difficulty=_difficulty(attrs.get(TRAINED_ON, "same")))
    answers = {rule.name: rule.answers(x).numpy() for rule in rules}
    truth = y.numpy()
    given = {
        "answer": root["model_answer"].values.astype(np.float64),
        "minimum": root["model_minimum"].values.astype(np.float64),
    }
    errors = np.square(given["answer"] - truth).mean(axis=1)
    rule_errors = np.stack([rule.errors(problems).numpy() for rule in rules])
    skills = [_skill(errors, row) for row in rule_errors]
    beaten = _rungs_beaten(skills)
    best = _best(asked, _difficulty(attrs[DIFFICULTY]))
    targets = [*answers.values(), truth]
    distance = np.array([[_distance(what, to, truth) for to in targets] for what in given.values()])
    with np.errstate(divide="ignore"):
        digits = -np.log10(distance)
    squared, one = {"units": "y^2"}, {"units": "1"}
    data = xr.Dataset(
        {
            "model_error": ("problem", errors, squared | _says("mean squared error an entry")),
            "rule_error": (
                ("rule", "problem"),
                rule_errors,
                squared | _says("mean squared error an entry of each rule"),
            ),
            "mean_model_error": (
                "statistic",
                _row(bootstrap_mean(errors, seed=0)),
                squared | _says("mean over problems"),
            ),
            "mean_rule_error": (
                ("rule", "statistic"),
                statistics(xr.DataArray(rule_errors, dims=("rule", "problem"))),
                squared | _says("mean over problems"),
            ),
            "skill": (
                ("rule", "statistic"),
                np.array([_row(interval) for interval in skills]),
                one | _says("1 - MSE/MSE of the rule, paired by problem"),
            ),
            "num_fitted": (
                "rule",
                np.array([rule.num_fitted for rule in rules]),
                one | _says("constants that were fitted"),
            ),
            "rungs_beaten": (
                (),
                beaten,
                one | _says("rungs from the weakest on whose interval of skill lies above 0"),
            ),
            "has_skill": (
                (),
                np.int8(beaten >= _needed(rules)),
                one | _says("1: every rung is beaten, for inverse through degree 5"),
            ),
            "best_error": (
                "bound",
                np.array([best.low, best.high, best.standard_error]),
                squared | _says("the least error that any answer has"),
            ),
            "distance": (
                ("what", "target"),
                distance,
                one | _says("rms distance in units of the rms of the true answers"),
            ),
            "digits": (("what", "target"), digits, one | _says("-log10 of distance")),
            "minima_found": (
                (),
                int(np.isfinite(given["minimum"]).all(axis=1).sum()),
                one | _says("problems whose minimum was found"),
            ),
        },
        coords={
            "problem": root["problem"],
            "rule": list(answers),
            "statistic": list(STATISTICS),
            "bound": ["low", "high", "standard_error"],
            "what": list(given),
            "target": [*answers, "truth"],
        },
        attrs={"confidence": 0.95, "unit_of_replication": "problem"},
    )
    return {SKILL: data}


def _says(text: str) -> dict[str, str]:
    return {"long_name": text}


def _task_of(attrs: Any) -> Task:
    options = json.loads(attrs["task_options"])
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    return task(str(attrs["task"]), int(attrs["task_size"]), **plain)


def _difficulty(word: Any) -> Difficulty:
    return "harder" if word == "harder" else "same"


def _best(asked: Task, difficulty: Difficulty) -> BestError:
    """The least possible error, as far as it can be known."""
    if isinstance(asked.family, Completion) and asked.family.noise == 0:
        return BestError(float("nan"), float("nan"), float("nan"))
    return best_error(asked, difficulty=difficulty, num_problems=_GIBBS_PROBLEMS, seed=0)


def _skill(errors: FloatArray, rule_errors: FloatArray) -> Interval:
    """Skill with its interval, which one problem does not have."""
    if errors.size >= _LEAST:
        return skill(errors, rule_errors, seed=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        point = float(1 - errors.mean() / rule_errors.mean())
    return Interval(point, float("nan"), float("nan"), int(errors.size))


def _rungs_beaten(skills: list[Interval]) -> int:
    count = 0
    for interval in skills:
        if not interval.low > 0:
            break
        count += 1
    return count


def _needed(rules: tuple[Rule, ...]) -> int:
    """How many rungs a model with skill beats: all; of polynomials those through degree 5."""
    names = [rule.name for rule in rules]
    last = "polynomial of degree 5"
    return names.index(last) + 1 if last in names else len(names)


def _distance(what: FloatArray, to: FloatArray, truth: FloatArray) -> float:
    """rms(what - to)/rms(truth), over the problems where both are known; NaN without one."""
    rows = np.isfinite(what).all(axis=1)
    if not rows.any():
        return float("nan")
    gap = np.square(what[rows] - to[rows]).mean()
    return float(np.sqrt(gap / np.square(truth[rows]).mean()))


def _row(interval: Interval) -> list[float]:
    return [interval.mean, interval.low, interval.high, float(interval.count)]
