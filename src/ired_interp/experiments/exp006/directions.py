"""Directions in the space of answers: whose subspace they lie in, and what a move along one does.

A problem's **own subspace** is

- ``completion``: the observed entries for the top end, the missing ones for the bottom end.
- other tasks of matrices: span{uᵢvᵢᵀ}, of the singular vectors of the answer; for ``inverse`` these
  are the eigenvectors of A, as A⁻¹ has the same.

A random subspace of dimension l explains l/d of a direction. But the identity lies in every
span{uᵢvᵢᵀ} of a symmetric positive answer, and symmetric matrices by more than chance: what every
problem shares says nothing of this one. So the **null** is the share in the subspaces of the other
problems, above which components that know nothing of their problem lie as often as below it.
"""

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.energy.base import Energy
from ired_interp.experiments.unit_data import scales_at
from ired_interp.landscape import Landscape
from ired_interp.tasks import Problems, Task
from ired_interp.tasks.completion import Completion

__all__ = ["BOTTOM", "ENDS", "TOP", "own_frames", "own_subspace_words", "rises", "shares"]

TOP: Final = "top"
BOTTOM: Final = "bottom"
ENDS = (TOP, BOTTOM)
"""Of a spectrum."""


def own_subspace_words(task: str, end: str) -> str:
    """The subspace in words."""
    if task == "completion":
        return "the missing entries" if end == BOTTOM else "the observed entries"
    if task == "inverse":
        return "the matrices with A’s eigenvectors"
    return "the matrices with the answer’s singular vectors"


def own_frames(task: Task, problems: Problems, end: str) -> list[Float[Tensor, "d _"]]:
    """An orthonormal frame of each problem's own subspace; no column where the task has none."""
    y = problems.y
    n, d = y.shape
    flat = torch.eye(d, dtype=y.dtype, device=y.device)
    if isinstance(task.family, Completion):
        seen = problems.parts["mask"].flatten(1)
        kept = ~seen if end == BOTTOM else seen
        return [flat[:, row] for row in kept]
    side = round(d**0.5)
    if side**2 != d:
        return [flat[:, :0]] * n
    u, _, vh = torch.linalg.svd(y.reshape(n, side, side))
    return list(torch.einsum("nri,nic->nrci", u, vh).reshape(n, d, side))


def shares(
    components: Float[Tensor, "n ... d k"], frames: Sequence[Float[Tensor, "d _"]], first: int
) -> tuple[Float[Tensor, "n ..."], Float[Tensor, "n ..."]]:
    """The mean share of n problems' components in their own subspaces, and the null beside it.

    Args:
        components: Unit columns of problems ``first``, ``first`` + 1, …
        frames: Of *all* problems of the run; the others of a problem are all but itself.
        first: Number of the first problem of ``components``.

    Returns:
        Both NaN where the own subspace is nothing or everything. With a single problem the null is
        chance alone.
    """
    mine = torch.arange(len(components), device=components.device)
    chance = components.new_tensor([frame.shape[1] / frame.shape[0] for frame in frames])
    inside = torch.stack(
        [(components.mT @ frame).square().sum(dim=-1).mean(dim=-1) for frame in frames], dim=1
    )
    shape = [1] * (inside.ndim - 2)
    usable = ((chance > 0) & (chance < 1)).reshape(-1, *shape)
    inside = torch.where(usable, inside, torch.nan)
    own = inside[mine, first + mine]
    inside[mine, first + mine] = torch.nan
    others = inside.nanmean(dim=1)
    alone = chance[first + mine].reshape(-1, *shape).to(others)
    beside = torch.where(others.isnan(), alone, others)
    return own, torch.where(own.isnan(), torch.nan, beside)


def rises(
    model: Energy,
    problems: Problems,
    level: int,
    y: Float[Tensor, "n d"],
    directions: Float[Tensor, "n m d"],
    radius: float,
) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n m"]]:
    """What moves δ = ±radius·σ_t·√d along unit directions change at the points y.

    Returns:
        σ_t·(E(y + δ) + E(y - δ) - 2E(y))/‖δ‖², and the mean rise of ‖ŷ - y*‖² in units of
        ‖δ‖²/s_t², where ŷ = (y - σ_t∇E)/s_t is the one-step answer.
    """
    n, m, d = directions.shape
    signal, sigma = scales_at(model.schedule, level)
    step = radius * sigma * d**0.5
    moved = torch.stack(
        [y[:, None] + step * directions, y[:, None] - step * directions, y[:, None].expand(n, m, d)]
    )
    land = Landscape(model, problems.x.repeat_interleave(m, dim=0).repeat(3, 1), level)
    energy, gradient = land.energy_and_gradient(moved.reshape(-1, d))
    energy = energy.reshape(3, n, m)
    answer = (moved - sigma * gradient.reshape(moved.shape)) / signal
    error = (answer - problems.y[:, None]).square().sum(dim=-1)
    rise = energy[0] + energy[1] - 2 * energy[2]
    worse = (error[0] + error[1]) / 2 - error[2]
    return sigma * rise / step**2, worse * signal**2 / step**2
