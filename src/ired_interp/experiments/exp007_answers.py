"""What EXP-007 measures of one checkpoint's answers, beside rules and answers as wrong."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.experiments.exp007_config import Exp007Config
from ired_interp.experiments.exp007_references import (
    Unbiased,
    effective_rank,
    nuclear_norm,
    penalised,
    unbiased_of,
)
from ired_interp.rules import ladder
from ired_interp.tasks import Problems, Task

__all__ = ["Beside", "beside_of", "measure_answers"]


@dataclass(frozen=True, slots=True)
class Beside:
    """What the answers to some problems are held against.

    Attributes:
        rules: Names of the R trivial rules, weakest first.
        said: What they answer.
        unbiased: Answers as wrong.
    """

    rules: tuple[str, ...]
    said: Float[Tensor, "n R d"]
    unbiased: Unbiased

    @property
    def rule_error(self) -> Float[Tensor, "n R"]:
        """Squared error an entry of each rule."""
        found: Tensor = (self.said - self.unbiased.truth[:, None]).square().mean(dim=2)
        return found


def beside_of(task: Task, problems: Problems, config: Exp007Config, first: int) -> Beside:
    """For the problems from number ``first`` on; all is fitted on what the model was trained on."""
    rules = ladder(task, difficulty=config.trained_on)
    return Beside(
        tuple(rule.name for rule in rules),
        torch.stack([rule.answers(problems.x) for rule in rules], dim=1),
        unbiased_of(task, problems, config, first),
    )


def measure_answers(answer: Float[Tensor, "n d"], beside: Beside) -> dict[str, Tensor]:
    """Each [n], or [n, R] for distances from rules; distances are in units of the truth's rms."""
    truth = beside.unbiased.truth
    size = truth.square().mean(dim=1).sqrt()
    error = (answer - truth).square().mean(dim=1)
    wrong = beside.unbiased.of_error(error)
    cut = penalised(truth, error)
    known = cut.isfinite().all(dim=1)
    shrunk = _matrices(torch.where(known[:, None], cut, 0.0))

    def if_known(value: Tensor) -> Tensor:
        return torch.where(known, value, torch.nan)

    def over_draws(values: Tensor) -> Tensor:
        """Geometric, since it is the logarithm that is compared."""
        found: Tensor = values.reshape(wrong.shape[:2]).log().mean(dim=1).exp()
        return found

    each = _matrices(wrong.flatten(0, 1))
    return {
        "error": error,
        "effective_rank": effective_rank(_matrices(answer)),
        "nuclear_norm": nuclear_norm(_matrices(answer)),
        "wrong_rank": over_draws(effective_rank(each)),
        "wrong_nuclear": over_draws(nuclear_norm(each)),
        "penalised_rank": if_known(effective_rank(shrunk)),
        "penalised_nuclear": if_known(nuclear_norm(shrunk)),
        "penalised_distance": _apart(answer, cut) / size,
        "wrong_penalised_distance": _apart(wrong, cut[:, None]).mean(dim=1) / size,
        "rule_distance": _apart(answer[:, None], beside.said) / size[:, None],
        "wrong_rule_distance": _apart(wrong[:, :, None], beside.said[:, None]).mean(dim=1)
        / size[:, None],
    }


def _matrices(flat: Tensor) -> Tensor:
    """d = side² in all tasks."""
    side = math.isqrt(flat.shape[-1])
    return flat.reshape(-1, side, side)


def _apart(a: Tensor, b: Tensor) -> Tensor:
    """rms distance an entry."""
    found: Tensor = (a - b).square().mean(dim=-1).sqrt()
    return found
