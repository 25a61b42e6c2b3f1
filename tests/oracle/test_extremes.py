"""The ends of planted spectra from Krylov spaces: none missed, none twice, none invented."""

from dataclasses import dataclass, fields

import numpy as np
import pytest
import torch
from torch import Tensor

import planted
from ired_interp.curvature.ends import Ends
from ired_interp.curvature.extremes import Extremes, extremes
from ired_interp.curvature.lanczos import KrylovSpace, Product
from other_device import Elsewhere

D = 60
BULK = np.linspace(-1, 1, 50).tolist()

SPECTRA: dict[str, list[float]] = {
    "spread": np.linspace(-2, 5, D).tolist(),
    "ten at the top": [3.0] * 10 + BULK,
    "ten at the bottom": [-3.0] * 10 + BULK,
    "ten at both ends": [-3.0] * 10 + [3.0] * 10 + BULK[::2] + BULK[:15],
    "a cluster at the top": [3.0 + 1e-6 * i for i in range(10)] + BULK,
    "a cluster at the bottom": [-3.0 - 1e-6 * i for i in range(10)] + BULK,
    "pairs": sorted(np.linspace(-2, 5, D // 2).tolist() * 2),
    "three values": [1.0] * 30 + [-2.0] * 20 + [5.0] * 10,
    "all equal": [2.5] * D,
    "zero": [0.0] * D,
    "negative": np.linspace(-7, -1, D).tolist(),
    "condition 1e12": np.geomspace(1e-12, 1, D).tolist(),
    "rank two": [0.0] * (D - 2) + [1.0, -4.0],
}
spectra = pytest.mark.parametrize("name", SPECTRA)


@dataclass(frozen=True)
class Counted:
    """Products with planted matrices, counted by point."""

    matrices: Tensor
    counts: Tensor

    def restrict(self, rows: Tensor) -> Product:
        def apply(v: Tensor) -> Tensor:
            self.counts[rows] += 1
            return torch.einsum("nij,nj->ni", self.matrices[rows], v)

        return apply


def _ask(
    matrices: Tensor,
    wanted: Ends,
    *,
    tol: float = 1e-8,
    capacity: int | None = None,
    most_products: int = 5_000,
    first_look: int | None = None,
) -> tuple[Extremes, Tensor]:
    n, d, _ = matrices.shape
    counted = Counted(matrices, torch.zeros(n, dtype=torch.int64))
    found = extremes(
        counted.restrict,
        torch.zeros_like(matrices[:, 0]),
        wanted,
        tol=tol,
        capacity=min(d, 2 * wanted.num_pairs + 20) if capacity is None else capacity,
        most_products=most_products,
        first_look=min(d, wanted.num_pairs + 10) if first_look is None else first_look,
    )
    return found, counted.counts


def _check(found: Extremes, matrices: Tensor, wanted: Ends, *, tol: float = 1e-8) -> None:
    """Values, pairs, orthogonality and order against NumPy's."""
    truth = torch.from_numpy(np.linalg.eigvalsh(matrices.double().numpy()))
    expected = truth.gather(1, wanted.choose(truth))
    norm = truth.abs().amax(dim=1)
    scale = norm.clamp_min(1e-300)[:, None]
    assert bool(found.converged.all())
    top, bottom = slice(0, wanted.top), slice(wanted.top, None)
    # Eigenvalues that differ by less than tol·‖H‖ are the same to a Krylov space.
    assert bool(((found.values.abs() - expected.abs())[:, top].abs() <= 2 * tol * scale).all()), (
        found.values,
        expected,
    )
    assert bool(((found.values - expected)[:, bottom].abs() <= 2 * tol * scale).all())
    assert bool(((found.norm - norm).abs() <= 2 * tol * scale[:, 0]).all() or wanted.top == 0)
    images = torch.einsum("nij,nej->nei", matrices, found.vectors)
    rounding = 200 * torch.finfo(matrices.dtype).eps
    assert bool(((images - found.images).abs().amax(dim=(1, 2)) <= rounding * scale[:, 0]).all())
    residuals = torch.linalg.vector_norm(images - found.values[..., None] * found.vectors, dim=2)
    assert bool((residuals <= (tol + rounding) * scale).all())
    for part in (found.vectors[:, top], found.vectors[:, bottom]):
        gram = part @ part.mT
        # Within a cluster Ritz vectors are as orthogonal as their residuals are small.
        assert bool(((gram - torch.eye(part.shape[1])).abs() <= 1e-6 + rounding).all())


def _planted(*names: str) -> Tensor:
    return torch.stack([planted.symmetric(SPECTRA[name], seed=i) for i, name in enumerate(names)])


REQUESTS = [(1, 0), (0, 12), (11, 3)]


@spectra
@pytest.mark.parametrize(("top", "bottom"), REQUESTS)
def test_the_requested_ends_are_found(name: str, top: int, bottom: int) -> None:
    matrices, wanted = _planted(name), Ends(top, bottom)
    # Values crowded within 1e-8·‖H‖ of each other need the whole space.
    capacity = D if name == "condition 1e12" else None
    found, counts = _ask(matrices, wanted, capacity=capacity)
    _check(found, matrices, wanted)
    assert torch.equal(found.num_products, counts)


def test_points_of_different_kinds_are_done_together() -> None:
    matrices, wanted = _planted(*SPECTRA), Ends(11, 4)
    found, counts = _ask(matrices, wanted, capacity=50)
    _check(found, matrices, wanted)
    assert torch.equal(found.num_products, counts)
    assert bool((found.dimensions >= 1).all())
    assert bool((found.dimensions <= 2 * 15 + 20).all())


@pytest.mark.parametrize("name", ["spread", "ten at the top", "negative", "pairs"])
@pytest.mark.parametrize(("top", "bottom"), [(6, 0), (0, 6), (4, 2)])
def test_small_capacities_restart_and_still_converge(name: str, top: int, bottom: int) -> None:
    matrices, wanted = _planted(name), Ends(top, bottom)
    found, counts = _ask(matrices, wanted, capacity=18, first_look=18)
    _check(found, matrices, wanted)
    assert int(counts[0]) > 18  # it has restarted, or looked again
    if name != "ten at the top":
        assert int(found.dimensions[0]) <= 18


@pytest.mark.parametrize("name", ["spread", "all equal", "zero", "pairs", "rank two"])
@pytest.mark.parametrize("way", ["top", "bottom", "both"])
def test_all_d_pairs_can_be_asked_for(name: str, way: str) -> None:
    wanted = {"top": Ends(D, 0), "bottom": Ends(0, D), "both": Ends(D, D)}[way]
    matrices = _planted(name)
    found, _ = _ask(matrices, wanted)
    _check(found, matrices, wanted)


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("value", [0.0, -2.0, 3.0])
def test_small_dimensions_with_one_eigenvalue(d: int, value: float) -> None:
    matrices = torch.eye(d, dtype=torch.float64)[None] * value
    for wanted in (Ends(1, 0), Ends(0, 1), Ends(d, d), Ends(d, 1)):
        found, _ = _ask(matrices, wanted)
        assert bool(found.converged.all())
        assert (found.values - value).abs().max() <= 1e-14 * abs(value)


@pytest.mark.parametrize("seed", range(12))
def test_the_same_pairs_at_the_top_and_at_the_bottom_are_locked_once(seed: int) -> None:
    """Searches that find copies of pairs that are wanted twice, at points that differ."""
    d = 40
    sides = [[-5.0] * 12 + np.linspace(-1, 1, 28).tolist(), np.linspace(-4, 1, 40).tolist()]
    sides += [[-5.0] * 7 + [5.0] * 6 + [-3.0] * 9 + np.linspace(-1, 1, 18).tolist()]
    matrices = torch.stack([planted.symmetric(v, seed=seed) for v in sides])
    rng = np.random.default_rng(seed)
    wanted = Ends(int(rng.integers(1, 14)), int(rng.integers(1, 14)))
    assert matrices.shape[1] == d
    found, _ = _ask(matrices, wanted, first_look=min(d, wanted.num_pairs + 1))
    _check(found, matrices, wanted)


def test_points_without_patience_are_given_up_and_said_so() -> None:
    matrices, wanted = _planted("spread", "all equal", "rank two"), Ends(5, 2)
    found, counts = _ask(matrices, wanted, most_products=17, first_look=17)
    assert found.converged.tolist()[0] is False
    assert torch.equal(found.num_products, counts)
    assert int(counts.max()) <= 17 + 60  # a search may follow a space that has converged
    enough, _ = _ask(matrices, wanted)
    assert enough.converged.tolist() == [True, True, True]


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-10])
def test_residuals_follow_the_tolerance(tol: float) -> None:
    matrices, wanted = _planted("spread", "negative"), Ends(4, 4)
    found, counts = _ask(matrices, wanted, tol=tol, first_look=9)
    off = (
        torch.linalg.vector_norm(found.images - found.values[..., None] * found.vectors, dim=2)
        / found.norm[:, None]
    )
    assert bool((off <= tol).all())
    if tol > 1e-6:
        exact = _ask(matrices, wanted, tol=1e-10, first_look=9)[1]
        assert int(counts.sum()) < int(exact.sum())


