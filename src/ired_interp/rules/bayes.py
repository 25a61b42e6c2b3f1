"""The best error that any answer can have: that of the posterior mean."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Whole, whole
from ired_interp.draws import RowDraws, check_seed
from ired_interp.errors import ConfigError
from ired_interp.rules.factors import factor_of
from ired_interp.tasks import Difficulty, Task
from ired_interp.tasks.completion import DIVISOR, Completion
from ired_interp.tasks.gaussian import Gaussian

__all__ = ["BestError", "best_error"]

_SWEEPS = 400
_BURN_IN = 100


@dataclass(frozen=True, slots=True)
class BestError:
    """The least possible mean squared error an entry, or bounds of it.

    Attributes:
        low: From chains that start at the truth: too low as long as they remember it.
        high: From chains that start at a draw of the prior: too high as long as they remember that.
        standard_error: Of either, over problems; 0 where the error is known exactly.
    """

    low: float
    high: float
    standard_error: float


def best_error(
    task: Task, *, difficulty: Difficulty = "same", num_problems: Whole = 200, seed: Whole = 0
) -> BestError:
    """The error of the posterior mean, E[Var(y* | x)] an entry.

    0 for addition and inverse, trace(Σ)/d for the gaussian task. For completion it is estimated by
    a Gibbs sampler with the true prior: given V, the rows of U are independent Gaussians, and the
    other way round; observed entries are known exactly, a missing one has the mean of (UVᵀ)/b.

    Args:
        task: The task.
        difficulty: Of the problems.
        num_problems: Problems that the estimate averages over.
        seed: Of the problems and the chains.

    Raises:
        ConfigError: Completion without noise, or with so little that the prior is lost in round-off
            beside it: the sampler cannot move in that posterior.

    Cost: for completion 800 sweeps, each 2·size systems of rank × rank a problem.
    Source: Salakhutdinov & Mnih (2008), doi:10.1145/1390156.1390267, with known variances.
    """
    num_problems = whole("num_problems", num_problems)
    family = task.family
    if isinstance(family, Gaussian):
        known = float(family.eigenvalues().mean())
        return BestError(known, known, 0.0)
    if not isinstance(family, Completion):
        return BestError(0.0, 0.0, 0.0)
    if family.noise == 0:
        raise ConfigError(
            "best_error: expected completion with noise > 0, found 0: the sampler cannot move "
            "then. Without noise the best error is 0 where the observed entries determine the rest."
        )
    problems = task.sample(num_problems, seed=seed, difficulty=difficulty)
    size, divisor = family.size, DIVISOR[difficulty]
    # In the released generator's units, for which the sampler's prior is written.
    target = problems.y.reshape(-1, size, size) / family.multiplier
    mask = problems.parts["mask"]
    prior = RowDraws(num_problems, seed=seed, purpose="bayes/start").normal(size, family.rank)
    draws = torch.Generator("cpu").manual_seed(check_seed(seed))
    errors = []
    for start in (problems.parts["v"], prior):
        mean = _posterior_mean(target, mask, start, divisor, family.noise, draws)
        missing = torch.where(mask, 0, mean - target)
        errors.append((family.multiplier * missing).square().mean(dim=(1, 2)))
    low, high = errors
    return BestError(float(low.mean()), float(high.mean()), float(high.std()) / num_problems**0.5)


def _posterior_mean(
    target: Float[Tensor, "n s s"],
    mask: Tensor,
    start: Float[Tensor, "n s k"],
    divisor: float,
    noise: float,
    draws: torch.Generator,
) -> Float[Tensor, "n s s"]:
    """E[UVᵀ/b | observed entries], from one chain a problem."""
    known, weights = torch.where(mask, target, 0), mask.to(target)
    right = start
    total = torch.zeros_like(target)
    for sweep in range(_SWEEPS):
        left = _draw_factor(known, weights, right, divisor, noise, draws)
        right = _draw_factor(known.mT, weights.mT, left, divisor, noise, draws)
        if sweep >= _BURN_IN:
            total += left @ right.mT / divisor
    return total / (_SWEEPS - _BURN_IN)


def _draw_factor(
    known: Float[Tensor, "n s s"],
    weights: Float[Tensor, "n s s"],
    other: Float[Tensor, "n s k"],
    divisor: float,
    noise: float,
    draws: torch.Generator,
) -> Float[Tensor, "n s k"]:
    """A draw of one factor's rows, each Gaussian given the other factor."""
    scaled = other / (divisor * noise)
    precision = torch.einsum("nrc,nck,ncl->nrkl", weights, scaled, scaled)
    precision.diagonal(dim1=2, dim2=3).add_(1)
    root, drowned = factor_of(precision)
    if drowned:
        raise ConfigError(
            f"best_error: expected noise that the prior is seen beside, found {noise:g}: in "
            f"{precision.dtype} the posterior of {drowned} rows is round-off. Without noise the "
            "best error is 0 where the observed entries determine the rest."
        )
    mean = torch.cholesky_solve((known @ scaled / noise)[..., None], root)
    normal = torch.randn(mean.shape, generator=draws, dtype=mean.dtype, device="cpu")
    drawn: Tensor = mean + torch.linalg.solve_triangular(root.mT, normal, upper=True)
    return drawn[..., 0]
