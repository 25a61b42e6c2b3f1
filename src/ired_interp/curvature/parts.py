"""Where curvature comes from: the Hessian's named parts, their spectra, and λ split into them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.curvature.spectra import spectrum
from ired_interp.errors import ShapeError
from ired_interp.landscape import Landscape

__all__ = ["PartSpectra", "Split", "part_spectra", "part_traces", "split"]


@dataclass(frozen=True, slots=True)
class Split:
    """vᵀHv along given vectors, split into the parts of H, in energy / y² for unit vectors.

    Attributes:
        names: Of the p parts.
        vectors: v, one a column, as given or the eigenvectors.
        curvatures: vᵀHv from a Hessian product: the eigenvalue, along an eigenvector.
        contributions: vᵀ(part)v of each part, computed without H. Exact for the v given. λ is
            stationary in v, its contributions are not: an eigenvector off by an angle φ moves the
            one by the order of φ², the others by up to 2φ·‖part‖.
        defects: |Σ contributions - vᵀHv|, what the split fails to explain: round-off, unless a
            model's parts are not those of its energy.
    """

    names: tuple[str, ...]
    vectors: Float[Tensor, "n d e"]
    curvatures: Float[Tensor, "n e"]
    contributions: Float[Tensor, "n p e"]
    defects: Float[Tensor, "n e"]


@dataclass(frozen=True, slots=True)
class PartSpectra:
    """Each part of H as a matrix of its own.

    Attributes:
        names: Of the p parts.
        eigenvalues: Of each part, ascending, in energy / y². They do not add up to those of H.
        residuals: ‖Pv - λv‖₂ of each pair of a part P: an eigenvalue of P lies within it of λ.
        traces: tr P. They add up to tr H.
        norms: ‖P‖_F.
        shares: ⟨P, H⟩_F / ‖H‖_F², which add up to 1; below 0 where a part works against H. NaN
            where H = 0.
        defects: ‖Σ P - H‖_F with H from `Landscape.hessian`.
    """

    names: tuple[str, ...]
    eigenvalues: Float[Tensor, "n p d"]
    residuals: Float[Tensor, "n p d"]
    traces: Float[Tensor, "n p"]
    norms: Float[Tensor, "n p"]
    shares: Float[Tensor, "n p"]
    defects: Float[Tensor, " n"]


def split(
    land: Landscape, y: Float[Tensor, "n d"], vectors: Float[Tensor, "n d e"] | None = None
) -> Split:
    """Split λ = vᵀHv of each vector into what each part of H contributes, exactly.

    Args:
        land: A landscape that knows its parts: a model such as IRED's network, or
            `Landscape.of_squares`.
        y: The points.
        vectors: Unit vectors, one a column, e.g. ``spectrum(…).eigenvectors``. None takes all d
            eigenvectors, ascending, from `spectrum`.

    Raises:
        EnergyError: The energy is not known as a sum of parts.
        ShapeError, DtypeError, NonFiniteError: An input does not fit, or E or a part is not finite.
        ConvergenceError: From `spectrum`.

    Cost: e Hessian products, and for the parts e forward tangents (IRED's network) or e products
    (`Landscape.of_squares`); no matrix. With ``vectors=None`` also all eigenpairs.
    Source: Schraudolph (2002), doi:10.1162/08997660260028683, for the Gauss-Newton part;
    docs/parts.md for the layers.
    """
    names = land.part_names
    land.check_points(y)
    if vectors is None:
        vectors = spectrum(land, y).eigenvectors
    elif vectors.ndim != 3 or vectors.shape[:2] != y.shape:  # noqa: PLR2004 - the number of axes
        raise ShapeError(
            f"vectors: expected shape ({y.shape[0]}, {y.shape[1]}, e), one vector a column, found "
            f"{tuple(vectors.shape)}."
        )
    curvatures, contributions = [], []
    for rows in _row_blocks(land, y, 2 * y.shape[1] * vectors.shape[2]):
        here, at, v = land.select(rows), y[rows], vectors[rows]
        curvatures.append((v * here.hvp(at, v)).sum(1))
        contributions.append(here.quadratic_parts(at, v))
    total, apart = torch.cat(curvatures), torch.cat(contributions)
    return Split(names, vectors, total, apart, (apart.sum(1) - total).abs())


def part_spectra(land: Landscape, y: Float[Tensor, "n d"]) -> PartSpectra:
    """All eigenvalues, the trace and the size of each part of H.

    Args:
        land: A landscape that knows its parts.
        y: The points.

    Raises:
        EnergyError: The energy is not known as a sum of parts.
        ShapeError, DtypeError, NonFiniteError: y does not fit, or a part is not finite.

    Cost: two dense Hessians (one of them in parts) and p full eigendecompositions a point.
    Source: Papyan (2019), arXiv:1901.08244, who compares such spectra for classifiers.
    """
    names, d = land.part_names, land.dim_y
    land.check_points(y)
    # The parts, their eigenvectors, the residuals' product and its difference, and H.
    numbers_a_row = (4 * len(names) + 2) * d * d
    blocks = [
        _part_spectra(land.select(rows), y[rows]) for rows in _row_blocks(land, y, numbers_a_row)
    ]
    return PartSpectra(names, *(torch.cat(column) for column in zip(*blocks, strict=True)))


def part_traces(land: Landscape, y: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
    """The trace of each part of H, exact to round-off, without forming a matrix.

    Args:
        land: A landscape that knows its parts.
        y: The points.

    Raises:
        EnergyError: The energy is not known as a sum of parts.
        ShapeError, DtypeError, NonFiniteError: y does not fit, or a part is not finite.

    Cost: `Landscape.quadratic_parts` along the d axes: d forward tangents (IRED's network) or d
    Hessian products (`Landscape.of_squares`).
    """
    land.check_points(y)
    d = y.shape[1]
    out = y.new_zeros(y.shape[0], len(land.part_names))
    num_columns = min(d, max(1, land.max_bytes // (3 * d * y.element_size())))
    for rows in _row_blocks(land, y, 3 * d * num_columns):
        here, at = land.select(rows), y[rows]
        for start in range(0, d, num_columns):
            axes = torch.arange(start, min(start + num_columns, d), device=y.device)
            v = y.new_zeros(d, len(axes))
            v[axes, axes - start] = 1
            out[rows] += here.quadratic_parts(at, v.expand(at.shape[0], -1, -1)).sum(-1)
    return out


def _row_blocks(land: Landscape, y: Tensor, numbers_a_row: int) -> list[slice]:
    step = max(1, land.max_bytes // max(1, numbers_a_row * y.element_size()))
    return [slice(start, start + step) for start in range(0, y.shape[0], step)]


def _part_spectra(land: Landscape, y: Tensor) -> tuple[Tensor, ...]:
    """The tensors of `PartSpectra`, in its order."""
    parts, h = land.hessian_parts(y), land.hessian(y)
    values, vectors = torch.linalg.eigh(parts)
    residuals = torch.linalg.vector_norm(parts @ vectors - vectors * values[..., None, :], dim=-2)
    # Scaled first, so that no square over- or underflows.
    scale = parts.abs().amax(dim=(1, 2, 3))
    scale = torch.where(scale > 0, scale, 1)
    small, whole = parts / scale[:, None, None, None], h / scale[:, None, None]
    along = (small.flatten(2) @ whole.flatten(1)[..., None])[..., 0]
    return (
        values,
        residuals,
        parts.diagonal(dim1=-2, dim2=-1).sum(-1),
        scale[:, None] * torch.linalg.matrix_norm(small),
        along / whole.flatten(1).square().sum(1, keepdim=True),
        scale * torch.linalg.matrix_norm(small.sum(1) - whole),
    )
