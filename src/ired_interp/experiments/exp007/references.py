"""What an answer of a given error would be without a bias, and with an explicit one.

`Unbiased` is the null of EXP-007: answers as wrong that have forgotten the problem on the straight
way from the truth to the mean answer, and, where they are worse than the mean answer, are that with
noise which has no direction. `penalised` is what a penalty on the nuclear norm makes of the truth.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.draws import RowDraws
from ired_interp.experiments.exp007.series import Exp007Config
from ired_interp.rules.ladders import FITTING_SEED
from ired_interp.tasks import Problems, Task

__all__ = ["Unbiased", "effective_rank", "nuclear_norm", "penalised", "unbiased_of"]

_NUM_FOR_THE_MEAN = 2_000
_DRAWS = 8  # of the noise of answers worse than the mean answer


@dataclass(frozen=True, slots=True)
class Unbiased:
    """Answers as wrong as one wishes, without a bias; w of them a problem.

    Attributes:
        truth: y*.
        away: From y* to the task's mean answer.
        noise: Directions of rms 1 that do not lead back to y*.
    """

    truth: Float[Tensor, "n d"]
    away: Float[Tensor, "n d"]
    noise: Float[Tensor, "n w d"]

    @property
    def mean_error(self) -> Float[Tensor, " n"]:
        """Squared error an entry of the mean answer."""
        found: Tensor = self.away.square().mean(dim=1)
        return found

    def of_error(self, error: Float[Tensor, " n"]) -> Float[Tensor, "n w d"]:
        """The answers that have that squared error an entry.

        y* + √(error/mean_error)·away up to the error of the mean answer. Beyond it y* + away + a·u
        with the a ≥ 0 that gives the error. One exists for every error, and they change with it
        without a jump.
        """
        mean_error = self.mean_error
        share = torch.where(
            mean_error > 0, (error / mean_error.clamp_min(_tiny(error))).sqrt(), 1.0
        ).clamp_max(1)
        along = (self.away[:, None] * self.noise).mean(dim=2)  # ≥ 0
        excess = (error - mean_error).clamp_min(0)[:, None]
        # (√(b² + e) - b) without cancellation.
        root = (along.square() + excess).sqrt() + along
        size = torch.where(excess > 0, excess / root.clamp_min(_tiny(error)), 0.0)
        straight = self.truth + share[:, None] * self.away
        return straight[:, None] + size[..., None] * self.noise


def unbiased_of(task: Task, problems: Problems, config: Exp007Config, first: int) -> Unbiased:
    """For the problems from number ``first`` on; the mean is that of what the model trained on."""
    mean = task.sample(_NUM_FOR_THE_MEAN, seed=FITTING_SEED, difficulty=config.trained_on).y.mean(0)
    away = mean.to(problems.y) - problems.y
    draws = RowDraws(len(away), seed=config.seed, purpose="exp007/as-wrong", first=first)
    noise = draws.normal(_DRAWS, away.shape[1]).to(away)
    noise = noise / noise.square().mean(dim=2, keepdim=True).sqrt()
    back = (away[:, None] * noise).mean(dim=2, keepdim=True) < 0
    return Unbiased(problems.y, away, torch.where(back, -noise, noise))


def penalised(truth: Float[Tensor, "n d"], error: Float[Tensor, " n"]) -> Float[Tensor, "n d"]:
    """The least ½‖Z - y*‖_F² + τ·‖Z‖_*, with the τ whose Z has that squared error an entry.

    Z has the singular values (σ - τ)₊, so its squared error is Σ min(σ, τ)²/d. NaN where the error
    is above that of answering 0, which no τ has.

    Source: Cai, Candès & Shen (2010), doi:10.1137/080738970, theorem 2.1.
    """
    n, d = truth.shape
    side = math.isqrt(d)
    u, values, vt = torch.linalg.svd(truth.reshape(n, side, side))
    rising = values.flip(1)
    below = torch.cumsum(rising.square(), dim=1) - rising.square()  # of those before
    left = torch.arange(side, 0, -1, device="cpu").to(rising)
    # d·error where τ is the i-th smallest value: there it ceases to count by τ.
    at = below + left * rising.square()
    wanted = d * error[:, None]
    place = torch.searchsorted(at, wanted).clamp_max(side - 1)
    squared = (wanted - below.gather(1, place)).clamp_min(0) / left[place]
    kept = (values - squared.sqrt()).clamp_min(0)
    found = ((u * kept[:, None]) @ vt).flatten(1)
    return torch.where(wanted <= values.square().sum(1, keepdim=True), found, torch.nan)


def effective_rank(matrices: Float[Tensor, "n r c"]) -> Float[Tensor, " n"]:
    """exp(-Σ p log p) of p = σ/Σσ; 1 … min(r, c), and 0 of the zero matrix.

    Source: Roy & Vetterli (2007), EUSIPCO, definition 1.
    """
    values = torch.linalg.svdvals(matrices)
    total = values.sum(dim=1, keepdim=True)
    shares = values / torch.where(total > 0, total, 1.0)
    rank = torch.exp(-torch.special.xlogy(shares, shares).sum(dim=1))
    return torch.where(total[:, 0] > 0, rank, 0.0)


def nuclear_norm(matrices: Float[Tensor, "n r c"]) -> Float[Tensor, " n"]:
    """Σσ."""
    total: Tensor = torch.linalg.svdvals(matrices).sum(dim=1)
    return total


def _tiny(like: Tensor) -> float:
    return torch.finfo(like.dtype).tiny
