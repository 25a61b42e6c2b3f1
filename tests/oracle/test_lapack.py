"""Our calls of BLAS and LAPACK against NumPy, closed forms and exact arithmetic."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

import planted
from ired_interp import lapack

dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
sides = pytest.mark.parametrize("d", [1, 2, 3, 40])

SPECTRA: dict[str, list[float]] = {
    "one": [-0.75],
    "two": [-2.0, 3.0],
    "spread": np.linspace(-3, 5, 37).tolist(),
    "rank two": [0.0] * 20 + [1.0, -4.0],
    "multiple": [2.0] * 10 + [-1.0] * 10 + [5.0],
    "close": [1.0 + 1e-6 * i for i in range(10)] + [0.0, -1.0],
    "zero": [0.0] * 6,
    "identity": [3.0] * 8,
}
spectra = pytest.mark.parametrize("name", SPECTRA)


def _eps(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).eps


def _near(found: Tensor, expected: Tensor, share: float) -> None:
    """Equal to a share of the largest entry (absolutely where all are 0)."""
    scale = max(float(expected.double().abs().max()), 1e-300) if expected.numel() else 1.0
    assert found.shape == expected.shape
    assert float((found.double() - expected.double()).abs().amax().item()) <= share * scale


def _block_diagonal(*blocks: Tensor) -> Tensor:
    result: Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return result


# Products


@dtypes
@pytest.mark.parametrize(("r", "k", "c"), [(1, 1, 1), (3, 1, 4), (1, 5, 2), (40, 30, 20)])
def test_multiply_is_the_product(dtype: torch.dtype, r: int, k: int, c: int) -> None:
    a, b = planted.normal(r, k, seed=0).to(dtype), planted.normal(k, c, seed=1).to(dtype)
    found = lapack.multiply(a, b)
    assert found.dtype == dtype
    _near(found, a.double() @ b.double(), 10 * k * _eps(dtype))


def test_multiply_takes_transposes_and_slices_as_they_look() -> None:
    wide = planted.normal(6, 9, seed=2)
    a, b = wide[::2, 1:5].mT, wide[1::2, ::3]
    _near(lapack.multiply(a, b), a @ b, 1e-14)


def test_multiply_writes_where_it_is_told() -> None:
    a, b = planted.normal(6, 4, seed=2), planted.normal(4, 5, seed=3)
    rows = torch.zeros(9, 5, dtype=a.dtype)
    found = lapack.multiply(a, b, out=rows[2:8])
    _near(rows[2:8], a @ b, 1e-14)
    assert found.data_ptr() == rows[2:8].data_ptr()
    assert not rows[:2].any()
    assert not rows[8:].any()


@dtypes
@pytest.mark.parametrize("d", [1, 2, 12])
@pytest.mark.parametrize(("p", "q"), [(0, 0), (0, 5), (5, 0), (1, 1), (30, 20)])
def test_gram_is_the_difference_of_two_symmetric_products(
    dtype: torch.dtype, d: int, p: int, q: int
) -> None:
    plus, minus = planted.normal(p, d, seed=3).to(dtype), planted.normal(q, d, seed=4).to(dtype)
    before = plus.clone(), minus.clone()
    out = torch.full((d, d), torch.nan, dtype=dtype)
    found = lapack.gram_(out, plus, minus)
    assert found.data_ptr() == out.data_ptr()
    assert torch.equal(out, out.mT)
    expected = plus.double().mT @ plus.double() - minus.double().mT @ minus.double()
    size = float(plus.double().square().sum() + minus.double().square().sum()) + 1e-300
    assert float((out.double() - expected).abs().max()) <= 10 * (p + q + 1) * _eps(dtype) * size
    assert torch.equal(plus, before[0])
    assert torch.equal(minus, before[1])


@dtypes
@pytest.mark.parametrize("layout", ["rows", "columns", "every other"])
def test_project_out_takes_the_components_away_in_place(dtype: torch.dtype, layout: str) -> None:
    n, k, d = 3, 4, 30
    basis = torch.linalg.qr(planted.normal(n, d, k, seed=5)).Q.mT.to(dtype).contiguous()
    values = planted.normal(n, d, seed=6).to(dtype)
    vectors = {
        "rows": values.clone(),
        "columns": values.mT.contiguous().mT,
        "every other": values.repeat_interleave(2, dim=1)[:, ::2],
    }[layout]
    expected = values.double() - torch.einsum(
        "nkd,nke,ne->nd", basis.double(), basis.double(), values.double()
    )
    found = lapack.project_out_(vectors, basis)
    assert found is vectors
    _near(vectors, expected, 30 * _eps(dtype))


def test_project_out_of_nothing_changes_nothing() -> None:
    values = planted.normal(2, 5, seed=7)
    found = lapack.project_out_(values.clone(), torch.zeros(2, 3, 5, dtype=torch.float64))
    assert torch.equal(found, values)


# Eigenpairs


@dtypes
@spectra
def test_eigh_finds_the_planted_spectrum(name: str, dtype: torch.dtype) -> None:
    a = planted.symmetric(SPECTRA[name], seed=8).to(dtype)
    before = a.clone()
    values, vectors = lapack.eigh(a)
    expected = torch.from_numpy(np.linalg.eigvalsh(a.double().numpy()))
    d, norm = len(SPECTRA[name]), max(float(expected.abs().max()), 1e-300)
    assert torch.equal(a, before)
    assert bool((values.diff() >= 0).all())
    _near(values, expected, 10 * d * _eps(dtype))
    eye = torch.eye(d, dtype=torch.float64)
    assert (vectors.double().mT @ vectors.double() - eye).abs().max() <= 10 * d * _eps(dtype)
    off = a.double() @ vectors.double() - vectors.double() * values.double()
    assert off.abs().max() <= 10 * d * _eps(dtype) * norm


@dtypes
@pytest.mark.parametrize("name", sorted(SPECTRA.keys() - {"one"}))
def test_a_reduction_is_the_matrix_in_other_axes(name: str, dtype: torch.dtype) -> None:
    a = planted.symmetric(SPECTRA[name], seed=9).to(dtype)
    before, d = a.clone(), len(SPECTRA[name])
    reduction = lapack.tridiagonalise(a)
    assert torch.equal(a, before)
    t = torch.diag(reduction.diagonal)
    t += torch.diag(reduction.off_diagonal, 1) + torch.diag(reduction.off_diagonal, -1)
    eye = torch.eye(d, dtype=dtype)
    q = reduction.rotate(eye).double()
    assert (q.mT @ q - torch.eye(d)).abs().max() <= 10 * d * _eps(dtype)
    _near(q @ t.double() @ q.mT, a, 10 * d * _eps(dtype))
    _near(reduction.rotate_back(eye), q.mT, 10 * d * _eps(dtype))
    truth = torch.from_numpy(np.linalg.eigvalsh(a.double().numpy()))
    _near(reduction.eigenvalues(), truth, 10 * d * _eps(dtype))


@dtypes
@pytest.mark.parametrize("name", sorted(SPECTRA.keys() - {"one"}))
@pytest.mark.parametrize("which", ["first", "last", "ends", "all", "none"])
def test_a_reduction_s_eigenvectors_are_those_of_the_values(
    name: str, dtype: torch.dtype, which: str
) -> None:
    a = planted.symmetric(SPECTRA[name], seed=10).to(dtype)
    d = len(SPECTRA[name])
    chosen = torch.tensor(
        {"first": [0], "last": [d - 1], "ends": [0, d - 1], "all": [*range(d)], "none": []}[which],
        dtype=torch.int64,
    )
    reduction = lapack.tridiagonalise(a)
    values = reduction.eigenvalues()
    vectors = reduction.eigenvectors(values, chosen)
    assert vectors.shape == (d, len(chosen))
    if not len(chosen):
        return
    norm = max(float(values.abs().max()), 1e-300)
    off = a.double() @ vectors.double() - vectors.double() * values[chosen].double()
    assert off.abs().max() <= 20 * d * _eps(dtype) * norm
    assert (torch.linalg.vector_norm(vectors, dim=0) - 1).abs().max() <= 20 * d * _eps(dtype)
    rank = torch.linalg.matrix_rank(vectors.double(), rtol=1e-2)
    assert int(rank) == len(chosen)


@dtypes
@pytest.mark.parametrize("blocks", [[3, 4], [1, 1, 1], [5, 1, 6], [2, 2]])
def test_a_matrix_that_splits_has_the_vectors_of_its_blocks(
    dtype: torch.dtype, blocks: list[int]
) -> None:
    # Each block is tridiagonal already, so that the reduction meets off-diagonal zeros.
    parts = []
    for i, size in enumerate(blocks):
        off = torch.ones(size - 1, dtype=dtype)
        part = torch.diag(off, 1) + torch.diag(off, -1) if size > 1 else torch.zeros(1, 1).to(dtype)
        parts.append(part + i * torch.eye(size, dtype=dtype))
    a = _block_diagonal(*parts).to(dtype)
    d = a.shape[0]
    reduction = lapack.tridiagonalise(a)
    values = reduction.eigenvalues()
    vectors = reduction.eigenvectors(values, torch.arange(d)).double()
    assert (a.double() @ vectors - vectors * values.double()).abs().max() <= 20 * d * _eps(dtype)
    assert (vectors.mT @ vectors - torch.eye(d)).abs().max() <= 20 * d * _eps(dtype)


@pytest.mark.parametrize("d", [2, 3, 25])
def test_shifted_systems_are_solved(d: int) -> None:
    a = planted.symmetric(np.linspace(-1, 2, d).tolist(), seed=11)
    reduction = lapack.tridiagonalise(a)
    sides = planted.normal(d, 3, seed=12)
    shifts = torch.tensor([-1.5, 0.1234, 7.0], dtype=torch.float64)
    found = reduction.solve_shifted(sides, shifts)
    t = torch.diag(reduction.diagonal)
    t += torch.diag(reduction.off_diagonal, 1) + torch.diag(reduction.off_diagonal, -1)
    for j, shift in enumerate(shifts.tolist()):
        back = t @ found[:, j] - shift * found[:, j]
        scale = float(found[:, j].abs().max()) * (3 + abs(shift))
        assert (back - sides[:, j]).abs().max() <= 10 * d * 2.2e-16 * scale


def test_a_shift_that_is_an_eigenvalue_gives_a_large_solution_along_its_vector() -> None:
    a = torch.diag(torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64))
    reduction = lapack.tridiagonalise(a)
    right = torch.ones(3, 1, dtype=torch.float64)
    found = reduction.rotate(reduction.solve_shifted(right, torch.tensor([2.0]).double()))
    found /= torch.linalg.vector_norm(found)
    assert bool(torch.isfinite(found).all())
    assert abs(abs(float(found[1, 0])) - 1) <= 1e-12


@dtypes
@sides
def test_the_second_difference_has_its_closed_form(d: int, dtype: torch.dtype) -> None:
    diagonal, off = torch.full((d,), 2.0, dtype=dtype), torch.full((d - 1,), -1.0, dtype=dtype)
    values, vectors = lapack.tridiagonal_eigh(diagonal, off)
    k = torch.arange(1, d + 1, dtype=torch.float64)
    expected = 2 - 2 * torch.cos(torch.pi * k / (d + 1))
    assert (values.double() - expected).abs().max() <= 10 * d * _eps(dtype) * 4
    waves = torch.sin(torch.pi * torch.outer(k, k) / (d + 1)) * (2 / (d + 1)) ** 0.5
    cosines = (waves * vectors.double()).sum(dim=0).abs()
    assert (cosines - 1).abs().max() <= 100 * d * d * _eps(dtype)


# Inertia


def _signed(values: list[float], *, seed: int) -> Tensor:
    return planted.symmetric(values, seed=seed)


@pytest.mark.parametrize("num_negative", [0, 1, 7, 19, 20])
@pytest.mark.parametrize("seed", range(4))
def test_inertia_counts_planted_signs(num_negative: int, seed: int) -> None:
    sizes = np.geomspace(1e-3, 10, 20)
    values = np.where(np.arange(20) % 20 < num_negative, -sizes, sizes)
    found = lapack.inertia(_signed(values.tolist(), seed=seed))
    assert found.num_negative == num_negative
    assert 0 < found.error < 1e-3  # so that the count is that of the matrix itself


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1.0, 1e150, 1e300])
@pytest.mark.parametrize("num_blocks", [1, 2, 5])
def test_pivots_of_two_by_two_count_one_each_at_any_scale(num_blocks: int, scale: float) -> None:
    block = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64) * scale
    found = lapack.inertia(_block_diagonal(*[block] * num_blocks))
    assert found.num_negative == num_blocks


@pytest.mark.parametrize("signs", list(itertools.product([-1.0, 0.0, 1.0], repeat=3)), ids=str)
def test_inertia_of_diagonal_matrices(signs: tuple[float, ...]) -> None:
    found = lapack.inertia(torch.diag(torch.tensor(signs, dtype=torch.float64)))
    assert found.num_negative == signs.count(-1.0)


@pytest.mark.parametrize("seed", range(8))
def test_singles_and_pairs_of_pivots_together_are_counted(seed: int) -> None:
    # An empty diagonal makes pairs, a heavy one singles; the determinant's sign is exact.
    a = planted.normal(7, 7, seed=seed).round()
    a = a + a.mT
    a.diagonal().copy_(torch.tensor([0.0, 0, 0, 9, -9, 0, 0]))
    if _exact_determinant(a) == 0:
        a[0, 0] = 0.5
    determinant = _exact_determinant(a)
    assert determinant != 0
    found = lapack.inertia(a)
    assert (found.num_negative % 2 == 1) == (determinant < 0)
    assert found.num_negative == int((np.linalg.eigvalsh(a.numpy()) < 0).sum())


def _exact_determinant(a: Tensor) -> Fraction:
    rows = [[Fraction(v) for v in row] for row in a.tolist()]
    result = Fraction(1)
    for i in range(len(rows)):
        pivot = next((r for r in range(i, len(rows)) if rows[r][i] != 0), None)
        if pivot is None:
            return Fraction(0)
        if pivot != i:
            rows[i], rows[pivot] = rows[pivot], rows[i]
            result = -result
        result *= rows[i][i]
        for r in range(i + 1, len(rows)):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [x - factor * y for x, y in zip(rows[r], rows[i], strict=True)]
    return result


@pytest.mark.parametrize("kind", ["random", "empty diagonal", "graded", "rank two", "float64"])
@pytest.mark.parametrize("seed", range(3))
def test_the_bound_of_inertia_covers_the_error_of_its_factors(kind: str, seed: int) -> None:
    """In float32, so that the factorisation's error can be seen in float64."""
    d = 30
    a = planted.normal(d, d, seed=seed)
    a = a + a.mT
    if kind == "empty diagonal":
        a.diagonal().zero_()
    if kind == "graded":
        a *= torch.outer(s := torch.logspace(0, -6, d, dtype=torch.float64), s)
    if kind == "rank two":
        a = _signed([0.0] * (d - 2) + [1.0, -1.0], seed=seed)
    dtype = torch.float64 if kind == "float64" else torch.float32
    bound = lapack.inertia(a.to(dtype)).error
    assert _factor_error(a.to(dtype)) <= bound
    assert bound <= 1e4 * d * _eps(dtype) * float(a.abs().max())  # and is no empty promise


