"""Eigenpairs against planted spectra, NumPy, and 40 digits of mpmath."""

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
import torch
from torch import Tensor

import planted
from ired_interp.curvature import Spectrum, spectrum
from ired_interp.errors import ConvergenceError, DtypeError, NonFiniteError, ShapeError
from ired_interp.landscape import Landscape

EPS = torch.finfo(torch.float64).eps

SPECTRA: dict[str, list[float]] = {
    "positive": [0.5, 1.0, 2.0, 3.5, 8.0],
    "mixed signs": [-7.0, -2.0, 0.5, 3.0, 6.5],
    "negative": [-4.0, -3.0, -2.0, -1.0, -0.5],
    "double": [1.0, 1.0, 2.0, 2.0, 5.0],
    "cluster": [1.0, 1.0 + 1e-13, 1.0 + 2e-13, 1.0 + 1e-9, 3.0],
    "all equal": [2.5] * 5,
    "with zeros": [-1.0, 0.0, 0.0, 0.0, 2.0],
    "zero": [0.0] * 5,
    "condition 1e12": [1e-12, 1e-9, 1e-6, 1e-3, 1.0],
    "equal sizes": [-3.0, -1.0, 1.0, 2.0, 3.0],
    "one": [-0.75],
    "tiny": [1e-200, 2e-200, 3e-200],
    "huge": [-1e150, 2e150, 3e150],
}
spectra = pytest.mark.parametrize("name", SPECTRA)


def _planted(name: str, *, n: int = 3, seed: int = 0) -> tuple[Tensor, Landscape, Tensor]:
    values = sorted(SPECTRA[name])
    a = planted.symmetric(values, seed=seed)
    return a, planted.quadratic(a), planted.normal(n, len(values), seed=seed + 1)


@spectra
@pytest.mark.parametrize("seed", [0, 1])
def test_eigenvalues_are_the_planted_ones_and_numpy_s(name: str, seed: int) -> None:
    a, land, y = _planted(name, seed=seed)
    found = spectrum(land, y)
    values = torch.tensor(sorted(SPECTRA[name]), dtype=torch.float64)
    norm = float(values.abs().max())
    reference = torch.from_numpy(np.linalg.eigvalsh(a.numpy()))
    assert found.eigenvalues.shape == (3, len(values))
    assert (found.eigenvalues - values).abs().max() <= 1e-10 * norm
    assert (found.eigenvalues - reference).abs().max() <= 1e-10 * norm
    assert (found.norm - norm).abs().max() <= 1e-10 * norm
    assert bool((found.eigenvalues.diff(dim=1) >= 0).all())


@spectra
def test_eigenvectors_are_orthonormal_and_rebuild_the_matrix(name: str) -> None:
    a, land, y = _planted(name)
    found = spectrum(land, y)
    d = a.shape[0]
    q, norm = found.eigenvectors, float(a.abs().max())
    assert (q.mT @ q - torch.eye(d, dtype=torch.float64)).abs().max() < 1e-13
    rebuilt = q * found.eigenvalues[:, None, :] @ q.mT
    assert (rebuilt - a).abs().max() <= 1e-13 * norm * d
    assert found.residuals.shape == (3, d)
    direct = torch.linalg.vector_norm(a @ q - q * found.eigenvalues[:, None, :], dim=1)
    assert (found.residuals - direct).abs().max() <= 1e-13 * norm * d
    assert bool((found.residuals >= 0).all())


@spectra
def test_a_true_eigenvalue_lies_within_each_residual(name: str) -> None:
    a, land, y = _planted(name, n=1)
    found = spectrum(land, y)
    with mpmath.workdps(40):
        matrix = mpmath.matrix(
            [[mpmath.mpf(v) for v in row] for row in land.hessian(y)[0].tolist()]
        )
        truth = list(mpmath.eigsy(matrix, eigvals_only=True))
        for value, residual in zip(
            found.eigenvalues[0].tolist(), found.residuals[0].tolist(), strict=True
        ):
            gap = min(abs(mpmath.mpf(value) - exact) for exact in truth)
            # The residual itself is computed to d·ε·‖H‖.
            assert float(gap) <= residual + a.shape[0] * EPS * float(found.norm[0])


