"""Eigenpairs along planted paths, their slopes, and warm starts, against closed forms."""

import inspect
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

import planted
from ired_interp.curvature import spectrum
from ired_interp.curvature.eigenspaces import Pairs, take
from ired_interp.curvature.following import follow
from ired_interp.curvature.slopes import exact_slopes, level_change, slopes
from ired_interp.curvature.warm import warm_spectrum
from ired_interp.errors import ConvergenceError, EnergyError, ShapeError
from ired_interp.landscape import Landscape
from ired_interp.solve import solve

F64 = torch.float64


def _rotation(angle: float, i: int, j: int, d: int) -> Tensor:
    r = torch.eye(d, dtype=F64)
    c, s = math.cos(angle), math.sin(angle)
    r[[i, j], [i, j]] = c
    r[i, j], r[j, i] = -s, s
    return r


def _path(
    matrix_fn: Callable[[float], Tensor], at: Sequence[float], top: int | None = None
) -> list[Pairs]:
    point = torch.zeros(1, matrix_fn(0.0).shape[0], dtype=F64)
    found = [spectrum(planted.quadratic(matrix_fn(s)), point, top=top) for s in at]
    return [take(pairs, slice(None)) for pairs in found]


def _turning(s: float) -> Tensor:
    """Λ(s) = (s, -s, 3, -2 + s/2) in a frame that turns: the first two cross at s = 0."""
    q = planted.orthogonal(4, seed=0)
    turn = _rotation(0.3 * s, 0, 2, 4) @ _rotation(0.2 * s, 1, 3, 4)
    values = torch.tensor([s, -s, 3.0, -2.0 + s / 2], dtype=F64)
    return q @ turn @ torch.diag(values) @ turn.T @ q.T


def _avoiding(gap: float) -> Callable[[float], Tensor]:
    """Two levels s and -s with a coupling of gap/2, beside two others; eigenvalues ±√(s² + …)."""

    def matrix(s: float) -> Tensor:
        q = planted.orthogonal(4, seed=1)
        a = torch.diag(torch.tensor([s, -s, 3.0, -4.0], dtype=F64))
        a[0, 1] = a[1, 0] = gap / 2
        return q @ a @ q.T

    return matrix


# Steps that miss the crossing, one that hits it, and uneven ones.
STEPS = {
    "beside": [-0.5, -0.3, -0.1, 0.1, 0.3, 0.5],
    "on": [-0.4, -0.2, 0.0, 0.2, 0.4],
    "uneven": [-0.5, -0.25, -0.2, 0.05, 0.1, 0.4],
}


@pytest.mark.parametrize("name", STEPS)
def test_curves_go_through_a_crossing(name: str) -> None:
    at = STEPS[name]
    path = _path(_turning, at)
    if 0.0 in at:  # where they touch, any two vectors of their plane will do
        plane = path[at.index(0.0)].eigenvectors[0, :, 1:3]
        plane.copy_(plane @ _rotation(0.7, 0, 1, 2))
    found = follow(path, positions=at)
    s = torch.tensor(at, dtype=F64)
    # At the first step, ascending: -2 + s/2, s, -s, 3.
    expected = torch.stack([-2 + s / 2, s, -s, torch.full_like(s, 3)], dim=1)
    assert (found.eigenvalues[0] - expected).abs().max() < 1e-13
    assert bool(found.certain.all())
    (meeting,) = found.meetings
    assert (meeting.lower, meeting.upper, meeting.kind, meeting.row) == (1, 2, "crossing", 0)
    assert at[meeting.first_step] < 0 < at[meeting.last_step]
    assert meeting.gap <= meeting.gap_error < 0.05
    # The sorted spectra themselves hide it.
    ascending = torch.stack([p.eigenvalues[0] for p in _path(_turning, at)])
    assert float((ascending - expected).abs().max()) > 0.1


