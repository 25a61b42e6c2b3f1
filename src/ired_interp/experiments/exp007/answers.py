"""What EXP-007 measures of answers: beside trivial rules, answers as wrong, and a penalty.

`Unbiased` is the null: answers as wrong that have forgotten the problem on the straight way from
the truth to the mean answer, and, where they are worse than the mean answer, are that with noise
which has no direction. `penalised` is what a penalty on the nuclear norm makes of the truth.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.draws import RowDraws
from ired_interp.rules import ladder
from ired_interp.rules.ladders import FITTING_SEED
from ired_interp.tasks import Difficulty, Problems, Task

__all__ = [
    "Beside",
    "Unbiased",
    "beside_of",
    "beside_penalty",
    "effective_rank",
    "matrices",
    "measure_answers",
    "nuclear_norm",
    "penalised",
    "unbiased_of",
]

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


def unbiased_of(
    task: Task, problems: Problems, *, seed: int, first: int, trained_on: Difficulty
) -> Unbiased:
    """For the problems from number ``first`` on; the mean is that of what the model trained on."""
    mean = task.sample(_NUM_FOR_THE_MEAN, seed=FITTING_SEED, difficulty=trained_on).y.mean(0)
    away = mean.to(problems.y) - problems.y
    draws = RowDraws(len(away), seed=seed, purpose="exp007/as-wrong", first=first)
    noise = draws.normal(_DRAWS, away.shape[1]).to(away)
    noise = noise / noise.square().mean(dim=2, keepdim=True).sqrt()
    back = (away[:, None] * noise).mean(dim=2, keepdim=True) < 0
    return Unbiased(problems.y, away, torch.where(back, -noise, noise))


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


def beside_of(
    task: Task, problems: Problems, *, seed: int, first: int, trained_on: Difficulty
) -> Beside:
    """For the problems from number ``first`` on; all is fitted on what the model was trained on."""
    rules = ladder(task, difficulty=trained_on)
    return Beside(
        tuple(rule.name for rule in rules),
        torch.stack([rule.answers(problems.x) for rule in rules], dim=1),
        unbiased_of(task, problems, seed=seed, first=first, trained_on=trained_on),
    )


def measure_answers(answer: Float[Tensor, "n d"], beside: Beside) -> dict[str, Tensor]:
    """Each [n], or [n, R] for distances from rules; distances are in units of the truth's rms."""
    truth = beside.unbiased.truth
    size = truth.square().mean(dim=1).sqrt()[:, None]
    error = (answer - truth).square().mean(dim=1)
    wrong = beside.unbiased.of_error(error)
    each = matrices(wrong.flatten(0, 1))

    def over_draws(values: Tensor) -> Tensor:
        """Geometric, since it is the logarithm that is compared."""
        found: Tensor = values.reshape(wrong.shape[:2]).log().mean(dim=1).exp()
        return found

    from_rules = _apart(wrong[:, :, None], beside.said[:, None]).mean(dim=1)
    return {
        "error": error,
        "effective_rank": effective_rank(matrices(answer)),
        "nuclear_norm": nuclear_norm(matrices(answer)),
        "wrong_rank": over_draws(effective_rank(each)),
        "wrong_nuclear": over_draws(nuclear_norm(each)),
        "rule_distance": _apart(answer[:, None], beside.said) / size,
        "wrong_rule_distance": from_rules / size,
    }


def beside_penalty(answer: Float[Tensor, "n d"], beside: Beside) -> dict[str, Tensor]:
    """The answers, and how far they are from the truth with a penalty that makes their error."""
    truth = beside.unbiased.truth
    size = truth.square().mean(dim=1).sqrt()
    error = (answer - truth).square().mean(dim=1)
    cut = penalised(truth, error)
    known = cut.isfinite().all(dim=1)
    shrunk = matrices(torch.where(known[:, None], cut, 0.0))
    wrong = beside.unbiased.of_error(error)
    return {
        "given": answer,
        "penalised_rank": torch.where(known, effective_rank(shrunk), torch.nan),
        "penalised_nuclear": torch.where(known, nuclear_norm(shrunk), torch.nan),
        "penalised_distance": _apart(answer, cut) / size,
        "wrong_penalised_distance": _apart(wrong, cut[:, None]).mean(dim=1) / size,
    }


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


def matrices(flat: Tensor) -> Tensor:
    """d = side² in all tasks."""
    side = math.isqrt(flat.shape[-1])
    return flat.reshape(-1, side, side)


def _apart(a: Tensor, b: Tensor) -> Tensor:
    """rms distance an entry."""
    found: Tensor = (a - b).square().mean(dim=-1).sqrt()
    return found
