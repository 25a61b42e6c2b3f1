"""What is not an energy, or does not fit one, is an error that names the thing."""

import inspect
import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import planted
from ired_interp.errors import (
    DtypeError,
    EnergyError,
    IredInterpError,
    LevelError,
    NonFiniteError,
    ShapeError,
)
from ired_interp.landscape import Landscape
from ired_interp.tasks import task

D = 3
METHODS: dict[str, Callable[[Landscape, Tensor], object]] = {
    "energy": lambda land, y: land.energy(y),
    "gradient": lambda land, y: land.gradient(y),
    "hvp": lambda land, y: land.hvp(y, torch.ones_like(y)),
    "hessian": lambda land, y: land.hessian(y),
}
methods = pytest.mark.parametrize("method", METHODS)

SUBTLE = 1e-3


def _square(y: Tensor) -> Tensor:
    return y.square().sum(-1)


COUPLED: dict[str, Callable[[Tensor], Tensor]] = {
    "mean over rows": lambda y: _square(y).mean().expand(y.shape[0]),
    "centred": lambda y: _square(y - y.mean(0)),
    "centred a little": lambda y: _square(y - SUBTLE * y.mean(0)),
    "roll": lambda y: _square(y.roll(1, dims=0)),
    "roll by two": lambda y: _square(y - y.roll(2, dims=0)),
    "cumsum": lambda y: _square(y.cumsum(0)),
    "reversed cumsum": lambda y: _square(y.flip(0).cumsum(0).flip(0)),
    "first row": lambda y: _square(y - y[0]),
    "last row": lambda y: _square(y - y[-1]),
    "first row, detached": lambda y: _square(y - y[0].detach()),
    "divided by the rows": lambda y: _square(y) / len(y),
    "softmax over rows": lambda y: _square(y.softmax(0)),
    "sorted": lambda y: _square(y.sort(0).values),
    "attention": lambda y: _square((y @ y.T).softmax(-1) @ y),
    "row number": lambda y: _square(y) * (1 + torch.arange(len(y))),
    "total": lambda y: _square(y) + SUBTLE * y.sum(),
    "whisper": lambda y: _square(y) + 1e-12 * y.sum(),  # seen in the derivative alone
}


@methods
@pytest.mark.parametrize("n", [3, 8, 12])
@pytest.mark.parametrize("name", COUPLED)
def test_coupled_rows_are_refused(name: str, n: int, method: str) -> None:
    y = planted.normal(n, D, seed=n)
    with pytest.raises(EnergyError, match="influence one another"):
        METHODS[method](Landscape.of(COUPLED[name], D), y)


@methods
@pytest.mark.parametrize("name", sorted(COUPLED.keys() - {"roll by two"}))
def test_two_coupled_rows_are_refused(name: str, method: str) -> None:
    with pytest.raises(EnergyError, match="influence one another"):
        METHODS[method](Landscape.of(COUPLED[name], D), planted.normal(2, D, seed=2))


@methods
@pytest.mark.parametrize("n", [3, 8])
def test_batch_norm_in_training_mode_is_refused(n: int, method: str) -> None:
    norm = nn.BatchNorm1d(D).double().train()
    y = planted.normal(n, D, seed=0)
    with pytest.raises(EnergyError, match="influence one another"):
        METHODS[method](Landscape.of(lambda y: _square(norm(y)), D), y)


@methods
def test_batch_norm_in_evaluation_mode_is_an_energy(method: str) -> None:
    norm = nn.BatchNorm1d(D).double().eval()
    METHODS[method](Landscape.of(lambda y: _square(norm(y)), D), planted.normal(5, D, seed=0))


@methods
def test_coupled_rows_of_a_model_without_closed_forms_are_refused(method: str) -> None:
    class Coupled(planted.EnergyOnly):
        def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
            return super().energy(x, y - y.mean(0), t)

    model = Coupled(planted.network(D, D))
    with pytest.raises(EnergyError, match="influence one another"):
        METHODS[method](
            Landscape(model, planted.normal(6, D, seed=1), 4), planted.normal(6, D, seed=2)
        )


@methods
def test_coupling_through_x_is_refused(method: str) -> None:
    x = planted.normal(6, D, seed=1)
    with pytest.raises(EnergyError, match="influence one another"):
        METHODS[method](
            Landscape.of(lambda x, y: _square(y - x.mean(0)), D, x), planted.normal(6, D, seed=2)
        )


