"""The geometry where the answer is known: right angles, second differences, what is refused."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import mpmath  # type: ignore[import-untyped]
import pytest
import torch
from torch import Tensor

import planted
from ired_interp.errors import (
    ConvergenceError,
    DtypeError,
    ManifoldError,
    NonFiniteError,
    ShapeError,
)
from ired_interp.geometry import fixed_rank, grassmann, orthonormalise, restriction, spd

HALF_PI = math.pi / 2
EYE = torch.eye(6, dtype=torch.float64)


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as users call it: pytest checks the annotations before the function does."""
    unwrapped: Callable[..., Any] = inspect.unwrap(function)
    return unwrapped


def axes(*numbers: int) -> Tensor:
    return EYE[:, list(numbers)]


def rotated(angles: list[float]) -> tuple[Tensor, Tensor]:
    theta = torch.tensor(angles, dtype=torch.float64)
    q, k = planted.orthogonal(2 * len(angles) + 1, seed=3), len(angles)
    b = q[:, :k] * theta.cos() + q[:, k : 2 * k] * theta.sin()
    return q[:, :k], b @ planted.orthogonal(k, seed=4)


# -- Grassmann ---------------------------------------------------------------------------------


def test_orthogonal_planes_are_pi_over_root_two_apart() -> None:
    a, b = axes(0, 1), axes(2, 3)  # geomstats 2.8.0 says 0
    assert float(grassmann.distance(a, b)) == pytest.approx(math.sqrt(2) * HALF_PI, rel=1e-15)
    assert float(grassmann.chordal_squared(a, b)) == 2.0
    way = grassmann.log(a, b)
    assert not bool(way.unique)
    assert way.angles.tolist() == pytest.approx([HALF_PI, HALF_PI], abs=1e-15)
    assert float(grassmann.distance(grassmann.exp(a, way.tangent), b)) < 1e-14
    with pytest.raises(ManifoldError, match="found 1 of 1 pairs with a right one"):
        grassmann.geodesic(a, b, torch.tensor([0.5], dtype=torch.float64))


@pytest.mark.parametrize("largest", [0.0, 1e-9, 1e-3, 1.0, HALF_PI - 1e-6, HALF_PI])
def test_a_right_angle_beside_others(largest: float) -> None:
    angles = [0.0, 1e-7, largest]
    a, b = rotated(angles)
    expected = math.hypot(*angles)
    way = grassmann.log(a, b)
    assert bool(way.unique) == (largest < HALF_PI)
    assert float(grassmann.distance(a, b)) == pytest.approx(expected, abs=1e-14)
    assert float(way.tangent.norm()) == pytest.approx(expected, abs=1e-14)
    assert float(grassmann.distance(grassmann.exp(a, way.tangent), b)) < 1e-14
    assert float((a.mT @ way.tangent).abs().max()) < 1e-15


def test_identical_subspaces_are_at_distance_zero() -> None:
    a = orthonormalise(planted.normal(5, 20, 10, seed=0))
    turned = a @ planted.orthogonal(10, seed=1)
    assert float(grassmann.distance(a, turned).max()) < 1e-14  # cosines alone: 1e-7
    assert float(grassmann.log(a, turned).tangent.abs().max()) < 1e-14
    assert float(grassmann.distance(a.float(), turned.float()).max()) < 1e-5


def test_the_chordal_distance_is_smooth_where_the_other_is_not() -> None:
    a = axes(0, 1)
    for b in (axes(0, 1), axes(2, 3), axes(0, 2)):
        frame = b.clone().requires_grad_()
        (slope,) = torch.autograd.grad(grassmann.chordal_squared(a, frame), frame)
        assert bool(torch.isfinite(slope).all())
        assert float(slope.norm()) <= 2 * math.sqrt(2)


def test_a_quarter_turn_by_hand() -> None:
    a, b = axes(0), axes(1)
    way = axes(1) * (math.pi / 4)
    middle = grassmann.exp(a, way)
    assert torch.allclose(middle, (a + b) / math.sqrt(2))
    carried = grassmann.transport(a, way, axes(1) + axes(2))
    assert torch.allclose(carried, (b - a) / math.sqrt(2) + axes(2))


def test_the_mean_of_two_is_the_middle_of_their_geodesic() -> None:
    a, b = rotated([0.1, 0.3, 0.9])
    middle = grassmann.geodesic(a, b, torch.tensor([0.5], dtype=torch.float64))[0]
    found = grassmann.frechet_mean(torch.stack([a, b]))
    assert float(grassmann.distance(found.frame, middle)) < 1e-12
    assert found.variance == pytest.approx(float(grassmann.distance(a, b)) ** 2 / 4)
    assert found.unique


