"""The geometry against SciPy, pymanopt, geomstats, geoopt and pyriemann, to 1e-9 in float64."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pymanopt
import pytest
import scipy.linalg
import torch
from torch import Tensor

import geometry_references
import planted
from ired_interp.errors import ManifoldError, ShapeError
from ired_interp.geometry import fixed_rank, grassmann, interop, orthonormalise, spd

NEAR = 1e-9
D, N = 9, 5
TIMES = (-0.3, 0.0, 0.4, 1.0)
Arrays = dict[str, npt.NDArray[np.float64]]


def frames(n: int, d: int, k: int, *, seed: int) -> Tensor:
    return orthonormalise(planted.normal(n, d, k, seed=seed))


def tangents(a: Tensor, *, seed: int, size: float = 1.0) -> Tensor:
    z = size * planted.normal(*a.shape, seed=seed)
    return z - a @ (a.mT @ z)


def positive(n: int, size: int, *, seed: int) -> Tensor:
    factor = planted.normal(n, size, size, seed=seed)
    return factor @ factor.mT + 0.05 * torch.eye(size, dtype=torch.float64)


def close(found: Tensor, expected: Any) -> None:
    reference = torch.as_tensor(expected)
    assert found.shape == reference.shape
    assert float((found - reference).abs().max()) <= NEAR * max(1.0, float(reference.abs().max()))


@pytest.fixture(scope="module")
def given() -> dict[str, Tensor]:
    out = {"spd_a": positive(6, 7, seed=1), "spd_b": positive(6, 7, seed=2)}
    out["times"] = torch.tensor(TIMES, dtype=torch.float64)
    for k in (2, 4):
        a = frames(N, D, k, seed=10 + k)
        out |= {f"a{k}": a, f"b{k}": frames(N, D, k, seed=20 + k)}
        out |= {f"way{k}": tangents(a, seed=30 + k, size=0.4), f"vector{k}": tangents(a, seed=k)}
        centre = a[:1].expand(N, -1, -1)
        out[f"near{k}"] = grassmann.exp(centre, tangents(centre, seed=50 + k, size=0.1))
    return out


@pytest.fixture(scope="module")
def others(given: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    """What the other libraries found, computed once, in a process of its own."""
    folder = tmp_path_factory.mktemp("references")
    sent = {name: value.numpy() for name, value in given.items()}
    for k in (2, 4):  # tangents as geomstats has them
        for name in (f"way{k}", f"vector{k}"):
            sent[name] = interop.to_geomstats_tangent(given[f"a{k}"], given[name])
    np.savez(folder / "given.npz", **sent)  # type: ignore[arg-type]
    script = Path(geometry_references.__file__)
    command = [sys.executable, str(script), str(folder / "given.npz"), str(folder / "found.npz")]
    subprocess.run(command, check=True, timeout=300)
    return dict(np.load(folder / "found.npz"))


@pytest.mark.parametrize("k", [2, 4])
def test_grassmann_is_geomstats_s_up_to_root_two(
    k: int, given: dict[str, Tensor], others: Arrays
) -> None:
    a, b = given[f"a{k}"], given[f"b{k}"]
    close(interop.GEOMSTATS_FACTOR * grassmann.distance(a, b), others[f"distance{k}"])
    way = grassmann.log(a, b)
    assert bool(way.unique.all())
    close(torch.from_numpy(interop.to_geomstats_tangent(a, way.tangent)), others[f"log{k}"])
    close(interop.from_geomstats_tangent(a, others[f"log{k}"]), way.tangent)
    end = grassmann.exp(a, given[f"way{k}"])
    close(torch.from_numpy(interop.to_geomstats(end)), others[f"exp{k}"])
    carried = grassmann.transport(a, given[f"way{k}"], given[f"vector{k}"])
    close(torch.from_numpy(interop.to_geomstats_tangent(end, carried)), others[f"transport{k}"])


@pytest.mark.parametrize("k", [2, 4])
def test_the_mean_is_geomstats_s(k: int, given: dict[str, Tensor], others: Arrays) -> None:
    found = grassmann.frechet_mean(given[f"near{k}"])
    assert found.unique
    assert found.residual <= 1e-12
    close(torch.from_numpy(interop.to_geomstats(found.frame)), others[f"mean{k}"])
    squares = grassmann.distance(given[f"near{k}"], found.frame[None]).square()
    assert found.variance == pytest.approx(float(squares.mean()), rel=1e-12)


def test_positive_definite_matrices_are_geoopt_s_and_pyriemann_s(
    given: dict[str, Tensor], others: Arrays
) -> None:
    a, b = given["spd_a"], given["spd_b"]
    close(spd.affine_invariant_distance(a, b), others["geoopt_AIM"])
    close(spd.affine_invariant_distance(a, b), others["pyriemann_AIM"])
    close(spd.log_euclidean_distance(a, b), others["geoopt_LEM"])
    close(spd.log_euclidean_distance(a, b), others["pyriemann_LEM"])
    times = given["times"]
    close(spd.affine_invariant_geodesic(a, b, times), others["geodesic_AIM"])
    close(spd.log_euclidean_geodesic(a, b, times), others["geodesic_LEM"])


@pytest.mark.parametrize(("d", "k"), [(20, 2), (20, 10), (7, 1), (5, 4)])
def test_distances_are_scipy_s(d: int, k: int) -> None:
    a, b = frames(3, d, k, seed=d), frames(4, d, k, seed=k)
    found = grassmann.pairwise_distances(a, b)
    for i in range(3):
        for j in range(4):
            angles = scipy.linalg.subspace_angles(a[i].numpy(), b[j].numpy())
            assert float(found[i, j]) == pytest.approx(float(np.linalg.norm(angles)), abs=NEAR)
            sines = float(np.square(np.sin(angles)).sum())
            assert float(grassmann.chordal_squared(a[i], b[j])) == pytest.approx(sines, abs=NEAR)


@pytest.mark.parametrize("k", [1, 3])
def test_grassmann_is_pymanopt_s(k: int) -> None:
    space = pymanopt.manifolds.Grassmann(8, k)
    a, b = frames(1, 8, k, seed=1)[0], frames(1, 8, k, seed=2)[0]
    way = tangents(a, seed=3)
    assert float(grassmann.distance(a, b)) == pytest.approx(space.dist(a.numpy(), b.numpy()))
    close(grassmann.exp(a, way) @ grassmann.exp(a, way).mT, _projector(space, a, way))
    close(grassmann.log(a, b).tangent, space.log(a.numpy(), b.numpy()))


def _projector(space: Any, a: Tensor, way: Tensor) -> npt.NDArray[np.float64]:
    end: npt.NDArray[np.float64] = space.exp(a.numpy(), way.numpy())
    return end @ end.T


@pytest.mark.parametrize(("m", "n", "rank"), [(6, 4, 2), (5, 5, 1), (4, 7, 3), (4, 4, 4)])
def test_fixed_rank_is_pymanopt_s(m: int, n: int, rank: int) -> None:
    space = pymanopt.manifolds.FixedRankEmbedded(m, n, rank)
    at = fixed_rank.closest(planted.normal(m, n, seed=1), rank)
    z = planted.normal(m, n, seed=2)
    point = interop.to_pymanopt(at)
    tangent = space.embedding(point, space.projection(point, z.numpy()))
    dense = tangent[0] @ tangent[1] @ tangent[2].T
    close(fixed_rank.tangent_part(at, z), dense)
    close(fixed_rank.normal_part(at, z), z.numpy() - dense)
    for mine, theirs in zip(
        interop.to_pymanopt_tangent(at, z), space.projection(point, z.numpy()), strict=True
    ):
        close(torch.from_numpy(mine), theirs)
    small = 0.1 * fixed_rank.tangent_part(at, z)
    retracted = space.retraction(point, space.projection(point, small.numpy()))
    close(
        fixed_rank.retract(at, small).matrix(), retracted[0] @ np.diag(retracted[1]) @ retracted[2]
    )
    back = interop.from_pymanopt(point)
    close(back.matrix(), at.matrix())
    assert fixed_rank.dimension(m, n, rank) == space.dim


def test_projectors_go_there_and_back() -> None:
    a = frames(3, 6, 2, seed=0)
    back = interop.from_geomstats(interop.to_geomstats(a))
    assert float(grassmann.distance(a, back).max()) < 1e-14
    with pytest.raises(ManifoldError, match=r"P = Pᵀ = P² of one rank"):
        interop.from_geomstats(2 * interop.to_geomstats(a))
    ranks = np.stack([np.diag([1.0, 0, 0]), np.diag([1.0, 1.0, 0])])
    with pytest.raises(ManifoldError, match=r"of ranks \[1.0, 2.0\]"):
        interop.from_geomstats(ranks)


def test_pymanopt_takes_one_point() -> None:
    at = fixed_rank.closest(planted.normal(2, 4, 3, seed=0), 2)
    with pytest.raises(ShapeError, match="pymanopt has no batches"):
        interop.to_pymanopt(at)
    one = fixed_rank.FixedRank(at.u[0], 0 * at.s[0], at.v[0])
    with pytest.raises(ManifoldError, match="singular values above 0"):
        interop.from_pymanopt(interop.to_pymanopt(one))


def test_the_factor_is_root_two() -> None:
    assert math.isclose(interop.GEOMSTATS_FACTOR, math.sqrt(2))