def test_float32_converges_to_its_own_precision() -> None:
    matrices, wanted = _planted("ten at both ends", "spread").float(), Ends(12, 11)
    found, _ = _ask(matrices, wanted, tol=1e-5)
    assert found.values.dtype == found.vectors.dtype == torch.float32
    _check(found, matrices, wanted, tol=1e-5)


def test_the_order_of_the_points_moves_nothing_but_rounding() -> None:
    names = ["spread", "ten at the top", "negative", "pairs", "three values", "zero"]
    matrices, wanted = _planted(*names), Ends(8, 4)
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    there, back = _ask(matrices, wanted)[0], _ask(matrices[order], wanted)[0]
    scale = there.norm.clamp_min(1e-300)[order, None]
    assert bool(((there.values[order].abs() - back.values.abs()).abs() <= 1e-12 * scale).all())


def test_nothing_is_read_from_or_left_in_global_state() -> None:
    matrices, wanted = _planted("ten at the top"), Ends(12, 1)
    torch.manual_seed(5)
    first = _ask(matrices, wanted)[0]
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)
    torch.manual_seed(6)
    again = _ask(matrices, wanted)[0]
    assert torch.equal(first.values, again.values)
    assert torch.equal(first.vectors, again.vectors)


def test_what_decides_lives_on_the_cpu_wherever_the_points_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ritz(space: KrylovSpace) -> tuple[Tensor, Tensor]:  # as off the CPU
        found = torch.linalg.eigh(space.projected[:, : space.size, : space.size])
        return found.eigenvalues, found.eigenvectors

    for module in ("extremes", "complement"):
        monkeypatch.setattr(f"ired_interp.curvature.{module}.ritz", ritz)
    matrices, ends = _planted(*SPECTRA), Ends(11, 4)
    found, counts = _ask(matrices.as_subclass(Elsewhere), ends, capacity=50)
    beside, _ = _ask(matrices, ends, capacity=50)
    for name in ("num_products", "dimensions", "converged"):
        assert not isinstance(getattr(found, name), Elsewhere)
    assert torch.equal(found.num_products, counts)
    assert isinstance(found.values, Elsewhere)
    plain = Extremes(*(getattr(found, f.name).cpu() for f in fields(found)))
    _check(plain, matrices, ends)
    assert torch.equal(plain.num_products, beside.num_products)


