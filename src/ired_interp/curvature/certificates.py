"""What is certain about computed eigenpairs: intervals, clusters, and the Morse index.

The theorems hold for a symmetric matrix H and exact arithmetic with the numbers at hand:

- an eigenvalue lies within ‖Hv - λv‖ of λ for a unit vector v (Parlett 1998, theorem 4.5.1);
- k of them lie within ‖HV - VΛ‖ of the k entries of Λ, for orthonormal V (theorem 11.5.1; Kahan);
- they lie within ‖HV - VΛ‖²/gap if Λ = VᵀHV and no other eigenvalue is nearer than the gap
  (theorem 11.7.1; Kato 1949, Temple 1928);
- shifting H by a matrix of norm η moves no eigenvalue by more than η (Weyl 1912).

The products are not exact, and no theorem bounds the error of an energy that is only known as a
program. So η is measured: `roundoff` evaluates products twice, in ways that round differently.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp import lapack
from ired_interp.curvature.dense import asked_before
from ired_interp.curvature.lanczos import random_start
from ired_interp.landscape import Landscape

__all__ = [
    "Enclosure",
    "MorseIndex",
    "enclose",
    "index_bounds",
    "lapack_error",
    "morse_index",
    "noise_bound",
    "num_probes",
    "probe_vectors",
    "products_elsewhere",
    "roundoff",
]

_NUM_PROBES = 2
_LEAST_SAMPLES = 8  # entries of all probes: in few dimensions more of them, against bad luck
_GOLDEN = (1 + math.sqrt(5)) / 2
_SAFETY = 8.0  # two samples of a noise, against the noise
_LEAST = 4.0  # of ε·√d·‖H‖: what products lose in any case
_LAPACK = 10.0  # p(d) = 10·d of the error bound ε·p(d)·‖H‖


@dataclass(frozen=True, slots=True)
class Enclosure:
    """Where eigenvalues are, for n points.

    Attributes:
        radii: An eigenvalue lies within that distance of each pair's value.
        clusters: Number of the cluster of each pair, ascending with λ; pairs whose intervals
            overlap, one through another, are in one.
        cluster_radii: As many eigenvalues, counted with multiplicity, as the pair's cluster has
            members lie within that distance of its members' values.
    """

    radii: Float[Tensor, "n e"]
    clusters: Int[Tensor, "n e"]
    cluster_radii: Float[Tensor, "n e"]


@dataclass(frozen=True, slots=True)
class MorseIndex:
    """Number of negative eigenvalues of n Hessians.

    Attributes:
        low: It is not less.
        high: It is not more.
    """

    low: Int[Tensor, " n"]
    high: Int[Tensor, " n"]

    @property
    def certain(self) -> Bool[Tensor, " n"]:
        """Where only one number is possible."""
        return self.low == self.high


def roundoff(
    land: Landscape,
    y: Float[Tensor, "n d"],
    images: Float[Tensor, "n m d"] | None,
    norm: Float[Tensor, " n"],
) -> Float[Tensor, " n"]:
    """How far, in the 2-norm, the Hessian that was computed may be from the true one.

    Products with random vectors are compared with `products_elsewhere`. A noise matrix N that is
    not aligned with the probes has ‖N‖ ≤ √d·‖N·z‖ on average over unit z; the bound is 8 times
    that, and at least 4·ε·√d·‖H‖. It is a measurement, not a theorem.

    Args:
        land: The landscape.
        y: The points.
        images: H times `probe_vectors` as it was computed; None: by ``land.product``.
        norm: ‖H‖.

    Cost: 2 products (more below 4 dimensions), twice that if ``images`` is None; two energies and
    gradients.
    """
    first = land.product(y)(probe_vectors(y)) if images is None else images
    return noise_bound(first, products_elsewhere(land, y), norm)


def products_elsewhere(land: Landscape, y: Float[Tensor, "n d"]) -> Float[Tensor, "n m d"]:
    """H times `probe_vectors`, computed in a way that rounds differently.

    The vectors are multiplied by numbers between 1 and 2 (these round elsewhere, each its own way),
    at a y whose entries are one unit of the last place further: that shows the rounding of the
    tangents and of the point.
    """
    probes = probe_vectors(y)
    signs = random_start(y, "roundoff/signs").sign()
    # Multiples of the golden ratio: no short patterns of digits that round alike.
    multiples = _GOLDEN * torch.arange(1, probes.shape[1] + 1, dtype=torch.float64, device="cpu")
    factors = (1 + multiples.frac()).to(y)[:, None]
    return land.product(y * (1 + torch.finfo(y.dtype).eps * signs))(factors * probes) / factors


def noise_bound(
    first: Float[Tensor, "n m d"], again: Float[Tensor, "n m d"], norm: Float[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """What `roundoff` concludes from products that were computed in two ways."""
    eps, d = torch.finfo(first.dtype).eps, first.shape[2]
    noise = torch.linalg.vector_norm(first - again, dim=2).amax(dim=1)
    bound: Tensor = math.sqrt(d) * (_SAFETY * noise + _LEAST * eps * norm)
    return bound


def num_probes(d: int) -> int:
    """How many vectors `roundoff` multiplies in d dimensions."""
    return max(_NUM_PROBES, math.ceil(_LEAST_SAMPLES / d))


def probe_vectors(like: Float[Tensor, "n d"]) -> Float[Tensor, "n m d"]:
    """The random unit vectors that `roundoff` compares products of."""
    draws = [random_start(like, f"roundoff/{i}") for i in range(num_probes(like.shape[1]))]
    return torch.stack(draws, dim=1)


def lapack_error(d: int, dtype: torch.dtype, norm: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Bound of the error of LAPACK's eigenvalues: 10·d·ε·‖H‖ (Users' Guide, section 4.7)."""
    return _LAPACK * d * torch.finfo(dtype).eps * norm


