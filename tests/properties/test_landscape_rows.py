"""A landscape's rows are independent, its Hessian is symmetric and linear, its inputs untouched."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import planted
from ired_interp.energy.base import Energy
from ired_interp.energy.exact import exact_model
from ired_interp.landscape import DEFAULT_MAX_BYTES, Landscape
from ired_interp.tasks import task

N, DIM_X, DIM_Y = 11, 4, 4
MODEL = planted.network(DIM_X, DIM_Y, width=12, gain=2.0)
EXACT = exact_model(task("gaussian", 2))
LEVELS = [1 + i % 10 for i in range(N)]
Make = Callable[[Tensor, list[int], int], Landscape]


def _network(x: Tensor, levels: list[int], max_bytes: int) -> Landscape:
    return Landscape(MODEL, x, levels, max_bytes=max_bytes)


def _autograd(x: Tensor, levels: list[int], max_bytes: int) -> Landscape:
    return Landscape(planted.EnergyOnly(MODEL), x, levels, max_bytes=max_bytes)


def _exact(x: Tensor, levels: list[int], max_bytes: int) -> Landscape:
    return Landscape(EXACT, x, levels, max_bytes=max_bytes)


def _function(x: Tensor, levels: list[int], max_bytes: int) -> Landscape:
    # The level is part of x, so that it is taken along.
    scale = torch.tensor(levels, dtype=x.dtype)[:, None]

    def energy(x: Tensor, y: Tensor) -> Tensor:
        inner = x[:, :-1] * y
        return x[:, -1] * (inner.sin().sum(-1) + (inner.sum(-1)) ** 4 / 4)

    return Landscape.of(energy, DIM_Y, torch.cat([x, scale], dim=1), max_bytes=max_bytes)


makers = pytest.mark.parametrize("make", [_network, _autograd, _exact, _function])


def _inputs(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    return (
        planted.normal(N, DIM_X, seed=seed),
        planted.normal(N, DIM_Y, seed=seed + 1),
        planted.normal(N, DIM_Y, 3, seed=seed + 2),
    )


def _all(land: Landscape, y: Tensor, v: Tensor) -> list[Tensor]:
    energy, gradient = land.energy_and_gradient(y)
    return [
        land.energy(y),
        energy,
        land.gradient(y),
        gradient,
        land.hvp(y, v),
        land.hvp(y, v[:, :, 0]),
        land.hessian(y),
    ]


def _same(one: list[Tensor], two: list[Tensor], hessian: Tensor) -> None:
    # DESIGN: across chunks, numbers agree to 1e-12·‖H‖ in float64. Energies have their own size.
    norm = float(torch.linalg.matrix_norm(hessian, ord=2).max())
    for a, b in zip(one, two, strict=True):
        assert (a - b).abs().max() <= 1e-12 * max(norm, float(a.abs().max()))


@makers
@pytest.mark.parametrize("max_bytes", [1, 5_000, 40_000])
def test_chunking_does_not_change_the_numbers(make: Make, max_bytes: int) -> None:
    x, y, v = _inputs()
    large = _all(make(x, LEVELS, DEFAULT_MAX_BYTES), y, v)
    small = _all(make(x, LEVELS, max_bytes), y, v)
    _same(large, small, large[-1])


def test_a_model_may_need_no_working_memory() -> None:
    class Bowl:
        schedule = EXACT.schedule
        dim_x = DIM_X
        dim_y = DIM_Y

        def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:  # noqa: ARG002
            return y.square().sum(-1) / 2

        def energy_and_gradient(self, x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            return self.energy(x, y, t), y

        def hvp(self, x: Tensor, y: Tensor, t: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002
            return v

        def hessian(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:  # noqa: ARG002
            return torch.eye(DIM_Y, dtype=y.dtype).expand(y.shape[0], -1, -1)

        def working_bytes(self, num_vectors: int) -> int:  # nothing for a gradient
            return 8 * num_vectors * DIM_Y

    x, y, v = _inputs()
    land = Landscape(Bowl(), x, 3)
    assert torch.equal(land.gradient(y), y)
    assert torch.equal(land.hvp(y, v), v)


def test_small_memory_means_small_chunks() -> None:
    sizes: list[int] = []

    def energy(y: Tensor) -> Tensor:
        sizes.append(y.shape[0])
        return y.square().sum(-1) ** 2

    _, y, v = _inputs()
    for method in ("energy", "gradient", "hessian"):
        sizes.clear()
        getattr(Landscape.of(energy, DIM_Y, max_bytes=1), method)(y)
        assert sizes.count(1) >= N, method
    sizes.clear()
    Landscape.of(energy, DIM_Y, max_bytes=1).hvp(y, v)
    assert sizes.count(1) >= N
    sizes.clear()
    Landscape.of(energy, DIM_Y).hvp(y, v)
    assert max(sizes) == N


@makers
def test_a_row_alone_is_the_row_in_the_batch(make: Make) -> None:
    x, y, v = _inputs(3)
    together = _all(make(x, LEVELS, DEFAULT_MAX_BYTES), y, v)
    for i in range(N):
        rows = slice(i, i + 1)
        alone = _all(make(x[rows], LEVELS[rows], DEFAULT_MAX_BYTES), y[rows], v[rows])
        _same([value[rows] for value in together], alone, together[-1])


@makers
def test_the_order_of_the_rows_does_not_matter(make: Make) -> None:
    x, y, v = _inputs(6)
    order = torch.tensor([7, 0, 3, 10, 9, 1, 2, 8, 4, 6, 5])
    together = _all(make(x, LEVELS, DEFAULT_MAX_BYTES), y, v)
    levels = [LEVELS[int(i)] for i in order]
    shuffled = _all(make(x[order], levels, DEFAULT_MAX_BYTES), y[order], v[order])
    _same([value[order] for value in together], shuffled, together[-1])


@makers
def test_selected_rows_are_those_rows(make: Make) -> None:
    x, y, v = _inputs(9)
    land = make(x, LEVELS, DEFAULT_MAX_BYTES)
    together = _all(land, y, v)
    for rows in (slice(2, 7), slice(None, None, 3), torch.tensor([8, 1, 1, 5])):
        chosen = land.select(rows)
        _same([value[rows] for value in together], _all(chosen, y[rows], v[rows]), together[-1])
        if land.timestep is not None:
            assert chosen.timestep is not None
            assert chosen.sigma is not None
            assert land.sigma is not None
            assert torch.equal(chosen.timestep, land.timestep[rows])
            assert torch.equal(chosen.sigma, land.sigma[rows])
    again = land.select(slice(2, 9)).select(torch.tensor([3, 0]))
    _same([value[[5, 2]] for value in together], _all(again, y[[5, 2]], v[[5, 2]]), together[-1])


@pytest.mark.parametrize("model", [MODEL, planted.EnergyOnly(MODEL), EXACT])
def test_one_level_is_that_level_in_every_row(model: Energy) -> None:
    x, y, v = _inputs(12)
    for level in (1, 4, 10):
        one = Landscape(model, x, level)
        many = Landscape(model, x, [level] * N)
        as_tensor = Landscape(model, x, torch.full((N,), level))
        expected = _all(one, y, v)
        _same(expected, _all(many, y, v), expected[-1])
        _same(expected, _all(as_tensor, y, v), expected[-1])
        assert one.timestep is not None
        assert one.sigma is not None
        assert one.signal is not None
        assert one.timestep.tolist() == [10 - level] * N
        assert torch.equal(one.sigma, model.schedule.sigma[10 - level].expand(N))
        assert torch.equal(one.signal, model.schedule.signal[10 - level].expand(N))


@makers
@settings(max_examples=10)
@given(seed=st.integers(0, 10_000), a=st.floats(-5, 5), b=st.floats(-5, 5))
def test_the_hessian_product_is_linear_symmetric_and_the_hessian_s(
    make: Make, seed: int, a: float, b: float
) -> None:
    x, y, _ = _inputs(seed)
    u, w = planted.normal(N, DIM_Y, seed=seed + 3), planted.normal(N, DIM_Y, seed=seed + 4)
    land = make(x, LEVELS, DEFAULT_MAX_BYTES)
    h = land.hessian(y)
    norm = torch.linalg.matrix_norm(h, ord=2).max()
    hu, hw = land.hvp(y, u), land.hvp(y, w)
    scale = norm * (u.norm(dim=1).max() + w.norm(dim=1).max()) * (1 + abs(a) + abs(b))
    assert (land.hvp(y, a * u + b * w) - (a * hu + b * hw)).abs().max() < 1e-12 * scale
    assert ((u * hw).sum(1) - (w * hu).sum(1)).abs().max() < 1e-11 * norm * u.norm() * w.norm()
    assert (torch.einsum("nij,nj->ni", h, u) - hu).abs().max() < 1e-12 * scale
    assert torch.equal(h, h.mT)
    both = land.hvp(y, torch.stack([u, w], dim=-1))
    assert (both - torch.stack([hu, hw], dim=-1)).abs().max() < 1e-12 * scale


@makers
def test_the_gradient_is_the_slope_of_the_energy(make: Make) -> None:
    x, y, _ = _inputs(15)
    land = make(x, LEVELS, DEFAULT_MAX_BYTES)
    direction = planted.normal(N, DIM_Y, seed=16)
    h = 1e-4
    # Central differences of fourth order: error ~h⁴ and ~ε/h of the energies' size.
    slope = (
        8 * (land.energy(y + h * direction) - land.energy(y - h * direction))
        - (land.energy(y + 2 * h * direction) - land.energy(y - 2 * h * direction))
    ) / (12 * h)
    size = float(land.energy(y).abs().max()) + float(slope.abs().max())
    assert (slope - (land.gradient(y) * direction).sum(1)).abs().max() < 1e-9 * max(size, 1)


@makers
def test_inputs_stay_as_they_were_and_no_graph_is_left(make: Make) -> None:
    x, y, v = _inputs(18)
    copies = [z.clone() for z in (x, y, v)]
    land = make(x, LEVELS, DEFAULT_MAX_BYTES)
    for value in _all(land, y, v):
        assert not value.requires_grad
        assert value.grad_fn is None
    for now, before in zip((x, y, v), copies, strict=True):
        assert torch.equal(now, before)
        assert not now.requires_grad
        assert now.grad is None
    for parameter in MODEL.parameters():
        assert parameter.grad is None
        assert parameter.requires_grad


@makers
def test_inputs_that_carry_a_graph_are_taken_as_values(make: Make) -> None:
    x, y, v = _inputs(21)
    expected = _all(make(x, LEVELS, DEFAULT_MAX_BYTES), y, v)
    x_leaf, y_leaf, v_leaf = (z.clone().requires_grad_() for z in (x, y, v))
    land = make(x_leaf, LEVELS, DEFAULT_MAX_BYTES)
    found = _all(land, y_leaf * 1, v_leaf * 1)
    for a, b in zip(expected, found, strict=True):
        assert torch.equal(a, b)
        assert not b.requires_grad
    assert y_leaf.grad is None
    assert x_leaf.grad is None


@makers
def test_no_grad_is_no_obstacle(make: Make) -> None:
    x, y, v = _inputs(24)
    expected = _all(make(x, LEVELS, DEFAULT_MAX_BYTES), y, v)
    with torch.no_grad():
        found = _all(make(x, LEVELS, DEFAULT_MAX_BYTES), y, v)
        assert not torch.is_grad_enabled()
    for a, b in zip(expected, found, strict=True):
        assert torch.equal(a, b)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("make", [_network, _autograd, _exact])
def test_inference_mode_is_no_obstacle_to_tensors_from_outside(make: Make) -> None:
    x, y, v = _inputs(27)
    expected = _all(make(x, LEVELS, DEFAULT_MAX_BYTES), y, v)
    with torch.inference_mode():
        found = _all(make(x, LEVELS, DEFAULT_MAX_BYTES), y, v)
        assert torch.is_inference_mode_enabled()
    for a, b in zip(expected, found, strict=True):
        assert torch.equal(a, b)


@makers
def test_inference_mode_is_no_obstacle_to_tensors_from_inside(make: Make) -> None:
    # Autograd refuses to save a tensor that was made in inference mode: x has to be cloned.
    expected = _all(make(_inputs(27)[0], LEVELS, DEFAULT_MAX_BYTES), *_inputs(27)[1:])
    with torch.inference_mode():
        x, y, v = _inputs(27)
        assert x.is_inference()
        found = _all(make(x, LEVELS, DEFAULT_MAX_BYTES), y, v)
    for a, b in zip(expected, found, strict=True):
        assert torch.equal(a, b)


def test_x_is_taken_along_with_its_row() -> None:
    x, y, _ = _inputs(30)
    seen: list[tuple[Tensor, Tensor]] = []

    def energy(x: Tensor, y: Tensor) -> Tensor:
        seen.append((x.detach(), y.detach()))
        return ((y - x) ** 2).sum(-1)

    land = Landscape.of(energy, DIM_Y, x, max_bytes=1)
    assert torch.allclose(land.gradient(y), 2 * (y - x), rtol=1e-13)
    pairs = {(tuple(a.tolist()), tuple(b.tolist())) for a, b in zip(x, y, strict=True)}
    for a, b in seen:
        for row in zip(a.tolist(), b.tolist(), strict=True):
            assert (tuple(row[0]), tuple(row[1])) in pairs


@makers
def test_no_vectors_give_no_products(make: Make) -> None:
    x, y, _ = _inputs()
    product = make(x, LEVELS, DEFAULT_MAX_BYTES).hvp(
        y, torch.zeros(N, DIM_Y, 0, dtype=torch.float64)
    )
    assert product.shape == (N, DIM_Y, 0)


def test_linear_and_piecewise_linear_energies_are_flat() -> None:
    _, y, v = _inputs()
    weight = torch.nn.Parameter(planted.normal(DIM_Y, seed=1))
    for energy in (
        lambda y: y.sum(-1),
        lambda y: (y * weight).sum(-1),
        lambda y: torch.relu(y @ torch.diag(weight)).sum(-1),
        lambda y: y.abs().sum(-1),
    ):
        land = Landscape.of(energy, DIM_Y)
        assert torch.equal(land.hessian(y), torch.zeros(N, DIM_Y, DIM_Y, dtype=torch.float64))
        assert torch.equal(land.hvp(y, v), torch.zeros_like(v))
        assert bool((land.gradient(y) != 0).any())


def test_one_entry_and_one_row() -> None:
    land = Landscape.of(lambda y: y[:, 0] ** 3, 1)
    y = torch.tensor([[2.0]], dtype=torch.float64)
    assert land.energy(y).tolist() == [8.0]
    assert land.gradient(y).tolist() == [[12.0]]
    assert land.hessian(y).tolist() == [[[12.0]]]
    assert land.hvp(y, torch.tensor([[0.5]], dtype=torch.float64)).tolist() == [[6.0]]
