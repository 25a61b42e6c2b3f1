"""Spectral densities, counts and log-determinants against planted spectra and dense Hessians."""

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import planted
from ired_interp.curvature.density import SpectralDensity, eigenvalues_below, spectral_density
from ired_interp.curvature.estimates import SpherePoints
from ired_interp.curvature.logdet import log_abs_determinant, log_determinant
from ired_interp.curvature.quadrature import measure
from ired_interp.energy.exact import exact_model
from ired_interp.errors import (
    ConfigError,
    DtypeError,
    NonFiniteError,
    ShapeError,
    UnknownNameError,
)
from ired_interp.landscape import Landscape
from ired_interp.tasks import task

D = 30
SPECTRA: dict[str, list[float]] = {
    "flat": [1.0 + 0.01 * i for i in range(D)],
    "decaying": [0.8**i for i in range(D)],
    "indefinite": [(-1.0) ** i * (1 + i) for i in range(D)],
    "two": [1.0] * 20 + [7.0] * 10,
}
spectra = pytest.mark.parametrize("name", SPECTRA)
POSITIVE = ["flat", "decaying", "two"]
Options = dict[str, Any]


def _land(values: list[float], *, seed: int = 0) -> tuple[Landscape, Tensor, Tensor]:
    a = planted.symmetric(values, seed=seed)
    return planted.quadratic(a), planted.normal(2, len(values), seed=1), a


def _broadened(values: list[float], grid: Tensor, width: float) -> Tensor:
    e = torch.tensor(values, dtype=torch.float64)
    bells = torch.exp(-((grid[:, None] - e) ** 2) / (2 * width**2))
    return bells.mean(dim=1) / (width * math.sqrt(2 * math.pi))


@spectra
def test_the_exact_density_is_the_sum_of_gaussians(name: str) -> None:
    values = SPECTRA[name]
    land, y, _ = _land(values)
    found = spectral_density(land, y, num_steps=32)
    span = max(values) - min(values)
    assert found.exact
    assert found.estimator == "exact"
    assert found.num_products == found.dim == D
    assert found.width.tolist() == pytest.approx([1.25 * span / 32] * 2, rel=1e-10)
    for i in range(2):
        expected = _broadened(values, found.grid[i], float(found.width[i]))
        assert (found.density[i] - expected).abs().max() <= 1e-10 * expected.max()
        assert (found.remainder[i] <= 1e-8 * expected.max()).all()
        assert torch.trapezoid(found.density[i], found.grid[i]).item() == pytest.approx(1, abs=1e-8)
    assert (
        found.nodes[:, 0] - torch.tensor(sorted(values), dtype=torch.float64)
    ).abs().max() < 1e-12 * span
    assert torch.equal(found.standard_error, torch.zeros_like(found.density))


@spectra
@pytest.mark.parametrize("seed", [0, 1])
def test_the_estimated_density_lies_within_its_errors(name: str, seed: int) -> None:
    values = SPECTRA[name]
    land, y, _ = _land(values, seed=seed)
    found = spectral_density(
        land, y, estimator="quadrature", num_probes=30, num_steps=16, num_points=64, seed=seed
    )
    assert not found.exact
    assert found.num_products == 30 * 16
    for i in range(2):
        grid, width = found.grid[i], float(found.width[i])
        expected = _broadened(values, grid, width)
        # Deep in the tails every probe sees the same nothing: round-off is all there is.
        allowed = 5 * found.standard_error[i] + found.remainder[i] + 1e-9 * expected.max()
        assert ((found.density[i] - expected).abs() <= allowed).all()
        assert torch.trapezoid(found.density[i], grid).item() == pytest.approx(1, abs=1e-8)
        assert found.standard_error[i].max() < expected.max()
    assert (found.weights.sum(dim=2) - 1).abs().max() < 1e-13


