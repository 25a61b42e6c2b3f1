"""Float64 pairs from float32 work, against planted spectra."""

import numpy as np
import pytest
import torch
from torch import Tensor

import planted
from ired_interp.curvature.dense import DensePairs, all_pairs, wanted_pairs
from ired_interp.curvature.ends import Ends
from ired_interp.curvature.refined import refine

EPS = torch.finfo(torch.float64).eps
D = 64

SPECTRA: dict[str, list[float]] = {
    "spread": np.linspace(-2, 5, D).tolist(),
    # No two of one size: which of them comes first would be round-off, another on each processor.
    "large gaps": [-9.0, 12.0, 20.0, *np.linspace(-0.97, 1, D - 3).tolist()],
    "a cluster": [3.0 + 1e-6 * i for i in range(5)] + np.linspace(-1, 1, D - 5).tolist(),
    "five alike": [3.0] * 5 + np.linspace(-1, 1, D - 5).tolist(),
    "all alike": [1.5] * D,
    "negative": np.linspace(-7, -1, D).tolist(),
    "condition 1e12": np.geomspace(1e-12, 1, D).tolist(),
}


class Products:
    """H·v in float64, counted."""

    def __init__(self, h: Tensor) -> None:
        self.h = h
        self.count = 0

    def __call__(self, v: Tensor) -> Tensor:
        self.count += v.shape[1]
        image: Tensor = v @ self.h
        return image


def _planted(*names: str) -> Tensor:
    return torch.stack([planted.symmetric(SPECTRA[name], seed=i) for i, name in enumerate(names)])


def _truth(h: Tensor, wanted: Ends) -> Tensor:
    truth = torch.from_numpy(np.linalg.eigvalsh(h.numpy()))
    return truth.gather(1, wanted.choose(truth))


def _residuals(h: Tensor, pairs: DensePairs) -> Tensor:
    norm = torch.linalg.matrix_norm(h, 2)
    off = h @ pairs.vectors - pairs.vectors * pairs.values[:, None, :]
    shares: Tensor = torch.linalg.vector_norm(off, dim=1) / norm[:, None]
    return shares


@pytest.mark.parametrize("name", sorted(SPECTRA.keys() - {"condition 1e12"}))
@pytest.mark.parametrize(("top", "bottom"), [(6, 0), (0, 6), (7, 4)])
def test_float32_pairs_become_float64_pairs(name: str, top: int, bottom: int) -> None:
    h, wanted, tol = _planted(name), Ends(top, bottom), 1e-11
    products = Products(h)
    pairs, good, num_products = refine(wanted_pairs(h.float(), wanted), products, wanted, tol)
    assert pairs.values.dtype == pairs.vectors.dtype == torch.float64
    assert num_products == products.count
    assert good.tolist() == [True]
    assert float(_residuals(h, pairs).max()) <= tol + 100 * EPS
    norm = float(torch.linalg.matrix_norm(h[0], 2))
    found, expected = pairs.values, _truth(h, wanted)
    assert (
        (found[:, :top].abs() - expected[:, :top].abs()).abs().amax(dim=1).sum() <= 1e-11 * norm
        if top
        else True
    )
    assert bool(((found - expected)[:, top:].abs() <= 1e-11 * norm).all())
    lengths = torch.linalg.vector_norm(pairs.vectors, dim=1)
    assert (lengths - 1).abs().max() <= 100 * EPS
    off = h @ pairs.vectors - pairs.images
    assert off.abs().max() <= 100 * EPS * norm


@pytest.mark.parametrize("name", ["spread", "large gaps", "five alike", "negative"])
def test_corrections_reduce_the_residuals_by_orders(name: str) -> None:
    h, wanted = _planted(name), Ends(5, 2)
    rough = wanted_pairs(h.float(), wanted)
    without = DensePairs(rough.values, rough.vectors, rough.images, rough.spectrum)
    plain, good, num_plain = refine(without, Products(h), wanted, 1e-12)
    better, better_good, num_better = refine(rough, Products(h), wanted, 1e-12)
    first, last = float(_residuals(h, plain).max()), float(_residuals(h, better).max())
    assert 1e-8 < first < 1e-5
    assert last < 1e-5 * first
    assert good.tolist() == [False]  # and without corrections it says so
    assert better_good.tolist() == [True]
    assert num_plain == 7
    assert num_better in {14, 21, 28}


