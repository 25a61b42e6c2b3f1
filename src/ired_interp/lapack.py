"""BLAS and LAPACK routines that torch does not offer, on CPU tensors.

torch has no symmetric rank-k update, no tridiagonal eigensolver and no symmetric indefinite
factorisation, and its matrix-vector products cost more to call than to compute at these sizes.
SciPy has them. All tensors are float32 or float64; a row-major matrix is its own transpose to
Fortran, so that nothing is copied on the way in.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from scipy.linalg import blas
from scipy.linalg import lapack as fortran
from threadpoolctl import ThreadpoolController
from torch import Tensor

__all__ = [
    "Inertia",
    "Reduction",
    "cholesky_error",
    "eigh",
    "gram_",
    "inertia",
    "multiply",
    "project_out_",
    "same_threads",
    "tridiagonal_eigh",
    "tridiagonalise",
]

_PREFIX = {torch.float32: "s", torch.float64: "d"}
_BLOCK = 64  # columns a blocked LAPACK routine takes at a time
_WORTH_THREADS = 1000  # side of a matrix
_CACHE = 2**19  # bytes that stay near the processor between two products


@contextmanager
def same_threads(side: int) -> Iterator[None]:
    """Let SciPy's BLAS use as many threads as torch does, for matrices large enough for that.

    Its pool is another one than torch's, with a limit of its own. Below a side of 1,000 the two
    pools wait for each other longer than they work: there one thread is quicker than two.
    """
    num_threads = torch.get_num_threads() if side >= _WORTH_THREADS else 1
    with _pools().limit(limits=num_threads, user_api="blas"):
        yield


@functools.cache
def _pools() -> ThreadpoolController:
    """The thread pools of the libraries that are loaded; to look for them takes milliseconds."""
    return ThreadpoolController()


def multiply(
    a: Float[Tensor, "r k"], b: Float[Tensor, "k c"], out: Float[Tensor, "r c"] | None = None
) -> Float[Tensor, "r c"]:
    """A·B, row-major: at a few hundred rows OpenBLAS is faster than torch's library.

    Args:
        a: Row-major, or the transpose of such a matrix.
        b: Likewise.
        out: Where to write it, contiguous; None: a new matrix.
    """
    gemm = _blas("gemm", a.dtype)
    left, turn_left = _as_given(b)  # Fortran reads Bᵀ·Aᵀ = (A·B)ᵀ
    right, turn_right = _as_given(a)
    if out is None:
        out = a.new_empty(a.shape[0], b.shape[1])
    target = out.numpy().T
    found = gemm(1.0, left, right, trans_a=turn_left, trans_b=turn_right, c=target, overwrite_c=1)
    if found is not target:  # not contiguous: the routine took a copy
        target[:] = found
    return out


def gram_(
    out: Float[Tensor, "d d"], plus: Float[Tensor, "p d"], minus: Float[Tensor, "q d"]
) -> Float[Tensor, "d d"]:
    """Write PᵀP - MᵀM, exactly symmetric, and return it: two updates, half the work of products.

    Args:
        out: Contiguous.
        plus: The rows of P, contiguous.
        minus: The rows of M, contiguous.
    """
    syrk = _blas("syrk", out.dtype)
    target = out.numpy().T  # Fortran's lower triangle is the upper one here
    total = syrk(1.0, plus.numpy().T, c=target, lower=1, overwrite_c=1)
    if minus.shape[0]:
        total = syrk(-1.0, minus.numpy().T, beta=1.0, c=total, lower=1, overwrite_c=1)
    if total is not target:  # not contiguous: the routine took a copy
        target[:] = total
    out.triu_()
    out += torch.triu(out, 1).mT
    return out


def project_out_(
    vectors: Float[Tensor, "n d"], basis: Float[Tensor, "n k d"]
) -> Float[Tensor, "n d"]:
    """Take the components along each point's orthonormal rows out of its vector, in place.

    One pass of classical Gram-Schmidt; returns ``vectors``.
    """
    targets, bases = vectors.numpy(), basis.numpy()
    step = max(1, _CACHE // max(1, bases[:1].nbytes))  # both products find the rows in the cache
    for begin in range(0, targets.shape[0], step):
        some, rows = targets[begin : begin + step], bases[begin : begin + step]
        inside = np.matmul(rows, some[:, :, None])
        some -= np.matmul(inside.transpose(0, 2, 1), rows)[:, 0]
    return vectors


def eigh(matrix: Float[Tensor, "d d"]) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"]]:
    """All eigenvalues, ascending, and eigenvectors as columns (divide and conquer).

    Raises:
        ArithmeticError: LAPACK did not converge.
    """
    values, vectors, info = _lapack("syevd", matrix.dtype)(_transposed(matrix), lower=0)
    _check("syevd", info)
    return torch.from_numpy(values), torch.from_numpy(vectors)


@dataclass(frozen=True, slots=True)
class Reduction:
    """H = Q·T·Qᵀ with T tridiagonal.

    Attributes:
        diagonal: Of T.
        off_diagonal: Of T.
        reflectors: Householder vectors of Q, in LAPACK's layout.
        scales: Their factors.
    """

    diagonal: Float[Tensor, " d"]
    off_diagonal: Float[Tensor, " c"]
    reflectors: npt.NDArray[Any]
    scales: npt.NDArray[Any]

    def eigenvalues(self) -> Float[Tensor, " d"]:
        """All of them, ascending.

        Raises:
            ArithmeticError: LAPACK did not converge.
        """
        values, info = _lapack("sterf", self.diagonal.dtype)(
            self.diagonal.numpy(), self.off_diagonal.numpy()
        )
        _check("sterf", info)
        return torch.from_numpy(values)

    def eigenvectors(
        self, eigenvalues: Float[Tensor, " d"], chosen: Int[Tensor, " e"]
    ) -> Float[Tensor, "d e"]:
        """Vectors of H, as columns, of some of its eigenvalues.

        By inverse iteration where T is in one piece, else from the whole of T. Within clusters
        they may be orthogonal to a few digits only.

        Args:
            eigenvalues: What `eigenvalues` returned.
            chosen: Ascending indices.

        Raises:
            ArithmeticError: LAPACK did not converge.
        """
        diagonal, off_diagonal = self.diagonal.numpy(), self.off_diagonal.numpy()
        dtype, d = self.diagonal.dtype, diagonal.size
        info, vectors = 1, np.empty((d, 0))
        if not self._splits():
            vectors, info = _lapack("stein", dtype)(
                diagonal,
                off_diagonal,
                eigenvalues[chosen].numpy(),
                np.ones(d, dtype=np.int32),  # all in one block,
                np.full(d, d, dtype=np.int32),  # which ends at the last row
            )
        if info != 0:
            _, vectors, info = _lapack("stevd", dtype)(diagonal, off_diagonal)
            _check("stevd", info)
            vectors = vectors[:, chosen.numpy()]
        return self.rotate(torch.from_numpy(np.ascontiguousarray(vectors)))

    def rotate(self, vectors: Float[Tensor, "d e"]) -> Float[Tensor, "d e"]:
        """Q·V."""
        return self._apply(vectors, "N")

    def rotate_back(self, vectors: Float[Tensor, "d e"]) -> Float[Tensor, "d e"]:
        """Qᵀ·V."""
        return self._apply(vectors, "T")

    def solve_shifted(
        self, right_sides: Float[Tensor, "d e"], shifts: Float[Tensor, " e"]
    ) -> Float[Tensor, "d e"]:
        """Columns x with (T - shift)·x = b, in float64; T - shift may be nearly singular."""
        diagonal, off = self.diagonal.double().numpy(), self.off_diagonal.double().numpy()
        out = np.empty(right_sides.shape, order="F")
        nudge = np.finfo(np.float64).eps * np.abs(diagonal).max(initial=0)
        for j, shift in enumerate(shifts.tolist()):
            for moved in (shift, shift + nudge):  # an exact eigenvalue: the next number will do
                *_, solved, info = fortran.dgtsv(
                    off, diagonal - moved, off, right_sides[:, j].numpy()
                )
                if info == 0:
                    break
            _check("gtsv", info)
            out[:, j] = solved
        return torch.from_numpy(out)

    def _splits(self) -> bool:
        """Whether T falls apart to working precision, by LAPACK's own test."""
        diagonal, off = self.diagonal.abs(), self.off_diagonal
        eps = torch.finfo(off.dtype).eps
        return bool((off.square() <= diagonal[:-1] * diagonal[1:] * eps**2).any())

    def _apply(self, vectors: Tensor, trans: str) -> Tensor:
        columns = np.array(vectors.numpy(), order="F")
        if columns.shape[0] > 1:
            columns[1:], _, info = _lapack("ormqr", vectors.dtype)(
                "L",
                trans,
                self.reflectors,
                self.scales,
                np.asfortranarray(columns[1:]),
                _BLOCK * max(columns.shape),
            )
            _check("ormqr", info)
        return torch.from_numpy(columns)


