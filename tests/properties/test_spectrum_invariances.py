"""What a spectrum may not depend on: axes, offsets, order, chunks, threads. By every route."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

import planted
from ired_interp.curvature import Spectrum, spectrum
from ired_interp.curvature.routes import MATRICES_OF_FEW, Route
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.landscape import DEFAULT_MAX_BYTES, Landscape

D, N, DIM_X = 48, 4, 6
TOP, BOTTOM = 6, 3
LARGEST = 1e-12
TOO_SMALL = MATRICES_OF_FEW * D * D * 4 - 1  # for one dense matrix, in float32 too


@dataclass(frozen=True)
class Case:
    """A route, and what makes `spectrum` take it."""

    route: Route
    tol: float
    max_bytes: int = DEFAULT_MAX_BYTES
    closed_form: bool = True
    all_pairs: bool = False


CASES = {
    "dense": Case("dense", 1e-10, closed_form=False),
    "all pairs": Case("dense", 1e-10, all_pairs=True),
    "krylov": Case("krylov", 1e-10, max_bytes=TOO_SMALL, closed_form=False),
    "dense, refined": Case("dense, refined", 1e-10),
    "krylov, refined": Case("krylov, refined", 1e-5, max_bytes=TOO_SMALL),
}
cases = pytest.mark.parametrize("name", CASES)


def _network() -> EnergyMLP:
    return planted.network(DIM_X, D, width=64, seed=1, gain=2.0)


def _points() -> tuple[Tensor, Tensor]:
    return planted.normal(N, DIM_X, seed=2), planted.normal(N, D, seed=3)


def _land(case: Case, model: EnergyMLP, x: Tensor, levels: list[int]) -> Landscape:
    energy = model if case.closed_form else planted.EnergyOnly(model)
    return Landscape(energy, x, levels, max_bytes=case.max_bytes)


LEVELS = [1, 4, 7, 10]


def _ask(case: Case, land: Landscape, y: Tensor) -> Spectrum:
    if case.all_pairs:
        found = spectrum(land, y, tol=case.tol)
    else:
        found = spectrum(land, y, TOP, BOTTOM, tol=case.tol)
    assert found.routes == (case.route,) * y.shape[0]
    return found


def _same(case: Case, found: Spectrum, expected: Spectrum, *, scale: float = 1.0) -> None:
    """Eigenvalues to 1e-12·‖H‖, or to what a wide tolerance promises; pairs as they are."""
    norm = scale * expected.norm[:, None]
    off = (found.eigenvalues - scale * expected.eigenvalues).abs()
    # A residual of tol·‖H‖ leaves an eigenvalue off by its square over the gap.
    allowed = LARGEST if case.tol <= 1e-8 else 10 * case.tol**2 / 1e-2
    assert bool((off <= allowed * norm).all()), float((off / norm).max())
    assert bool((found.residuals <= 1.01 * case.tol * norm).all())
    assert torch.equal(found.index_low, expected.index_low)
    assert torch.equal(found.index_high, expected.index_high)


def _reference(case: Case) -> tuple[EnergyMLP, Tensor, Tensor, Spectrum]:
    model = _network()
    x, y = _points()
    return model, x, y, _ask(case, _land(case, model, x, LEVELS), y)


@cases
def test_the_routes_agree_with_numpy(name: str) -> None:
    case = CASES[name]
    model, x, y, found = _reference(case)
    truth = np.linalg.eigvalsh(Landscape(model, x, LEVELS).hessian(y).numpy())
    if case.all_pairs:
        expected = truth
    else:
        order = np.argsort(-np.abs(truth), axis=1)[:, :TOP]
        expected = np.hstack([np.take_along_axis(truth, order, 1), truth[:, :BOTTOM]])
    off = np.abs(found.eigenvalues.numpy() - expected) / found.norm.numpy()[:, None]
    assert off.max() <= (LARGEST if case.tol <= 1e-8 else 10 * case.tol**2 / 1e-2)


@cases
@pytest.mark.parametrize("seed", [4, 5])
def test_turning_y_changes_nothing(name: str, seed: int) -> None:
    case = CASES[name]
    model, x, y, expected = _reference(case)
    q = planted.orthogonal(D, seed=seed)
    with torch.no_grad():  # E(Qᵀy): the columns of y in the first layer are turned
        weight = model.fc1.weight
        weight[:, DIM_X:] = weight[:, DIM_X:] @ q.mT
    found = _ask(case, _land(case, model, x, LEVELS), y @ q.mT)
    _same(case, found, expected)
    back = q.mT @ found.eigenvectors
    gaps = expected.eigenvalues[:, 0] - expected.eigenvalues[:, 1]
    if not case.all_pairs and bool((gaps.abs() > 1e-2 * expected.norm).all()):
        cosines = (back[:, :, 0] * expected.eigenvectors[:, :, 0]).sum(dim=1).abs()
        assert (cosines - 1).abs().max() <= 1e-5


@cases
@pytest.mark.parametrize("factor", [1e-3, 7.0])
def test_scaling_the_energy_scales_the_spectrum(name: str, factor: float) -> None:
    case = CASES[name]
    model, x, y, expected = _reference(case)
    scaled = planted.steeper(model, factor)
    found = _ask(case, _land(case, scaled, x, LEVELS), y)
    _same(case, found, expected, scale=factor**2)


@pytest.mark.parametrize("name", ["dense", "krylov"])
@pytest.mark.parametrize("offset", [1.0, -1e6])
def test_shifting_the_energy_changes_nothing(name: str, offset: float) -> None:
    case = CASES[name]
    model, x, y, expected = _reference(case)

    class Shifted(planted.EnergyOnly):
        def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
            return super().energy(x, y, t) + offset

    found = _ask(case, Landscape(Shifted(model), x, LEVELS, max_bytes=case.max_bytes), y)
    _same(case, found, expected)


@cases
def test_the_order_of_the_points_changes_nothing(name: str) -> None:
    case = CASES[name]
    model, x, y, expected = _reference(case)
    order = torch.tensor([2, 0, 3, 1])
    found = _ask(case, _land(case, model, x[order], [LEVELS[i] for i in order]), y[order])
    assert found.reason == expected.reason
    back = order.argsort()
    off = (found.eigenvalues[back] - expected.eigenvalues).abs() / expected.norm[:, None]
    assert float(off.max()) <= (LARGEST if case.tol <= 1e-8 else 10 * case.tol**2 / 1e-2)
    assert torch.equal(found.index_low[back], expected.index_low)


@cases
def test_a_point_alone_is_the_point_among_others(name: str) -> None:
    case = CASES[name]
    model, x, y, expected = _reference(case)
    for i in range(N):
        one = _ask(case, _land(case, model, x[i : i + 1], LEVELS[i : i + 1]), y[i : i + 1])
        off = (one.eigenvalues[0] - expected.eigenvalues[i]).abs() / expected.norm[i]
        assert float(off.max()) <= (LARGEST if case.tol <= 1e-8 else 10 * case.tol**2 / 1e-2)


@pytest.mark.parametrize(
    ("name", "max_bytes"),
    [
        ("dense", MATRICES_OF_FEW * D * D * 8),
        ("dense", 2 * MATRICES_OF_FEW * D * D * 8 + 1),
        ("all pairs", 1),
        ("all pairs", MATRICES_OF_FEW * D * D * 8),
        ("dense, refined", MATRICES_OF_FEW * D * D * 8),
        ("dense, refined", 2 * MATRICES_OF_FEW * D * D * 8 + 1),
        ("krylov", 1),
        ("krylov, refined", 1),
    ],
)
def test_chunks_change_nothing(name: str, max_bytes: int) -> None:
    case = CASES[name]
    model, x, y, expected = _reference(case)
    other = Case(case.route, case.tol, max_bytes, case.closed_form, case.all_pairs)
    found = _ask(other, _land(other, model, x, LEVELS), y)
    _same(case, found, expected)


@contextmanager
def _threads(num: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(num)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cases
def test_one_or_two_threads_change_nothing(name: str) -> None:
    case = CASES[name]
    model, (x, y) = _network(), _points()
    land, y = _land(case, model, x[:1], LEVELS[:1]), y[:1]
    expected = _ask(case, land, y)
    before = torch.get_num_threads()
    with _threads(2):
        found = _ask(case, land, y)
    assert torch.get_num_threads() == before
    _same(case, found, expected)
    assert found.reason == expected.reason


# The route


def _mixed(
    num_hard: int, num_easy: int, max_bytes: int = DEFAULT_MAX_BYTES
) -> tuple[Callable[[Tensor], Landscape], Tensor]:
    """Points whose Krylov spaces converge at once, and points where they do not."""
    d = 400
    easy = torch.linspace(-1e-3, 1e-3, d, dtype=torch.float64)
    easy[0] = 5.0
    hard = torch.linspace(0.99, 1.01, d, dtype=torch.float64)
    eigenvalues = torch.stack([easy, hard])  # of diagonal matrices
    kinds = torch.tensor([0] * num_easy + [1] * num_hard, dtype=torch.float64)[:, None]

    def energy(x: Tensor, y: Tensor) -> Tensor:
        return (eigenvalues[x[:, 0].long()] * y * y).sum(-1) / 2

    def land(order: Tensor) -> Landscape:
        return Landscape.of(energy, d, kinds[order], max_bytes=max_bytes)

    return land, planted.normal(num_easy + num_hard, d, seed=7)


def test_the_choice_does_not_depend_on_the_order_of_the_points() -> None:
    make, y = _mixed(2, 2)
    reasons = set()
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        rows = torch.tensor(order)
        found = spectrum(make(rows), y[rows], 1)
        reasons.add((found.reason, tuple(np.array(found.routes)[np.argsort(order)])))
    assert len(reasons) == 1


def test_easy_points_take_krylov_spaces_and_hard_ones_matrices() -> None:
    make, y = _mixed(0, 2)
    easy = spectrum(make(torch.arange(2)), y, 1)
    assert easy.routes == ("krylov", "krylov")
    assert "pilot points converged" in easy.reason
    make, y = _mixed(2, 0)
    hard = spectrum(make(torch.arange(2)), y, 1)
    assert hard.routes == ("dense", "dense")
    assert "a pilot point had 0 of 1 pairs" in hard.reason


def test_the_reason_says_what_decided() -> None:
    a = planted.symmetric(np.linspace(-1, 2, 20).tolist(), seed=0)
    y = planted.normal(2, 20, seed=1)
    assert spectrum(planted.quadratic(a), y).reason == "all eigenpairs were asked for"
    few = spectrum(planted.quadratic(a), y, 2)
    assert few.routes == ("dense", "dense")
    assert "a dense Hessian costs less" in few.reason
    squeezed = spectrum(planted.quadratic(a, max_bytes=100), y, 2)
    assert squeezed.routes == ("krylov", "krylov")
    assert "max_bytes" in squeezed.reason
    assert bool(few.ends_certain.all())
    assert not bool(squeezed.ends_certain.any())


def test_no_clock_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    def no_clock(*_: object) -> float:
        raise AssertionError("a clock was read")

    make, y = _mixed(1, 3)
    rows = torch.arange(4)
    expected = spectrum(make(rows), y, 1)
    for name in ("time", "perf_counter", "monotonic", "process_time", "time_ns", "perf_counter_ns"):
        monkeypatch.setattr(time, name, no_clock)
    found = spectrum(make(rows), y, 1)
    assert found.reason == expected.reason
    assert found.routes == expected.routes
    assert torch.equal(found.eigenvalues, expected.eigenvalues)