def test_subspaces_that_are_spread_too_far_have_no_mean() -> None:
    with pytest.raises(ManifoldError, match="found 1 of 2 with a right one"):
        grassmann.frechet_mean(torch.stack([axes(0), axes(1)]))
    found = grassmann.frechet_mean(torch.stack(rotated([0.1, 0.3, 1.55])))
    assert not found.unique  # 0.79 from each: beyond π/4
    near = orthonormalise(axes(0, 1) + 0.3 * planted.normal(4, 6, 2, seed=0))
    with pytest.raises(ConvergenceError, match="within 1 steps"):
        grassmann.frechet_mean(near, max_steps=1)


def test_grassmann_refuses() -> None:
    with pytest.raises(ShapeError, match="of one dimension in one space"):
        plain(grassmann.distance)(axes(0, 1), axes(0))
    with pytest.raises(ShapeError, match="orthonormal columns"):
        grassmann.log(2 * axes(0), axes(1))
    with pytest.raises(ManifoldError, match=r"expected AᵀD = 0"):
        grassmann.exp(axes(0), axes(0))
    with pytest.raises(DtypeError, match="convert one with"):
        grassmann.chordal_squared(axes(0), axes(1).float())
    with pytest.raises(NonFiniteError, match="1 NaN"):
        grassmann.exp(axes(0), axes(1) * torch.tensor([1, 1, 1, 1, 1, torch.nan])[:, None])
    two, three = axes(0).expand(2, 6, 1), axes(0).expand(3, 6, 1)
    with pytest.raises(ShapeError, match="leading axes that broadcast"):
        plain(grassmann.log)(two, three)


# -- matrices of fixed rank --------------------------------------------------------------------


def test_the_distance_is_the_norm_of_the_discarded_singular_values() -> None:
    u, v = planted.orthogonal(5, seed=0), planted.orthogonal(5, seed=1)
    x = u @ torch.diag(torch.tensor([5.0, 3.0, 3.0, 0.4, 0.3], dtype=torch.float64)) @ v.T
    assert float(fixed_rank.distance(x, 3)) == pytest.approx(0.5, rel=1e-13)
    assert float(fixed_rank.distance(x, 2)) == pytest.approx(math.hypot(3, 0.5), rel=1e-13)
    assert float(fixed_rank.distance(x, 5)) == 0
    assert float((x - fixed_rank.closest(x, 3).matrix()).norm()) == pytest.approx(0.5)
    with pytest.raises(ManifoldError, match=r"σ_2 > σ_3, found them equal in 1 of 1"):
        fixed_rank.closest(x, 2)


def test_repeated_singular_values_leave_the_tangent_space_alone() -> None:
    u, v = planted.orthogonal(5, seed=0), planted.orthogonal(5, seed=1)
    s = torch.tensor([2.0, 2.0, 1.0], dtype=torch.float64)
    turn = torch.eye(3, dtype=torch.float64)
    turn[:2, :2] = planted.orthogonal(2, seed=2)
    z = planted.normal(5, 5, seed=3)
    one = fixed_rank.FixedRank(u[:, :3], s, v[:, :3])
    other = fixed_rank.FixedRank(u[:, :3] @ turn, s, v[:, :3] @ turn)
    assert torch.allclose(one.matrix(), other.matrix())
    part = fixed_rank.tangent_part(one, z)
    assert float((part - fixed_rank.tangent_part(other, z)).abs().max()) < 1e-14


def test_a_matrix_of_lower_rank_is_refused() -> None:
    low = planted.normal(3, 4, 2, seed=0) @ planted.normal(3, 2, 6, seed=1)
    low[0] = planted.normal(4, 6, seed=2)
    with pytest.raises(ManifoldError, match=r"found 2 of 3 of lower rank \(first: number 1, rank"):
        fixed_rank.closest(low, 3)
    for rank in (0, 5):
        with pytest.raises(ShapeError, match="expected 1 … 4"):
            fixed_rank.closest(low, rank)


def test_at_full_rank_nothing_is_normal() -> None:
    at = fixed_rank.closest(planted.normal(3, 3, seed=0), 3)
    assert fixed_rank.codimension(3, 3, 3) == 0
    assert fixed_rank.normal_basis(at).shape == (9, 0)
    with pytest.raises(ManifoldError, match="subspace of dimension 0"):
        restriction.restrict(torch.eye(9, dtype=torch.float64), fixed_rank.normal_basis(at))


