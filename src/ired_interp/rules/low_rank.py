"""Rules for completion: fill the gaps with zeros, or with a matrix of low rank."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ired_interp.checks import Real, Whole, real, whole, whole_numbers
from ired_interp.errors import ShapeError
from ired_interp.rules.base import Rule
from ired_interp.rules.factors import factor_of
from ired_interp.tasks import Problems

__all__ = ["alternating_least_squares", "fit_low_rank", "soft_impute", "zero_fill"]

_RIDGES = tuple(10.0 ** (k / 2) for k in range(-8, 3))
_THRESHOLDS = tuple(2.0**k for k in range(-6, 4))
_SWEEPS = 50
_ITERATIONS = 100


def zero_fill() -> Rule:
    """Answer x itself, in which a missing entry is 0."""
    return Rule("zero-fill", 0, lambda x: x)


def fit_low_rank(
    problems: Problems, size: Whole, rank: Whole, *, unit: Real = 1.0
) -> tuple[Rule, Rule]:
    """Soft-impute and alternating least squares, each with its constant chosen on the problems.

    Both see which entries are missing: those of x that are exactly 0. Observed entries are
    answered as they are, since the target has them with their noise.

    Args:
        problems: Of the completion task; a few hundred are enough for one constant.
        size: The matrix's side.
        rank: The inner rank of the generator, which alternating least squares is told.
        unit: What the constants to choose from are multiplied by: where answers are c times as
            large, c gives c times the rule.
    """
    size, rank = whole_numbers(size=size, rank=rank)
    unit = real("unit", unit)

    def rule(
        name: str,
        complete_fn: Callable[[Tensor, Tensor, float], Tensor],
        constants: Sequence[float],
    ) -> Rule:
        def answer(x: Tensor, constant: float) -> Tensor:
            matrices = x.reshape(-1, size, size)
            mask = matrices != 0
            filled = complete_fn(matrices, mask, constant)
            return torch.where(mask, matrices, filled).flatten(1)

        def error(constant: float) -> float:
            return float((answer(problems.x, constant) - problems.y).square().mean())

        best = min((unit * constant for constant in constants), key=error)
        return Rule(name, 1, lambda x: answer(x, best))

    return (
        rule("soft-impute", soft_impute, _THRESHOLDS),
        rule(
            f"least squares of rank {min(rank, size)}",
            lambda x, mask, ridge: alternating_least_squares(x, mask, min(rank, size), ridge),
            _RIDGES,
        ),
    )


def soft_impute(
    x: Float[Tensor, "n r c"], mask: Bool[Tensor, "n r c"], threshold: Real
) -> Float[Tensor, "n r c"]:
    """Minimise ½‖P(Z - x)‖_F² + threshold·‖Z‖_*, P the observed entries.

    Args:
        x: The observed entries; others are ignored.
        mask: True where observed.
        threshold: ≥ 0, in units of y.

    Cost: 100 singular value decompositions a matrix.
    Source: Mazumder, Hastie & Tibshirani (2010), JMLR 11, algorithm 1 at one threshold.
    """
    threshold = real("threshold", threshold)
    if not threshold >= 0:
        raise ShapeError(f"threshold: expected a number ≥ 0, found {threshold}.")
    filled = torch.zeros_like(x)
    for _ in range(_ITERATIONS):
        u, s, vt = torch.linalg.svd(torch.where(mask, x, filled), full_matrices=False)
        filled = (u * (s - threshold).clamp_min(0)[:, None, :]) @ vt
    return filled


def alternating_least_squares(
    x: Float[Tensor, "n r c"], mask: Bool[Tensor, "n r c"], rank: Whole, ridge: Real
) -> Float[Tensor, "n r c"]:
    """Minimise ‖P(UVᵀ - x)‖_F² + ridge·(‖U‖_F² + ‖V‖_F²) over U and V of a rank.

    Starts from the leading singular vectors of x with its gaps at 0.

    Args:
        x: The observed entries; others are ignored.
        mask: True where observed.
        rank: Columns of U and V, 1 … min(r, c).
        ridge: > 0, in units of y.

    Raises:
        ShapeError: The rank or the ridge is out of range, or the ridge is lost in round-off.

    Cost: 50 sweeps, each with a rank × rank system a row and a column.
    Source: Koren, Bell & Volinsky (2009), doi:10.1109/MC.2009.263.
    """
    rank = whole("rank", rank)
    ridge = real("ridge", ridge)
    if not 1 <= rank <= min(x.shape[1:]):
        raise ShapeError(f"rank: expected 1 … {min(x.shape[1:])}, found {rank}.")
    if not ridge > 0:
        raise ShapeError(f"ridge: expected a number > 0, found {ridge}.")
    known, weights = torch.where(mask, x, 0), mask.to(x)
    u, s, vt = torch.linalg.svd(known, full_matrices=False)
    left: Tensor = u[:, :, :rank] * s[:, None, :rank].sqrt()
    right: Tensor = vt[:, :rank].mT * s[:, None, :rank].sqrt()
    for _ in range(_SWEEPS):
        left = _least_squares(known, weights, right, ridge)
        right = _least_squares(known.mT, weights.mT, left, ridge)
    return left @ right.mT


def _least_squares(
    known: Float[Tensor, "n r c"],
    weights: Float[Tensor, "n r c"],
    factor: Float[Tensor, "n c k"],
    ridge: float,
) -> Float[Tensor, "n r k"]:
    """Each row's coefficients on the other factor."""
    gram = torch.einsum("nrc,nck,ncl->nrkl", weights, factor, factor)
    gram.diagonal(dim1=2, dim2=3).add_(ridge)
    sides = (known @ factor)[..., None]
    root, drowned = factor_of(gram)
    if drowned:
        raise ShapeError(
            f"ridge: expected one that round-off leaves, found {ridge:g} in {gram.dtype} beside "
            f"squares of {float(gram.amax()):.3g}: the equations of {drowned} rows are singular. "
            "Take a larger one."
        )
    solved: Tensor = torch.cholesky_solve(sides, root)
    return solved[..., 0]
