"""How far a moved matrix is from its base, by several metrics."""

import torch
from torch import Tensor

from ired_interp.geometry import grassmann, spd
from ired_interp.tasks import Task
from ired_interp.tasks.inverse import Inverse

__all__ = ["AFFINE", "FROBENIUS", "GRASSMANN", "ROWS", "distances", "metric_names"]

FROBENIUS = "frobenius"
GRASSMANN = "grassmann"
ROWS = "grassmann-rows"
AFFINE = "affine-invariant"

_OTHER_RANKS = (1, 2, 5, 10)


def metric_names(task: Task, rank: int) -> tuple[str, ...]:
    """Frobenius, Grassmann at the chosen rank first and at others, and the one of the cone."""
    others = [f"{GRASSMANN}-{k}" for k in _OTHER_RANKS if k < task.size and k != rank]
    affine = (AFFINE,) if isinstance(task.family, Inverse) else ()
    return (GRASSMANN, FROBENIUS, *affine, ROWS, *others)


def distances(base: Tensor, ends: Tensor, names: tuple[str, ...], *, rank: int) -> Tensor:
    """Distances of ends [n, m, side, side] from base [n, side, side], [n, m, metric], float64.

    Grassmann distances ‖θ‖₂ are those of the spaces of the leading left (``rows``: right) singular
    vectors. The affine-invariant one is that of the symmetric part, NaN where that is not positive
    definite.
    """
    start, end = base.to(torch.float64)[:, None], ends.to(torch.float64)
    u0, _, v0 = torch.linalg.svd(start)
    u1, _, v1 = torch.linalg.svd(end)
    out = []
    for name in names:
        if name == FROBENIUS:
            found = torch.linalg.matrix_norm(end - start)
        elif name == AFFINE:
            found = _affine(start, end)
        elif name == ROWS:
            found = grassmann.distance(
                v0.mT[..., :rank].contiguous(), v1.mT[..., :rank].contiguous()
            )
        else:
            k = rank if name == GRASSMANN else int(name.removeprefix(f"{GRASSMANN}-"))
            found = grassmann.distance(u0[..., :k].contiguous(), u1[..., :k].contiguous())
        out.append(found)
    return torch.stack(out, dim=-1)


def _affine(start: Tensor, end: Tensor) -> Tensor:
    symmetric = (end + end.mT) / 2
    inside = spd.is_spd(symmetric)
    found = torch.full(inside.shape, torch.nan, dtype=torch.float64, device=end.device)
    wide = ((start + start.mT) / 2).expand_as(symmetric)
    if bool(inside.any()):
        found[inside] = spd.affine_invariant_distance(wide[inside], symmetric[inside])
    return found
