"""What must not matter to the geometry: frames, order, rotations, the batch."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import planted
from ired_interp.geometry import fixed_rank, grassmann, orthonormalise, spd

SEEDS = st.integers(0, 10_000)
SHAPES = st.sampled_from([(5, 1), (6, 2), (7, 4), (4, 4), (9, 3)])


def frame(d: int, k: int, seed: int) -> Tensor:
    return orthonormalise(planted.normal(2, d, k, seed=seed))


def tangent(a: Tensor, seed: int, size: float = 1.0) -> Tensor:
    z = size * planted.normal(*a.shape, seed=seed)
    return z - a @ (a.mT @ z)


def positive(size: int, seed: int) -> Tensor:
    factor = planted.normal(2, size, size, seed=seed)
    return factor @ factor.mT + 0.1 * torch.eye(size, dtype=torch.float64)


@given(SHAPES, SEEDS)
def test_a_distance_is_of_subspaces_and_not_of_frames(shape: tuple[int, int], seed: int) -> None:
    d, k = shape
    a, b = frame(d, k, seed), frame(d, k, seed + 1)
    turn, rotation = planted.orthogonal(k, seed=seed), planted.orthogonal(d, seed=seed)
    found = grassmann.distance(a, b)
    for other in (
        grassmann.distance(b, a),
        grassmann.distance(a @ turn, b),
        grassmann.distance(rotation @ a, rotation @ b),
    ):
        assert float((other - found).abs().max()) < 1e-12
    middle = frame(d, k, seed + 2)
    detour = grassmann.distance(a, middle) + grassmann.distance(middle, b)
    assert bool((detour >= found - 1e-12).all())


@given(SHAPES, SEEDS)
def test_exp_and_log_undo_one_another(shape: tuple[int, int], seed: int) -> None:
    d, k = shape
    a, b = frame(d, k, seed), frame(d, k, seed + 1)
    way = grassmann.log(a, b)
    assert float(grassmann.distance(grassmann.exp(a, way.tangent), b).max()) < 1e-10
    short = tangent(a, seed, 0.2)
    back = grassmann.log(a, grassmann.exp(a, short)).tangent
    if float(torch.linalg.matrix_norm(short, ord=2).max()) < 1.5:
        assert float((back - short).abs().max()) < 1e-10
    path = grassmann.geodesic(a, b, torch.tensor([0.25, 0.75], dtype=torch.float64))
    lengths = grassmann.distance(a[None], path) / grassmann.distance(a, b).clamp_min(1e-12)
    if d > k:
        assert torch.allclose(lengths, torch.tensor([[0.25], [0.75]], dtype=torch.float64))


@given(SHAPES, SEEDS)
def test_transport_keeps_lengths_and_angles_and_follows_the_geodesic(
    shape: tuple[int, int], seed: int
) -> None:
    d, k = shape
    a = frame(d, k, seed)
    way, x, z = (tangent(a, seed + i) for i in range(3))
    end = grassmann.exp(a, way)
    carried_x, carried_z = grassmann.transport(a, way, x), grassmann.transport(a, way, z)
    assert float((end.mT @ carried_x).abs().max()) < 1e-12
    product = (carried_x * carried_z).sum((-2, -1))
    assert float((product - (x * z).sum((-2, -1))).abs().max()) < 1e-11
    velocity = grassmann.transport(a, way, way)
    onward = grassmann.exp(end, 0.3 * velocity)
    assert float(grassmann.distance(onward, grassmann.exp(a, 1.3 * way)).max()) < 1e-11


@given(st.integers(1, 3), SEEDS)
def test_parts_are_orthogonal_projections(rank: int, seed: int) -> None:
    at = fixed_rank.closest(planted.normal(2, 4, 5, seed=seed), rank)
    z, w = planted.normal(2, 4, 5, seed=seed + 1), planted.normal(2, 4, 5, seed=seed + 2)
    tangent_z, normal_z = fixed_rank.tangent_part(at, z), fixed_rank.normal_part(at, z)
    assert float((tangent_z + normal_z - z).abs().max()) < 1e-13
    assert float((fixed_rank.tangent_part(at, tangent_z) - tangent_z).abs().max()) < 1e-13
    assert float(fixed_rank.normal_part(at, tangent_z).abs().max()) < 1e-13
    assert float((tangent_z * fixed_rank.normal_part(at, w)).sum((-2, -1)).abs().max()) < 1e-12
    self_adjoint = (tangent_z * w).sum((-2, -1)) - (fixed_rank.tangent_part(at, w) * z).sum(
        (-2, -1)
    )
    assert float(self_adjoint.abs().max()) < 1e-12
    # Moving within the tangent space leaves the manifold to second order only.
    sizes = [
        float(fixed_rank.distance(at.matrix() + h * tangent_z, rank).max()) for h in (1e-3, 5e-4)
    ]
    assert sizes[1] < 0.3 * sizes[0] + 1e-12


@given(SEEDS)
def test_what_the_plan_started_from_is_no_projection(seed: int) -> None:
    at = fixed_rank.closest(planted.normal(4, 4, seed=seed), 2)
    projector = at.u @ at.u.mT

    def once(g: Tensor) -> Tensor:
        return projector @ g + g.mT @ projector

    g = planted.normal(4, 4, seed=seed + 1)
    assert float((once(once(g)) - once(g)).abs().max()) > 1e-3


@given(st.integers(1, 6), SEEDS)
def test_the_affine_invariant_distance_is(size: int, seed: int) -> None:
    a, b = positive(size, seed), positive(size, seed + 1)
    m = planted.normal(size, size, seed=seed + 2) + 3 * torch.eye(size, dtype=torch.float64)
    found = spd.affine_invariant_distance(a, b)
    others = [
        spd.affine_invariant_distance(b, a),
        spd.affine_invariant_distance(torch.linalg.inv(a), torch.linalg.inv(b)),
        spd.affine_invariant_distance(m @ a @ m.mT, m @ b @ m.mT),
    ]
    for other in others:
        assert torch.allclose(other, found, rtol=1e-8, atol=1e-8)
    flat = spd.log_euclidean_distance(a, b)
    assert bool((flat <= found * (1 + 1e-9) + 1e-9).all())  # the cone curves the other way
    assert torch.allclose(
        spd.log_euclidean_distance(torch.linalg.inv(a), torch.linalg.inv(b)), flat, atol=1e-8
    )


@given(st.integers(1, 5), SEEDS)
def test_geodesics_of_the_cone_divide_the_distance(size: int, seed: int) -> None:
    a, b = positive(size, seed), positive(size, seed + 1)
    third = torch.tensor([1 / 3], dtype=torch.float64)
    for geodesic, distance in (
        (spd.affine_invariant_geodesic, spd.affine_invariant_distance),
        (spd.log_euclidean_geodesic, spd.log_euclidean_distance),
    ):
        at = geodesic(a, b, third)[0]
        assert bool(spd.is_spd(at).all())
        assert torch.allclose(distance(a, at), distance(a, b) / 3, rtol=1e-7, atol=1e-8)


@given(st.integers(1, 5), SEEDS)
def test_eigen_parts_turn_with_the_matrix(size: int, seed: int) -> None:
    at, z = positive(size, seed), planted.normal(2, size, size, seed=seed + 1)
    turn = planted.orthogonal(size, seed=seed)
    parts, turned = (
        spd.eigen_parts(at, z),
        spd.eigen_parts(turn @ at @ turn.mT, turn @ z @ turn.mT),
    )
    for name in ("eigenvalue", "eigenvector", "skew"):
        expected = turn @ getattr(parts, name) @ turn.mT
        assert float((getattr(turned, name) - expected).abs().max()) < 1e-9


@given(SEEDS)
def test_a_batch_is_its_rows(seed: int) -> None:
    a, b = frame(6, 2, seed), frame(6, 2, seed + 1)
    together = grassmann.log(a, b)
    for i in range(2):
        alone = grassmann.log(a[i], b[i])
        assert float((alone.tangent - together.tangent[i]).abs().max()) < 1e-13
    x = planted.normal(2, 4, 5, seed=seed)
    at = fixed_rank.closest(x, 2)
    for i in range(2):
        one = fixed_rank.closest(x[i], 2)
        part = fixed_rank.tangent_part(one, x[1 - i])
        assert float((part - fixed_rank.tangent_part(at, x.flip(0))[i]).abs().max()) < 1e-12