def test_a_crossing_in_a_plane_that_turns_is_no_avoided_one() -> None:
    def matrix(s: float) -> Tensor:  # the straight line between two steps misses the crossing
        turn = _rotation(0.5 * s, 0, 1, 3)
        return turn @ torch.diag(torch.tensor([s, -s, 4.0], dtype=F64)) @ turn.T

    at = [-0.5, -0.3, -0.1, 0.1, 0.3]
    (meeting,) = follow(_path(matrix, at), positions=at).meetings
    assert meeting.kind == "crossing"
    assert 0.01 < meeting.gap < meeting.gap_error < 0.1


def test_overlaps_along_a_path_are_the_planted_cosines() -> None:
    found = follow(_path(_turning, [0.5, 0.7]))
    # Curves ascending at 0.5: -2 + s/2 and -s turn by 0.2·Δs, s and 3 by 0.3·Δs.
    expected = [math.cos(0.04) ** 2] * 2 + [math.cos(0.06) ** 2] * 2
    assert found.overlap[0, 0].tolist() == pytest.approx(expected, abs=1e-13)
    assert float(found.overlap_error.max()) < 1e-12


@pytest.mark.parametrize("gap", [1e-3, 0.02, 0.3])
@pytest.mark.parametrize(
    "at",
    [
        [-1.1, -0.7, -0.3, 0.1, 0.5, 0.9],
        [-1.0, -0.5, 0.0, 0.5, 1.0],
        list(np.linspace(-1, 1, 41)),
    ],
)
def test_an_avoided_crossing_is_told_from_a_crossing(gap: float, at: list[float]) -> None:
    # Whether the steps are finer than the gap (curves bend) or coarser (vectors jump over it).
    found = follow(_path(_avoiding(gap), at), positions=at)
    (meeting,) = found.meetings
    assert meeting.kind == "avoided"
    assert meeting.gap == pytest.approx(gap, rel=1e-6)
    assert meeting.gap_error < 0.01 * gap
    assert at[meeting.first_step] < 0.0 + 1e-9
    assert at[meeting.last_step] > 0.0 - 1e-9


def test_two_steps_leave_an_exchange_undecided() -> None:
    found = follow(_path(_avoiding(0.01), [-0.5, 0.5]))
    (meeting,) = found.meetings
    assert meeting.kind == "undecided"
    assert math.isinf(meeting.gap_error)
    assert meeting.gap == pytest.approx(0.01, rel=1e-6)


def test_approaching_without_exchange_is_no_meeting() -> None:
    def matrix(s: float) -> Tensor:
        return torch.diag(torch.tensor([1 + s * s, -1 - s * s, 5.0], dtype=F64))

    assert follow(_path(matrix, [-1, -0.5, 0, 0.5, 1])).meetings == ()


def test_clusters_are_followed_as_subspaces() -> None:
    def matrix(s: float) -> Tensor:  # a double eigenvalue that turns, and splits after s = 1
        q = planted.orthogonal(5, seed=2) @ _rotation(0.1 * s, 0, 3, 5)
        split = max(0.0, s - 1)
        values = torch.tensor([1 + split, 1 - split, -1.0, 4.0, 6.0], dtype=F64)
        return q @ torch.diag(values) @ q.T

    path = _path(matrix, [0, 0.5, 1.0, 1.5, 2.0])
    for step in (0, 1, 2):  # any choice within the plane
        turn = planted.orthogonal(2, seed=step)
        vectors = path[step].eigenvectors
        vectors[0, :, 1:3] = vectors[0, :, 1:3] @ turn
    found = follow(path)
    assert bool(found.certain.all())
    # Half of the plane turns by 0.05 a step: tr(PQ)/2 = (1 + cos²)/2.
    plane = (1 + math.cos(0.05) ** 2) / 2
    assert found.overlap[0, 0, 1:3].tolist() == pytest.approx([plane] * 2, abs=1e-12)
    assert found.meetings == ()
    assert sorted(found.eigenvalues[0, -1].tolist()) == pytest.approx([-1, 0, 2, 4, 6])
    # The vectors at s = 1 are arbitrary, those of s = 1.5 are not: single overlaps would be low.
    single = (path[2].eigenvectors[0].T @ path[3].eigenvectors[0]).square()[1:3, 1:3]
    assert float(single.amax(dim=1).min()) < 0.99