def enclose(
    values: Float[Tensor, "n e"],
    vectors: Float[Tensor, "n d e"],
    defects: Float[Tensor, "n d e"],
    error: Float[Tensor, " n"],
    *,
    full: bool = False,
    spectrum: Float[Tensor, "n d"] | None = None,
    spread: Float[Tensor, " n"] | None = None,
) -> Enclosure:
    """Intervals and clusters of computed pairs.

    Args:
        values: Rayleigh quotients.
        vectors: Unit columns, orthonormal but for pairs that are there twice.
        defects: HV - VΛ with the products that were computed.
        error: η, how far those may be from the true ones.
        full: Whether the pairs are a full decomposition by LAPACK: then their vectors are taken to
            be orthonormal to its error bound.
        spectrum: All eigenvalues, ascending, to ``spread``: with them the gaps are known and the
            quadratic bound is used.
        spread: Bound of their error.
    """
    length = torch.linalg.vector_norm(vectors, dim=1)
    residuals = torch.linalg.vector_norm(defects, dim=1)
    linear = residuals / length + error[:, None]
    once, skew = _orthonormality(vectors, full=full)
    clusters = _clusters(values, linear)
    squares = _total(residuals.square() * once, clusters)
    sizes = _extreme(values.abs(), clusters, "amax")
    # For V = QS, Q orthonormal and ‖VᵀV - I‖ = s: the defect of Q is at most ‖HV - VΛ‖/(1 - s),
    # and Λ is off QᵀHQ by 2·s·‖Λ‖ at most.
    block = squares.sqrt() / (1 - skew)[:, None] + 2 * skew[:, None] * sizes
    shared = block + error[:, None]
    if spectrum is None or spread is None:
        return Enclosure(linear, clusters, torch.maximum(shared, linear))
    reach = shared + spread[:, None]
    low = _extreme(values - reach, clusters, "amin").contiguous()
    high = _extreme(values + reach, clusters, "amax").contiguous()
    below = torch.searchsorted(spectrum, low)
    above = torch.searchsorted(spectrum, high, right=True)
    ends = torch.nn.functional.pad(spectrum, (1, 1), value=torch.inf)
    ends[:, 0] = -torch.inf
    under, over = values - ends.gather(1, below), ends.gather(1, above + 1) - values
    gaps = torch.minimum(under, over) - spread[:, None]
    # More eigenvalues than pairs near by: one that was not asked for is too close to call.
    known = (above - below <= _total(once.to(values), clusters)) & (gaps > block)
    quadratic = block.square() / torch.where(known, gaps, 1)
    sharp = torch.where(known, quadratic + error[:, None], torch.inf)
    return Enclosure(
        torch.minimum(linear, sharp), clusters, torch.minimum(torch.maximum(shared, linear), sharp)
    )


