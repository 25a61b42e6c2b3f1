"""The curvature of a landscape within a subspace: BᵀHB, its ends and its mean.

A subspace is given by a frame B [..., d, q]. Its curvatures are those of E along straight lines in
it. Compare the mean with that of another subspace as it is, a trace already divided by its
dimension; the extremes only with those of random subspaces of the same dimension, because a larger
one reaches further out by chance alone.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Whole, whole_numbers
from ired_interp.draws import RowDraws
from ired_interp.errors import ManifoldError, ShapeError
from ired_interp.geometry.checking import check_alike, check_frame, check_matrices

__all__ = ["Curvatures", "curvatures", "mean_square", "random_frames", "restrict"]


@dataclass(frozen=True, slots=True)
class Curvatures:
    """Curvature within a subspace, in energy / y².

    Attributes:
        lowest: The smallest vᵀHv over unit vectors of the subspace.
        mean: tr(BᵀHB)/q, the mean over its directions.
        highest: The largest vᵀHv.
    """

    lowest: Float[Tensor, "..."]
    mean: Float[Tensor, "..."]
    highest: Float[Tensor, "..."]


def restrict(
    hessian: Float[Tensor, "... d d"], frame: Float[Tensor, "... d q"]
) -> Float[Tensor, "... q q"]:
    """BᵀHB, symmetric.

    Raises:
        ShapeError, DtypeError, NonFiniteError: They do not fit, or B is no frame.
    """
    d = frame.shape[-2]
    check_matrices("hessian", hessian, shape=(d, d))
    if frame.shape[-1] == 0:
        raise ManifoldError(
            "frame: expected at least one direction, found a subspace of dimension 0, which has no "
            "curvature (the normal space at full rank)."
        )
    check_frame("frame", frame)
    check_alike("frame", frame, "hessian", hessian)
    out = frame.mT @ hessian @ frame
    return (out + out.mT) / 2


def curvatures(restricted: Float[Tensor, "... q q"]) -> Curvatures:
    """Ends and mean of a symmetric matrix such as `restrict` or `riemannian_hessian` gives.

    Raises:
        ShapeError, DtypeError, NonFiniteError: Not finite square matrices.

    Cost: eigenvalues of a q × q matrix a point.
    """
    check_matrices("restricted", restricted)
    if restricted.shape[-1] != restricted.shape[-2]:
        raise ShapeError(
            f"restricted: expected square matrices, found {tuple(restricted.shape[-2:])}."
        )
    values = torch.linalg.eigvalsh(restricted)
    return Curvatures(values[..., 0], values.mean(dim=-1), values[..., -1])


def mean_square(
    gradient: Float[Tensor, "... d"], frame: Float[Tensor, "... d q"]
) -> Float[Tensor, "..."]:
    """‖Bᵀg‖²/q: the squared gradient a dimension of the subspace.

    Over uniformly random subspaces its mean is ‖g‖²/d, exactly, whatever q: the null of the ratio
    to that is 1.

    Raises:
        ShapeError, DtypeError, NonFiniteError: They do not fit, or B is no frame.
    """
    check_frame("frame", frame)
    check_matrices("gradient", gradient[..., None], shape=(frame.shape[-2], 1))
    check_alike("gradient", gradient[..., None], "frame", frame)
    return (frame.mT @ gradient[..., None]).square().sum(dim=(-2, -1)) / frame.shape[-1]


def random_frames(
    n: Whole, d: Whole, q: Whole, *, seed: Whole, first: Whole = 0
) -> Float[Tensor, "n d q"]:
    """Frames of n uniformly random subspaces (Haar), float64 on the CPU, one stream a row.

    Raises:
        ShapeError: Not 1 ≤ q ≤ d, or n < 1.
        ConfigError: The seed is out of range.
    """
    n, d, q = whole_numbers(n=n, d=d, q=q)
    if not 1 <= q <= d or n < 1:
        raise ShapeError(f"random_frames: expected n ≥ 1 and 1 ≤ q ≤ d, found {n}, {q} and {d}.")
    draws = RowDraws(n, seed=seed, purpose="geometry/random frames", first=first)
    frames: Tensor = torch.linalg.qr(draws.normal(d, q)).Q
    return frames
