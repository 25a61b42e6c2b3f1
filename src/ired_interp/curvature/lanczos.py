"""Krylov spaces of the Hessian at many points at once, by Lanczos' recurrence.

Source: Paige (1972) for the recurrence; Parlett (1998), section 13, for full reorthogonalisation;
Wu & Simon (2000), doi:10.1137/S0895479898334605, for thick restarts.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp import lapack
from ired_interp.checks import Whole, whole
from ired_interp.draws import RowDraws
from ired_interp.errors import ShapeError
from ired_interp.hessian_product import HessianProduct

__all__ = [
    "KrylovSpace",
    "Product",
    "Tridiagonal",
    "grow_",
    "lanczos",
    "products",
    "random_start",
    "restart",
    "ritz",
    "start",
]

Product = Callable[[Tensor], Tensor]
"""H·v of one vector a point: [n, d] → [n, d]."""

_SEED = 20240721  # of every start vector: a method's own randomness is no choice of the caller's
_CANCELLED = 0.1  # below this share of ‖H‖ left by one orthogonalisation, a second one follows
_ROUND_OFF = 10.0  # remainders of that many ε·√d·‖H‖ are nothing but rounding


@dataclass(frozen=True, slots=True)
class Tridiagonal:
    """An orthonormal basis Q of a Krylov space and T = QᵀHQ, at each point.

    Attributes:
        basis: Orthonormal rows.
        diagonal: Of T.
        off_diagonal: Entry j couples the basis' rows j and j + 1; the last is the norm of what H
            takes out of the space. It is 0 where the space is invariant: then a random direction
            orthogonal to it goes on, and T is block diagonal.
    """

    basis: Float[Tensor, "n k d"]
    diagonal: Float[Tensor, "n k"]
    off_diagonal: Float[Tensor, "n k"]


@dataclass(frozen=True, slots=True)
class KrylovSpace:
    """A Krylov space that can grow, in buffers that its successors share.

    Attributes:
        basis: Orthonormal rows, ``size`` + 1 of them in use: the last one is the next direction.
        images: H times the first ``size`` rows.
        projected: QᵀHQ, float64, and in row and column ``size`` the coupling to the next direction.
        scale: Largest ‖H·q‖ so far, a lower bound of ‖H‖₂.
        size: Dimension.
        capacity: Largest ``size``; the buffers are made longer on the way there.
        kept: Ritz vectors that a restart kept as the first rows; 0 if there was none.
        stream: Name of the random numbers that directions are drawn from.
        outside: Orthonormal rows, or zeros, that the space avoids.
    """

    basis: Float[Tensor, "n b d"]
    images: Float[Tensor, "n c d"]
    projected: Float[Tensor, "n b b"]
    scale: Float[Tensor, " n"]
    capacity: int
    size: int = 0
    kept: int = 0
    stream: str = "lanczos"
    outside: tuple[Float[Tensor, "n _ d"], ...] = ()

    @property
    def remainder(self) -> Float[Tensor, " n"]:
        """Norm of what H takes out of the space, by its last direction."""
        return self.projected[:, self.size, self.size - 1]

    def select(self, rows: Tensor) -> "KrylovSpace":
        """A copy for some of the points."""
        return replace(
            self,
            basis=self.basis[rows],
            images=self.images[rows],
            projected=self.projected[rows],
            scale=self.scale[rows],
            outside=tuple(o[rows] for o in self.outside),
        )


def random_start(like: Float[Tensor, "n d"], stream: str = "lanczos") -> Float[Tensor, "n d"]:
    """One random unit vector, the same for all points: results do not depend on their order."""
    draw = RowDraws(1, seed=_SEED, purpose=stream).normal(like.shape[1])
    vector: Tensor = (draw / torch.linalg.vector_norm(draw)).to(like)
    return vector.expand(like.shape[0], -1).clone()


def products(product: HessianProduct) -> Callable[[Int[Tensor, " k"]], Product]:
    """The product of one vector a point, at some of the points."""
    everything = torch.arange(product.y.shape[0], device="cpu")

    def restrict(rows: Int[Tensor, " k"]) -> Product:
        at = product if torch.equal(rows, everything) else product.select(rows)
        return lambda v: at(v[:, None])[:, 0]

    return restrict


def start(
    vector: Float[Tensor, "n d"],
    capacity: int,
    *,
    stream: str = "lanczos",
    outside: tuple[Float[Tensor, "n _ d"], ...] = (),
) -> KrylovSpace:
    """The empty space whose first direction is the given one (orthogonal to ``outside``)."""
    n, d = vector.shape
    first = _orthogonal(_orthogonal(vector.clone(), outside), outside)
    first /= torch.linalg.vector_norm(first, dim=1, keepdim=True)
    return KrylovSpace(
        basis=first[:, None],
        images=vector.new_empty(n, 0, d),
        projected=vector.new_zeros(n, 1, 1, dtype=torch.float64),
        scale=vector.new_zeros(n),
        capacity=capacity,
        stream=stream,
        outside=outside,
    )


def ritz(space: KrylovSpace) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k k"]]:
    """Eigenvalues, ascending, and eigenvectors (columns) of QᵀHQ, float64."""
    k = space.size
    projected = space.projected[:, :k, :k]
    if space.kept or projected.device.type != "cpu":
        values, vectors = torch.linalg.eigh(projected)
        return values, vectors
    diagonal = projected.diagonal(dim1=1, dim2=2).contiguous()
    off_diagonal = projected.diagonal(offset=1, dim1=1, dim2=2).contiguous()
    pairs = [lapack.tridiagonal_eigh(a, b) for a, b in zip(diagonal, off_diagonal, strict=True)]
    return torch.stack([v for v, _ in pairs]), torch.stack([s for _, s in pairs])


def restart(
    space: KrylovSpace, combinations: Float[Tensor, "n k p"], values: Tensor
) -> KrylovSpace:
    """The space of p Ritz vectors and the next direction, in the same buffers.

    H takes each of the p out of their span along the next direction only, so that the recurrence
    goes on from there (Wu & Simon 2000, algorithm 1).

    Args:
        space: A space to shrink.
        combinations: Orthonormal coefficients of the Ritz vectors, as columns.
        values: Their Ritz values, [n, p].
    """
    k, p = combinations.shape[1:]
    mixing = combinations.mT.to(space.basis)
    couplings = space.remainder[:, None] * combinations[:, -1]
    basis, images = mixing @ space.basis[:, :k], mixing @ space.images[:, :k]
    space.basis[:, p] = space.basis[:, k]
    space.basis[:, :p], space.images[:, :p] = basis, images
    space.projected.zero_()
    space.projected[:, :p, :p] = torch.diag_embed(values.double())
    space.projected[:, :p, p] = space.projected[:, p, :p] = couplings
    return replace(space, size=p, kept=p)


def grow_(space: KrylovSpace, product: Product, size: int) -> KrylovSpace:
    """The space at a larger dimension, in the same buffers.

    Where it becomes invariant, a random direction orthogonal to it goes on.

    Cost: one Hessian product a dimension.
    """
    space = _with_room(space, size)
    while space.size < size:
        space = _advance_(space, product)
    return space


def grow_until_invariant_(space: KrylovSpace, product: Product, size: int) -> KrylovSpace:
    """The space at a larger dimension, or at the first at which H leaves some point's invariant."""
    space = _with_room(space, size)
    while space.size < size:
        space = _advance_(space, product)
        if bool((space.remainder == 0).any()):
            break
    return space


