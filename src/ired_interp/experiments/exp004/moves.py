"""Moves of a matrix by kind, each exactly as long as asked for.

With B = U·S·Vᵀ + rest, where U, S, V are its r leading singular triples:

- ``within``: B + U·M·Vᵀ. Both subspaces stay as they are; rank-preserving.
- ``rotation``: the column space goes along a geodesic of the Grassmann manifold,
  (U(t) - U)·S·Vᵀ is added; singular values and row space stay; rank-preserving.
- ``orbit`` (bases of rank r): (I + t·L)·B·(I + t·R), a curve of matrices of rank r in a random
  tangent direction L·B + B·R. The matrices of rank r are one orbit of these products, so the curve
  keeps to them at any length, where the closest matrix of rank r jumps as singular values cross.
- ``normal``: B + (I - P_U)·Z·(I - P_V), rank-increasing.
- ``spd`` (positive definite bases): the affine-invariant geodesic from B in a random direction.
- ``random``: B + Z, Z isotropic.

Curves are walked to the first point whose ‖δ‖_F is the one asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ired_interp.draws import RowDraws
from ired_interp.errors import ConfigError, ManifoldError
from ired_interp.experiments.kit.options import ModelOptions, option
from ired_interp.geometry import fixed_rank, grassmann, spd
from ired_interp.geometry.fixed_rank import FixedRank
from ired_interp.tasks import Problems, Task
from ired_interp.tasks.completion import Completion
from ired_interp.tasks.inverse import Inverse

__all__ = [
    "KINDS",
    "Base",
    "Exp004Config",
    "base_points",
    "chosen_base",
    "chosen_rank",
    "kinds_of",
    "moved",
]

Base = Literal["answer", "product"]
KINDS = ("within", "rotation", "orbit", "normal", "spd", "random")

_LEAST_SIDE = 2
_FIRST, _FACTOR, _MOST, _HALVINGS = 1e-3, 1.25, 120, 60
_CLOSE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Exp004Config(ModelOptions):
    """What EXP-004 is asked."""

    problems: int | None = option("How many problems", laptop=24, paper=100, least=1)
    base: Base | None = option(
        "The point that is moved: answer, y*, or product, UVᵀ (completion); as the task has it if "
        "none: product for completion, else answer"
    )
    rank: int | None = option(
        "Of the subspaces compared, and of the matrices that rank-preserving moves keep to; if "
        "none the task's inner rank, or half the side where the answers have full rank",
        least=1,
    )
    moves: int | None = option("Moves of each kind, in each sweep", laptop=16, paper=40, least=4)
    # From 1 on a move can take the base to 0, where there is no subspace to compare.
    length: float = option(
        "‖δ‖ of the sweep at fixed length, in units of ‖base‖",
        default=0.2,
        between=(0, 1),
        what="a share of ‖base‖",
    )
    longest: float = option(
        "The largest ‖δ‖ of the growing sweep, in the same units",
        default=0.5,
        between=(0, 1),
        what="a share of ‖base‖",
    )
    controls: int | None = option(
        "Draws of untrained weights beside the model", laptop=6, paper=10, least=0
    )
    unit_problems: int = option("Problems a work unit", default=12, least=1)


def chosen_base(task: Task, base: Base | None) -> Base:
    """The point that is moved: asked for, or UVᵀ for completion and y* elsewhere.

    Raises:
        ConfigError: UVᵀ of a task that has none.
    """
    has_product = isinstance(task.family, Completion)
    if base == "product" and not has_product:
        raise ConfigError(f"base: expected answer, as {task.name!r} has no UVᵀ, found product.")
    return base or ("product" if has_product else "answer")


def chosen_rank(task: Task, rank: int | None, base: Base) -> int:
    """The rank of the subspaces: asked for, the task's inner one, or half the side.

    Raises:
        ConfigError: Answers that are no matrices, or a rank at which no subspace differs from
            another, or one above that of UVᵀ.
    """
    side = task.size
    if side < _LEAST_SIDE or side**2 != task.dim_y:
        raise ConfigError(
            f"task: expected answers that are matrices of side ≥ {_LEAST_SIDE}, found "
            f"{task.name!r} with {task.dim_y} entries at size {side}."
        )
    inner = task.family.rank if isinstance(task.family, Completion) else None
    found = rank or inner or side // 2
    most = side - 1 if base == "answer" or inner is None else min(side - 1, inner)
    if found > most:
        raise ConfigError(
            f"rank: expected 1 … {most} for the base {base!r} of side {side}, found {found}. Give "
            "a lower --rank."
        )
    return found


def kinds_of(task: Task, base: Base, rank: int) -> tuple[str, ...]:
    """The kinds of moves that a base has."""
    family = task.family
    left_out = set()
    if not (isinstance(family, Completion) and base == "product" and rank == family.rank):
        left_out.add("orbit")
    if not isinstance(family, Inverse):
        left_out.add("spd")
    return tuple(kind for kind in KINDS if kind not in left_out)


def base_points(task: Task, problems: Problems, base: Base) -> Tensor:
    """The matrices that are moved, [n, side, side]."""
    answers = problems.y.reshape(-1, task.size, task.size)
    return answers - problems.parts["noise"] if base == "product" else answers


def moved(
    base: Tensor, kind: str, lengths: Tensor, *, rank: int, seed: int, purpose: str, first: int
) -> Tensor:
    """δ of each move, [n, m, side, side], float64, with ‖δ‖_F as given.

    Args:
        base: B, [n, side, side].
        kind: One of `KINDS`.
        lengths: Of each move, [n, m].
        rank: r.
        seed: Of the directions.
        purpose: Other words give other directions.
        first: Number of the first problem.

    Raises:
        ManifoldError: A base of lower rank, or a curve that never gets so far.
    """
    b = base.to(torch.float64)
    n, side, _ = b.shape
    m = lengths.shape[1]
    draws = RowDraws(n, seed=seed, purpose=f"exp004/{purpose}/{kind}", first=first)
    draw: Callable[..., Tensor] = lambda *shape: draws.normal(*shape).to(b.device)  # noqa: E731
    at = fixed_rank.closest(b, rank)
    u, s, v = (part[:, None] for part in (at.u, at.s, at.v))
    if kind == "random":
        return _scaled(draw(m, side, side), lengths)
    if kind == "within":
        return _scaled(u @ draw(m, rank, rank) @ v.mT, lengths)
    if kind == "normal":
        wide = FixedRank(u.expand(n, m, -1, -1), s.expand(n, m, -1), v.expand(n, m, -1, -1))
        return _scaled(fixed_rank.normal_part(wide, draw(m, side, side)), lengths)
    return _walk(
        {"rotation": _rotation, "orbit": _orbit, "spd": _spd}[kind](b, at, m, draw), lengths
    )


def _rotation(
    b: Tensor, at: FixedRank, m: int, draw: Callable[..., Tensor]
) -> Callable[[Tensor], Tensor]:
    u = at.u[:, None].expand(-1, m, -1, -1)
    way = draw(m, b.shape[-1], at.s.shape[-1])
    way = way - u @ (u.mT @ way)
    way = way - u @ (u.mT @ way)  # to round-off
    way = way / torch.linalg.matrix_norm(way)[..., None, None]
    right = (at.v * at.s[:, None, :]).mT[:, None]

    def at_time(t: Tensor) -> Tensor:
        out: Tensor = (grassmann.exp(u, t[..., None, None] * way) - u) @ right
        return out

    return at_time


def _orbit(
    b: Tensor, at: FixedRank, m: int, draw: Callable[..., Tensor]
) -> Callable[[Tensor], Tensor]:
    side = b.shape[-1]
    point = at.matrix()[:, None]
    left, right = draw(m, side, side), draw(m, side, side)
    linear, square = left @ point + point @ right, left @ point @ right

    def at_time(t: Tensor) -> Tensor:
        time = t[..., None, None]
        out: Tensor = time * linear + time.square() * square
        return out

    return at_time


def _spd(
    b: Tensor, at: FixedRank, m: int, draw: Callable[..., Tensor]
) -> Callable[[Tensor], Tensor]:
    del at
    good = spd.is_spd(b)
    if not bool(good.all()):
        raise ManifoldError(
            f"base: expected positive definite matrices, found {int((~good).sum())} of "
            f"{good.numel()} that are not; the answers of this task should be."
        )
    z = draw(m, b.shape[-1], b.shape[-1])
    values, vectors = torch.linalg.eigh((z + z.mT) / 2)
    turned = torch.linalg.cholesky((b + b.mT) / 2)[:, None] @ vectors

    def at_time(t: Tensor) -> Tensor:
        out: Tensor = (turned * torch.expm1(t[..., None] * values)[..., None, :]) @ turned.mT
        return out

    return at_time


def _scaled(z: Tensor, lengths: Tensor) -> Tensor:
    out: Tensor = z * (lengths.to(z) / torch.linalg.matrix_norm(z))[..., None, None]
    return out


def _walk(curve: Callable[[Tensor], Tensor], lengths: Tensor) -> Tensor:
    """δ at the first of growing times at which its norm reaches each length, by bisection."""
    goal = lengths.to(torch.float64)
    low, high = torch.zeros_like(goal), torch.full_like(goal, _FIRST)
    for _ in range(_MOST):
        short = torch.linalg.matrix_norm(curve(high)) < goal
        if not bool(short.any()):
            break
        low, high = torch.where(short, high, low), torch.where(short, _FACTOR * high, high)
    else:
        raise ManifoldError(
            f"moves: expected curves that reach ‖δ‖ = {float(goal.max()):.3g}, found "
            f"{int(short.sum())} of {short.numel()} that stay closer. Lower --length and --longest."
        )
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        short = torch.linalg.matrix_norm(curve(middle)) < goal
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    found = curve(high)
    off = (torch.linalg.matrix_norm(found) / goal - 1).abs().max()
    assert float(off) < _CLOSE  # noqa: S101 - the curves are continuous
    return _scaled(found, goal)