def _own_measures(a: Tensor, num_probes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Eigenvalues, and each probe's mass at them, by dense algebra."""
    values, vectors = torch.linalg.eigh(a)
    z = SpherePoints(seed, "curvature.quadrature").draw(0, num_probes, a[:1])
    return values, (vectors.T @ z).T.square() / a.shape[0]


@spectra
def test_a_rule_of_k_nodes_has_2k_moments_of_its_probe(name: str) -> None:
    land, y, a = _land(SPECTRA[name])
    found = spectral_density(
        land, y, estimator="quadrature", num_probes=3, num_steps=5, num_points=99, seed=4
    )
    values, masses = _own_measures(a / a.norm(), 3, 4)
    for power in range(10):
        expected = (masses * values**power).sum(dim=1)
        moment = (found.weights * (found.nodes / a.norm()) ** power).sum(dim=2)
        assert (moment - expected).abs().max() < 1e-12


@spectra
@pytest.mark.parametrize("steps", [3, 6, 12])
def test_brackets_contain_the_count_of_every_probe(name: str, steps: int) -> None:
    land, y, a = _land(SPECTRA[name])
    found = spectral_density(
        land, y, estimator="quadrature", num_probes=8, num_steps=steps, num_points=99, seed=2
    )
    values, masses = _own_measures(a, 8, 2)
    # At no eigenvalue: whether one lies below itself is round-off, another on each processor.
    at = torch.linspace(float(values[0]) - 1, float(values[-1]) + 1.03, 41, dtype=torch.float64)
    counts = eigenvalues_below(found, at)
    truth = D * (masses[:, None] * (values < at[:, None])).sum(dim=2).mean(dim=0)
    assert (counts.low <= truth + 1e-9).all()
    assert (truth <= counts.high + 1e-9).all()
    assert (counts.low <= counts.count + 1e-9).all()
    assert (counts.count <= counts.high + 1e-9).all()
    assert counts.count[:, 0].tolist() == [0.0, 0.0]
    assert counts.count[:, -1].tolist() == pytest.approx([D, D])
    assert (counts.high - counts.low).min() < D / 2  # they say something


def test_counts_are_exact_where_the_density_is() -> None:
    land, y, _ = _land(SPECTRA["indefinite"])
    found = spectral_density(land, y)
    values = torch.tensor(SPECTRA["indefinite"], dtype=torch.float64).sort().values
    at = torch.tensor([-100.0, -1.5, 0.0, float(values[20]), 1e3]).double()
    counts = eigenvalues_below(found, at)
    assert counts.count[0, [0, 1, 2, 4]].tolist() == [0, 15, 15, 30]
    assert counts.standard_error.abs().max() == 0
    # At an eigenvalue itself round-off decides, and the bounds say so.
    assert counts.low[0, 3] == 20
    assert counts.high[0, 3] == 21
    assert torch.equal(counts.low[0, :3], counts.high[0, :3])


@pytest.mark.parametrize("seed", range(2))
def test_estimated_counts_lie_within_errors_and_brackets(seed: int) -> None:
    values = [0.05 * i for i in range(80)]
    land, y, _ = _land(values, seed=seed)
    found = spectral_density(
        land, y, estimator="quadrature", num_probes=10, num_steps=20, num_points=99, seed=seed
    )
    at = torch.tensor([0.51, 1.99, 3.33], dtype=torch.float64)
    counts = eigenvalues_below(found, at)
    truth = torch.tensor([11.0, 40.0, 67.0], dtype=torch.float64)
    assert (truth >= counts.low - 5 * counts.standard_error).all()
    assert (truth <= counts.high + 5 * counts.standard_error).all()
    assert (counts.standard_error > 0).all()
    assert (counts.standard_error < 6).all()


def test_a_network_s_density_and_log_determinant_are_those_of_its_hessian() -> None:
    model = planted.network(4, 6, width=12, gain=2.0)
    x, y = planted.normal(3, 4, seed=1), planted.normal(3, 6, seed=2)
    land = Landscape(model, x, [1, 5, 10])
    h = np.stack(
        [
            planted.hessian(
                lambda at, i=i, t=10 - level: model.energy(  # type: ignore[misc]
                    x[i : i + 1], at[None], torch.tensor([t])
                )[0],
                y[i],
            ).numpy()
            for i, level in enumerate((1, 5, 10))
        ]
    )
    values = np.linalg.eigvalsh(h)
    norm = np.abs(values).max()
    found = spectral_density(land, y)
    assert np.abs(found.nodes[:, 0].numpy() - values).max() < 1e-12 * norm
    shift = float(0.1 * norm - min(values.min(), 0))
    expected = np.linalg.slogdet(h + shift * np.eye(6)).logabsdet
    assert np.abs(log_determinant(land, y, shift=shift).value.numpy() - expected).max() < 1e-11
    sampled = log_determinant(land, y, shift=shift, estimator="quadrature", num_steps=6)
    z = (sampled.value.numpy() - expected) / sampled.standard_error.numpy()
    assert 0 < np.abs(z).max() < 5
    signed = np.linalg.slogdet(h)
    both = log_abs_determinant(land, y)
    assert np.abs(both.value.numpy() - signed.logabsdet).max() < 1e-9
    assert both.sign.tolist() == signed.sign.tolist()


def test_the_ideal_energy_has_the_log_determinant_of_its_closed_form() -> None:
    problem = task("gaussian", size=4)
    model = exact_model(problem)
    land = Landscape(model, planted.normal(10, problem.dim_x, seed=0), list(range(1, 11)))
    found = log_determinant(land, planted.normal(10, problem.dim_y, seed=1))
    expected = model.spectrum(torch.arange(9, -1, -1)).log().sum(dim=1)
    assert ((found.value - expected).abs() <= found.remainder + 1e-13).all()
    assert found.remainder.max() < 1e-9
    assert found.sign.tolist() == [1.0] * 10
    assert found.degrees_of_freedom == math.inf


@pytest.mark.parametrize("name", POSITIVE)
@pytest.mark.parametrize(("shift", "seed"), [(0.0, 0), (2.0, 1), (-1e-4, 2)])
def test_estimated_log_determinants_lie_within_their_errors(
    name: str, shift: float, seed: int
) -> None:
    values = SPECTRA[name]
    land, y, _ = _land(values, seed=seed)
    expected = sum(math.log(v + shift) for v in values)
    exact = log_determinant(land, y, shift=shift)
    assert exact.value.tolist() == pytest.approx([expected] * 2, rel=1e-10)
    found = log_determinant(
        land, y, shift=shift, estimator="quadrature", num_probes=10, num_steps=16, seed=seed
    )
    off = (found.value - expected).abs()
    assert (off <= 5 * found.standard_error + found.remainder).all()
    assert (off > 0).all()
    assert found.degrees_of_freedom == 9
    assert found.num_products == 160


@pytest.mark.parametrize("steps", [5, 8, 12])
def test_the_remainder_of_a_density_shows_what_steps_cannot_resolve(steps: int) -> None:
    # The same probes with all their steps, at a width that few steps do not resolve.
    land, y, a = _land([0.1 * i for i in range(D)])
    values, masses = _own_measures(a, 6, 0)
    grid, width = torch.linspace(-1, 4, 51, dtype=torch.float64), 0.25
    bells = torch.exp(-((grid[:, None] - values) ** 2) / (2 * width**2))
    truth = (masses @ bells.T).mean(dim=0) / (width * math.sqrt(2 * math.pi))
    found = spectral_density(
        land, y, grid=grid, width=width, estimator="quadrature", num_probes=6, num_steps=steps
    )
    off = (found.density[0] - truth).abs()
    # Pointwise it is an indication, over the whole curve it holds.
    assert off.max() <= 2 * found.remainder[0].max()
    assert off.norm() <= found.remainder[0].norm()
    assert found.remainder[0].max() < truth.max()


@pytest.mark.parametrize("name", POSITIVE)
@pytest.mark.parametrize("steps", [4, 8, 16])
def test_the_remainder_covers_what_more_steps_would_change(name: str, steps: int) -> None:
    # The same probes with all their steps: what is left is the rule's own error alone. A Gauss rule
    # of a logarithm lies above the truth.
    land, y, a = _land(SPECTRA[name])
    values, masses = _own_measures(a, 4, 0)
    truth = D * float((masses * values.log()).sum(dim=1).mean())
    found = log_determinant(land, y, estimator="quadrature", num_probes=4, num_steps=steps)
    off = found.value - truth
    assert (off.abs() <= found.remainder).all()
    assert (off >= -1e-9).all()


@pytest.mark.parametrize("estimator", ["exact", "quadrature"])
@pytest.mark.parametrize("shift", [0.0, -2.0, 3.0])
def test_what_is_not_positive_definite_is_refused_with_the_shift_that_would_do(
    estimator: Any, shift: float
) -> None:
    values = [-4.5, *[0.1 * i + 1 for i in range(9)]]
    land, y, _ = _land(values)
    options: Options = {"estimator": estimator, "num_probes": 2, "num_steps": 10}
    with pytest.raises(ConfigError, match=r"positive definite, found an eigenvalue of -4\.5") as e:
        log_determinant(land, y, shift=shift, **options)
    said = re.search(r"A shift of(?: at least)? (\S+) would do", str(e.value))
    assert said is not None
    enough = float(said[1])
    assert 4.5 < enough < 4.502
    found = log_determinant(land, y, shift=enough, **options)
    expected = sum(math.log(v + enough) for v in values)
    if estimator == "exact":
        assert ((found.value - expected).abs() <= found.remainder + 1e-12).all()
    with pytest.raises(ConfigError, match="positive definite"):
        log_determinant(land, y, shift=4.4999, **options)
    if estimator == "quadrature":
        assert "part of the spectrum only" in str(e.value)
    assert "log_abs_determinant" in str(e.value)


@pytest.mark.parametrize("estimator", ["exact", "quadrature"])
def test_a_singular_hessian_has_no_log_determinant_until_it_is_shifted(estimator: Any) -> None:
    for values in ([0.0] * 6, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]):
        land, y, _ = _land(values)
        options: Options = {"estimator": estimator, "num_steps": 6}
        with pytest.raises(ConfigError, match="positive definite") as e:
            log_determinant(land, y, **options)
        said = re.search(r"(\S+) would do", str(e.value))
        assert said is not None
        log_determinant(land, y, shift=float(said[1]), **options)
        found = log_determinant(land, y, shift=0.5, **options)
        expected = sum(math.log(v + 0.5) for v in values)
        assert ((found.value - expected).abs() <= 5 * found.standard_error + 1e-11).all()