@pytest.mark.parametrize(("m", "n", "rank"), [(5, 5, 2), (4, 6, 3), (6, 4, 1), (4, 4, 4)])
def test_bases_are_orthonormal_and_span_the_parts(m: int, n: int, rank: int) -> None:
    at = fixed_rank.closest(planted.normal(2, m, n, seed=0), rank)
    tangent, normal = fixed_rank.tangent_basis(at), fixed_rank.normal_basis(at)
    assert tangent.shape[-1] == fixed_rank.dimension(m, n, rank)
    assert normal.shape[-1] == fixed_rank.codimension(m, n, rank)
    both = torch.cat([tangent, normal], dim=-1)
    assert float((both.mT @ both - torch.eye(m * n, dtype=torch.float64)).abs().max()) < 1e-13
    z = planted.normal(2, m, n, seed=1)
    part = (tangent @ (tangent.mT @ z.flatten(1)[..., None]))[..., 0].reshape(2, m, n)
    assert float((part - fixed_rank.tangent_part(at, z)).abs().max()) < 1e-13


def energy(y: Tensor) -> Tensor:
    weights = planted.symmetric([0.5 * i - 2 for i in range(y.numel())], seed=7)
    return y @ weights @ y / 2 + (y**3).sum() / 3 + planted.normal(y.numel(), seed=8) @ y


@pytest.mark.parametrize(("m", "n", "rank"), [(4, 4, 2), (3, 5, 1), (3, 3, 3)])
def test_the_riemannian_hessian_is_the_second_derivative_along_the_retraction(
    m: int, n: int, rank: int
) -> None:
    at = fixed_rank.closest(planted.normal(m, n, seed=0), rank)
    y = at.matrix().flatten()
    gradient = planted.derivative(energy, y)
    hessian = planted.hessian(energy, y)
    found = fixed_rank.riemannian_hessian(at, gradient, hessian)
    basis = fixed_rank.tangent_basis(at)
    projected = restriction.restrict(hessian, basis)
    assert float((found - found.mT).abs().max()) < 1e-12
    step = 1e-4
    for i in range(4):
        xi = planted.normal(basis.shape[-1], seed=20 + i)
        way = (basis @ xi).reshape(m, n)
        ends = [
            float(energy(fixed_rank.retract(at, sign * step * way).matrix().flatten()))
            for sign in (-1, 1)
        ]
        second = (sum(ends) - 2 * float(energy(y))) / step**2
        assert float(xi @ found @ xi) == pytest.approx(second, abs=1e-5 * float(hessian.norm()))
        if rank < min(m, n):  # and the projected one is another number
            assert abs(float(xi @ projected @ xi) - second) > 1e-2


def test_the_riemannian_hessian_of_a_squared_distance_in_closed_form() -> None:
    # E = ½‖Y - B‖² with B off Y by β_a along normal directions: along the manifold 1 ± β_a/σ_i, and
    # 1 in all other tangent directions.
    u, v = planted.orthogonal(5, seed=0), planted.orthogonal(4, seed=1)
    s = torch.tensor([3.0, 1.5], dtype=torch.float64)
    beta = torch.tensor([0.7, 0.2], dtype=torch.float64)
    at = fixed_rank.FixedRank(u[:, :2], s, v[:, :2])
    gradient = -((u[:, 2:4] * beta) @ v[:, 2:].T).flatten()
    found = fixed_rank.riemannian_hessian(at, gradient, torch.eye(20, dtype=torch.float64))
    bent = (beta[:, None] / s).flatten()
    flat = torch.ones(fixed_rank.dimension(5, 4, 2) - 8, dtype=torch.float64)
    expected = torch.cat([1 - bent, flat, 1 + bent]).sort().values
    assert float((torch.linalg.eigvalsh(found) - expected).abs().max()) < 1e-13
    ends = restriction.curvatures(found)
    assert float(ends.lowest) == pytest.approx(1 - 0.7 / 1.5, rel=1e-13)
    assert float(ends.mean) == pytest.approx(1, rel=1e-13)
    assert float(ends.highest) == pytest.approx(1 + 0.7 / 1.5, rel=1e-13)


def test_the_bend_is_of_no_edge() -> None:
    at = fixed_rank.closest(planted.normal(3, 3, seed=0), 1)
    flat = fixed_rank.FixedRank(at.u, 0 * at.s, at.v)
    eye = torch.eye(9, dtype=torch.float64)
    with pytest.raises(ManifoldError, match="a lower rank than r"):
        fixed_rank.riemannian_hessian(flat, eye[0], eye)
    with pytest.raises(ShapeError, match="expected 9 × 1 matrices"):
        plain(fixed_rank.riemannian_hessian)(at, eye[0, :4], eye)


