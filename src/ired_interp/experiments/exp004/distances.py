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
_BOUND = 8.0  # times eps: of the singular vectors that a singular value decomposition computes
_DECIMALS = 12


def metric_names(task: Task, rank: int) -> tuple[str, ...]:
    """Frobenius, Grassmann at the chosen rank first and at others, and the one of the cone."""
    others = [f"{GRASSMANN}-{k}" for k in _OTHER_RANKS if k < task.size and k != rank]
    affine = (AFFINE,) if isinstance(task.family, Inverse) else ()
    return (GRASSMANN, FROBENIUS, *affine, ROWS, *others)


def distances(base: Tensor, ends: Tensor, names: tuple[str, ...], *, rank: int) -> Tensor:
    """Distances of ends [n, m, side, side] from base [n, side, side], [n, m, metric], float64.

    Grassmann distances ‖θ‖₂ are those of the spaces of the leading left (``rows``: right) singular
    vectors. Ranks are taken of them, so moves that are equally far must have equal numbers,
    whatever the round-off: they are 0 where they are within their error, as all moves that keep a
    subspace are, and rounded to 1e-12, as many moves turn it by exactly π/2. NaN where a matrix
    does not tell its leading space from the rest. The affine-invariant distance is that of the
    symmetric part, NaN where that is not positive definite.

    Source: Wedin (1972), doi:10.1007/BF01932678, for the error: ε·‖M‖ over the gap of the singular
    values, by a factor that grows with the side.
    """
    start, end = base.to(torch.float64)[:, None], ends.to(torch.float64)
    u0, s0, v0 = torch.linalg.svd(start)
    u1, s1, v1 = torch.linalg.svd(end)

    def resolved(found: Tensor, k: int) -> Tensor:
        error = _error(s0, k) + _error(s1, k)
        known = torch.where(found <= error, 0.0, found).round(decimals=_DECIMALS)
        return torch.where(error < 1, known, torch.nan)

    out = []
    for name in names:
        if name == FROBENIUS:
            found = torch.linalg.matrix_norm(end - start)
        elif name == AFFINE:
            found = _affine(start, end)
        elif name == ROWS:
            apart = grassmann.distance(
                v0.mT[..., :rank].contiguous(), v1.mT[..., :rank].contiguous()
            )
            found = resolved(apart, rank)
        else:
            k = rank if name == GRASSMANN else int(name.removeprefix(f"{GRASSMANN}-"))
            apart = grassmann.distance(u0[..., :k].contiguous(), u1[..., :k].contiguous())
            found = resolved(apart, k)
        out.append(found)
    return torch.stack(out, dim=-1)


def _error(sizes: Tensor, k: int) -> Tensor:
    """Bound on ‖θ‖₂ between the computed space of k leading singular vectors and the exact one."""
    eps = torch.finfo(sizes.dtype).eps
    gap = sizes[..., k - 1] - sizes[..., k]
    error: Tensor = _BOUND * sizes.shape[-1] * k**0.5 * eps * sizes[..., 0] / gap
    return error


def _affine(start: Tensor, end: Tensor) -> Tensor:
    symmetric = (end + end.mT) / 2
    inside = spd.is_spd(symmetric)
    found = torch.full(inside.shape, torch.nan, dtype=torch.float64, device=end.device)
    wide = ((start + start.mT) / 2).expand_as(symmetric)
    if bool(inside.any()):
        found[inside] = spd.affine_invariant_distance(wide[inside], symmetric[inside])
    return found