@methods
@pytest.mark.parametrize("n", [1, 8])
@pytest.mark.parametrize("kind", ["dropout", "spectral norm", "counter"])
def test_what_is_no_function_is_refused_as_such(kind: str, n: int, method: str) -> None:
    torch.manual_seed(0)
    normed = nn.utils.spectral_norm(nn.Linear(D, D)).double()
    calls = itertools.count()
    fns: dict[str, Callable[[Tensor], Tensor]] = {
        "dropout": lambda y: _square(nn.functional.dropout(y)),
        "spectral norm": lambda y: _square(torch.tanh(normed(y))),
        "counter": lambda y: _square(y) * (1 + 1e-9 * next(calls)),
    }
    with pytest.raises(EnergyError, match=r"not the same function from call to call.*eval\(\)"):
        METHODS[method](Landscape.of(fns[kind], D), planted.normal(n, D, seed=2))


_MIXED = planted.symmetric([1.0, 2.0, 3.0], seed=3)

INDEPENDENT: dict[str, Callable[[Tensor], Tensor]] = {
    "square": _square,
    "tiny": lambda y: 1e-200 * _square(y),
    "huge": lambda y: 1e200 * _square(y),
    "offset": lambda y: 1e9 + _square(y),
    "zero at every row": lambda y: 0 * _square(y),
    "near zero": lambda y: _square(y @ _MIXED - (y @ _MIXED + 1e-8)),
    "cancelling": lambda y: (_square(y) + 1e6 * _square(y @ _MIXED)) - 1e6 * _square(y @ _MIXED),
    "layer norm": lambda y: _square(nn.functional.layer_norm(y, (D,)) - 1),
    "row-wise sort": lambda y: _square(y.sort(-1).values * torch.arange(D)),
    "linear layer": lambda y: _square(torch.tanh(y @ planted.symmetric([1.0, 2.0, 3.0], seed=0))),
}


@methods
@pytest.mark.parametrize("n", [1, 2, 9])
@pytest.mark.parametrize("name", INDEPENDENT)
def test_independent_rows_are_not_refused(name: str, n: int, method: str) -> None:
    METHODS[method](Landscape.of(INDEPENDENT[name], D), planted.normal(n, D, seed=n))


# What fn returns


@methods
@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (lambda y: torch.zeros(y.shape[0], dtype=y.dtype), "not differentiable"),
        (lambda y: _square(y.detach()), "not differentiable"),
        (lambda y: y, "expected fn to return shape"),
        (lambda y: _square(y)[:, None], "expected fn to return shape"),
        (lambda y: _square(y).sum(), "expected fn to return shape"),
        (lambda y: _square(y).float(), "expected fn to return torch.float64"),
        (lambda _y: 1.0, "expected fn to return a tensor"),
        (lambda _y: None, "expected fn to return a tensor"),
    ],
)
def test_what_is_no_energy_is_refused(
    fn: Callable[[Tensor], Tensor], message: str, n: int, method: str
) -> None:
    with pytest.raises(EnergyError, match=message):
        METHODS[method](Landscape.of(fn, D), planted.normal(n, D, seed=0))


@methods
@pytest.mark.parametrize("n", [1, 4])
def test_an_energy_of_its_weights_alone_is_refused(n: int, method: str) -> None:
    weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
    with pytest.raises(EnergyError, match="does not depend on y"):
        METHODS[method](
            Landscape.of(lambda y: weight.expand(y.shape[0]) ** 2, D), planted.normal(n, D, seed=0)
        )


@methods
@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize(
    "fn",
    [
        lambda y: (-1 - _square(y)).sqrt(),
        lambda y: _square(y) * torch.nan,
        lambda y: _square(y) / 0,
        lambda y: (_square(y) * 1e200).exp(),
    ],
    ids=["sqrt of negative", "NaN", "infinite", "overflow"],
)
def test_energies_that_are_not_finite_are_refused_by_name(
    fn: Callable[[Tensor], Tensor], n: int, method: str
) -> None:
    with pytest.raises(NonFiniteError, match=r"is NaN or infinite at \d of"):
        METHODS[method](Landscape.of(fn, D), planted.normal(n, D, seed=0))


@pytest.mark.parametrize("row", [0, 1, 3])
def test_one_row_that_is_not_finite_is_named(row: int) -> None:
    # Not "the rows influence one another": 0·NaN leaks into the neighbours' derivatives.
    y = planted.normal(4, D, seed=0)
    land = Landscape.of(lambda y: (1 - _square(y)).sqrt(), D)
    inside = 0.5 * y / y.norm(dim=1, keepdim=True)
    land.energy(inside)
    inside[row] *= 4
    with pytest.raises(NonFiniteError, match=rf"1 of 4 rows \(first: row {row}\)"):
        land.energy(inside)


