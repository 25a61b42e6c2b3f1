"""Slices, projected paths and named directions, where the answer is known in closed form."""

import inspect
import math
from functools import partial

import pytest
import torch
from torch import Tensor

import planted
from ired_interp.directions import (
    end_directions,
    hessian_directions,
    random_directions,
    rank_directions,
    rotation_directions,
    singular_directions,
)
from ired_interp.errors import DtypeError, ManifoldError, NonFiniteError, ShapeError
from ired_interp.geometry import fixed_rank, principal_angles
from ired_interp.landscape import Landscape
from ired_interp.slices import (
    Plane,
    grid_axis,
    path_components,
    plane_through,
    project_path,
    random_walk_shares,
    slice_energy,
    slice_gradient,
)

SPECTRUM = [-2.0, 0.5, 3.0, 8.0, 1.0]


def plane(n: int, d: int, *, seed: int, unit: float = 0.7) -> Plane:
    """Through random points along random directions that are not orthogonal."""
    first, second = planted.normal(n, d, seed=seed), planted.normal(n, d, seed=seed + 1)
    return plane_through(
        planted.normal(n, d, seed=seed + 2),
        first,
        second,
        unit=torch.full((n,), unit, dtype=torch.float64),
        names=("one", "other"),
    )


@pytest.mark.parametrize("max_bytes", [1, 2_000, 2**26])
def test_a_slice_of_a_quadratic_is_exact(max_bytes: int) -> None:
    # E(o + cPᵀw) = E(o) + c·gᵀPᵀw + c²·½·wᵀPAPᵀw with w = (u, v).
    a = planted.symmetric(SPECTRUM, seed=0)
    land = planted.quadratic(a, max_bytes=max_bytes)
    cut = plane(3, 5, seed=1)
    u, v = grid_axis(7, 2.0), grid_axis(5, 3.0)
    w = torch.stack([u.expand(5, 7), v[:, None].expand(5, 7)], dim=-1)  # [v, u, 2]
    slope = torch.einsum("nd,nad->na", cut.origin @ a, cut.axes) * 0.7
    bend = cut.axes @ a @ cut.axes.mT * 0.49
    expected = (
        land.energy(cut.origin)[:, None, None]
        + torch.einsum("vua,na->nvu", w, slope)
        + torch.einsum("vua,nab,vub->nvu", w, bend, w) / 2
    )
    got = slice_energy(land, cut, u, v)
    assert got.shape == (3, 5, 7)
    assert (got - expected).abs().max() <= 1e-12 * expected.abs().max()
    field = slice_gradient(land, cut, u, v)
    along = (slope[:, None, None] + torch.einsum("nab,vub->nvua", bend, w)) / 0.7
    assert (field.components - along).abs().max() <= 1e-12 * along.abs().max()
    y = cut.origin[:, None, None] + 0.7 * torch.einsum("vua,nad->nvud", w, cut.axes)
    assert torch.allclose(field.norm, (y @ a).norm(dim=-1), rtol=1e-12)


def test_every_row_is_cut_through_its_own_landscape() -> None:
    model = planted.network(3, 4, width=12, seed=4)
    x = planted.normal(3, 3, seed=7)
    land = Landscape(model, x, [1, 5, 10], max_bytes=10_000)
    cut, axis = plane(3, 4, seed=2), grid_axis(5, 1.0)
    together = slice_energy(land, cut, axis, axis)
    for row, level in enumerate([1, 5, 10]):
        alone = Plane(
            cut.origin[row : row + 1], cut.axes[row : row + 1], cut.unit[row : row + 1], cut.names
        )
        here = slice_energy(Landscape(model, x[row : row + 1], level), alone, axis, axis)
        assert torch.allclose(here[0], together[row], rtol=1e-12)
    # The middle of an odd grid is the point itself.
    assert torch.allclose(together[:, 2, 2], land.energy(cut.origin), rtol=1e-14)