def test_curves_keep_their_vectors_through_a_cluster_of_several_steps() -> None:
    # Two curves cross by way of three steps at which they are equal; there the vectors that are
    # handed in turn by 0.6 a step, which within a cluster means nothing.
    heights, turns = [-1.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.5, 1.1, 1.7, 0.0]
    q = planted.orthogonal(3, seed=4)
    path = []
    for height, turn in zip(heights, turns, strict=True):
        values = torch.tensor([[height, -height, 5.0]], dtype=F64)
        vectors = (q @ _rotation(turn, 0, 1, 3))[None]
        path.append(Pairs(values, vectors, torch.zeros_like(values), values.amax(dim=1)))
    found = follow(path)
    assert found.eigenvalues[0, :, 0].tolist() == heights
    assert found.overlap[0].tolist() == [pytest.approx([1, 1, 1])] * 4
    (meeting,) = found.meetings
    assert (meeting.kind, meeting.first_step, meeting.last_step) == ("crossing", 0, 4)


def test_rows_are_followed_by_themselves_and_partial_ends_are_uncertain_at_the_last() -> None:
    at = [0.5, 0.6, 0.7]
    paths = [_path(f, at, top=3) for f in (_turning, _avoiding(0.3))]
    both = [
        Pairs(
            *(
                torch.cat([getattr(p[i], name) for p in paths])
                for name in ("eigenvalues", "eigenvectors", "residuals", "norm")
            )
        )
        for i in range(3)
    ]
    found = follow(both)
    for row, path in enumerate(paths):
        alone = follow(path)
        assert torch.equal(found.columns[row], alone.columns[0])
        assert (found.eigenvalues[row] - alone.eigenvalues[0]).abs().max() < 1e-14
    assert bool(found.certain[:, :, :2].all())
    assert not bool(found.certain[:, :, 2].any())


def test_paths_that_do_not_fit_are_refused() -> None:
    path = _path(_turning, [0, 1, 2])
    with pytest.raises(ShapeError, match="at least 2 steps"):
        follow(path[:1])
    with pytest.raises(ShapeError, match=r"found \(1, 4, 2\) at step 1"):
        follow([path[0], take(path[1], slice(0, 2))])
    with pytest.raises(ShapeError, match="3 rising numbers"):
        follow(path, positions=[0, 2, 2])


# Slopes.


def _cubic(d: int, *, seed: int) -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor]:
    """E = ½yᵀAy + Σ_c (w_cᵀy)³/6: H(y) = A + Σ_c (w_cᵀy)·w_c·w_cᵀ, linear in y."""
    a = planted.symmetric([float(i * i - 4) for i in range(d)], seed=seed)
    w = planted.normal(d, 3, seed=seed + 1) / 2

    def energy(y: Tensor) -> Tensor:
        return ((y @ a) * y).sum(-1) / 2 + (y @ w).pow(3).sum(-1) / 6

    return energy, a, w


@pytest.mark.parametrize("step", [None, 0.5])
def test_slopes_are_those_of_a_hessian_linear_in_y(step: float | None) -> None:
    energy, _, w = _cubic(6, seed=0)
    land = Landscape.of(energy, 6)
    y, direction = planted.normal(4, 6, seed=1), planted.normal(4, 6, seed=2)
    spec = spectrum(land, y)
    change = torch.einsum("ic,nc,jc->nij", w, direction @ w, w)
    exact = torch.einsum("nie,nij,nje->ne", spec.eigenvectors, change, spec.eigenvectors)
    for found in (
        slopes(land, y, spec, direction, step=step),
        exact_slopes(energy, y, spec, direction),
    ):
        assert (found.slopes - exact).abs().max() < 1e-9
        assert bool(((found.slopes - exact).abs() <= found.errors + 1e-13).all())
        assert float(found.errors.max()) < 1e-8
        assert bool(found.resolved.all())
    assert found.num_products == 6
    assert slopes(land, y, spec, direction).num_products == 24


