"""What `spectrum` says to input that makes no sense, by the dense route and by Krylov spaces."""

import inspect
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import planted
from ired_interp.curvature import spectrum
from ired_interp.errors import (
    ConvergenceError,
    DtypeError,
    EnergyError,
    IredInterpError,
    NonFiniteError,
    ShapeError,
)
from ired_interp.landscape import DEFAULT_MAX_BYTES, Landscape

D = 3
Energy = Callable[[Tensor], Tensor]

routes = pytest.mark.parametrize("max_bytes", [1, DEFAULT_MAX_BYTES], ids=["krylov", "dense"])


def _square(y: Tensor) -> Tensor:
    return y.square().sum(-1)


def _at(value: float, n: int = 2) -> Tensor:
    return torch.full((n, D), value, dtype=torch.float64)


ONE_AND_ANOTHER = torch.tensor([[1.0, 1, 1], [2, 3, 4]], dtype=torch.float64)

REFUSED: dict[str, tuple[Energy, type[IredInterpError], str]] = {
    "NaN": (lambda y: _square(y) * torch.nan, NonFiniteError, "energy is NaN or infinite"),
    "overflow": (lambda y: (1e3 * _square(y)).exp(), NonFiniteError, "energy is NaN or infinite"),
    "infinite slope": (lambda y: (y - 1).abs().sqrt().sum(-1), NonFiniteError, "Hessian"),
    "a norm at its kink": (lambda y: (y - 1).norm(dim=-1), NonFiniteError, "Hessian"),
    "infinite curvature": (lambda y: (y - 1).abs().pow(1.5).sum(-1), NonFiniteError, "Hessian"),
    "coupled rows": (lambda y: _square(y - y.mean(0)), EnergyError, "influence one another"),
    "no y": (lambda y: torch.ones(len(y), dtype=y.dtype), EnergyError, "not differentiable"),
    "detached": (lambda y: _square(y.detach()), EnergyError, "not differentiable"),
    "one number": (lambda y: _square(y).sum(), EnergyError, "expected fn to return shape"),
    "a number a coordinate": (lambda y: y**2, EnergyError, "expected fn to return shape"),
    "a column": (lambda y: _square(y)[:, None], EnergyError, "expected fn to return shape"),
    "no tensor": (lambda _: 0.0, EnergyError, "expected fn to return a tensor"),  # type: ignore[dict-item,return-value]
    "float32": (lambda y: _square(y).float(), EnergyError, "expected fn to return torch.float64"),
    "elsewhere": (lambda y: _square(y).to("meta"), EnergyError, "torch.float64 on cpu"),
}


