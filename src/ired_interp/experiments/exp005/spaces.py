"""Which directions EXP-005 calls tangent, and which normal, at each problem.

- ``product`` (completion): T at UVᵀ, cut to the rank: what the target is without its noise.
- ``answer`` (completion, or any task where a rank is asked for): T at the closest matrix of that
  rank to the answer y*. Noise makes it another space than ``product``.
- ``mask`` (completion): tangent are the missing entries, normal the observed ones. No manifold, but
  the first-order structure of the task: observed entries are known.
- ``symmetric`` (inverse): the answers are symmetric, so tangent are the symmetric matrices and
  normal the skew ones, at every point.
- ``commuting`` (inverse): tangent are the matrices that share y*'s eigenvectors, which are those of
  the question, so that only the eigenvalues are left to find.

The answers of ``inverse`` have full rank: every direction is tangent to the matrices of that rank,
and no fixed-rank split exists there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ired_interp.errors import ConfigError
from ired_interp.experiments.kit.options import ModelOptions, option
from ired_interp.geometry import fixed_rank
from ired_interp.geometry.fixed_rank import FixedRank
from ired_interp.tasks import Problems, Task
from ired_interp.tasks.completion import Completion
from ired_interp.tasks.inverse import Inverse

__all__ = ["MEANINGS", "Exp005Config", "Split", "chosen_rank", "space_names", "splits"]

MEANINGS: Mapping[str, str] = {
    "product": "matrices of rank r at UVᵀ",
    "answer": "matrices of rank r at the answer, cut",
    "mask": "missing entries; normal: observed",
    "symmetric": "symmetric matrices; normal: skew",
    "commuting": "matrices with the answer’s eigenvectors",
}

_LEAST_SIDE = 2


@dataclass(frozen=True, kw_only=True)
class Exp005Config(ModelOptions):
    """What EXP-005 is asked."""

    problems: int | None = option("How many problems", laptop=24, paper=100, least=1)
    rank: int | None = option(
        "Of the matrices whose tangent space is taken; the task's inner rank if none", least=1
    )
    controls: int | None = option(
        "Draws of untrained weights beside the model", laptop=8, paper=10, least=0
    )
    random_draws: int | None = option("Random subspaces a problem", laptop=8, paper=50, least=1)
    unit_problems: int = option("Problems a work unit", default=12, least=1)


@dataclass(frozen=True, slots=True)
class Split:
    """One problem's split of ℝ^d.

    Attributes:
        tangent: Orthonormal columns, [d, q]; q may be 0.
        normal: Of the rest, [d, d - q].
        base: The point where the split is stated, unscaled, [d].
        at: That point on the manifold of fixed rank; None for a flat split, which has no bend.
    """

    tangent: Tensor
    normal: Tensor
    base: Tensor
    at: FixedRank | None = None


def chosen_rank(task: Task, rank: int | None) -> int | None:
    """The rank whose manifold is looked at: asked for, or completion's inner one; None for none.

    Raises:
        ConfigError: At that rank nothing is normal, or no split is known for the task.
    """
    side = task.size
    if side < _LEAST_SIDE or side**2 != task.dim_y:
        raise ConfigError(
            f"task: expected answers that are matrices of side ≥ {_LEAST_SIDE}, found "
            f"{task.name!r} with {task.dim_y} entries at size {side}."
        )
    if rank is not None:
        if rank >= side:
            raise ConfigError(
                f"rank: expected 1 … {side - 1}, below the side of the answer, found {rank}: at "
                "full rank every direction is tangent."
            )
        return rank
    if isinstance(task.family, Completion):
        if task.family.rank >= side:
            raise ConfigError(
                f"rank: expected one below the side {side} of the answer, as at full rank every "
                f"direction is tangent; the task's inner rank is {task.family.rank}. Give --rank."
            )
        return task.family.rank
    if isinstance(task.family, Inverse):
        return None
    raise ConfigError(
        f"rank: the answers of {task.name!r} fill the space, so that no direction is tangent by "
        f"itself. Give --rank, 1 … {side - 1}, to look at matrices of that rank."
    )


def space_names(task: Task, rank: int | None) -> tuple[str, ...]:
    """The splits of a task, the one that the hypotheses are about first."""
    if isinstance(task.family, Completion):
        return ("product", "answer", "mask")
    own = ("symmetric", "commuting") if isinstance(task.family, Inverse) else ()
    return own if rank is None else (*own, "answer")


def splits(task: Task, problems: Problems, rank: int | None) -> list[dict[str, Split]]:
    """Each problem's splits, by name.

    Raises:
        ManifoldError: An answer of lower rank than asked for, or with several closest matrices.
    """
    side, d = task.size, task.dim_y
    answers = problems.y.reshape(-1, side, side)
    names = space_names(task, rank)
    points: dict[str, FixedRank] = {}
    if rank is not None and "answer" in names:
        points["answer"] = fixed_rank.closest(answers, rank)
    if rank is not None and "product" in names:
        points["product"] = fixed_rank.closest(_noiseless(problems, answers), rank)
    frames = {
        name: (fixed_rank.tangent_basis(at), fixed_rank.normal_basis(at), at.matrix().flatten(1))
        for name, at in points.items()
    }
    flat = torch.eye(d, dtype=answers.dtype, device=answers.device)
    out = []
    for i, answer in enumerate(answers):
        here: dict[str, Split] = {}
        for name in names:
            if name in frames:
                tangent, normal, base = (part[i] for part in frames[name])
                at = points[name]
                here[name] = Split(tangent, normal, base, FixedRank(at.u[i], at.s[i], at.v[i]))
            elif name == "mask":
                seen = problems.parts["mask"][i].flatten()
                here[name] = Split(flat[:, ~seen], flat[:, seen], answer.flatten())
            elif name == "symmetric":
                here[name] = Split(*_symmetric_frames(side, answer), answer.flatten())
            else:
                here[name] = Split(*_commuting_frames(answer), answer.flatten())
        out.append(here)
    return out


def _noiseless(problems: Problems, answers: Tensor) -> Tensor:
    """UVᵀ as it entered the answer: what is left when the noise is taken off."""
    return answers - problems.parts["noise"]


def _symmetric_frames(side: int, like: Tensor) -> tuple[Tensor, Tensor]:
    rows, columns = torch.triu_indices(side, side, offset=1, device="cpu")
    num = len(rows)
    pairs = torch.arange(num, device="cpu")
    tangent = like.new_zeros(side, side, side + num)
    skew = like.new_zeros(side, side, num)
    diagonal = torch.arange(side, device="cpu")
    tangent[diagonal, diagonal, diagonal] = 1
    half = 0.5**0.5
    tangent[rows, columns, side + pairs] = tangent[columns, rows, side + pairs] = half
    skew[rows, columns, pairs], skew[columns, rows, pairs] = half, -half
    return tangent.flatten(0, 1), skew.flatten(0, 1)


def _commuting_frames(answer: Tensor) -> tuple[Tensor, Tensor]:
    vectors = torch.linalg.eigh((answer + answer.mT) / 2).eigenvectors
    side = len(answer)
    products = torch.einsum("ai,bj->abij", vectors, vectors).reshape(side**2, side**2)
    same = torch.eye(side, dtype=torch.bool, device=answer.device).flatten()
    return products[:, same], products[:, ~same]