@pytest.mark.parametrize("size", [1e-6, 1e-4])
def test_slopes_of_inexact_eigenvectors_are_within_their_errors(size: float) -> None:
    energy, _, _ = _cubic(6, seed=0)
    land = Landscape.of(energy, 6)
    y, direction = planted.normal(3, 6, seed=1), planted.normal(3, 6, seed=2)
    noise = planted.normal(3, 6, 6, seed=4)
    h = land.hessian(y)
    values, vectors = torch.linalg.eigh(h + size * (noise + noise.mT))
    off = torch.linalg.vector_norm(h @ vectors - vectors * values[:, None, :], dim=1)
    rough = Pairs(values, vectors, off, values.abs().amax(dim=1))
    truth = exact_slopes(energy, y, spectrum(land, y), direction).slopes
    for found in (
        exact_slopes(energy, y, rough, direction),
        slopes(land, y, rough, direction),
    ):
        apart = (found.slopes - truth).abs()
        assert bool((apart <= found.errors).all())
        assert float(apart.max()) > 0.1 * size
        assert float(found.errors.max()) < 1e4 * size


def test_slopes_are_the_differences_of_followed_eigenvalues() -> None:
    energy, _, _ = _cubic(6, seed=3)
    land = Landscape.of(energy, 6)
    y, direction = planted.normal(1, 6, seed=1), planted.normal(1, 6, seed=2)
    h = 1e-5
    path = [spectrum(land, y + s * direction) for s in (-h, 0.0, h)]
    curves = follow(path).eigenvalues[0]
    difference = (curves[2] - curves[0]) / (2 * h)
    order = follow(path).columns[0, 1]
    found = exact_slopes(energy, y, path[1], direction)
    # Central differences: h² times the third derivative, and ε‖H‖/h.
    assert (found.slopes[0, order] - difference).abs().max() < 1e-7


def test_a_multiple_eigenvalue_has_the_slopes_of_its_plane() -> None:
    # H(s·e_0) = diag(1 + s·[[0, 1], [1, 0]], 5): the double eigenvalue 1 splits into 1 ± s.
    def energy(y: Tensor) -> Tensor:
        flat = (y[:, 1:3].square().sum(-1) + 5 * y[:, 3] ** 2 + 9 * y[:, 0] ** 2) / 2
        return flat + y[:, 0] * y[:, 1] * y[:, 2]

    land = Landscape.of(energy, 4)
    y = torch.zeros(2, 4, dtype=F64)
    direction = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0]], dtype=F64)
    spec = spectrum(land, y)
    spec.eigenvectors[:, :, :2] = spec.eigenvectors[:, :, :2] @ planted.orthogonal(2, seed=0)
    for found in (slopes(land, y, spec, direction), exact_slopes(energy, y, spec, direction)):
        assert found.size[0].tolist() == [2, 2, 1, 1]
        assert found.slopes[0].tolist() == pytest.approx([-1, 1, 0, 0], abs=1e-9)
        assert found.slopes[1].tolist() == [0, 0, 0, 0]  # nothing moves
        assert found.errors[1].tolist() == [0, 0, 0, 0]
    single = spec.eigenvectors[0, 1, :2] * spec.eigenvectors[0, 2, :2] * 2
    assert float(single.abs().max()) < 0.99  # what vᵀ(dH/ds)v of one vector would have said