@routes
@pytest.mark.parametrize("request_", [(None, 0), (2, 1)], ids=["all", "ends"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_energy_is_refused(
    name: str, request_: tuple[int | None, int], max_bytes: int
) -> None:
    fn, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        spectrum(Landscape.of(fn, D, max_bytes=max_bytes), ONE_AND_ANOTHER, *request_)


@routes
def test_an_energy_of_its_weights_alone_is_refused(max_bytes: int) -> None:
    weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
    land = Landscape.of(lambda y: weight.expand(len(y)) ** 2, D, max_bytes=max_bytes)
    with pytest.raises(EnergyError, match="does not depend on y"):
        spectrum(land, _at(1.0), 1)


# Not twice differentiable, and yet an answer: it is the one that autograd gives.


@routes
def test_between_the_kinks_of_a_relu_network_the_hessian_is_zero_and_so_is_all_of_it(
    max_bytes: int,
) -> None:
    w1, w2 = planted.normal(D, 8, seed=0), planted.normal(8, seed=1)
    land = Landscape.of(lambda y: torch.relu(y @ w1) @ w2, D, max_bytes=max_bytes)
    found = spectrum(land, planted.normal(2, D, seed=2), 2, 1)
    for zeros in (found.eigenvalues, found.residuals, found.radii, found.norm, found.roundoff):
        assert not bool(zeros.any())
    lengths = torch.linalg.vector_norm(found.eigenvectors, dim=1)
    assert (lengths - 1).abs().max() <= 1e-14
    # An exact 0 is on neither side: nothing is claimed.
    assert found.index_low.tolist() == [0, 0]
    assert found.index_high.tolist() == [D, D]


@routes
@pytest.mark.parametrize(("place", "curvature"), [(-1.0, 0.0), (0.0, 0.0), (2.0, 2.0)])
def test_at_a_kink_of_the_slope_the_curvature_is_that_of_autograd_s_side(
    place: float, curvature: float, max_bytes: int
) -> None:
    # relu(y)² has curvature 0 below 0 and 2 above; at 0 torch takes relu' = 0.
    land = Landscape.of(lambda y: torch.relu(y).square().sum(-1), D, max_bytes=max_bytes)
    found = spectrum(land, _at(place), 2, 1)
    assert (found.eigenvalues - curvature).abs().max() <= 1e-14
    assert bool((found.roundoff <= 1e-13).all())


@routes
def test_a_kink_off_the_origin_shows_in_the_certificate(max_bytes: int) -> None:
    # A unit of the last place moves y over it, and the curvature from 0 to 2.
    land = Landscape.of(lambda y: torch.relu(y - 1).square().sum(-1), D, max_bytes=max_bytes)
    found = spectrum(land, _at(1.0), 2, 1)
    assert bool((found.eigenvalues == 0).all())
    assert bool((found.radii >= 2).all())  # the other side's curvature is in the interval
    assert found.index_low.tolist() == [0, 0]
    assert found.index_high.tolist() == [D, D]


# What is given


def test_points_on_another_device_are_refused() -> None:
    x = planted.normal(2, D, seed=0)
    land = Landscape.of(lambda x, y: _square(y - x), D, x)
    land._like = torch.empty(2, D, dtype=torch.float64, device="meta")  # x, as if on an accelerator
    with pytest.raises(
        DtypeError, match=r"y: expected torch.float64 on meta as x is, found .* cpu"
    ):
        spectrum(land, planted.normal(2, D, seed=1), 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("top", [None, 1])
def test_half_precisions_are_refused(dtype: torch.dtype, top: int | None) -> None:
    with pytest.raises(DtypeError, match=r"y: expected float64 or float32, found torch\.b?float16"):
        spectrum(Landscape.of(_square, D), _at(1.0).to(dtype), top)


@pytest.mark.parametrize("dtype", [torch.int64, torch.complex128, torch.bool])
def test_numbers_without_derivatives_are_refused(dtype: torch.dtype) -> None:
    with pytest.raises(DtypeError, match="y: expected a floating-point tensor"):
        inspect.unwrap(spectrum)(Landscape.of(_square, D), _at(1.0).to(dtype), 1)


def test_points_of_another_dtype_than_x_are_refused() -> None:
    x = planted.normal(2, D, seed=0)
    with pytest.raises(DtypeError, match=r"y: expected torch.float64 on cpu as x is"):
        spectrum(Landscape.of(lambda x, y: _square(y - x), D, x), _at(1.0).float(), 1)


@pytest.mark.parametrize("value", [1.0, 2.5, True, False, "2", torch.tensor([1])])
@pytest.mark.parametrize("name", ["top", "bottom"])
def test_counts_that_are_no_whole_numbers_are_refused(name: str, value: object) -> None:
    counts = {"top": 1, "bottom": 1} | {name: value}
    with pytest.raises(ShapeError, match=rf"{name}: expected a whole number of eigenpairs, found"):
        inspect.unwrap(spectrum)(Landscape.of(_square, D), _at(1.0), **counts)


def test_no_count_at_the_bottom_is_refused() -> None:
    with pytest.raises(ShapeError, match="bottom: expected a whole number"):
        inspect.unwrap(spectrum)(Landscape.of(_square, D), _at(1.0), 1, None)


@routes
@pytest.mark.parametrize(("top", "bottom"), [(D + 1, 0), (0, D + 1), (-1, 1), (1, -1), (100, 100)])
def test_more_pairs_than_there_are_are_refused(top: int, bottom: int, max_bytes: int) -> None:
    with pytest.raises(ShapeError, match=rf"(top|bottom): expected 0 … d = {D} eigenpairs, found"):
        spectrum(Landscape.of(_square, D, max_bytes=max_bytes), _at(1.0), top, bottom)


@routes
@pytest.mark.parametrize(("top", "bottom"), [(3, 3), (2, 3), (3, 1), (2, 2)])
def test_top_and_bottom_together_may_be_more_than_d(top: int, bottom: int, max_bytes: int) -> None:
    a = planted.symmetric([-5.0, 1.0, 2.0], seed=0)
    found = spectrum(planted.quadratic(a, max_bytes=max_bytes), _at(1.0), top, bottom)
    expected = [-5.0, 2.0, 1.0][:top] + [-5.0, 1.0, 2.0][:bottom]
    assert (found.eigenvalues - torch.tensor(expected)).abs().max() <= 5e-14
    assert (found.clusters[:, 0] == found.clusters[:, top]).all()
    assert bool((found.index_low <= 1).all())
    assert bool((found.index_high >= 1).all())


@pytest.mark.parametrize("tol", [0, 0.0, -0.0, -1e-8, float("nan"), float("inf"), "small"])
@pytest.mark.parametrize("top", [None, 1])
def test_tolerances_that_are_no_share_are_refused(tol: object, top: int | None) -> None:
    with pytest.raises(ShapeError, match="tol: expected a positive share of ‖H‖, found"):
        inspect.unwrap(spectrum)(Landscape.of(_square, D), _at(1.0), top, 0, tol)


@routes
def test_tolerances_that_rounding_does_not_reach_are_an_error(max_bytes: int) -> None:
    a = planted.symmetric([-5.0, 1.0, 2.0], seed=0)
    with pytest.raises(ConvergenceError, match="expected"):
        spectrum(planted.quadratic(a, max_bytes=max_bytes), _at(1.0), 2, 1, 1e-30)


@routes
@pytest.mark.parametrize("value", [-4.0, 0.0, 7.0])
@pytest.mark.parametrize(("top", "bottom"), [(None, 0), (1, 0), (0, 1), (1, 1)])
def test_one_dimension_has_one_eigenvalue(
    top: int | None, bottom: int, value: float, max_bytes: int
) -> None:
    land = Landscape.of(lambda y: value * _square(y) / 2, 1, max_bytes=max_bytes)
    found = spectrum(land, torch.ones(2, 1, dtype=torch.float64), top, bottom)
    assert (found.eigenvalues - value).abs().max() <= 1e-14 * abs(value)
    assert bool((found.eigenvectors.abs() == 1).all())
    if value:
        assert found.index_low.tolist() == found.index_high.tolist() == [int(value < 0)] * 2
