"""Named directions in y along which a landscape is cut: of its Hessian, of the answer as a matrix.

All are [n, 2, d]: two unit directions a row, orthogonal to each other. Matrices are flat and
row-major, as y is.

**Moves of a matrix.** At a matrix of rank r a move that keeps the rank to first order is a tangent
vector of the fixed-rank manifold; what is normal to it can only raise the rank
(`geometry.fixed_rank`). Where the matrix has full rank, r is where it is cut.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Whole, check_matrix, whole, whole_numbers
from ired_interp.curvature import spectrum
from ired_interp.draws import RowDraws
from ired_interp.errors import ShapeError
from ired_interp.geometry import fixed_rank
from ired_interp.landscape import Landscape

__all__ = [
    "end_directions",
    "hessian_directions",
    "random_directions",
    "rank_directions",
    "rotation_directions",
    "singular_directions",
]

_PAIR = 2


def hessian_directions(
    land: Landscape, y: Float[Tensor, "n d"]
) -> tuple[Float[Tensor, "n 2 d"], Float[Tensor, "n 2 d"]]:
    """The two eigenvectors of the largest |λ| of ∇²_yE, and the two of the lowest λ.

    Where eigenvalues are degenerate the vectors are arbitrary; `curvature.spectrum` says where.

    Raises:
        ShapeError, DtypeError, NonFiniteError, ConvergenceError: As `curvature.spectrum`; or y has
            one entry.

    Cost: as ``spectrum`` with two pairs at each end.
    """
    if land.dim_y < _PAIR:
        raise ShapeError("hessian_directions: expected at least 2 entries of y, found 1.")
    found = spectrum(land, y, top=_PAIR, bottom=_PAIR, index=False)
    vectors = found.eigenvectors.mT
    largest = vectors.abs().argmax(dim=2, keepdim=True)
    vectors = vectors * vectors.gather(2, largest).sign()
    return vectors[:, :_PAIR], vectors[:, _PAIR:]


def end_directions(
    top: Float[Tensor, "n 2 d"], bottom: Float[Tensor, "n 2 d"]
) -> Float[Tensor, "n 2 d"]:
    """The eigenvectors of the largest |λ| and of the lowest λ, from those of `hessian_directions`.

    Where both are one eigenvector, since the lowest λ is also the largest |λ|, the second direction
    is the eigenvector of the second lowest λ.

    Raises:
        ShapeError: Pairs of different shapes.
    """
    if top.ndim != 3 or top.shape[1] != _PAIR or top.shape != bottom.shape:  # noqa: PLR2004
        raise ShapeError(
            f"end_directions: expected two pairs [n, 2, d] of one shape, found {tuple(top.shape)} "
            f"and {tuple(bottom.shape)}."
        )
    # Eigenvectors are one or orthogonal; where they are degenerate, any angle that is left will do.
    one = (top[:, 0] * bottom[:, 0]).sum(dim=1).square() > 1 / 2
    second = torch.where(one[:, None], bottom[:, 1], bottom[:, 0])
    return torch.stack([top[:, 0], second], dim=1)


def random_directions(
    num_rows: Whole, dim_y: Whole, *, seed: Whole, purpose: str, first: Whole = 0
) -> Float[Tensor, "n 2 d"]:
    """Two orthonormal directions a row, uniformly random, float64 on the CPU.

    Args:
        num_rows: n.
        dim_y: d, at least 2.
        seed: The same seed gives a row the same directions, whatever n is.
        purpose: Name of what they are for; other names give other directions.
        first: Number of the first row.

    Raises:
        ShapeError: Fewer than 2 entries.
    """
    num_rows, dim_y = whole_numbers(num_rows=num_rows, dim_y=dim_y)
    if dim_y < _PAIR:
        raise ShapeError(f"random_directions: expected at least 2 entries of y, found {dim_y}.")
    draws = RowDraws(num_rows, seed=seed, purpose=purpose, first=first)
    frame: Tensor = torch.linalg.qr(draws.normal(dim_y, _PAIR)).Q
    return frame.mT


def singular_directions(
    matrix: Float[Tensor, "n d"], shape: tuple[Whole, Whole]
) -> Float[Tensor, "n 2 d"]:
    """u₁v₁ᵀ and u₂v₂ᵀ: the leading singular values grow along them and nothing else changes.

    Raises:
        ShapeError: The matrix has not that shape, or fewer than 2 singular values.
    """
    u, _, vh = _svd(matrix, shape)
    parts = [u[:, :, i, None] * vh[:, i, None, :] for i in range(_PAIR)]
    return torch.stack(parts, dim=1).flatten(2)


def rotation_directions(
    matrix: Float[Tensor, "n d"], shape: tuple[Whole, Whole], rank: Whole
) -> Float[Tensor, "n 2 d"]:
    """The leading r left, and right, singular subspaces turn towards the next vector.

    A step ε along u_{r+1}·v_rᵀ turns the span of the leading left vectors by ε·s_r/(s_r² -
    s_{r+1}²), to first order, and that of the right ones by ε·s_{r+1}/(s_r² - s_{r+1}²); along
    u_r·v_{r+1}ᵀ it is the other way round. At a matrix of rank r each turns one of them alone, by
    ε/s_r. The plane of both holds every move that turns them into these vectors.

    Raises:
        ShapeError: The matrix has not that shape, or not r + 1 singular values, or r < 1.
        ManifoldError: σ_r = σ_{r+1}, or σ_r = 0: which subspaces lead is not defined.
    """
    rank = whole("rank", rank)
    u, sizes, vh = _svd(matrix, shape)
    _check_rank(rank, sizes.shape[1])
    fixed_rank.closest(_matrices(matrix, shape), rank)
    inner, outer = rank - 1, rank
    left = u[:, :, outer, None] * vh[:, inner, None, :]
    right = u[:, :, inner, None] * vh[:, outer, None, :]
    return torch.stack([left, right], dim=1).flatten(2)


def rank_directions(
    matrix: Float[Tensor, "n d"],
    shape: tuple[Whole, Whole],
    rank: Whole,
    *,
    move: Float[Tensor, "n d"],
) -> Float[Tensor, "n 2 d"]:
    """The part of a move that keeps rank r, and the part that raises it, each of length 1.

    The matrix is cut at its leading r singular vectors; for a random move the two parts are random
    tangent and normal directions of the fixed-rank manifold there.

    Raises:
        ShapeError: As `rotation_directions`; or a move that has only one of the parts: the other is
            at most √ε of it, and its course is round-off.
        ManifoldError: σ_r = σ_{r+1}, or σ_r = 0: where to cut is not defined.
    """
    rank = whole("rank", rank)
    _, sizes, _ = _svd(matrix, shape)
    _check_rank(rank, sizes.shape[1])
    if move.shape != matrix.shape:
        raise ShapeError(
            f"rank_directions: move: expected shape {tuple(matrix.shape)}, found "
            f"{tuple(move.shape)}."
        )
    at = fixed_rank.closest(_matrices(matrix, shape), rank)
    z = _matrices(move, shape)
    tangent = fixed_rank.tangent_part(at, z).flatten(1)
    normal = fixed_rank.normal_part(at, z).flatten(1)
    lengths = torch.stack([tangent.norm(dim=1), normal.norm(dim=1)], dim=1)
    # A part is a difference of what is as long as the move, and exact to its round-off.
    least = torch.finfo(move.dtype).eps ** 0.5 * move.norm(dim=1, keepdim=True)
    if bool((lengths <= least).any()):
        raise ShapeError(
            "rank_directions: expected a move with a part that keeps the rank and one that raises "
            f"it, found one without; lengths {lengths.min(dim=0).values.tolist()}."
        )
    return torch.stack([tangent, normal], dim=1) / lengths[:, :, None]


def _matrices(rows: Tensor, shape: tuple[Whole, Whole]) -> Tensor:
    return rows.reshape(-1, whole("shape", shape[0]), whole("shape", shape[1]))


def _svd(matrix: Tensor, shape: tuple[Whole, Whole]) -> tuple[Tensor, Tensor, Tensor]:
    shape = whole("shape", shape[0]), whole("shape", shape[1])
    check_matrix("matrix", matrix, columns=shape[0] * shape[1], of=f"{shape[0]} × {shape[1]}")
    if min(shape) < _PAIR:
        raise ShapeError(f"matrix: expected at least 2 singular values, found shape {shape}.")
    u, sizes, vh = torch.linalg.svd(matrix.reshape(-1, *shape), full_matrices=False)
    return u, sizes, vh


def _check_rank(rank: int, most: int) -> None:
    if not 1 <= rank < most:
        raise ShapeError(f"rank: expected 1 … {most - 1}, below the matrix's side, found {rank}.")
