"""Cholesky factors that are known to be those of positive definite matrices."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["factor_of"]


def factor_of(a: Float[Tensor, "... k k"]) -> tuple[Float[Tensor, "... k k"], int]:
    """The Cholesky factors, and how many of the matrices are not known to be positive definite.

    A pivot, what is left of a diagonal entry, is round-off where it is at most k·ε of that entry:
    that the factorisation passes says nothing then.
    """
    root, info = torch.linalg.cholesky_ex(a)
    pivots, entries = (one.diagonal(dim1=-2, dim2=-1) for one in (root, a))
    limit = a.shape[-1] * torch.finfo(a.dtype).eps
    drowned = (info != 0) | (pivots.square() <= limit * entries).any(dim=-1)
    return root, int(drowned.sum())