def _advance_(space: KrylovSpace, product: Product) -> KrylovSpace:
    """One step of the recurrence, with full reorthogonalisation."""
    basis, projected, j = space.basis, space.projected, space.size
    d = basis.shape[2]
    last = j + 1 >= d - sum(o.shape[1] for o in space.outside)
    direction = basis[:, j]
    image = product(direction)
    space.images[:, j] = image
    scale = torch.maximum(space.scale, torch.linalg.vector_norm(image, dim=1))
    diagonal = torch.linalg.vecdot(image, direction)
    rest = torch.addcmul(image, direction, diagonal[:, None], value=-1)
    if j > space.kept:
        rest.addcmul_(basis[:, j - 1], projected[:, j, j - 1, None].to(rest), value=-1)
    bases = (*space.outside, basis[:, : j + 1])
    rest = _orthogonal(rest, bases)
    norm = torch.linalg.vector_norm(rest, dim=1)
    if bool((norm < _CANCELLED * scale).any()):
        rest = _orthogonal(rest, bases)
        norm = torch.linalg.vector_norm(rest, dim=1)
    nothing = norm <= _ROUND_OFF * torch.finfo(norm.dtype).eps * d**0.5 * scale
    if last:
        nothing = torch.ones_like(nothing)
    elif bool(nothing.any()):
        rest = torch.where(nothing[:, None], _fresh(space, j), rest)
    projected[:, j, j] = diagonal.double()
    projected[:, j, j + 1] = projected[:, j + 1, j] = torch.where(nothing, 0, norm).double()
    length = torch.linalg.vector_norm(rest, dim=1, keepdim=True)
    basis[:, j + 1] = rest / torch.where(length > 0, length, 1)
    return replace(space, scale=scale, size=j + 1)


