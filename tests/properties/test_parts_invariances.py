"""Parts of the Hessian: their sum, signs, symmetries, chunks, and what is refused."""

import inspect
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import planted
from ired_interp.curvature.parts import part_spectra, part_traces, split
from ired_interp.energy.exact import exact_model
from ired_interp.energy.parts import SplitEnergy
from ired_interp.errors import DtypeError, EnergyError, NonFiniteError, ShapeError
from ired_interp.landscape import DEFAULT_MAX_BYTES, Landscape
from ired_interp.tasks import task

N, D = 11, 4
MODEL = planted.network(D, D, width=12, gain=2.0)
LEVELS = [1 + i % 10 for i in range(N)]
MIX = planted.normal(D, 6, seed=7)
Make = Callable[[Tensor, int], Landscape]


def _network(x: Tensor, max_bytes: int = DEFAULT_MAX_BYTES) -> Landscape:
    return Landscape(MODEL, x, LEVELS, max_bytes=max_bytes)


def _squares(x: Tensor, max_bytes: int = DEFAULT_MAX_BYTES) -> Landscape:
    return Landscape.of_squares(
        lambda x, y: (x * y).sin() @ MIX + y[:, :1] * y[:, 1:2], D, x, max_bytes=max_bytes
    )


makers = pytest.mark.parametrize("make", [_network, _squares])