@pytest.mark.parametrize(
    ("values", "shift", "sign"),
    [
        ([-2.0, 3.0, 5.0], 0.0, -1.0),
        ([-2.0, -3.0, 5.0], 0.0, 1.0),
        ([-2.0, -3.0, 5.0], 2.5, -1.0),
        ([-2.0, -3.0, 5.0], -6.0, -1.0),
        ([-0.75], 0.0, -1.0),
        ([1e-3, 2.0], 0.0, 1.0),
    ],
)
def test_any_symmetric_hessian_has_a_sign_and_a_logarithm(
    values: list[float], shift: float, sign: float
) -> None:
    land, y, a = _land(values)
    found = log_abs_determinant(land, y, shift=shift)
    reference = np.linalg.slogdet(a.numpy() + shift * np.eye(len(values)))
    assert found.sign.tolist() == [sign, sign]
    assert float(reference.sign) == sign
    assert (found.value - float(reference.logabsdet)).abs().max() <= 1e-12
    assert found.exact


def test_an_eigenvalue_that_could_be_0_leaves_no_sign() -> None:
    land, y, _ = _land([-1.0, 0.0, 2.0])
    found = log_abs_determinant(land, y)
    assert found.sign.tolist() == [0.0, 0.0]
    assert found.value.tolist() == [-math.inf, -math.inf]
    assert found.remainder.tolist() == [math.inf, math.inf]