def test_a_kink_at_one_row_does_not_look_like_coupling() -> None:
    # √(‖y‖²) is 0 at y = 0, with a derivative that autograd calls NaN.
    y = planted.normal(4, D, seed=0)
    y[1] = 0
    land = Landscape.of(lambda y: _square(y).sqrt(), D)
    assert torch.allclose(land.energy(y), y.norm(dim=1), rtol=1e-14)
    with pytest.raises(NonFiniteError, match=r"gradient is NaN or infinite at 1 of 4"):
        land.gradient(y)


# What is given


@methods
def test_points_that_do_not_fit_are_refused(method: str) -> None:
    land = Landscape.of(_square, D)
    call = METHODS[method]
    with pytest.raises(ShapeError, match="expected 3 entries"):
        call(land, planted.normal(2, 4, seed=0))
    with pytest.raises(ShapeError, match="n ≥ 1"):
        call(land, planted.normal(0, D, seed=0))
    bad = planted.normal(2, D, seed=0)
    bad[1, 2] = torch.inf
    with pytest.raises(NonFiniteError, match="y: expected finite numbers, found 1"):
        call(land, bad)


@methods
@pytest.mark.parametrize("kind", ["model", "function"])
@pytest.mark.parametrize("max_bytes", [1, 2**28])
def test_rows_that_do_not_match_x_are_refused(kind: str, max_bytes: int, method: str) -> None:
    x = planted.normal(5, D, seed=0)
    land = (
        Landscape(planted.network(D, D), x, 3, max_bytes=max_bytes)
        if kind == "model"
        else Landscape.of(lambda x, y: _square(y - x), D, x, max_bytes=max_bytes)
    )
    for n in (4, 6):
        with pytest.raises(ShapeError, match=f"expected 5 rows, one a row of x, found {n}"):
            METHODS[method](land, planted.normal(n, D, seed=1))


@methods
def test_dtypes_must_agree(method: str) -> None:
    x = planted.normal(5, D, seed=0)
    model = planted.network(D, D)
    with pytest.raises(DtypeError, match="y: expected"):
        METHODS[method](Landscape(model, x, 3), x.float())
    with pytest.raises(DtypeError, match="as the model is"):
        Landscape(model, x.float(), 3)
    with pytest.raises(DtypeError, match="as the model is"):
        Landscape(model.float(), x, 3)


def test_vectors_that_do_not_fit_are_refused() -> None:
    land = Landscape.of(_square, D)
    y = planted.normal(4, D, seed=0)
    hvp = inspect.unwrap(Landscape.hvp)
    for shape in ((4, D + 1), (3, D), (4,), (4, D, 2, 1)):
        with pytest.raises(ShapeError, match="v: expected shape"):
            hvp(land, y, torch.zeros(shape, dtype=torch.float64))
    with pytest.raises(DtypeError, match="v: expected"):
        hvp(land, y, y.float())
    with pytest.raises(NonFiniteError, match="v: expected finite"):
        hvp(land, y, y * torch.nan)


def test_questions_and_levels_that_do_not_fit_are_refused() -> None:
    model = planted.network(D, D)
    x = planted.normal(4, D, seed=0)
    with pytest.raises(ShapeError, match="the model's dim_x"):
        Landscape(model, planted.normal(4, D + 1, seed=0), 3)
    with pytest.raises(NonFiniteError, match="x"):
        Landscape(model, x * torch.nan, 3)
    with pytest.raises(ShapeError, match="max_bytes"):
        Landscape(model, x, 3, max_bytes=0)
    for level in (0, 11):
        with pytest.raises(LevelError, match=r"1 … 10"):
            Landscape(model, x, level)
        with pytest.raises(LevelError, match=r"1 … 10"):
            Landscape(model, x, [1, 2, 3, level])
    with pytest.raises(LevelError, match="found 3"):
        Landscape(model, x, [1, 2, 3])
    with pytest.raises(LevelError, match="whole number"):
        Landscape(model, x, level=True)
    with pytest.raises(ShapeError, match="dim_y"):
        Landscape.of(_square, 0)


def test_every_refusal_is_one_of_ours() -> None:
    land = Landscape.of(_square, D)
    with pytest.raises(IredInterpError):
        land.energy(planted.normal(2, D + 1, seed=0))
    with pytest.raises(ValueError, match="entries"):
        land.energy(planted.normal(2, D + 1, seed=0))


def test_a_task_s_problem_fits_its_network() -> None:
    problem = task("inverse", 2).sample(3, seed=0)
    land = Landscape(planted.network(4, 4), problem.x, 10)
    assert land.hessian(problem.y).shape == (3, 4, 4)