def _inputs(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    return (
        planted.normal(N, D, seed=seed),
        planted.normal(N, D, seed=seed + 1),
        planted.normal(N, D, 3, seed=seed + 2),
    )


def _all(land: Landscape, y: Tensor, v: Tensor) -> list[Tensor]:
    found, spectra = split(land, y, v), part_spectra(land, y)
    return [
        land.hessian_parts(y),
        land.quadratic_parts(y, v),
        land.quadratic_parts(y, v[:, :, 0]),
        found.curvatures,
        found.contributions,
        spectra.eigenvalues,
        spectra.traces,
        spectra.norms,
        part_traces(land, y),
    ]


def _same(one: list[Tensor], two: list[Tensor], norm: float) -> None:
    # DESIGN: 1e-12·‖H‖ in float64; the vectors here are not of unit length.
    for a, b in zip(one, two, strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max() <= 1e-12 * max(norm, float(a.abs().max()))


@makers
@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_the_parts_add_up_and_gauss_newton_never_bends_down(make: Make, seed: int) -> None:
    x, y, v = _inputs(seed)
    land = make(x, DEFAULT_MAX_BYTES)
    parts, h = land.hessian_parts(y), land.hessian(y)
    norm = torch.linalg.matrix_norm(h, ord=2)
    assert torch.equal(parts, parts.mT)
    assert bool(((parts.sum(1) - h).abs().amax(dim=(1, 2)) <= 1e-12 * norm).all())
    lowest = torch.linalg.eigvalsh(parts[:, 0])[:, 0]
    assert bool((lowest >= -1e-12 * torch.linalg.matrix_norm(parts[:, 0])).all())
    assert bool((land.quadratic_parts(y, v)[:, 0] >= 0).all())
    found = split(land, y)
    assert bool((found.defects <= 1e-12 * norm[:, None]).all())
    assert bool((found.curvatures.diff(dim=1) >= -1e-12 * norm[:, None]).all())


@makers
@pytest.mark.parametrize("max_bytes", [1, 20_000])
def test_chunking_does_not_change_the_numbers(make: Make, max_bytes: int) -> None:
    x, y, v = _inputs()
    whole, small = make(x, DEFAULT_MAX_BYTES), make(x, max_bytes)
    norm = float(torch.linalg.matrix_norm(whole.hessian(y), ord=2).max())
    _same(_all(small, y, v), _all(whole, y, v), norm)


def test_one_row_s_columns_are_taken_in_blocks_where_it_does_not_fit() -> None:
    mix, calls = planted.normal(20, 30, seed=1), 0

    def f(y: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return (y @ mix / 5).tanh() @ mix.mT

    y = planted.normal(1, 20, seed=0)
    whole = Landscape.of_squares(f, 20).hessian_parts(y)
    at_once, calls = calls, 0
    few = Landscape.of_squares(f, 20, max_bytes=20_000).hessian_parts(y)
    assert calls > at_once
    assert (few - whole).abs().max() < 1e-13 * float(whole.abs().max())
    assert torch.equal(few, few.mT)
    assert torch.equal(whole, whole.mT)


@makers
def test_a_row_alone_in_any_order_has_the_same_parts(make: Make) -> None:
    x, y, v = _inputs(5)
    land = make(x, DEFAULT_MAX_BYTES)
    together = _all(land, y, v)
    norm = float(torch.linalg.matrix_norm(land.hessian(y), ord=2).max())
    order = torch.tensor([7, 3, 10, 0])
    chosen = _all(land.select(order), y[order], v[order])
    _same(chosen, [t[order] for t in together], norm)
    alone = _all(land.select(slice(4, 5)), y[4:5], v[4:5])
    _same(alone, [t[4:5] for t in together], norm)


@makers
def test_contributions_are_quadratic_forms(make: Make) -> None:
    x, y, v = _inputs(6)
    land = make(x, DEFAULT_MAX_BYTES)
    one, three = split(land, y, v), split(land, y, 3 * v)
    scale = float(three.contributions.abs().max())
    assert (9 * one.contributions - three.contributions).abs().max() <= 1e-13 * scale
    a, b = v[:, :, 0], v[:, :, 1]
    # The parallelogram law.
    left = land.quadratic_parts(y, a + b) + land.quadratic_parts(y, a - b)
    right = 2 * (land.quadratic_parts(y, a) + land.quadratic_parts(y, b))
    assert (left - right).abs().max() <= 1e-13 * scale


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_turning_y_turns_the_parts_and_turning_f_leaves_them(seed: int) -> None:
    q, turn = planted.orthogonal(D, seed=seed), planted.orthogonal(6, seed=seed + 1)
    x, y, _ = _inputs(seed)

    def f(x: Tensor, y: Tensor) -> Tensor:
        return (x * y).sin() @ MIX + y[:, :1] * y[:, 1:2]

    plain = Landscape.of_squares(f, D, x).hessian_parts(y)
    turned_y = Landscape.of_squares(lambda x, z: f(x, z @ q.mT), D, x).hessian_parts(y @ q)
    turned_f = Landscape.of_squares(lambda x, y: f(x, y) @ turn, D, x).hessian_parts(y)
    norm = float(torch.linalg.matrix_norm(plain).max())
    assert (q @ turned_y @ q.mT - plain).abs().max() < 1e-12 * norm
    assert (turned_f - plain).abs().max() < 1e-12 * norm


@makers
def test_no_vectors_give_no_contributions_and_inputs_stay(make: Make) -> None:
    x, y, v = _inputs()
    before = x.clone(), y.clone(), v.clone()
    land = make(x, DEFAULT_MAX_BYTES)
    _all(land, y, v)
    assert all(torch.equal(a, b) for a, b in zip(before, (x, y, v), strict=True))
    names = land.part_names
    empty = split(land, y, v[:, :, :0])
    assert empty.contributions.shape == (N, len(names), 0)
    assert empty.defects.shape == (N, 0)
    assert not any(t.requires_grad for t in _all(land, y, v))


@makers
def test_inference_mode_changes_nothing(make: Make) -> None:
    x, y, v = _inputs()
    outside = _all(make(x, DEFAULT_MAX_BYTES), y, v)
    with torch.inference_mode():
        inside = _all(make(x.clone(), DEFAULT_MAX_BYTES), y.clone(), v.clone())
    for a, b in zip(outside, inside, strict=True):
        assert torch.equal(a, b)


# What is refused

READERS: dict[str, Callable[[Landscape, Tensor], object]] = {
    "hessian_parts": lambda land, y: land.hessian_parts(y),
    "quadratic_parts": lambda land, y: land.quadratic_parts(y, torch.ones_like(y)),
    "split": split,
    "split along a vector": lambda land, y: split(land, y, torch.ones_like(y)[..., None]),
    "part_spectra": part_spectra,
    "part_traces": part_traces,
}
readers = pytest.mark.parametrize("reader", READERS)


@readers
def test_energies_without_known_parts_say_what_to_do(reader: str) -> None:
    x, y, _ = _inputs()
    lands = [
        Landscape.of(lambda y: y.square().sum(-1), D),
        Landscape(planted.EnergyOnly(MODEL), x, 3),
        Landscape(exact_model(task("gaussian", 2)), x, 3),
    ]
    for land in lands:
        with pytest.raises(EnergyError, match=r"Landscape\.of_squares\(fn, dim_y\)"):
            READERS[reader](land, y)
        with pytest.raises(EnergyError, match=r"not known as a sum of parts"):
            _ = land.part_names
    assert not isinstance(planted.EnergyOnly(MODEL), SplitEnergy)


def _turned_by_the_neighbour(y: Tensor) -> Tensor:
    """Rows that turn one another's f: every ‖f‖² is that of its own row."""
    angle = y.roll(1, dims=0)[:, 0]
    a, b = y[:, 0].square(), y[:, 1].sin()
    return torch.stack(
        [a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], dim=1
    )


COUPLED: dict[str, Callable[[Tensor], Tensor]] = {
    "centred": lambda y: y - y.mean(0),
    "centred a little": lambda y: y - 1e-3 * y.mean(0),
    "roll by two": lambda y: y - y.roll(2, dims=0),
    "first row, detached": lambda y: y - y[0].detach(),
    "divided by the rows": lambda y: y / len(y),
    "row number": lambda y: y * (1 + torch.arange(len(y)))[:, None],
    "whisper": lambda y: y + 1e-12 * y.sum(),
    "turned by the neighbour": _turned_by_the_neighbour,
    "sign of the neighbour": lambda y: y * y.roll(1, dims=0).detach().sign(),
}


@readers
@pytest.mark.parametrize("n", [3, 12])
@pytest.mark.parametrize("name", COUPLED)
def test_coupled_rows_are_refused(name: str, n: int, reader: str) -> None:
    with pytest.raises(EnergyError, match="influence one another"):
        READERS[reader](Landscape.of_squares(COUPLED[name], D), planted.normal(n, D, seed=n))


def test_f_is_tested_and_not_only_the_energy() -> None:
    # Each ‖f‖² is that of its own row, so that `of` has nothing to refuse.
    y = planted.normal(3, D, seed=3)
    land = Landscape.of(lambda y: COUPLED["sign of the neighbour"](y).square().sum(-1), D)
    assert (land.energy(y) - y.square().sum(-1)).abs().max() < 1e-12


@pytest.mark.parametrize("n", [1, 2, 8, 11])
def test_round_off_at_a_zero_of_f_is_not_taken_for_an_influence(n: int) -> None:
    a = planted.normal(40, 30, seed=1)
    y = planted.normal(1, 40, seed=2).expand(n, -1).clone()
    target = (y[:1] @ a)[0]
    land = Landscape.of_squares(lambda y: y @ a - target, 40)
    assert float(land.energy(y).max()) < 1e-25
    found = part_spectra(land, y)
    assert float(found.norms[:, 1].max()) == 0
    # The round-off of another number of rows is another, as it may be in a matrix product.
    point = y[0].clone()
    rough = Landscape.of_squares(lambda y: (y + len(y)) - len(y) - point, 40)
    assert float(rough.energy(y).max()) < 1e-25
    assert float(part_spectra(rough, y).norms[:, 1].max()) == 0


@readers
@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (lambda y: y.square().sum(-1), r"expected fn to return shape \(\d, r\).*Landscape\.of\."),
        (lambda y: y[:, :0], r"r ≥ 1.*found \(\d, 0\)"),
        (lambda y: y[:, :, None], r"expected fn to return shape"),
        (lambda y: y.sum(0, keepdim=True).expand(7, -1), r"found \(7, 4\)"),
        (lambda y: y.float(), "expected fn to return torch.float64"),
        (lambda _y: 1.0, "expected fn to return a tensor, found float"),
        (torch.zeros_like, "not differentiable"),
        (lambda y: y.detach(), "not differentiable"),
    ],
)
def test_what_is_no_residual_is_refused(
    fn: Callable[[Tensor], Tensor], message: str, n: int, reader: str
) -> None:
    with pytest.raises(EnergyError, match=message):
        READERS[reader](Landscape.of_squares(fn, D), planted.normal(n, D, seed=0))


@readers
def test_an_f_of_its_weights_alone_is_refused(reader: str) -> None:
    weight = nn.Parameter(torch.ones(1, 3, dtype=torch.float64))
    land = Landscape.of_squares(lambda y: weight.expand(y.shape[0], -1) ** 2, D)
    with pytest.raises(EnergyError, match="does not depend on y"):
        READERS[reader](land, planted.normal(3, D, seed=0))


@readers
@pytest.mark.parametrize(
    "fn",
    [
        lambda y: (-1 - y.square()).sqrt(),
        lambda y: y * torch.nan,
        lambda y: y * 1e200,  # finite itself, but not its square
    ],
    ids=["sqrt of negative", "NaN", "overflow"],
)
def test_residuals_that_are_not_finite_are_refused(
    fn: Callable[[Tensor], Tensor], reader: str
) -> None:
    with pytest.raises(NonFiniteError, match=r"is NaN or infinite at \d of"):
        READERS[reader](Landscape.of_squares(fn, D), planted.normal(3, D, seed=0))


@pytest.mark.parametrize("reader", ["hessian_parts", "quadratic_parts"])
def test_parts_that_are_not_finite_are_refused_where_the_energy_is(reader: str) -> None:
    y = planted.normal(3, D, seed=0)
    with pytest.raises(NonFiniteError, match="a part of the Hessian is NaN or infinite at 3 of 3"):
        READERS[reader](Landscape.of_squares(lambda y: (1e200 * y).sin(), D), y)


@readers
def test_parts_are_refused_where_only_the_energy_is_not_finite(reader: str) -> None:
    y = planted.normal(3, D, seed=0)
    with pytest.raises(NonFiniteError, match="the energy is NaN or infinite"):
        READERS[reader](Landscape.of_squares(lambda y: y + 1e200, D), y)


@readers
@makers
def test_points_that_do_not_fit_are_refused(make: Make, reader: str) -> None:
    x, y, _ = _inputs()
    land = make(x, DEFAULT_MAX_BYTES)
    with pytest.raises(ShapeError, match="one a row of x, found 2"):
        READERS[reader](land, y[:2])
    with pytest.raises(ShapeError, match="y: expected 4 entries a row"):
        READERS[reader](land, y[:, :3])
    with pytest.raises(DtypeError, match=r"y: expected torch\.float64"):
        READERS[reader](land, y.float())
    with pytest.raises(NonFiniteError, match="y: expected finite"):
        READERS[reader](land, y / 0)


@makers
def test_vectors_that_do_not_fit_are_refused(make: Make) -> None:
    x, y, v = _inputs()
    land = make(x, DEFAULT_MAX_BYTES)
    # Below the type checker that the tests add.
    quadratic_parts, apart = inspect.unwrap(Landscape.quadratic_parts), inspect.unwrap(split)
    for shape in ((N, D - 1, 3), (N - 1, D, 3), (N, D, 3, 1)):
        with pytest.raises(ShapeError, match=r"v: expected shape \(11, 4\) or \(11, 4, m\)"):
            quadratic_parts(land, y, v.new_zeros(shape))
        with pytest.raises(ShapeError, match=r"expected shape \(11, 4"):
            apart(land, y, v.new_zeros(shape))
    with pytest.raises(ShapeError, match=r"vectors: expected shape \(11, 4, e\), one vector a col"):
        apart(land, y, v[:, :, 0])
    for read in (land.quadratic_parts, lambda y, v: split(land, y, v)):
        with pytest.raises(DtypeError, match=r"v.*: expected torch\.float64"):
            read(y, v.float())
        with pytest.raises(NonFiniteError, match=r"v.*: expected finite"):
            read(y, v * torch.nan)


def test_a_landscape_of_squares_checks_its_arguments_as_of_does() -> None:
    with pytest.raises(ShapeError, match="dim_y: expected a whole number"):
        Landscape.of_squares(lambda y: y, 0)
    with pytest.raises(NonFiniteError, match="x: expected finite"):
        Landscape.of_squares(lambda x, y: y - x, D, torch.full((2, D), torch.nan))
    with pytest.raises(ShapeError, match="max_bytes"):
        Landscape.of_squares(lambda y: y, D, max_bytes=0)