def _check_integral(found: SpectralDensity) -> None:
    total = torch.trapezoid(found.density, found.grid, dim=1)
    assert (total - 1).abs().max() < 1e-5
    assert (found.density >= 0).all()


@pytest.mark.parametrize("estimator", ["exact", "quadrature"])
@pytest.mark.parametrize(
    ("values", "width"), [([0.0] * 5, 1.25 / 64), ([-3.0] * 5, 3.75 / 64), ([4.0], 5 / 64)]
)
def test_a_spectrum_of_one_value_gets_the_width_of_its_size(
    estimator: Any, values: list[float], width: float
) -> None:
    land, y, _ = _land(values)
    found = spectral_density(land, y, estimator=estimator)
    assert found.width.tolist() == pytest.approx([width] * 2, rel=1e-12)
    _check_integral(found)
    centre = (found.grid * found.density).sum(dim=1) / found.density.sum(dim=1)
    assert (centre - values[0]).abs().max() < 1e-10
    assert found.standard_error.max() <= 1e-10 * found.density.max()


@pytest.mark.parametrize("estimator", ["exact", "quadrature"])
def test_a_grid_and_a_width_may_be_given(estimator: Any) -> None:
    values = SPECTRA["flat"]
    land, y, _ = _land(values)
    grid = torch.linspace(-1, 3, 17, dtype=torch.float64)
    found = spectral_density(
        land, y, width=0.5, grid=grid, estimator=estimator, num_steps=20, num_probes=20
    )
    assert torch.equal(found.grid, grid.expand(2, -1))
    assert found.width.tolist() == [0.5, 0.5]
    off = (found.density - _broadened(values, grid, 0.5)).abs()
    assert (off <= 5 * found.standard_error + found.remainder + 1e-13).all()


def test_the_route_follows_from_d_and_the_products_alone() -> None:
    land, y, _ = _land(SPECTRA["flat"])
    for options, exact in (
        ({"num_probes": 5, "num_steps": 6}, True),
        ({"num_probes": 4, "num_steps": 7}, False),
        ({"num_probes": 4, "num_steps": 7, "estimator": "exact"}, True),
    ):
        density = spectral_density(land, y, **options)
        logdet = log_determinant(land, y, **options)
        assert density.exact == logdet.exact == exact
        assert density.num_products == logdet.num_products == (30 if exact else 28)
        assert density.reason.startswith(density.estimator)
        assert ("asked" in logdet.reason) == ("estimator" in options)


