"""How much of a problem's components lies in its own subspace, and how much in those of others.

- ``completion``: the observed entries for the top end, the missing ones for the bottom end.
- other tasks of matrices: span{uᵢvᵢᵀ}, of the singular vectors of the answer; for ``inverse`` these
  are the eigenvectors of A, as A⁻¹ has the same.

A random subspace of dimension l explains l/d of a direction. But the identity lies in every
span{uᵢvᵢᵀ} of a symmetric positive answer, and symmetric matrices by more than chance: what every
problem shares says nothing of this one. So the **null** is the share in the subspaces of the other
problems, above which components that know nothing of their problem lie as often as below it.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.experiments.exp006_variables import BOTTOM
from ired_interp.tasks import Problems, Task
from ired_interp.tasks.completion import Completion

__all__ = ["own_frames", "own_subspace_words", "shares"]


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
    n, d = components.shape[0], components.shape[-2]
    chance = torch.tensor(
        [frame.shape[1] / d for frame in frames], dtype=components.dtype, device=components.device
    )
    usable = (chance > 0) & (chance < 1)
    own = components.new_full(components.shape[:-2], torch.nan)
    total, count = (
        torch.zeros_like(own),
        torch.zeros(n, dtype=components.dtype, device=components.device),
    )
    for j, frame in enumerate(frames):
        if not bool(usable[j]):
            continue
        inside = (components.mT @ frame).square().sum(dim=-1).mean(dim=-1)
        i = j - first
        if 0 <= i < n:
            own[i] = inside[i]
            inside[i] = 0
            count[i] -= 1
        total += inside
        count += 1
    shape = (n, *(1 for _ in own.shape[1:]))
    here = chance[first : first + n].reshape(shape)
    others = total / count.reshape(shape)  # 0/0: nobody else
    beside = torch.where(others.isnan(), here.to(others), others)
    return own, torch.where(own.isnan(), torch.nan, beside)