# Ends


def test_wanted_pairs_stand_by_falling_size_then_by_rising_value() -> None:
    values = torch.tensor([[-3.0, -1.0, 0.0, 2.0, 2.5]])
    assert Ends(3, 2).choose(values).tolist() == [[0, 4, 3, 0, 1]]
    assert Ends(0, 3).choose(values).tolist() == [[0, 1, 2]]
    assert Ends(5, 0).choose(values).tolist() == [[0, 4, 3, 1, 2]]
    assert Ends(2, 1).num_pairs == 3


def test_equal_sizes_are_taken_in_the_order_they_stand_in() -> None:
    values = torch.tensor([[-2.0, -1.0, 1.0, 2.0]])
    assert Ends(3, 1).choose(values).tolist() == [[0, 3, 1, 0]]


def test_the_nearest_begin_with_the_wanted_ones_and_are_all_different() -> None:
    values = torch.tensor([[-3.0, -1.0, 0.0, 2.0, 2.5, 4.0]])
    wanted = Ends(2, 2)
    for count in range(3, 7):
        nearest = wanted.nearest(values, count)[0].tolist()
        assert len(set(nearest)) == count
        assert {5, 0, 1} <= set(nearest)
    assert set(wanted.nearest(values, 4)[0].tolist()) == {5, 0, 1, 4} or set(
        wanted.nearest(values, 4)[0].tolist()
    ) == {5, 0, 1, 2}