def test_curvatures_within_a_subspace() -> None:
    h = torch.diag(torch.tensor([-1.0, 2.0, 4.0, 9.0, 0.0, 0.0], dtype=torch.float64))
    found = restriction.curvatures(restriction.restrict(h, axes(0, 2, 3)))
    assert (float(found.lowest), float(found.mean), float(found.highest)) == (-1, 4, 9)
    g = torch.tensor([3.0, 0, 4.0, 0, 1.0, 1.0], dtype=torch.float64)
    assert float(restriction.mean_square(g, axes(0, 2))) == 12.5
    with pytest.raises(ShapeError, match="expected square"):
        plain(restriction.curvatures)(planted.normal(2, 3, seed=0))


def test_random_frames_have_the_null_s_mean_and_do_not_depend_on_the_batch() -> None:
    d, q, n = 12, 4, 4000
    found = restriction.random_frames(n, d, q, seed=1)
    g = planted.normal(d, seed=2)
    squares = restriction.mean_square(g.expand(n, d), found) / (g.square().sum() / d)
    error = float(squares.std()) / math.sqrt(n)
    assert abs(float(squares.mean()) - 1) < 5 * error
    assert torch.equal(restriction.random_frames(3, d, q, seed=1, first=7), found[7:10])
    with pytest.raises(ShapeError, match="1 ≤ q ≤ d"):
        restriction.random_frames(2, 3, 4, seed=0)


# -- symmetric positive definite matrices ------------------------------------------------------


def test_diagonal_matrices_by_hand() -> None:
    a = torch.diag(torch.tensor([1.0, 4.0], dtype=torch.float64))
    b = torch.diag(torch.tensor([math.e, 4.0 / math.e**2], dtype=torch.float64))
    for distance in (spd.affine_invariant_distance, spd.log_euclidean_distance):
        assert float(distance(a, b)) == pytest.approx(math.sqrt(5), rel=1e-14)
        assert float(distance(a, a)) == pytest.approx(0, abs=1e-15)
    half = torch.tensor([0.5], dtype=torch.float64)
    for geodesic in (spd.affine_invariant_geodesic, spd.log_euclidean_geodesic):
        middle = geodesic(a, b, half)[0].diagonal().tolist()
        assert middle == pytest.approx([math.sqrt(math.e), 4 / math.e], rel=1e-14)


BOTH: list[Callable[[Tensor, Tensor], Tensor]] = [
    spd.affine_invariant_distance,
    spd.log_euclidean_distance,
]


@pytest.mark.parametrize("distance", BOTH)
def test_what_is_not_positive_definite_is_counted(
    distance: Callable[[Tensor, Tensor], Tensor],
) -> None:
    eye = torch.eye(2, dtype=torch.float64)
    off = torch.stack([eye, eye - 1.5 * eye, eye, torch.tensor([[1.0, 1], [0, 1]]).double()])
    assert spd.is_spd(off).tolist() == [True, False, True, False]
    with pytest.raises(ManifoldError, match=r"b: .* found 2 of 4 .*first: number 1, lowest .*-0.5"):
        distance(eye, off)
    singular = torch.diag(torch.tensor([1.0, 0.0], dtype=torch.float64))
    with pytest.raises(ManifoldError, match="found 1 of 1"):
        distance(singular, eye)
    with pytest.raises(ShapeError, match="expected one size"):
        plain(distance)(eye, torch.eye(3, dtype=torch.float64))
    with pytest.raises(NonFiniteError, match="NaN"):
        distance(eye, torch.nan * eye)


def test_clipping_says_how_many() -> None:
    a = torch.diag(torch.tensor([3.0, -1.0, 1e-4], dtype=torch.float64))
    found = spd.clip(a, floor=0.01)
    assert int(found.num_raised) == 2
    assert found.matrix.diagonal().tolist() == pytest.approx([3, 0.01, 0.01])
    assert bool(spd.is_spd(found.matrix))
    with pytest.raises(ManifoldError, match="above 0"):
        spd.clip(a, floor=0.0)