def test_slopes_of_the_network_are_autograd_s_third_derivatives() -> None:
    model = planted.network(4, 5, width=12, gain=2.0)
    x, y = planted.normal(3, 4, seed=1), planted.normal(3, 5, seed=2)
    direction = planted.normal(3, 5, seed=3)
    land = Landscape(model, x, 8)
    spec = spectrum(land, y)
    t = torch.full((3,), 2)
    exact = exact_slopes(lambda y: model.energy(x, y, t), y, spec, direction)
    numeric = slopes(land, y, spec, direction)
    for i in range(3):

        def hessian_along(s: Tensor, i: int = i) -> Tensor:
            return planted.hessian(
                lambda z: model.energy(x[i : i + 1], z[None], t[i : i + 1])[0],
                y[i] + s * direction[i],
            )

        h = 1e-4  # a difference of dense Hessians, independent of the module's
        plus, minus = (hessian_along(torch.tensor(s, dtype=F64)) for s in (h, -h))
        wide, narrow = (hessian_along(torch.tensor(s, dtype=F64)) for s in (2 * h, -2 * h))
        change = (8 * (plus - minus) - (wide - narrow)) / (12 * h)
        v = spec.eigenvectors[i]
        expected = torch.einsum("ie,ij,je->e", v, change, v)
        scale = float(change.abs().max())
        assert (exact.slopes[i] - expected).abs().max() < 1e-9 * scale
        assert (numeric.slopes[i] - exact.slopes[i]).abs().max() < 1e-9 * scale
        assert bool(((numeric.slopes - exact.slopes).abs() <= numeric.errors)[i].all())
    assert float(exact.slopes.abs().max()) > 1e-3


def test_slopes_of_a_quadratic_are_zero_and_bad_energies_are_refused() -> None:
    a = planted.symmetric([1.0, 2.0, 4.0], seed=0)
    land, y = planted.quadratic(a), planted.normal(2, 3, seed=1)
    spec = spectrum(land, y)
    found = exact_slopes(lambda y: ((y @ a) * y).sum(-1) / 2, y, spec, y)
    assert torch.equal(found.slopes, torch.zeros_like(found.slopes))
    numeric = slopes(land, y, spec, y)
    assert bool((numeric.slopes.abs() <= numeric.errors).all())
    with pytest.raises(EnergyError, match="one energy a row"):
        exact_slopes(lambda y: y, y, spec, y)
    with pytest.raises(EnergyError, match="autograd can differentiate"):
        exact_slopes(lambda y: y.detach().sum(-1), y, spec, y)
    with pytest.raises(ShapeError, match="step"):
        slopes(land, y, spec, y, step=0.0)


def test_a_change_of_level_is_predicted_to_first_order_with_a_certificate() -> None:
    a, b = (planted.symmetric(v, seed=s) for v, s in (([-2.0, 1, 1, 5], 0), ([0.5, -1, 2, 1], 1)))
    y = torch.zeros(1, 4, dtype=F64)
    now = spectrum(planted.quadratic(a), y)
    errors = []
    for size in (1e-2, 1e-3):
        after = planted.quadratic(a + size * b)
        ahead = spectrum(after, y)
        found = level_change(now, after, y, next_pairs=ahead)
        v = now.eigenvectors[0]
        block = torch.linalg.eigvalsh(v[:, 1:3].T @ b @ v[:, 1:3])
        first = [v[:, 0] @ b @ v[:, 0], *block, v[:, 3] @ b @ v[:, 3]]
        assert (found.change[0] - size * torch.stack(first)).abs().max() < 1e-14
        assert found.prediction_error is not None
        assert (found.predicted + found.prediction_error - ahead.eigenvalues).abs().max() < 1e-14
        for value, residual in zip(found.predicted[0], found.residuals[0], strict=True):
            assert float((ahead.eigenvalues[0] - value).abs().min()) <= float(residual)
        assert found.certain is not None
        assert bool(found.certain.all())
        assert found.num_products == 4
        errors.append(float(found.prediction_error.abs().max()))
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.1)  # of second order
    assert level_change(now, after, y).prediction_error is None


# Warm starts.

SPREAD = [*[float(i) / 10 for i in range(50)], -3.0, -7.0, 8.0, 8.1, 9.0, 12.0]