def lanczos(product: Product, start_vectors: Float[Tensor, "n d"], num_steps: Whole) -> Tridiagonal:
    """Run the recurrence with full reorthogonalisation.

    Args:
        product: H·v of one vector a point.
        start_vectors: One non-zero direction a point.
        num_steps: Dimension of the spaces, 1 … d.

    Raises:
        ShapeError: ``num_steps`` is outside 1 … d.

    Cost: ``num_steps`` Hessian products; 2·n·d·num_steps numbers held.
    """
    num_steps = whole("num_steps", num_steps)
    d = start_vectors.shape[1]
    if not 1 <= num_steps <= d:
        raise ShapeError(f"num_steps: expected 1 … d = {d}, found {num_steps}.")
    space = grow_(start(start_vectors, num_steps), product, num_steps)
    k = torch.arange(num_steps, device="cpu")
    return Tridiagonal(
        basis=space.basis[:, :num_steps],
        diagonal=space.projected[:, k, k].to(start_vectors),
        off_diagonal=space.projected[:, k, k + 1].to(start_vectors),
    )


def _with_room(space: KrylovSpace, size: int) -> KrylovSpace:
    """The same space in buffers that hold a larger one."""
    held = space.images.shape[1]
    if size <= held:
        return space
    rows = min(max(size, held + held // 4), space.capacity)
    basis, images, projected = (
        buffer.new_empty(buffer.shape[0], length, width)
        for buffer, length, width in (
            (space.basis, rows + 1, space.basis.shape[2]),
            (space.images, rows, space.basis.shape[2]),
            (space.projected, rows + 1, rows + 1),
        )
    )
    basis[:, : held + 1], images[:, :held] = space.basis, space.images
    projected.zero_()[:, : held + 1, : held + 1] = space.projected
    return replace(space, basis=basis, images=images, projected=projected)


def _orthogonal(vectors: Tensor, bases: tuple[Tensor, ...]) -> Tensor:
    """One Gram-Schmidt pass against orthonormal rows, in place."""
    for basis in bases:
        if vectors.device.type == "cpu":
            lapack.project_out_(vectors, basis)
        else:
            inside = torch.bmm(basis, vectors[:, :, None])
            vectors -= torch.bmm(basis.mT, inside)[:, :, 0]
    return vectors


def _fresh(space: KrylovSpace, j: int) -> Tensor:
    """A random direction orthogonal to the space so far."""
    vector = random_start(space.basis[:, 0], f"{space.stream}/{j}")
    for _ in range(2):
        vector = _orthogonal(vector, (*space.outside, space.basis[:, : j + 1]))
    return vector