def index_bounds(
    values: Float[Tensor, "n e"],
    vectors: Float[Tensor, "n d e"],
    enclosure: Enclosure,
    *,
    full: bool = False,
) -> MorseIndex:
    """The index's range from pairs alone: clusters that lie below 0, and those above it."""
    once, _ = _orthonormality(vectors, full=full)
    low = _extreme(values - enclosure.cluster_radii, enclosure.clusters, "amin")
    high = _extreme(values + enclosure.cluster_radii, enclosure.clusters, "amax")
    negative, positive = ((high < 0) & once).sum(dim=1), ((low > 0) & once).sum(dim=1)
    return MorseIndex(negative, vectors.shape[1] - positive)


def _orthonormality(vectors: Tensor, *, full: bool) -> tuple[Tensor, Tensor]:
    """False for pairs that stand further up already, and ‖VᵀV - I‖ at most, of the others."""
    n, d, e = vectors.shape
    if full:
        share = min(0.5, _LAPACK * d * torch.finfo(vectors.dtype).eps)
        return vectors.new_ones(n, e, dtype=torch.bool), vectors.new_full((n,), share)
    once = ~asked_before(vectors)
    gram = vectors.mT @ vectors
    gram.diagonal(dim1=1, dim2=2).sub_(1)
    gram = gram * once[:, :, None] * once[:, None, :]
    return once, torch.linalg.matrix_norm(gram).clamp_max(0.5)


def _clusters(values: Tensor, radii: Tensor) -> Tensor:
    """Numbers of the groups of overlapping intervals, ascending with the values."""
    order = values.argsort(dim=1, stable=True)
    centres, widths = values.gather(1, order), radii.gather(1, order)
    reach = (centres + widths).cummax(dim=1).values
    apart = (centres - widths)[:, 1:] > reach[:, :-1]
    labels = torch.nn.functional.pad(apart.long().cumsum(dim=1), (1, 0))
    return torch.empty_like(labels).scatter_(1, order, labels)


def _total(numbers: Tensor, clusters: Tensor) -> Tensor:
    """The sum over each pair's cluster."""
    return torch.zeros_like(numbers).scatter_add_(1, clusters, numbers).gather(1, clusters)


def _extreme(numbers: Tensor, clusters: Tensor, which: Literal["amin", "amax"]) -> Tensor:
    """The least or the largest number of each pair's cluster."""
    empty = torch.zeros_like(numbers)
    found = empty.scatter_reduce_(1, clusters, numbers, which, include_self=False)
    return found.gather(1, clusters)


def morse_index(h: Float[Tensor, "n d d"], error: Float[Tensor, " n"]) -> MorseIndex:
    """Count negative eigenvalues by the inertia of H ± δ, computed in float64.

    δ exceeds the error of H and that of the factorisation, which is bounded from the factors. The
    index of H lies between those of H + δ and H - δ.

    Args:
        h: The Hessians as they were computed.
        error: How far they may be from the true ones.

    Cost: one Cholesky or two LDLᵀ factorisations, d³/3 operations each.
    """
    low, high = [], []
    with lapack.same_threads(h.shape[1]):
        for matrix, allowed in zip(h.double().cpu(), error.tolist(), strict=True):
            least, most = _count(matrix, allowed)
            low.append(least)
            high.append(most)
    return MorseIndex(torch.tensor(low, device="cpu"), torch.tensor(high, device="cpu"))


def _count(matrix: Tensor, allowed: float) -> tuple[int, int]:
    d = matrix.shape[0]
    eps = torch.finfo(torch.float64).eps
    size = float(matrix.abs().sum(dim=1).max())  # ≥ ‖H‖₂, and no square that overflows
    # Factors lose about d²·ε·‖H‖ by their bound; the shift is a little more than all losses.
    shift = 1.001 * allowed + 4 * d * (d + 10) * eps * size + torch.finfo(torch.float64).tiny
    lowered, raised = matrix.clone(), matrix.clone()
    lowered.diagonal().sub_(shift)
    error = lapack.cholesky_error(lowered)
    if error is not None and error + allowed < shift:
        return 0, 0
    raised.diagonal().add_(shift)
    fewest, most = lapack.inertia(raised), lapack.inertia(lowered)
    return (
        fewest.num_negative if fewest.error + allowed < shift else 0,
        most.num_negative if most.error + allowed < shift else d,
    )