@pytest.mark.parametrize("estimator", ["exact", "quadrature"])
def test_float32_is_float64_to_its_own_precision(estimator: Any) -> None:
    model = planted.network(4, 9, width=16, gain=2.0)
    x, y = planted.normal(3, 4, seed=1), planted.normal(3, 9, seed=2)
    options: Options = {"estimator": estimator, "num_probes": 4, "num_steps": 9}
    high = Landscape(model, x, 7)
    norm = float(spectral_density(high, y).nodes.abs().max())
    grid = torch.linspace(-norm, norm, 33, dtype=torch.float64)
    shift = 1.5 * norm
    density = spectral_density(high, y, grid=grid, width=norm / 4, **options)
    logdet = log_determinant(high, y, shift=shift, **options)
    low = Landscape(model.float(), x.float(), 7)
    rough = spectral_density(low, y.float(), grid=grid.float(), width=norm / 4, **options)
    assert rough.density.dtype == rough.nodes.dtype == torch.float32
    assert (rough.density - density.density).abs().max() <= 1e-4 * density.density.max()
    found = log_determinant(low, y.float(), shift=shift, **options)
    assert found.value.dtype == torch.float32
    assert (found.value - logdet.value).abs().max() <= 1e-4 * 9
    assert (found.standard_error - logdet.standard_error).abs().max() <= 1e-4 * 9
    counts = eigenvalues_below(rough, grid.float())
    assert counts.count.dtype == torch.float32


@pytest.mark.parametrize("estimator", ["exact", "quadrature"])
def test_an_energy_that_is_not_finite_is_refused(estimator: Any) -> None:
    land = Landscape.of(lambda y: y.square().sum(-1) * torch.nan, 4)
    y = planted.normal(2, 4, seed=0)
    for fn in (spectral_density, log_determinant):
        with pytest.raises(NonFiniteError, match="the energy is NaN or infinite"):
            fn(land, y, estimator=estimator)
    with pytest.raises(NonFiniteError, match="the energy is NaN or infinite"):
        log_abs_determinant(land, y)
    with pytest.raises(NonFiniteError, match="y: expected finite"):
        spectral_density(land, y * torch.nan, estimator=estimator)


GRID = torch.zeros(3, dtype=torch.float64)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"width": 0.0}, ConfigError, "width: expected a positive number, found 0.0"),
        ({"width": math.inf}, ConfigError, "width"),
        ({"width": 1e-4}, ShapeError, "num_points: expected at least .* found 256"),
        ({"num_points": 1}, ShapeError, "num_points: expected at least 2, found 1"),
        ({"grid": GRID[:0]}, ShapeError, r"grid: expected shape \[g\] with g ≥ 1"),
        ({"grid": GRID.float()}, DtypeError, "grid: expected torch.float64"),
        ({"grid": GRID * torch.nan}, NonFiniteError, "grid"),
        ({"num_probes": 1}, ShapeError, "num_probes: expected a whole number ≥ 2, found 1"),
        ({"num_steps": 0}, ShapeError, "num_steps: expected a whole number ≥ 1, found 0"),
        ({"seed": -1}, ConfigError, "seed"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(
    options: Options, error: type[Exception], message: str
) -> None:
    land, y, _ = _land(SPECTRA["flat"])
    with pytest.raises(error, match=message):
        spectral_density(land, y, **options)


def test_an_unknown_route_is_refused() -> None:
    land, y, _ = _land(SPECTRA["flat"])
    probes = SpherePoints(0, "p")
    with pytest.raises(UnknownNameError, match=r"'exact', 'quadrature', or None.*'slq'"):
        measure(land, y, estimator="slq", num_probes=2, num_steps=2, early_share=1, probes=probes)


@pytest.mark.parametrize("shift", [math.nan, math.inf])
def test_a_shift_must_be_finite(shift: float) -> None:
    land, y, _ = _land(SPECTRA["flat"])
    for fn in (log_determinant, log_abs_determinant):
        with pytest.raises(ConfigError, match="shift: expected a finite number"):
            fn(land, y, shift=shift)
    with pytest.raises(NonFiniteError, match="values"):
        eigenvalues_below(spectral_density(land, y), torch.tensor([shift], dtype=torch.float64))