def test_the_axes_are_orthonormal_and_the_first_keeps_its_course() -> None:
    first, second = planted.normal(6, 5, seed=0), planted.normal(6, 5, seed=1)
    almost = first + 1e-4 * second  # 1e-4 off parallel: one Gram-Schmidt pass would leave 1e-12
    unit = torch.ones(6, dtype=torch.float64)
    cut = plane_through(first, 1e6 * first, almost, unit=unit, names=("a", "b"))
    eye = torch.eye(2, dtype=torch.float64)
    assert (cut.axes @ cut.axes.mT - eye).abs().max() < 1e-14
    assert torch.allclose(cut.axes[:, 0], first / first.norm(dim=1, keepdim=True), atol=1e-15)
    inside = cut.coordinates(cut.points(planted.normal(6, 4, 2, seed=3)))
    assert torch.allclose(inside, planted.normal(6, 4, 2, seed=3), atol=1e-13)


def test_what_spans_no_plane_is_refused() -> None:
    y, unit = planted.normal(2, 3, seed=0), torch.ones(2, dtype=torch.float64)
    names = ("a", "b")
    with pytest.raises(ShapeError, match="parallel ones at row 0"):
        plane_through(y, y, -3 * y, unit=unit, names=names)
    with pytest.raises(ShapeError, match="length 0 at row 0"):
        plane_through(y, y, 0 * y, unit=unit, names=names)
    with pytest.raises(ShapeError, match="above 0"):
        plane_through(y, y, y.flip(1), unit=0 * unit, names=names)
    with pytest.raises(ShapeError, match="at least 2 entries"):
        plane_through(y[:, :1], y[:, :1], y[:, 1:2], unit=unit, names=names)
    with pytest.raises(NonFiniteError, match="second"):
        plane_through(y, y, y * torch.nan, unit=unit, names=names)
    with pytest.raises(ShapeError, match="num ≥ 2"):
        grid_axis(1, 1.0)
    with pytest.raises(DtypeError, match="as the plane is"):
        project_path(plane(2, 3, seed=0), planted.normal(2, 4, 3, seed=1).float())


def test_a_path_keeps_what_lies_in_the_plane() -> None:
    # Along axes e0, e1, e2 with variances 9 : 4 : 1 in closed form: points ±3e0, ±2e1, ±1e2.
    d = 4
    eye = torch.eye(d, dtype=torch.float64)
    path = torch.cat(
        [s * size * eye[i : i + 1] for i, size in enumerate((3.0, 2.0, 1.0)) for s in (1, -1)]
    )[None] + planted.normal(d, seed=0)
    origin = path[:, -1]
    unit = torch.full((1,), 2.0, dtype=torch.float64)
    cut = plane_through(origin, eye[:1], eye[1:2], unit=unit, names=("e0", "e1"))
    seen = project_path(cut, path)
    assert math.isclose(float(seen.kept), 26 / 28, rel_tol=1e-14)
    assert torch.allclose(seen.coordinates[0], (path - origin)[0, :, :2] / 2, atol=1e-15)
    assert torch.allclose(seen.distance[0], (path - origin)[0, :, 2:].norm(dim=1), atol=1e-15)
    found = path_components(path, num=3)
    assert torch.allclose(found.shares[0] * 28, torch.tensor([18.0, 8.0, 2.0]).double())
    assert torch.allclose(found.axes[0], eye[:3], atol=1e-14)  # the largest entry is positive
    along = plane_through(origin, found.axes[:, 0], found.axes[:, 1], unit=unit, names=("1", "2"))
    assert math.isclose(float(project_path(along, path).kept), float(found.shares[0, :2].sum()))


def test_a_path_that_stands_still_has_no_share() -> None:
    still = torch.zeros(1, 4, 3, dtype=torch.float64)
    assert bool(path_components(still).shares.isnan().all())
    assert bool(project_path(plane(1, 3, seed=0), still).kept.isnan().all())
    with pytest.raises(ShapeError, match="num ≤ min"):
        path_components(planted.normal(1, 2, 3, seed=0))


def test_a_random_plane_keeps_two_of_d() -> None:
    n, d = 4_000, 12
    path = planted.normal(n, 6, d, seed=1)
    frames = random_directions(n, d, seed=3, purpose="test")
    cut = plane_through(
        path[:, 0], *frames.unbind(dim=1), unit=torch.ones(n).double(), names=("a", "b")
    )
    kept = project_path(cut, path).kept
    z = (kept.mean() - 2 / d) / (kept.std() / n**0.5)
    assert abs(float(z)) < 5


