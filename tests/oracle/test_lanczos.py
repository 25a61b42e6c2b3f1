"""The recurrence: HQ = QT + what leaves the space, with Q orthonormal, on planted matrices."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

import planted
from ired_interp.curvature.lanczos import (
    KrylovSpace,
    Product,
    grow_,
    lanczos,
    random_start,
    restart,
    ritz,
    start,
)
from ired_interp.errors import ShapeError

EPS = torch.finfo(torch.float64).eps

SPECTRA: dict[str, list[float]] = {
    "spread": np.linspace(-2, 5, 40).tolist(),
    "condition 1e12": np.geomspace(1e-12, 1, 40).tolist(),
    "a cluster of ten": [3.0] * 10 + np.linspace(-1, 1, 30).tolist(),
    "close": [3.0 + 1e-6 * i for i in range(10)] + np.linspace(-1, 1, 30).tolist(),
    "three values": [1.0] * 20 + [-2.0] * 10 + [5.0] * 10,
    "identity": [2.0] * 40,
    "zero": [0.0] * 40,
    "one far off": [1e8, *np.linspace(-1, 1, 39).tolist()],
}
spectra = pytest.mark.parametrize("name", SPECTRA)


def _product(*matrices: Tensor) -> Product:
    h = torch.stack(matrices)
    return lambda v: torch.einsum("nij,nj->ni", h, v)


def _matrices(names: Sequence[str]) -> list[Tensor]:
    return [planted.symmetric(SPECTRA[name], seed=i) for i, name in enumerate(names)]


def _block_diagonal(*blocks: Tensor) -> Tensor:
    result: Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return result


def _check_space(space: KrylovSpace, matrices: Sequence[Tensor]) -> None:
    """HQ = QT + β·q·eᵀ in all its parts, Q orthonormal, images exact."""
    k = space.size
    used = space.basis[:, : k + 1]
    for i, h in enumerate(matrices):
        norm = max(float(torch.linalg.matrix_norm(h, 2)), 1e-300)
        q, last = used[i, :k], used[i, k]
        assert (q @ q.mT - torch.eye(k)).abs().max() <= 100 * EPS
        assert (space.images[i, :k] - q @ h).abs().max() <= 10 * EPS * norm * len(h) ** 0.5
        t = space.projected[i, :k, :k]
        assert torch.equal(t, t.mT)
        beta = float(space.remainder[i])
        off = q @ h - t @ q
        off[-1] -= beta * last
        if space.kept and k == space.kept:  # a restart couples every row to the next direction
            off += torch.outer(torch.eye(k)[-1].double() * beta, last)
            off -= torch.outer(space.projected[i, k, :k], last)
        assert off.abs().max() <= 200 * EPS * norm
        if beta > 0:
            assert (q @ last).abs().max() <= 100 * EPS
            assert abs(float(torch.linalg.vector_norm(last)) - 1) <= 10 * EPS


@spectra
@pytest.mark.parametrize("num_steps", [1, 2, 13, 39, 40])
def test_the_recurrence_holds_exactly(name: str, num_steps: int) -> None:
    h = planted.symmetric(SPECTRA[name], seed=1)
    first = planted.normal(2, 40, seed=2)
    found = lanczos(_product(h, h), first, num_steps)
    norm = max(float(torch.linalg.matrix_norm(h, 2)), 1e-300)
    q = found.basis
    assert q.shape == (2, num_steps, 40)
    assert (q @ q.mT - torch.eye(num_steps)).abs().max() <= 100 * EPS
    unit = first / torch.linalg.vector_norm(first, dim=1, keepdim=True)
    assert (q[:, 0] - unit).abs().max() <= 10 * EPS
    t = torch.diag_embed(found.diagonal)
    t += torch.diag_embed(found.off_diagonal[:, :-1], 1)
    t += torch.diag_embed(found.off_diagonal[:, :-1], -1)
    off = q @ h - t @ q
    assert (q @ h @ q.mT - t).abs().max() <= 200 * EPS * norm
    assert off[:, :-1].abs().max() <= 200 * EPS * norm if num_steps > 1 else True
    left = torch.linalg.vector_norm(off[:, -1], dim=1)
    assert (left - found.off_diagonal[:, -1]).abs().max() <= 200 * EPS * norm
    assert bool((found.off_diagonal >= 0).all())
    if num_steps == 40:
        assert found.off_diagonal[:, -1].tolist() == [0.0, 0.0]
        truth = torch.tensor(sorted(SPECTRA[name]), dtype=torch.float64)
        assert (torch.linalg.eigvalsh(t) - truth).abs().max() <= 200 * EPS * norm


def test_the_first_steps_of_a_longer_run_are_the_shorter_run() -> None:
    h = planted.symmetric(SPECTRA["spread"], seed=3)
    first = planted.normal(1, 40, seed=4)
    short, long = lanczos(_product(h), first, 7), lanczos(_product(h), first, 20)
    assert torch.equal(short.basis, long.basis[:, :7])
    assert torch.equal(short.diagonal, long.diagonal[:, :7])
    assert torch.equal(short.off_diagonal, long.off_diagonal[:, :7])


def test_a_start_within_an_invariant_space_goes_on_at_random_and_leaves_a_zero() -> None:
    # H has the blocks 3·3 and 5·5; from the first, nothing leads to the second.
    blocks = [
        planted.symmetric([1.0, 2.0, 4.0], seed=5),
        planted.symmetric([3.0] * 4 + [7], seed=6),
    ]
    h = _block_diagonal(*blocks)
    first = torch.zeros(1, 8, dtype=torch.float64)
    first[0, :3] = planted.normal(3, seed=7)
    found = lanczos(_product(h), first, 8)
    couplings = found.off_diagonal[0]
    assert float(couplings[2]) == 0.0
    assert bool((couplings[:2] > 1e-3).all())
    assert found.basis[0, :3, 3:].abs().max() <= 10 * EPS  # those stay in the first block
    assert found.basis[0, 3:, :3].abs().max() <= 10 * EPS
    assert int((couplings == 0).sum()) == 5  # 3 | 2 dimensions from a random start | 3 | end
    t = torch.diag(found.diagonal[0])
    t += torch.diag(couplings[:-1], 1) + torch.diag(couplings[:-1], -1)
    truth = torch.tensor([1.0, 2, 3, 3, 3, 3, 4, 7], dtype=torch.float64)
    assert (torch.linalg.eigvalsh(t) - truth).abs().max() <= 100 * EPS * 7


def test_one_dimension() -> None:
    found = lanczos(lambda v: -3 * v, torch.tensor([[2.0], [-5.0]], dtype=torch.float64), 1)
    assert found.basis.flatten().tolist() == [1.0, -1.0]
    assert found.diagonal.flatten().tolist() == [-3.0, -3.0]
    assert found.off_diagonal.flatten().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("num_steps", [-1, 0, 6, 100])
def test_steps_out_of_range_are_refused(num_steps: int) -> None:
    with pytest.raises(ShapeError, match=rf"num_steps: expected 1 … d = 5, found {num_steps}"):
        lanczos(lambda v: v, planted.normal(2, 5, seed=0), num_steps)


def test_points_of_different_kinds_share_a_run() -> None:
    names = ["spread", "identity", "zero", "three values"]
    matrices = _matrices(names)
    space = grow_(start(random_start(torch.zeros(4, 40).double()), 30), _product(*matrices), 30)
    _check_space(space, matrices)


def test_growing_in_pieces_is_growing_at_once() -> None:
    matrices = _matrices(["spread", "condition 1e12"])
    first = planted.normal(2, 40, seed=8)
    whole = grow_(start(first, 25), _product(*matrices), 25)
    pieces = start(first, 40)
    for size in (1, 3, 4, 11, 25):
        pieces = grow_(pieces, _product(*matrices), size)
        assert pieces.size == size
    assert torch.equal(whole.basis[:, :26], pieces.basis[:, :26])
    assert torch.equal(whole.projected[:, :26, :26], pieces.projected[:, :26, :26])
    _check_space(pieces, matrices)


def test_the_scale_is_the_largest_image() -> None:
    matrices = _matrices(["spread", "zero"])
    space = grow_(start(planted.normal(2, 40, seed=9), 15), _product(*matrices), 15)
    sizes = torch.linalg.vector_norm(space.images[:, :15], dim=2).amax(dim=1)
    assert torch.equal(space.scale, sizes)
    assert 1 <= float(space.scale[0]) <= 5 * (1 + 10 * EPS)


@pytest.mark.parametrize("name", ["spread", "a cluster of ten", "close", "one far off"])
def test_restarts_keep_the_relation(name: str) -> None:
    h = planted.symmetric(SPECTRA[name], seed=10)
    space = grow_(start(planted.normal(1, 40, seed=11), 16), _product(h), 16)
    for _ in range(4):
        values, vectors = ritz(space)
        kept = torch.tensor([0, 1, 12, 13, 14, 15])
        next_direction = space.basis[:, space.size].clone()
        space = restart(space, vectors[:, :, kept], values[:, kept])
        assert (space.size, space.kept) == (6, 6)
        assert torch.equal(space.basis[:, 6], next_direction)
        _check_space(space, [h])
        space = grow_(space, _product(h), 16)
        _check_space(space, [h])
    top = float(ritz(space)[0][0, -1])
    truth, width = max(SPECTRA[name]), 9e-6 if name == "close" else 0.0
    assert abs(top - truth) <= 1e-12 * truth + width  # which 4 restarts have found


def test_ritz_pairs_are_those_of_the_projection() -> None:
    matrices = _matrices(["spread", "three values"])
    space = grow_(start(planted.normal(2, 40, seed=12), 12), _product(*matrices), 12)
    values, vectors = ritz(space)
    t = space.projected[:, :12, :12]
    assert values.dtype == torch.float64
    assert bool((values.diff(dim=1) >= 0).all())
    off = t @ vectors - vectors * values[:, None, :]
    assert off.abs().max() <= 100 * EPS * 5
    assert (vectors.mT @ vectors - torch.eye(12)).abs().max() <= 100 * EPS
    # The estimate of a Ritz pair's residual is its residual.
    q = space.basis[:, :12].mT @ vectors
    residuals = torch.linalg.vector_norm(torch.stack(matrices) @ q - q * values[:, None, :], dim=1)
    estimates = space.remainder[:, None] * vectors[:, -1].abs()
    assert (residuals - estimates).abs().max() <= 100 * EPS * 5


@pytest.mark.parametrize("name", ["spread", "identity"])
def test_a_space_beside_others_avoids_them(name: str) -> None:
    h = planted.symmetric(SPECTRA[name], seed=13)
    vectors = torch.linalg.eigh(h)[1][:, -5:].mT[None].contiguous()
    space = start(planted.normal(1, 40, seed=14), 35, outside=(vectors,))
    space = grow_(space, _product(h), 35)
    assert (space.basis[:, :35] @ vectors.mT).abs().max() <= 100 * EPS
    assert float(space.remainder[0]) == 0.0  # 35 + 5 dimensions are all there are
    values = ritz(space)[0][0]
    truth = torch.tensor(sorted(SPECTRA[name])[:-5], dtype=torch.float64)
    assert (values - truth).abs().max() <= 200 * EPS * 5


def test_float32_is_orthonormal_to_its_own_precision() -> None:
    h = planted.symmetric(SPECTRA["one far off"], seed=15).float()
    found = lanczos(_product(h), planted.normal(1, 40, seed=16).float(), 40)
    assert found.basis.dtype == found.diagonal.dtype == torch.float32
    gram = found.basis.double() @ found.basis.double().mT
    assert (gram - torch.eye(40)).abs().max() <= 100 * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_products_in_any_layout_give_the_same_space(layout: str) -> None:
    matrices = _matrices(["spread", "close", "condition 1e12"])
    product = _product(*matrices)

    def apply(v: Tensor) -> Tensor:
        out = product(v).contiguous()
        return out if layout == "rows" else out.mT.contiguous().mT

    space = grow_(start(planted.normal(3, 40, seed=17), 20), apply, 20)
    _check_space(space, matrices)


def test_start_vectors_do_not_depend_on_the_points_or_on_global_state() -> None:
    torch.manual_seed(1)
    three = random_start(torch.zeros(3, 7).double())
    torch.manual_seed(2)
    one = random_start(torch.zeros(1, 7).double())
    assert torch.equal(three, one.expand(3, -1))
    assert (torch.linalg.vector_norm(three, dim=1) - 1).abs().max() <= 10 * EPS
    assert not torch.equal(random_start(torch.zeros(1, 7).double(), "another"), one)
