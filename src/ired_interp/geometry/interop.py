"""To and from the points of geomstats and of pymanopt, as NumPy arrays; neither is imported.

geomstats (2.8.0) writes a subspace as its projector P [d, d] and a tangent as D·Aᵀ + A·Dᵀ. Its
distances on the Grassmannian are `GEOMSTATS_FACTOR` = √2 times those here, and a principal angle of
exactly π/2 counts 0 there. pymanopt (2.2.1) writes a subspace as a frame, as here, and a matrix of
rank r as the triple (u, s, vt), a tangent of it as (Up, M, Vp), one point at a time.
"""

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.errors import ManifoldError, ShapeError
from ired_interp.geometry.checking import check_alike, check_frame, check_matrices
from ired_interp.geometry.fixed_rank import FixedRank, check_sizes, tangent_part

__all__ = [
    "GEOMSTATS_FACTOR",
    "from_geomstats",
    "from_geomstats_tangent",
    "from_pymanopt",
    "to_geomstats",
    "to_geomstats_tangent",
    "to_pymanopt",
    "to_pymanopt_tangent",
]

GEOMSTATS_FACTOR = math.sqrt(2)

_Array: TypeAlias = npt.NDArray[Any]
_SINGLE_MATRIX = 2


def to_geomstats(frame: Float[Tensor, "... d k"]) -> _Array:
    """The projector P = AAᵀ [..., d, d], a point of geomstats' ``Grassmannian(d, k)``.

    Raises:
        ShapeError, DtypeError, NonFiniteError: Not a frame.
    """
    check_frame("frame", frame)
    return _numpy(frame @ frame.mT)


def from_geomstats(projector: _Array) -> Float[Tensor, "... d k"]:
    """A frame of each projector's subspace.

    Raises:
        ManifoldError: Not symmetric with P² = P (to √ε), or of different ranks.
        ShapeError, DtypeError, NonFiniteError: Not finite square matrices.
    """
    p = torch.from_numpy(np.array(projector))
    check_matrices("projector", p)
    if p.shape[-1] != p.shape[-2]:
        raise ShapeError(f"projector: expected square matrices, found {tuple(p.shape)}.")
    limit = torch.finfo(p.dtype).eps ** 0.5
    defect = max(float((p - p.mT).abs().max()), float((p @ p - p).abs().max()))
    ranks = p.diagonal(dim1=-2, dim2=-1).sum(dim=-1).round()
    if defect > limit or bool((ranks != ranks.flatten()[0]).any()) or float(ranks.min()) < 1:
        raise ManifoldError(
            "projector: expected P = Pᵀ = P² of one rank ≥ 1, found matrices off by "
            f"{defect:.1e} of ranks {sorted(set(ranks.flatten().tolist()))}."
        )
    k = int(ranks.flatten()[0])
    frame: Tensor = torch.linalg.eigh((p + p.mT) / 2).eigenvectors[..., -k:]
    return frame


def to_geomstats_tangent(
    frame: Float[Tensor, "... d k"], tangent: Float[Tensor, "... d k"]
) -> _Array:
    """D·Aᵀ + A·Dᵀ: the tangent at a frame as geomstats has it at the projector, √2 as long.

    Raises:
        ShapeError, DtypeError, NonFiniteError: They do not fit.
    """
    check_frame("frame", frame)
    check_matrices("tangent", tangent, shape=(frame.shape[-2], frame.shape[-1]))
    check_alike("tangent", tangent, "frame", frame)
    lift = tangent @ frame.mT
    return _numpy(lift + lift.mT)


def from_geomstats_tangent(
    frame: Float[Tensor, "... d k"], tangent: _Array
) -> Float[Tensor, "... d k"]:
    """The tangent D at a frame from geomstats' at its projector: its product with A.

    Raises:
        ShapeError, DtypeError, NonFiniteError: They do not fit.
    """
    check_frame("frame", frame)
    d = frame.shape[-2]
    lifted = torch.from_numpy(np.array(tangent))
    check_matrices("tangent", lifted, shape=(d, d))
    check_alike("tangent", lifted, "frame", frame)
    out = lifted @ frame
    return out - frame @ (frame.mT @ out)


def to_pymanopt(at: FixedRank) -> tuple[_Array, _Array, _Array]:
    """(u, s, vt), a point of pymanopt's ``FixedRankEmbedded(m, n, r)``.

    Raises:
        ShapeError: A batch: pymanopt takes one point at a time.
    """
    _check_single(at.u)
    return _numpy(at.u), _numpy(at.s), _numpy(at.v.mT)


def from_pymanopt(point: tuple[_Array, _Array, _Array]) -> FixedRank:
    """The matrix of rank r that a triple (u, s, vt) stands for.

    Raises:
        ManifoldError: A singular value that is not above 0, or is so by round-off alone.
        ShapeError, DtypeError, NonFiniteError: u or vt has no orthonormal vectors.
    """
    u, s, vt = (torch.from_numpy(np.array(part)) for part in point)
    check_frame("u", u)
    check_frame("vt", vt.mT)
    if s.shape != (u.shape[-1],) or vt.shape[-2] != u.shape[-1]:
        raise ShapeError(
            f"point: expected (m × r, r, r × n), found {tuple(u.shape)}, {tuple(s.shape)} and "
            f"{tuple(vt.shape)}."
        )
    check_sizes("s", s, u.shape[-2], vt.shape[-1])
    return FixedRank(u, s, vt.mT)


def to_pymanopt_tangent(at: FixedRank, z: Float[Tensor, "m n"]) -> tuple[_Array, _Array, _Array]:
    """(Up, M, Vp) of P_T Z = U·M·Vᵀ + Up·Vᵀ + U·Vpᵀ, pymanopt's tangent vector.

    Raises:
        ShapeError: A batch, or Z does not fit.
        DtypeError, NonFiniteError: Z does not fit.
    """
    _check_single(at.u)
    tangent = tangent_part(at, z)
    middle = at.u.mT @ tangent @ at.v
    up = tangent @ at.v - at.u @ middle
    vp = tangent.mT @ at.u - at.v @ middle.mT
    return _numpy(up), _numpy(middle), _numpy(vp)


def _check_single(u: Tensor) -> None:
    if u.ndim != _SINGLE_MATRIX:
        raise ShapeError(
            f"point: expected one, as pymanopt has no batches, found leading axes "
            f"{tuple(u.shape[:-2])}. Loop over them."
        )


def _numpy(value: Tensor) -> _Array:
    return value.detach().cpu().numpy()