def _factor_error(a: Tensor) -> float:
    """‖A - LDLᵀ‖ of LAPACK's factors, rebuilt in extended precision by SciPy's own reader."""
    from scipy.linalg import ldl

    lower, middle, _ = ldl(a.numpy(), lower=True)
    lower, middle = lower.astype(np.longdouble), middle.astype(np.longdouble)
    off = a.numpy().astype(np.longdouble) - lower @ middle @ lower.T
    return float(np.linalg.norm(off.astype(np.float64), 2))


@dtypes
def test_cholesky_says_how_far_its_product_is_from_the_matrix(dtype: torch.dtype) -> None:
    a = planted.symmetric(np.geomspace(1e-2, 5, 30).tolist(), seed=0).to(dtype)
    bound = lapack.cholesky_error(a)
    assert bound is not None
    lower = np.linalg.cholesky(a.numpy()).astype(np.longdouble)
    off = (a.numpy().astype(np.longdouble) - lower @ lower.T).astype(np.float64)
    assert np.linalg.norm(off, 2) <= bound <= 1e3 * 30 * _eps(dtype) * 5


@dtypes
@pytest.mark.parametrize(
    "values", [[-1.0], [0.0, 0.0, 0.0], [1.0, -1e-3], [2.0] * 9 + [-2.0]], ids=str
)
def test_cholesky_breaks_down_where_the_matrix_is_not_positive(
    values: list[float], dtype: torch.dtype
) -> None:
    assert lapack.cholesky_error(planted.symmetric(values, seed=1).to(dtype)) is None


def test_cholesky_of_a_number() -> None:
    bound = lapack.cholesky_error(torch.tensor([[4.0]], dtype=torch.float64))
    assert bound is not None
    assert 0 < bound <= 1e-14


def test_the_pool_of_threads_follows_torch_and_is_given_back() -> None:
    from threadpoolctl import threadpool_info

    def limits() -> list[int]:
        return [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]

    before, threads = limits(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with lapack.same_threads(2000):
            assert set(limits()) == {2}
        with lapack.same_threads(100):  # too small for two pools at once
            assert set(limits()) == {1}
    finally:
        torch.set_num_threads(threads)
    assert limits() == before