def test_a_long_random_walk_looks_planar_all_the_same() -> None:
    # Antognini & Sohl-Dickstein: component k of a long walk in many dimensions keeps 6/(π²k²).
    steps = torch.ones(1, 120, dtype=torch.float64)
    kept = random_walk_shares(steps, 3_000, num_draws=4)
    expected = 6 / math.pi**2 * (1 + 1 / 4)  # 0.76
    assert (kept - expected).abs().max() < 0.02
    # Scales do not matter, and a row does not depend on its neighbours or on how many draws follow.
    some = random_walk_shares(torch.tensor([[1.0, 2.0, 3.0], [9.0, 1.0, 1.0]]).double(), 5)
    alone = random_walk_shares(
        10 * torch.tensor([[9.0, 1.0, 1.0]]).double(), 5, num_draws=50, first=1
    )
    assert torch.allclose(alone[0], some[1, :50], rtol=1e-12)
    with pytest.raises(ShapeError, match="num_draws ≥ 1"):
        random_walk_shares(steps, 5, num_draws=0)


def test_problems_do_not_share_their_walks() -> None:
    # Shared ones would leave the error of one null in the mean over all problems.
    kept = random_walk_shares(torch.ones(40, 5).double(), 6, num_draws=50).mean(dim=1)
    expected = random_walk_shares(torch.ones(1, 5).double(), 6, num_draws=2_000, first=40)[0]
    spread = expected.std() / 50**0.5
    assert 0.6 * spread < kept.std() < 1.5 * spread  # 5 standard errors of a deviation of 40
    assert abs(float((kept.mean() - expected.mean()) / (expected.std() / 1_000**0.5))) < 5


def test_the_null_places_a_walk_of_its_kind_anywhere() -> None:
    # Ranks of walks among walks are uniform: mean 1/2, variance 1/12.
    steps = torch.tensor([[3.0, 1.0, 2.0, 0.5, 1.5]], dtype=torch.float64)
    null = random_walk_shares(steps, 6, num_draws=600, seed=0)[0]
    fresh = random_walk_shares(steps, 6, num_draws=600, seed=1)[0]
    ranks = (null[None] < fresh[:, None]).double().mean(dim=1)
    assert abs(float((ranks.mean() - 0.5) / (1 / 12 / 300) ** 0.5)) < 5


@pytest.mark.parametrize("seed", range(3))
def test_directions_of_a_known_hessian(seed: int) -> None:
    a = planted.symmetric(SPECTRUM, seed=seed)
    land = planted.quadratic(a)
    top, bottom = hessian_directions(land, planted.normal(2, 5, seed=seed))
    for found, values in ((top, [8.0, 3.0]), (bottom, [-2.0, 0.5])):
        for i, value in enumerate(values):
            v = found[:, i]
            assert (v @ a - value * v).abs().max() < 1e-10
            assert bool((v.gather(1, v.abs().argmax(dim=1, keepdim=True)) > 0).all())


def test_both_ends_are_one_eigenvector_where_the_lowest_is_the_largest() -> None:
    # Rows with eigenvalues 8 … -2, and -9 … 3, where -9 is both the lowest and the largest |λ|.
    usual, downward = SPECTRUM, [-9.0, -2.0, 0.5, 1.0, 3.0]
    for spectrum, second in ((usual, -2.0), (downward, -2.0)):
        a = planted.symmetric(spectrum, seed=1)
        y = planted.normal(2, 5, seed=0)
        ends = end_directions(*hessian_directions(planted.quadratic(a), y))
        for i, value in enumerate((max(spectrum, key=abs), second)):
            assert (ends[:, i] @ a - value * ends[:, i]).abs().max() < 1e-10
        plane_through(y, *ends.unbind(dim=1), unit=torch.ones(2).double(), names=("u", "v"))
    with pytest.raises(ShapeError, match="of one shape"):
        inspect.unwrap(end_directions)(ends, ends[:1])