@pytest.mark.parametrize("end", ["top", "bottom"])
def test_a_warm_start_finds_what_a_cold_one_does_for_fewer_products(end: str) -> None:
    a, noise = planted.symmetric(SPREAD, seed=0), planted.normal(56, 56, seed=1)
    after = planted.quadratic(a + 1e-4 * (noise + noise.T))
    y = planted.normal(2, 56, seed=2)
    top, bottom = (5, 0) if end == "top" else (0, 5)
    start = spectrum(planted.quadratic(a), y, top=top, bottom=bottom).eigenvectors
    exact = spectrum(after, y, top=top, bottom=bottom)
    warm = warm_spectrum(after, y, start, end=end, tol=1e-7)  # type: ignore[arg-type]
    cold = warm_spectrum(after, y, num=5, end=end, tol=1e-7)  # type: ignore[arg-type]
    for found in (warm, cold):
        assert (found.eigenvalues - exact.eigenvalues).abs().max() < 1e-10
        assert bool((found.residuals <= 1e-7 * found.norm[:, None]).all())
        v = found.eigenvectors
        direct = after.hvp(y, v) - v * found.eigenvalues[:, None, :]
        assert (found.residuals - torch.linalg.vector_norm(direct, dim=1)).abs().max() < 1e-12
        assert (v.mT @ v - torch.eye(5, dtype=F64)).abs().max() < 1e-12
    assert bool((warm.num_products < cold.num_products).all())


def test_products_are_counted() -> None:
    seen = 0

    a = planted.symmetric(SPREAD, seed=0)
    land = planted.quadratic(a)
    original = land.hvp

    def hvp(y: Tensor, v: Tensor) -> Tensor:
        nonlocal seen
        seen += v.shape[0] * (v.shape[2] if v.ndim == 3 else 1)
        return original(y, v)

    land.hvp = hvp  # type: ignore[method-assign]
    found = warm_spectrum(land, planted.normal(3, 56, seed=2), num=4, tol=1e-6)
    assert seen == int(found.num_products.sum())
    assert found.num_probe_products.tolist() == [10] * 3


def test_a_pair_that_the_start_hides_is_found_or_reported() -> None:
    d = 60
    values = torch.linspace(1, 2, d, dtype=F64)
    values[-1] = 4.0
    q = planted.orthogonal(d, seed=0)
    land = planted.quadratic(q @ torch.diag(values) @ q.T)
    y = torch.zeros(1, d, dtype=F64)
    start = q[None, :, -4:-1]  # exact eigenvectors, but not the top one
    found = warm_spectrum(land, y, start, num_probe=20)
    assert found.eigenvalues[0].tolist() == pytest.approx([4, *values[[-2, -3]].tolist()])
    blind = warm_spectrum(land, y, start, num_probe=0)
    assert bool(blind.may_have_missed.all())
    assert bool(blind.unseen.isinf().all())


def test_unseen_is_a_bound_with_the_stated_probability() -> None:
    # Wanted: the lowest. Left out: whatever is beyond it that the probe did not see.
    d = 40
    values = [-10.0, *torch.linspace(0, 1, d - 1, dtype=F64).tolist()]
    land = planted.quadratic(planted.symmetric(values, seed=0))
    y = torch.zeros(20, d, dtype=F64)
    for probe, certain in ((3, False), (15, True)):
        found = warm_spectrum(land, y, num=1, end="bottom", num_probe=probe)
        assert bool((found.eigenvalues + 10).abs().max() < 1e-10)
        assert bool((~found.may_have_missed).all()) is certain
    # All d dimensions: certain, with no probe.
    small = planted.quadratic(planted.symmetric([1.0, 2.0, 3.0], seed=0))
    full = warm_spectrum(small, torch.zeros(1, 3, dtype=F64), num=2)
    assert full.may_have_missed.tolist() == [False]
    assert full.num_probe_products.tolist() == [0]
    # Of a cluster the probe cannot say that it is complete.
    flat = planted.quadratic(planted.symmetric([*torch.linspace(0, 1, 60).tolist()], seed=0))
    dense = warm_spectrum(flat, torch.zeros(1, 60, dtype=F64), num=3, num_probe=12, tol=1e-6)
    assert bool(dense.may_have_missed.all())
    assert float(dense.unseen[0]) > 0


