"""Eigenpairs of dense Hessians: all of them, or all values and the vectors of the wanted ones."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ired_interp import lapack
from ired_interp.curvature.ends import Ends

__all__ = ["DensePairs", "all_pairs", "asked_before", "rayleigh_ritz", "wanted_pairs"]

_PARTIAL_SHARE = 4  # fewer than d / 4 vectors: not all are computed
_PARTIAL_SIDE = 32  # below, all of them cost less than the choice


@dataclass(frozen=True, slots=True)
class DensePairs:
    """Eigenpairs of n matrices.

    Attributes:
        values: Of the pairs.
        vectors: As columns, orthonormal.
        images: H times the vectors.
        spectrum: All d eigenvalues, ascending, to the accuracy of LAPACK; of a Krylov space only
            the pairs' own.
        reductions: Of each matrix to tridiagonal form, where only some vectors were computed.
    """

    values: Float[Tensor, "n e"]
    vectors: Float[Tensor, "n d e"]
    images: Float[Tensor, "n d e"]
    spectrum: Float[Tensor, "n c"]
    reductions: tuple[lapack.Reduction, ...] = ()


def all_pairs(h: Float[Tensor, "n d d"]) -> DensePairs:
    """All eigenpairs, ascending. Cost: about 11·d³ operations a matrix, with H·V."""
    if h.device.type != "cpu" or h.shape[1] < _PARTIAL_SIDE:
        values, vectors = torch.linalg.eigh(h)
        return DensePairs(values, vectors, h @ vectors, values)
    values, rows, images = h.new_empty(h.shape[:2]), torch.empty_like(h), torch.empty_like(h)
    with lapack.same_threads(h.shape[1]):
        for i, matrix in enumerate(h):
            values[i], vectors = lapack.eigh(matrix)
            rows[i] = vectors.mT  # LAPACK's own layout
            lapack.multiply(rows[i], matrix, out=images[i])
    return DensePairs(values, rows.mT, images.mT, values)


def wanted_pairs(h: Float[Tensor, "n d d"], ends: Ends) -> DensePairs:
    """The wanted eigenpairs, in `Ends.choose`'s order, and all eigenvalues.

    On the CPU the matrix is reduced to tridiagonal form, which gives all eigenvalues; the wanted
    vectors come from inverse iteration and one Rayleigh-Ritz step with H itself.

    Cost: about 6·d³ operations a matrix for few pairs.
    """
    d = h.shape[1]
    few = _PARTIAL_SHARE * ends.num_pairs <= d and d >= _PARTIAL_SIDE
    if not few or h.device.type != "cpu":
        pairs = all_pairs(h)
        chosen = ends.choose(pairs.values)
        columns = chosen[:, None, :].expand(-1, d, -1)
        return DensePairs(
            pairs.values.gather(1, chosen),
            pairs.vectors.gather(2, columns),
            pairs.images.gather(2, columns),
            pairs.spectrum,
        )
    with lapack.same_threads(h.shape[1]):
        parts = [_few(matrix, ends) for matrix in h]
    return DensePairs(
        torch.cat([p.values for p in parts]),
        torch.cat([p.vectors for p in parts]),
        torch.cat([p.images for p in parts]),
        torch.cat([p.spectrum for p in parts]),
        tuple(reduction for p in parts for reduction in p.reductions),
    )


def _few(matrix: Tensor, ends: Ends) -> DensePairs:
    reduction = lapack.tridiagonalise(matrix)
    spectrum = reduction.eigenvalues()
    asked = ends.choose(spectrum[None])[0]
    chosen = torch.unique(asked)  # ascending; a pair may have been asked for twice
    vectors = torch.linalg.qr(reduction.eigenvectors(spectrum, chosen)).Q
    values, vectors, images = rayleigh_ritz(vectors, lapack.multiply(matrix, vectors))
    place = torch.searchsorted(chosen, asked)
    return DensePairs(
        values[None, place],
        vectors[None, :, place],
        images[None, :, place],
        spectrum[None],
        (reduction,),
    )


def rayleigh_ritz(
    basis: Float[Tensor, "*n d m"], images: Float[Tensor, "*n d m"]
) -> tuple[Float[Tensor, "*n m"], Float[Tensor, "*n d m"], Float[Tensor, "*n d m"]]:
    """Ritz values, ascending, vectors and images of an orthonormal basis and H times it."""
    projected = basis.mT @ images
    values, mixing = torch.linalg.eigh((projected + projected.mT) / 2)
    return values, basis @ mixing, images @ mixing


def asked_before(vectors: Float[Tensor, "n d e"]) -> Bool[Tensor, "n e"]:
    """Which pairs stand further up already: one that is of both ends may be asked for twice.

    Args:
        vectors: Unit columns, orthonormal but for such twins.
    """
    aligned = (vectors.mT @ vectors).abs() > 0.5  # noqa: PLR2004 - 1 or 0 but for rounding
    return aligned.tril(-1).any(dim=2)