@pytest.mark.parametrize("seed", range(3))
def test_distances_keep_their_digits_where_matrices_are_ill_conditioned(seed: int) -> None:
    # A = D·M·D and B = D⁻¹·N·D⁻¹ with well conditioned M and N: rounding their entries loses
    # nothing, but eigenvalues of L⁻¹·B·L⁻ᵀ, whose condition is 1e14, do lose digits.
    n = 4
    scales = 10 ** torch.linspace(1.75, -1.75, n, dtype=torch.float64)
    m, k = (planted.symmetric([1.0, 1.5, 2.0, 3.0], seed=2 * seed + i) for i in (0, 1))
    a, b = scales[:, None] * m * scales, k / scales / scales[:, None]
    with mpmath.workdps(60):
        exact_a, exact_b = mpmath.matrix(a.tolist()), mpmath.matrix(b.tolist())
        root = mpmath.inverse(mpmath.cholesky(exact_a))
        values = mpmath.eigsy(root * exact_b * root.T, eigvals_only=True)
        spread = float(mpmath.log(max(values) / min(values), 10))
        exact = float(mpmath.sqrt(sum(mpmath.log(v) ** 2 for v in values)))
        logs = [_exact_logarithm(one) for one in (exact_a, exact_b)]
        flat = float(mpmath.mnorm(logs[0] - logs[1], "f"))
        middle = _exact_middle(exact_a, exact_b)
    assert 13 < spread < 15
    for one, other in ((a, b), (b, a)):
        assert float(spd.affine_invariant_distance(one, other)) == pytest.approx(exact, rel=1e-10)
        assert float(spd.log_euclidean_distance(one, other)) == pytest.approx(flat, rel=1e-12)
    half = spd.affine_invariant_geodesic(a, b, torch.tensor([0.5], dtype=torch.float64))[0]
    assert float((half - middle).norm() / middle.norm()) < 2e-9


def _exact_logarithm(a: mpmath.matrix) -> mpmath.matrix:
    values, vectors = mpmath.eigsy(a)
    return vectors * mpmath.diag([mpmath.log(v) for v in values]) * vectors.T


def _exact_middle(a: mpmath.matrix, b: mpmath.matrix) -> Tensor:
    root = mpmath.cholesky(a)
    inverse = mpmath.inverse(root)
    values, vectors = mpmath.eigsy(inverse * b * inverse.T)
    out = root * vectors * mpmath.diag([mpmath.sqrt(v) for v in values]) * vectors.T * root.T
    return torch.tensor([[float(v) for v in row] for row in out.tolist()], dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [2, 20])
def test_what_is_clipped_is_positive_definite_or_refused(n: int, dtype: torch.dtype) -> None:
    signs = torch.linspace(-1, 1, n, dtype=torch.float64)
    a = torch.stack([planted.symmetric((7 * signs).tolist(), seed=i) for i in range(50)]).to(dtype)
    least = 4 * n * torch.finfo(dtype).eps * 7
    assert bool(spd.is_spd(spd.clip(a, floor=1.001 * least).matrix).all())
    with pytest.raises(ManifoldError, match=r"floor: expected at least .* 50 of 50 matrices"):
        spd.clip(a, floor=0.9 * least)
    inside = torch.eye(n, dtype=dtype)
    assert torch.allclose(spd.clip(inside, floor=1e-30).matrix, inside)  # nothing to raise


def test_the_eigenvalue_part_commutes_and_the_rest_turns() -> None:
    at = planted.symmetric([0.1, 1.0, 1.0, 5.0], seed=0)
    z = planted.normal(4, 4, seed=1)
    parts = spd.eigen_parts(at, z)
    assert float((parts.eigenvalue + parts.eigenvector + parts.skew - z).abs().max()) < 1e-14
    commutator = at @ parts.eigenvalue - parts.eigenvalue @ at
    assert float(commutator.abs().max()) < 1e-13
    assert float((parts.skew + parts.skew.mT).abs().max()) < 1e-15
    products = [(one * other).sum() for one, other in ((parts.eigenvalue, parts.eigenvector),)]
    assert abs(float(products[0])) < 1e-14
    # To first order, the eigenvector part leaves the eigenvalues where they are.
    moved = torch.linalg.eigvalsh(at + 1e-6 * parts.eigenvector) - torch.linalg.eigvalsh(at)
    assert float(moved.abs().max()) < 1e-10
    with pytest.raises(ManifoldError, match="expected symmetric matrices, found 1 of 1"):
        spd.eigen_parts(z, at)


def test_float32_stays_float32() -> None:
    a = orthonormalise(planted.normal(3, 6, 2, seed=0)).float()
    b = orthonormalise(planted.normal(3, 6, 2, seed=1)).float()
    way = grassmann.log(a, b)
    assert way.tangent.dtype == grassmann.distance(a, b).dtype == torch.float32
    assert float(grassmann.distance(grassmann.exp(a, way.tangent), b).max()) < 1e-5
    at = fixed_rank.closest(planted.normal(3, 4, 4, seed=0).float(), 2)
    assert fixed_rank.tangent_basis(at).dtype == torch.float32
    matrix = torch.eye(3)
    assert spd.affine_invariant_distance(matrix, 2 * matrix).dtype == torch.float32