def test_a_probe_of_one_product_is_too_short_to_say_anything() -> None:
    a = planted.symmetric([-10.0, *torch.linspace(0, 1, 39, dtype=F64).tolist()], seed=0)
    found = warm_spectrum(
        planted.quadratic(a), torch.zeros(2, 40, dtype=F64), num=1, end="bottom", num_probe=1
    )
    assert found.num_probe_products.tolist() == [1, 1]
    assert bool(found.unseen.isinf().all())
    assert bool(found.may_have_missed.all())


@pytest.mark.parametrize("values", [[2.5] * 30, [0.0] * 30, [1.0] * 15 + [-1.0] * 15])
def test_flat_spectra_need_few_products(values: list[float]) -> None:
    land = planted.quadratic(planted.symmetric(values, seed=0))
    found = warm_spectrum(land, torch.zeros(2, 30, dtype=F64), num=3)
    assert (found.eigenvalues.abs() - abs(values[0])).abs().max() < 1e-12
    assert int(found.num_products.max()) <= 30


def test_float32_reaches_its_own_tolerance() -> None:
    a = planted.symmetric(SPREAD, seed=0).float()
    found = warm_spectrum(planted.quadratic(a), torch.zeros(2, 56), num=4)
    assert found.eigenvalues.dtype == torch.float32
    assert bool((found.residuals <= 1e-5 * found.norm[:, None]).all())


def test_what_does_not_converge_is_an_error_with_its_residual() -> None:
    land = planted.quadratic(planted.symmetric(SPREAD, seed=0))
    y = torch.zeros(1, 56, dtype=F64)
    with pytest.raises(ConvergenceError, match=r"within 12 products, found .* at 1 of 1 points"):
        warm_spectrum(land, y, num=4, max_products=12)
    with pytest.raises(ShapeError, match="give a start, or num"):
        warm_spectrum(land, y)
    with pytest.raises(ShapeError, match="1 … d = 56"):
        warm_spectrum(land, y, num=57)
    with pytest.raises(ShapeError, match="start"):
        inspect.unwrap(warm_spectrum)(land, y, torch.zeros(1, 5, 2, dtype=F64))


def test_the_solver_s_trajectory_is_followed_through_the_levels() -> None:
    model = planted.network(4, 4, width=12, gain=2.0)
    x = planted.normal(2, 4, seed=1)
    trajectory = solve(model, x, seed=0).trajectory
    levels = range(1, 11)
    path = []
    for level in levels:
        signal = float(model.schedule.signal[model.schedule.timestep(level)])
        path.append(spectrum(Landscape(model, x, level), signal * trajectory[level - 1]))
    found = follow(path)
    assert found.eigenvalues.shape == (2, 10, 4)
    for step, pairs in enumerate(path):
        assert torch.equal(found.eigenvalues[:, step].sort(dim=1).values, pairs.eigenvalues)
        assert found.columns[:, step].sort(dim=1).values.tolist() == [[0, 1, 2, 3]] * 2
    start: Tensor | None = None
    for level, pairs in zip(levels, path, strict=True):
        signal = float(model.schedule.signal[model.schedule.timestep(level)])
        land = Landscape(model, x, level)
        warm = warm_spectrum(land, signal * trajectory[level - 1], start, num=2)
        sizes = pairs.eigenvalues.abs().sort(dim=1, descending=True).values[:, :2]
        assert (warm.eigenvalues.abs() - sizes).abs().max() <= 1e-7 * float(pairs.norm.max())
        start = warm.eigenvectors
    assert isinstance(take(path[0], slice(0, 2)), Pairs)
