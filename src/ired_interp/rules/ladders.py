"""The ladder of rules of each task: what a model has to beat before its landscape says much."""

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.rules.base import Rule
from ired_interp.rules.low_rank import fit_low_rank, zero_fill
from ired_interp.rules.polynomials import DEGREES, fit_polynomial
from ired_interp.tasks import Difficulty, Task
from ired_interp.tasks.completion import Completion

__all__ = ["FITTING_SEED", "ladder"]

FITTING_SEED = 1_001
"""Seed of the training draw: problems that no run and no validation uses."""
_NUM_POLYNOMIAL = 20_000
_NUM_LOW_RANK = 100


def ladder(task: Task, *, difficulty: Difficulty = "same") -> tuple[Rule, ...]:
    """Rules from the most trivial to the best, fitted on a training draw of the task.

    - ``inverse``: polynomials in A of degree 0, 1, 3, 5 and 7;
    - ``completion``: the missing entries at 0, soft-impute, alternating least squares;
    - ``addition``: 0, and A alone (the exact sum is the task itself, not a rule);
    - ``gaussian``: 0.

    Args:
        task: The task, of any size.
        difficulty: Of the training draw: that which the model beside the rules was trained on.

    Cost: 20,000 eigendecompositions (inverse), or a thousand singular value decompositions of
    100 matrices (completion), once.
    """
    if task.name == "inverse":
        fitted = task.sample(_NUM_POLYNOMIAL, seed=FITTING_SEED, difficulty=difficulty)
        return tuple(fit_polynomial(fitted, task.size, degree) for degree in DEGREES)
    family = task.family
    if isinstance(family, Completion):
        few = task.sample(_NUM_LOW_RANK, seed=FITTING_SEED, difficulty=difficulty)
        low_rank = fit_low_rank(few, task.size, family.rank, unit=family.multiplier)
        return (zero_fill(), *low_rank)
    zero = Rule("zero", 0, lambda x: torch.zeros_like(x[:, : task.dim_y]))
    if task.name == "addition":
        return (zero, Rule("A alone", 0, _first_half))
    return (zero,)


def _first_half(x: Float[Tensor, "n dim_x"]) -> Float[Tensor, "n d"]:
    return x[:, : x.shape[1] // 2]