@pytest.mark.parametrize("name", ["spread", "large gaps", "negative"])
def test_rayleigh_ritz_alone_gives_values_to_the_square_of_the_vectors(name: str) -> None:
    h, wanted = _planted(name), Ends(5, 2)
    rough = wanted_pairs(h.float(), wanted)
    without = DensePairs(rough.values, rough.vectors, rough.images, rough.spectrum)
    pairs, good, _ = refine(without, Products(h), wanted, 1e-5)
    assert good.tolist() == [True]
    norm = float(torch.linalg.matrix_norm(h[0], 2))
    error = float((pairs.values - _truth(h, wanted)).abs().max()) / norm
    before = float((rough.values.double() - _truth(h, wanted)).abs().max()) / norm
    assert error <= 1e-10  # (1e-6)² over a gap of 1e-2
    assert before >= 10 * error


def test_a_pair_that_is_wanted_twice_is_refined_once_and_given_twice() -> None:
    h, wanted = _planted("negative"), Ends(4, 3)
    pairs, good, _ = refine(wanted_pairs(h.float(), wanted), Products(h), wanted, 1e-11)
    assert good.tolist() == [True]
    assert torch.equal(pairs.values[:, :3], pairs.values[:, 4:])
    assert torch.equal(pairs.vectors[:, :, :3], pairs.vectors[:, :, 4:])
    assert (pairs.values - _truth(h, wanted)).abs().max() <= 1e-11 * 7


def test_a_point_that_cannot_be_refined_is_said_so_and_the_others_are_refined() -> None:
    h, wanted = _planted("spread", "spread", "large gaps"), Ends(4, 2)
    rough = wanted_pairs(h.float(), wanted)
    other = h.clone()
    other[1] = planted.symmetric(SPECTRA["spread"], seed=99)  # not what float32 has seen
    pairs, good, _ = refine(rough, Products(other), wanted, 1e-11)
    assert good.tolist() == [True, False, True]
    residuals = _residuals(other, pairs)
    assert float(residuals[[0, 2]].max()) <= 1e-11 + 100 * EPS
    assert float(residuals[1].max()) > 1e-3


@pytest.mark.parametrize(("top", "good"), [(6, True), (0, False)])
def test_eigenvalues_below_float32_are_not_claimed(top: int, good: bool) -> None:  # noqa: FBT001
    # Of the lowest of 1e-12 … 1, float32 knows nothing: 20 of them are 0 to it.
    h, wanted = _planted("condition 1e12"), Ends(top, 6 - top)
    pairs, found, _ = refine(wanted_pairs(h.float(), wanted), Products(h), wanted, 1e-11)
    assert found.tolist() == [good]
    assert (float(_residuals(h, pairs).max()) <= 1e-11) == good


@pytest.mark.parametrize("tol", [1e-30, 1e-17])
def test_a_tolerance_below_rounding_is_not_claimed(tol: float) -> None:
    h, wanted = _planted("spread"), Ends(4, 2)
    pairs, good, num_products = refine(wanted_pairs(h.float(), wanted), Products(h), wanted, tol)
    assert good.tolist() == [False]
    assert num_products == 4 * 6  # Rayleigh-Ritz and three corrections
    assert float(_residuals(h, pairs).max()) <= 1e-12


def test_full_decompositions_are_refined_without_corrections() -> None:
    h = _planted("spread")
    every = all_pairs(h.float())
    assert every.reductions == ()
    wanted = Ends(0, D)
    pairs, good, num_products = refine(every, Products(h), wanted, 1e-11)
    assert num_products == D
    assert good.tolist() == [True]  # the span is the whole space
    truth = torch.tensor(sorted(SPECTRA["spread"]), dtype=torch.float64)
    assert (pairs.values[0] - truth).abs().max() <= 100 * EPS * 5


def test_the_norm_can_be_given() -> None:
    h, wanted = _planted("large gaps"), Ends(1, 0)
    rough = wanted_pairs(h.float(), wanted)
    plain = DensePairs(rough.values, rough.vectors, rough.images, rough.spectrum)
    one = torch.ones(1, dtype=torch.float64)
    assert refine(plain, Products(h), wanted, 1e-9, norm=1e9 * one)[1].tolist() == [True]
    assert refine(plain, Products(h), wanted, 1e-9, norm=1e-3 * one)[1].tolist() == [False]