def test_moves_of_a_matrix() -> None:
    shape, rank = (4, 5), 2
    u, v = planted.orthogonal(4, seed=0), planted.orthogonal(5, seed=1)
    sizes = torch.tensor([4.0, 3.0, 2.0, 1.0], dtype=torch.float64)
    matrix = ((u * sizes) @ v[:, :4].T).reshape(1, -1)
    grow = singular_directions(matrix, shape)
    for i in range(2):
        moved = (matrix + 0.1 * grow[:, i]).reshape(shape)
        more = sizes.clone()
        more[i] += 0.1
        assert torch.allclose(torch.linalg.svdvals(moved), more, atol=1e-13)
    turn = rotation_directions(matrix, shape, rank)
    left = torch.outer(u[:, 2], v[:, 1]).flatten()
    right = torch.outer(u[:, 1], v[:, 2]).flatten()
    assert torch.allclose(turn[0, 0] * (turn[0, 0] @ left).sign(), left, atol=1e-13)
    assert torch.allclose(turn[0, 1] * (turn[0, 1] @ right).sign(), right, atol=1e-13)
    # A step turns the one side by s_r/(s_r² - s_{r+1}²) and the other by s_{r+1}/(…): 3/5 and 2/5.
    for direction, angles in ((turn[0, 0], (0.6, 0.4)), (turn[0, 1], (0.4, 0.6))):
        left, _, right = torch.linalg.svd((matrix + 1e-5 * direction).reshape(shape))
        for side, of, angle in ((u, left, angles[0]), (v, right.mT, angles[1])):
            found = principal_angles(side[:, :rank], of[:, :rank]).max() / 1e-5
            assert math.isclose(float(found), angle, rel_tol=1e-4)
    keep = rank_directions(matrix, shape, rank, move=planted.normal(1, 20, seed=2))[0]
    assert abs(float(keep[0] @ keep[1])) < 1e-14
    assert torch.allclose(keep.norm(dim=1), torch.ones(2).double())
    cut = (u[:, :2] * sizes[:2]) @ v[:, :2].T
    # To first order: rank 3 and more grows with ε² along the one, with ε along the other.
    for direction, power in ((keep[0], 2), (keep[1], 1)):

        def beyond(step: float, direction: Tensor = direction) -> float:
            return float(torch.linalg.svdvals(cut + step * direction.reshape(shape))[2])

        assert math.isclose(math.log10(beyond(1e-3) / beyond(1e-4)), power, abs_tol=0.02)


def test_moves_that_are_not_there_are_refused() -> None:
    matrix = planted.normal(1, 9, seed=0)
    with pytest.raises(ShapeError, match=r"rank: expected 1 … 2"):
        rotation_directions(matrix, (3, 3), 3)
    with pytest.raises(ShapeError, match="entries a row"):
        singular_directions(matrix, (2, 3))
    with pytest.raises(ShapeError, match="at least 2 singular values"):
        singular_directions(matrix, (1, 9))
    with pytest.raises(ShapeError, match="a part that keeps the rank"):
        rank_directions(matrix, (3, 3), 1, move=matrix.new_zeros(1, 9))
    eye = torch.eye(3, dtype=torch.float64).reshape(1, 9)
    for directions in (rotation_directions, partial(rank_directions, move=matrix)):
        with pytest.raises(ManifoldError, match="σ_1 > σ_2"):
            directions(eye, (3, 3), 1)
        with pytest.raises(ManifoldError, match="found 1 of 1 of lower rank"):
            directions(torch.outer(matrix[0, :3], matrix[0, 3:6]).reshape(1, 9), (3, 3), 2)
    # A move within the tangent space raises no rank: what is left of its normal part is round-off.
    at = fixed_rank.closest(matrix.reshape(1, 3, 3), 1)
    tangent = fixed_rank.tangent_part(at, planted.normal(1, 3, 3, seed=1))
    for part in (tangent, fixed_rank.normal_part(at, tangent + planted.normal(1, 3, 3, seed=2))):
        with pytest.raises(ShapeError, match="a part that keeps the rank"):
            rank_directions(matrix, (3, 3), 1, move=part.flatten(1))
    with pytest.raises(ShapeError, match="at least 2 entries"):
        random_directions(2, 1, seed=0, purpose="test")