@spectra
def test_top_comes_by_falling_size_and_bottom_by_rising_value(name: str) -> None:
    _, land, y = _planted(name, n=2)
    d = y.shape[1]
    every = spectrum(land, y)
    values = every.eigenvalues.numpy()
    for top in sorted({0, 1, d // 2, d}):
        for bottom in sorted({0, 1, d // 2, d}):
            if top == bottom == 0:
                continue
            found = spectrum(land, y, top=top, bottom=bottom)
            assert found.eigenvalues.shape == (2, top + bottom)
            assert found.eigenvectors.shape == (2, d, top + bottom)
            assert found.residuals.shape == (2, top + bottom)
            for i in range(2):
                by_size = np.sort(np.abs(values[i]))[::-1][:top]
                assert np.array_equal(np.abs(found.eigenvalues[i, :top].numpy()), by_size)
                assert np.array_equal(found.eigenvalues[i, top:].numpy(), values[i, :bottom])
            assert torch.equal(found.norm, every.norm)
            _check_pairs(land, y, found)


def _check_pairs(land: Landscape, y: Tensor, found: Spectrum) -> None:
    """Each vector belongs to the eigenvalue at its own place."""
    h = land.hessian(y)
    off = h @ found.eigenvectors - found.eigenvectors * found.eigenvalues[:, None, :]
    size = found.norm[:, None].clamp_min(1e-300)
    assert (torch.linalg.vector_norm(off, dim=1) / size).max() < 1e-13
    lengths = torch.linalg.vector_norm(found.eigenvectors, dim=1)
    assert (lengths - 1).abs().max() < 1e-13


def test_a_pair_may_be_at_the_top_and_at_the_bottom() -> None:
    land = planted.quadratic(planted.symmetric([-5.0, 1.0, 2.0], seed=0))
    found = spectrum(land, planted.normal(1, 3, seed=0), top=2, bottom=2)
    assert found.eigenvalues[0].tolist() == pytest.approx([-5, 2, -5, 1], rel=1e-13)
    assert torch.equal(found.eigenvectors[0, :, 0], found.eigenvectors[0, :, 2])


@pytest.mark.parametrize("max_bytes", [1, 2_000, 2**28])
def test_chunks_of_points_give_the_same_spectra(max_bytes: int) -> None:
    model = planted.network(4, 4, width=12, gain=2.0)
    x, y = planted.normal(9, 4, seed=1), planted.normal(9, 4, seed=2)
    levels = [1, 10, 3, 4, 5, 6, 7, 8, 9]
    expected = spectrum(Landscape(model, x, levels), y, top=3, bottom=2)
    found = spectrum(Landscape(model, x, levels, max_bytes=max_bytes), y, top=3, bottom=2)
    norm = expected.norm[:, None]
    assert ((found.eigenvalues - expected.eigenvalues).abs() <= 1e-12 * norm).all()
    one = spectrum(Landscape(model, x[4:5], 5), y[4:5], top=3, bottom=2)
    assert ((one.eigenvalues - expected.eigenvalues[4:5]).abs() <= 1e-12 * norm[4:5]).all()
    hessians = Landscape(model, x, levels).hessian(y).numpy()
    full = spectrum(Landscape(model, x, levels, max_bytes=max_bytes), y)
    assert np.abs(full.eigenvalues.numpy() - np.linalg.eigvalsh(hessians)).max() < 1e-10 * float(
        norm.max()
    )


@pytest.mark.parametrize("max_bytes", [1, 2_000, 2**28])
@pytest.mark.parametrize("n", [3, 7])
def test_points_that_are_not_one_a_question_are_refused(max_bytes: int, n: int) -> None:
    # Also where the first chunks happen to match.
    x = planted.normal(5, 3, seed=0)
    land = Landscape.of(lambda x, y: ((y - x) ** 2).sum(-1), 3, x, max_bytes=max_bytes)
    with pytest.raises(ShapeError, match=f"expected 5 rows, one a row of x, found {n}"):
        spectrum(land, planted.normal(n, 3, seed=1))


@pytest.mark.parametrize(
    ("top", "bottom", "message"),
    [
        (5, 0, r"top: expected 0 … d = 4"),
        (-1, 1, r"top: expected 0 … d = 4"),
        (1, 5, r"bottom: expected 0 … d = 4"),
        (1, -1, r"bottom: expected 0 … d = 4"),
        (0, 0, "nothing asked for"),
        (None, 1, "top=None asks for all"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(
    top: int | None, bottom: int, message: str
) -> None:
    land = planted.quadratic(planted.symmetric([1.0, 2.0, 3.0, 4.0], seed=0))
    with pytest.raises(ShapeError, match=message):
        spectrum(land, planted.normal(2, 4, seed=0), top=top, bottom=bottom)


@pytest.mark.parametrize("tol", [0.0, -1e-8, float("nan")])
def test_tolerances_that_are_not_positive_are_refused(tol: float) -> None:
    land = planted.quadratic(planted.symmetric([1.0, 2.0], seed=0))
    with pytest.raises(ShapeError, match="tol"):
        spectrum(land, planted.normal(2, 2, seed=0), tol=tol)


def test_points_that_do_not_fit_are_refused() -> None:
    land = planted.quadratic(planted.symmetric([1.0, 2.0], seed=0))
    with pytest.raises(ShapeError, match="y"):
        spectrum(land, planted.normal(2, 3, seed=0))
    with pytest.raises(ShapeError, match="y"):
        spectrum(land, planted.normal(0, 2, seed=0))
    with pytest.raises(NonFiniteError, match="y"):
        spectrum(land, planted.normal(2, 2, seed=0) * torch.nan)
    with pytest.raises(DtypeError, match="y"):
        spectrum(
            Landscape(planted.network(2, 2), planted.normal(2, 2, seed=0), 3),
            torch.zeros(2, 2, dtype=torch.float32),
        )


def test_a_residual_above_the_tolerance_is_an_error() -> None:
    land = planted.quadratic(planted.symmetric([1.0, 2.0, 3.0, 7.0], seed=0))
    with pytest.raises(ConvergenceError, match=r"expected residuals ≤ 1.0e-20·‖H‖.* of 2 points"):
        spectrum(land, planted.normal(2, 4, seed=0), tol=1e-20)


def test_float32_is_float64_to_its_own_precision() -> None:
    model = planted.network(4, 6, width=16, gain=2.0)
    x, y = planted.normal(5, 4, seed=1), planted.normal(5, 6, seed=2)
    exact = spectrum(Landscape(model, x, 7), y)
    rough = spectrum(Landscape(model.float(), x.float(), 7), y.float())
    assert rough.eigenvalues.dtype == torch.float32
    gap = (rough.eigenvalues - exact.eigenvalues).abs()
    assert bool((gap <= 1e-5 * exact.norm[:, None]).all())
    assert bool((rough.residuals <= 1e-5 * rough.norm[:, None]).all())