def tridiagonalise(matrix: Float[Tensor, "d d"]) -> Reduction:
    """Householder's reduction of a symmetric matrix, d ≥ 2."""
    d = matrix.shape[0]
    packed, diagonal, off_diagonal, scales, info = _lapack("sytrd", matrix.dtype)(
        _transposed(matrix), lower=1, lwork=_BLOCK * d
    )
    _check("sytrd", info)
    return Reduction(
        torch.from_numpy(diagonal),
        torch.from_numpy(off_diagonal),
        np.asfortranarray(packed[1:, :-1]),
        scales,
    )


def tridiagonal_eigh(
    diagonal: Float[Tensor, " k"], off_diagonal: Float[Tensor, " c"]
) -> tuple[Float[Tensor, " k"], Float[Tensor, "k k"]]:
    """All eigenvalues, ascending, and eigenvectors as columns, of a tridiagonal matrix.

    Raises:
        ArithmeticError: LAPACK did not converge.
    """
    if diagonal.shape[0] == 1:
        return diagonal.clone(), torch.ones(1, 1, dtype=diagonal.dtype, device=diagonal.device)
    values, vectors, info = _lapack("stevd", diagonal.dtype)(diagonal.numpy(), off_diagonal.numpy())
    _check("stevd", info)
    return torch.from_numpy(values), torch.from_numpy(vectors)


