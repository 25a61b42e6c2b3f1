"""Paths between two points of a landscape, the barriers on them, and how convex E is along them.

**Barrier**, in both senses that are in use, along a path from E₀ to E₁:

    height = max E - max(E₀, E₁)           of the higher end (Draxler et al. 2018, arXiv 1803.00885)
    excess = max [E(s) - (1 - s)E₀ - sE₁]  above the chord, s the arc length
                                           (Frankle et al. 2020, arXiv 1912.05671)

Both are at least 0, and height ≤ excess. Images sample the path, so both are lower bounds of the
path's own; ``resolution`` is what every second image alone would have missed.

**Convexity score**: with D_i the jump of the slope dE/ds at inner image i, ΣD_i/Σ|D_i|. 1: convex
along the path; -1: concave; 0: the slope ends as it began, as between two mirrored wells. An energy
whose sign is as likely turned has mean 0.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Whole, check_finite, check_like, check_matrix, whole, whole_numbers
from ired_interp.errors import ShapeError
from ired_interp.geometry import fixed_rank, grassmann, spd
from ired_interp.landscape import Landscape

__all__ = [
    "Barrier",
    "barrier",
    "convexity",
    "energy_along",
    "low_rank_path",
    "spd_path",
    "straight_path",
]

_LEAST_IMAGES = 3
_NOISE = 8  # round-offs of E


@dataclass(frozen=True, slots=True)
class Barrier:
    """What stands in the way along each path.

    Attributes:
        height: max E - max(E₀, E₁).
        excess: max[E - the chord from E₀ to E₁].
        place: Where E is largest, as a share of the arc length; the first such image.
        length: Of the path, in y.
        resolution: By how much the height of every second image falls short.
    """

    height: Float[Tensor, " n"]
    excess: Float[Tensor, " n"]
    place: Float[Tensor, " n"]
    length: Float[Tensor, " n"]
    resolution: Float[Tensor, " n"]


def straight_path(
    a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], num: Whole
) -> Float[Tensor, "n m d"]:
    """``num`` images in equal steps from a to b, both ends included and exact.

    Raises:
        ShapeError: Ends of different shapes, or fewer than 3 images.
    """
    num = whole("num", num)
    _check_ends(a, b, num)
    share = _shares(num, a)[None, :, None]
    return (1 - share) * a[:, None, :] + share * b[:, None, :]


def low_rank_path(
    a: Float[Tensor, "n d"],
    b: Float[Tensor, "n d"],
    num: Whole,
    *,
    shape: tuple[Whole, Whole],
    rank: Whole,
) -> Float[Tensor, "n m d"]:
    """A path of matrices of rank ≤ r: both singular subspaces on their Grassmann geodesics.

    With frames U(s) from the column space of A to that of B, and V(s) of the row spaces, the path
    is U(s)·M(s)·V(s)ᵀ, where the r × r middle goes straight from U(0)ᵀ·A·V(0) to U(1)ᵀ·B·V(1).
    Where r is the side, the subspaces stay and the path is the straight line.

    Raises:
        ShapeError: As `straight_path`; or the matrices are not of rank ≤ r (to 1e-8 of their norm;
            in float32 1e-4), so that such a path cannot begin there.
        ManifoldError: Matrices of lower rank, or subspaces with a right angle between them, which
            several geodesics join.

    Cost: an SVD of each end and of a few side × r matrices a row.
    """
    num, rank = whole_numbers(num=num, rank=rank)
    shape = whole("shape", shape[0]), whole("shape", shape[1])
    _check_ends(a, b, num)
    first = _of_rank(a, shape, rank, "a")
    last = _of_rank(b, shape, rank, "b")
    share = _shares(num, a)
    left = grassmann.geodesic(first.u, last.u, share)
    right = grassmann.geodesic(first.v, last.v, share)
    start = left[0].mT @ a.reshape(-1, *shape) @ right[0]
    end = left[-1].mT @ b.reshape(-1, *shape) @ right[-1]
    weight = share[:, None, None, None]
    path = left @ ((1 - weight) * start + weight * end) @ right.mT
    return _with_exact_ends(path, a, b)


def spd_path(
    a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], num: Whole, *, size: Whole
) -> Float[Tensor, "n m d"]:
    """The affine-invariant geodesic A^½(A^-½BA^-½)^s·A^½ of the ends' symmetric parts.

    The antisymmetric part goes straight: matrices with a positive definite symmetric part are the
    product of the cone and a flat space, and this is the geodesic of the product. A
    network's minima are symmetric to a few per cent only; where they are symmetric, it is the
    cone's.
    `geometry.spd.skew_share` says how much went straight.

    Raises:
        ShapeError: As `straight_path`.
        ManifoldError: Matrices whose symmetric part is not positive definite, with their number.

    Cost: two Cholesky factors and a singular value decomposition a row.
    Source: Bhatia (2007), Positive Definite Matrices, theorem 6.1.6.
    """
    num, size = whole_numbers(num=num, size=size)
    _check_ends(a, b, num)
    check_matrix("a", a, columns=size * size, of=f"{size} × {size}")
    first, last = a.reshape(-1, size, size), b.reshape(-1, size, size)
    share = _shares(num, a)
    ends = spd.symmetric_part(first), spd.symmetric_part(last)
    path = spd.affine_invariant_geodesic(*ends, share)
    weight = share[:, None, None, None]
    skew = (1 - weight) * (first - first.mT) / 2 + weight * (last - last.mT) / 2
    return _with_exact_ends(path + skew, a, b)


def energy_along(land: Landscape, images: Float[Tensor, "n m d"]) -> Float[Tensor, "n m"]:
    """E at every image of every row's path.

    Raises:
        ShapeError: Not images [n, m, d] of the landscape's rows.
        DtypeError, NonFiniteError: As the landscape's methods.

    Cost: one energy an image.
    """
    if images.ndim != 3 or images.shape[1] < 1:  # noqa: PLR2004 - the number of axes
        raise ShapeError(
            f"energy_along: expected images [n, m, d] with m ≥ 1, found {tuple(images.shape)}."
        )
    land.check_points(images[:, 0])
    n, m, d = images.shape
    rows = torch.arange(n, device=images.device).repeat_interleave(m)
    return land.select(rows).energy(images.reshape(n * m, d)).reshape(n, m)


def barrier(energy: Float[Tensor, "n m"], images: Float[Tensor, "n m d"]) -> Barrier:
    """The barriers of paths whose energies are known; see the module's text.

    Raises:
        ShapeError: Fewer than 3 images, or energies of another shape.
        DtypeError, NonFiniteError: Not finite tensors of one dtype and device.
    """
    lengths = _steps(energy, images)
    along = torch.cumsum(lengths, dim=1)
    total = along[:, -1]
    share = along / total.clamp_min(torch.finfo(energy.dtype).tiny)[:, None]
    share = torch.cat([torch.zeros_like(share[:, :1]), share], dim=1)
    first, last = energy[:, :1], energy[:, -1:]
    ends = torch.maximum(first, last)[:, 0]
    peak = energy.amax(dim=1)
    # The last image is an end whatever the number of images is.
    sparse = torch.cat([energy[:, ::2], last], dim=1).amax(dim=1)
    return Barrier(
        height=peak - ends,
        excess=(energy - (1 - share) * first - share * last).amax(dim=1).clamp_min(0),
        place=share.gather(1, energy.argmax(dim=1, keepdim=True))[:, 0],
        length=total,
        resolution=peak - sparse,
    )


def convexity(energy: Float[Tensor, "n m"], images: Float[Tensor, "n m d"]) -> Float[Tensor, " n"]:
    """ΣD/Σ|D| of the jumps D of the slope, -1 … 1; see the module's text.

    Jumps that round-off of E can make count as 0; NaN where no other is left, as on a line along
    which E is linear.

    Raises:
        ShapeError: Fewer than 3 images, energies of another shape, or two images in one place.
        DtypeError, NonFiniteError: As `barrier`.
    """
    lengths = _steps(energy, images)
    if bool((lengths <= 0).any()):
        raise ShapeError("convexity: expected images that differ, found two in one place.")
    jumps = (energy.diff(dim=1) / lengths).diff(dim=1)
    noise = _NOISE * torch.finfo(energy.dtype).eps * energy.abs().amax(dim=1, keepdim=True)
    noise = noise * (1 / lengths[:, 1:] + 1 / lengths[:, :-1])
    jumps = torch.where(jumps.abs() > noise, jumps, 0)
    size = jumps.abs().sum(dim=1)
    score: Tensor = torch.where(size > 0, jumps.sum(dim=1) / size, torch.nan)
    return score


def _steps(energy: Tensor, images: Tensor) -> Tensor:
    if images.ndim != 3 or energy.shape != images.shape[:2] or energy.shape[1] < _LEAST_IMAGES:  # noqa: PLR2004
        raise ShapeError(
            f"paths: expected at least {_LEAST_IMAGES} images [n, m, d] and an energy of each "
            f"[n, m], found {tuple(images.shape)} and {tuple(energy.shape)}."
        )
    check_like("energy", energy, images, "images")
    check_finite("images", images)
    check_finite("energy", energy)
    lengths: Tensor = images.diff(dim=1).norm(dim=2)
    return lengths


def _shares(num: int, like: Tensor) -> Tensor:
    return torch.linspace(0, 1, num, dtype=torch.float64, device="cpu").to(like)


def _check_ends(a: Tensor, b: Tensor, num: int) -> None:
    check_matrix("a", a)
    check_matrix("b", b, columns=a.shape[1], of="as a has")
    if a.shape != b.shape or num < _LEAST_IMAGES:
        raise ShapeError(
            f"path: expected ends of one shape and at least {_LEAST_IMAGES} images, found "
            f"{tuple(a.shape)}, {tuple(b.shape)} and {num}."
        )
    check_like("b", b, a, "a")


def _of_rank(y: Tensor, shape: tuple[int, int], rank: int, name: str) -> fixed_rank.FixedRank:
    check_matrix(name, y, columns=shape[0] * shape[1], of=f"{shape[0]} × {shape[1]}")
    matrices = y.reshape(-1, *shape)
    limit = 1e-8 if y.dtype == torch.float64 else 1e-4
    more = fixed_rank.distance(matrices, rank) > limit * y.norm(dim=1)
    if bool(more.any()):
        raise ShapeError(
            f"low_rank_path: {name}: expected matrices of rank ≤ {rank}, found "
            f"{int(more.sum())} of {len(more)} of higher rank. Cut them first, or use "
            "straight_path."
        )
    return fixed_rank.closest(matrices, rank)


def _with_exact_ends(path: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Matrices along the first axis as images of rows; the ends without round-off."""
    inner = path[1:-1].transpose(0, 1).flatten(2)
    return torch.cat([a[:, None], inner, b[:, None]], dim=1)