@dataclass(frozen=True, slots=True)
class Inertia:
    """Number of negative eigenvalues of some symmetric matrix near the given one.

    Attributes:
        num_negative: The count.
        error: How far in the 2-norm, at most, that matrix is from the given one.
    """

    num_negative: int
    error: float


def inertia(matrix: Float[Tensor, "d d"]) -> Inertia:
    """Count the negative eigenvalues by Bunch and Kaufman's LDLᵀ.

    The count is exact for LDLᵀ (Sylvester), which is the given matrix but for rounding errors of
    at most γ_{d+10}·‖|L||D||L|ᵀ‖ (Higham 2002, theorem 11.3, with the constant of his analysis).
    """
    d = matrix.shape[0]
    packed, pivots, info = _lapack("sytrf", matrix.dtype)(
        _transposed(matrix), lower=1, lwork=_BLOCK * d
    )
    if info < 0:
        raise ArithmeticError(f"sytrf: argument {-info} is not valid.")
    unpacked, below, _ = _lapack("syconv", matrix.dtype)(packed, pivots, lower=1)
    diagonal = np.diag(unpacked).copy()
    lower = np.abs(np.tril(unpacked, -1))
    np.fill_diagonal(lower, 1.0)
    image = lower.T @ np.ones(d, dtype=lower.dtype)
    scaled = np.abs(diagonal) * image
    scaled[:-1] += np.abs(below[:-1]) * image[1:]
    scaled[1:] += np.abs(below[:-1]) * image[:-1]
    first = below != 0  # of a 2 by 2 block, whose second row has no entry below
    second = np.roll(first, 1)
    single = ~(first | second)
    blocks = np.flatnonzero(first)
    # Signs of the determinants, by ratios: products of tiny or huge entries are out of range.
    ratios = (diagonal[blocks] / below[blocks]) * (diagonal[blocks + 1] / below[blocks])
    both = (ratios > 1) & (diagonal[blocks] < 0)
    count = (diagonal[single] < 0).sum() + (ratios < 1).sum() + 2 * both.sum()
    return Inertia(int(count), _gamma(d + 10, matrix.dtype) * float((lower @ scaled).max()))


def cholesky_error(matrix: Float[Tensor, "d d"]) -> float | None:
    """Distance of the matrix from a positive semi-definite one, or None if Cholesky breaks down.

    The product L·Lᵀ is positive semi-definite and within γ_{d+1}·‖|L||L|ᵀ‖ of the matrix (Higham
    2002, theorem 10.3). Half the work of `inertia`.
    """
    d = matrix.shape[0]
    packed, info = _lapack("potrf", matrix.dtype)(_transposed(matrix), lower=1, clean=1)
    if info != 0:
        return None
    lower = np.abs(packed)
    image = lower @ (lower.T @ np.ones(d, dtype=lower.dtype))
    return _gamma(d + 1, matrix.dtype) * float(image.max())


def _gamma(count: int, dtype: torch.dtype) -> float:
    """Higham's γ_k = k·u/(1 - k·u), u the unit round-off."""
    share = count * torch.finfo(dtype).eps / 2
    return share / (1 - share) if share < 1 else float("inf")


def _as_given(matrix: Tensor) -> tuple[npt.NDArray[Any], int]:
    """The transpose as Fortran reads it without a copy, and whether it has to be turned back."""
    if matrix.mT.is_contiguous() and not matrix.is_contiguous():
        return matrix.detach().numpy(), 1
    return _transposed(matrix), 0


def _transposed(tensor: Tensor) -> npt.NDArray[Any]:
    return tensor.detach().contiguous().numpy().T


def _blas(name: str, dtype: torch.dtype) -> Callable[..., Any]:
    return getattr(blas, _PREFIX[dtype] + name)  # type: ignore[no-any-return]


def _lapack(name: str, dtype: torch.dtype) -> Callable[..., Any]:
    return getattr(fortran, _PREFIX[dtype] + name)  # type: ignore[no-any-return]


def _check(name: str, info: int) -> None:
    if info != 0:
        raise ArithmeticError(f"LAPACK's {name} did not converge (info = {info}).")
