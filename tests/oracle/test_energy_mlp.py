"""IRED's network against NumPy written from the reference's description, and against autograd."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.special import erf, expit
from torch import Tensor

import planted
from ired_interp.energy.base import AnalyticEnergy
from ired_interp.energy.mlp import DEFAULT_WIDTH, EnergyMLP
from ired_interp.errors import LevelError, ShapeError
from ired_interp.landscape import Landscape

Array = npt.NDArray[np.float64]


def _numpy_energy(weights: dict[str, Array], x: Array, y: Array, t: int) -> float:
    """One row, written from the text: time features, two gain/bias heads, three swish layers."""

    def linear(name: str, v: Array) -> Array:
        return np.asarray(weights[f"{name}.weight"] @ v + weights[f"{name}.bias"])

    def swish(v: Array) -> Array:
        return np.asarray(v * expit(v))

    frequency = np.exp(-np.log(10000.0) * np.arange(64) / 63)
    features = np.concatenate([np.sin(t * frequency), np.cos(t * frequency)])
    hidden = linear("time_mlp.1", features)
    hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
    hidden = linear("time_mlp.3", hidden)
    gain2, bias2 = np.split(linear("t_map_fc2", hidden), 2)
    gain3, bias3 = np.split(linear("t_map_fc3", hidden), 2)
    h = swish(linear("fc1", np.concatenate([x, y])))
    h = swish(linear("fc2", h) * (1 + gain2) + bias2)
    h = swish(linear("fc3", h) * (1 + gain3) + bias3)
    return float(np.sum(linear("fc4", h) ** 2))


def _case(
    dim_x: int = 5, dim_y: int = 3, *, width: int = 16, seed: int = 0, n: int = 10
) -> tuple[EnergyMLP, Tensor, Tensor, Tensor]:
    """A network with weights large enough for every term of the Hessian to matter."""
    model = planted.steeper(planted.network(dim_x, dim_y, width=width, seed=seed, gain=2.0), 2.0)
    x = planted.normal(n, dim_x, seed=seed + 1)
    y = planted.normal(n, dim_y, seed=seed + 2)
    return model, x, y, torch.arange(n) % 10


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("width", [16, 7])
def test_the_energy_is_the_network_of_the_text(seed: int, width: int) -> None:
    model, x, y, t = _case(seed=seed, width=width)
    weights = {k: v.numpy() for k, v in model.state_dict().items()}
    expected = [
        _numpy_energy(weights, *row) for row in zip(x.numpy(), y.numpy(), t.tolist(), strict=True)
    ]
    assert np.abs(model.energy(x, y, t).detach().numpy() / expected - 1).max() < 1e-12
    assert torch.equal(model(x, y, t), model.energy(x, y, t))
    for k in (0, 9):
        one = [_numpy_energy(weights, a, b, k) for a, b in zip(x.numpy(), y.numpy(), strict=True)]
        assert np.abs(model.energy(x, y, k).detach().numpy() / one - 1).max() < 1e-12


def test_the_state_has_the_reference_s_names_and_shapes() -> None:
    state = EnergyMLP(16, 16).state_dict()
    assert {name: tuple(v.shape) for name, v in state.items()} == {
        "time_mlp.1.weight": (128, 128),
        "time_mlp.1.bias": (128,),
        "time_mlp.3.weight": (128, 128),
        "time_mlp.3.bias": (128,),
        "fc1.weight": (512, 32),
        "fc1.bias": (512,),
        "fc2.weight": (512, 512),
        "fc2.bias": (512,),
        "fc3.weight": (512, 512),
        "fc3.bias": (512,),
        "fc4.weight": (16, 512),
        "fc4.bias": (16,),
        "t_map_fc2.weight": (1024, 128),
        "t_map_fc2.bias": (1024,),
        "t_map_fc3.weight": (1024, 128),
        "t_map_fc3.bias": (1024,),
    }
    assert DEFAULT_WIDTH == 512


@pytest.mark.parametrize(
    ("dim_x", "dim_y", "count"),
    [
        (16, 16, 847_632),
        (32, 16, 855_824),
        (36, 36, 878_372),
        (400, 400, 1_437_840),
        (800, 400, 1_642_640),
    ],
)
def test_parameter_counts_are_the_reference_s(dim_x: int, dim_y: int, count: int) -> None:
    assert sum(p.numel() for p in EnergyMLP(dim_x, dim_y).parameters()) == count


@pytest.mark.parametrize("seed", range(3))
def test_closed_form_derivatives_equal_autograd(seed: int) -> None:
    model, x, y, t = _case(seed=10 * seed)
    v = planted.normal(10, 4, 3, seed=seed)
    with torch.no_grad():  # no graph is needed
        energy, gradient = model.energy_and_gradient(x, y, t)
        hessian = model.hessian(x, y, t)
        product = model.hvp(x, y, t, v)
    for i in range(10):

        def row(q: Tensor, i: int = i) -> Tensor:
            return model.energy(x[i : i + 1], q[None], t[i : i + 1]).sum()

        def output(q: Tensor, i: int = i) -> Tensor:
            return _output(model, x, q, t, i)

        h = planted.hessian(row, y[i])
        g = planted.derivative(row, y[i])
        assert (energy[i] - row(y[i])).abs() < 1e-12 * energy[i].abs()
        assert (gradient[i] - g).norm() < 1e-10 * g.norm()
        assert (hessian[i] - h).norm() < 1e-10 * h.norm()
        assert (product[i] - v[i] @ h).norm() < 1e-10 * (v[i] @ h).norm()
        # Every term weighs: the Gauss-Newton part alone is far from the Hessian.
        jacobian = planted.derivative(output, y[i])
        assert (2 * jacobian.T @ jacobian - h).norm() > 0.05 * h.norm()
    assert torch.equal(hessian, hessian.mT)


def _output(model: EnergyMLP, x: Tensor, q: Tensor, t: Tensor, i: int) -> Tensor:
    """f, caught on its way out of the last layer."""
    caught: list[Tensor] = []
    handle = model.fc4.register_forward_hook(lambda _module, _inputs, out: caught.append(out))
    model.energy(x[i : i + 1], q[None], t[i : i + 1])
    handle.remove()
    return caught[0][0]


@pytest.mark.parametrize("closed_forms", [True, False])
def test_the_landscape_of_a_network_equals_autograd(closed_forms: bool) -> None:  # noqa: FBT001
    model, x, y, t = _case(seed=5)
    level = 10 - t
    land = Landscape(model if closed_forms else planted.EnergyOnly(model), x, level)
    assert isinstance(model, AnalyticEnergy)
    _check_landscape(land, model, x, y, t)


def test_the_landscape_of_a_function_equals_autograd() -> None:
    model, x, y, _ = _case(seed=6)
    t = torch.full((10,), 4)
    land = Landscape.of(lambda x, y: model.energy(x, y, 4), 3, x)
    _check_landscape(land, model, x, y, t)


def _check_landscape(land: Landscape, model: EnergyMLP, x: Tensor, y: Tensor, t: Tensor) -> None:
    v = planted.normal(10, 3, 2, seed=1)
    energy, gradient, hessian = land.energy(y), land.gradient(y), land.hessian(y)
    both, product = land.energy_and_gradient(y), land.hvp(y, v)
    single = land.hvp(y, v[:, :, 0])
    for i in range(10):

        def row(q: Tensor, i: int = i) -> Tensor:
            return model.energy(x[i : i + 1], q[None], t[i : i + 1]).sum()

        h = planted.hessian(row, y[i])
        g = planted.derivative(row, y[i])
        assert (energy[i] - row(y[i])).abs() < 1e-10 * energy[i].abs()
        assert (both[0][i] - row(y[i])).abs() < 1e-10 * energy[i].abs()
        assert (gradient[i] - g).norm() < 1e-10 * g.norm()
        assert (both[1][i] - g).norm() < 1e-10 * g.norm()
        assert (hessian[i] - h).norm() < 1e-10 * h.norm()
        assert (product[i] - h @ v[i]).norm() < 1e-10 * (h @ v[i]).norm()
        assert (single[i] - h @ v[i, :, 0]).norm() < 1e-10 * (h @ v[i]).norm()


def test_derivatives_at_the_released_width_in_float32_are_the_float64_ones() -> None:
    # STYLE: a mismatch is rounding only if float64 shrinks it.
    model = planted.network(16, 16, width=512, seed=3)
    x, y, t = planted.normal(3, 16, seed=4), planted.normal(3, 16, seed=5), torch.tensor([0, 4, 9])
    exact = model.hessian(x, y, t).detach()
    rough = model.float().hessian(x.float(), y.float(), t).detach()
    assert rough.dtype == torch.float32
    norm = torch.linalg.matrix_norm(exact)
    gap = torch.linalg.matrix_norm(exact - rough)
    assert bool((gap < 1e-5 * norm).all())
    assert bool((gap > 1e-12 * norm).all())


def test_weight_gradients_of_the_closed_form_equal_double_backward() -> None:
    model, x, y, t = _case(seed=7)
    noise = planted.normal(10, 3, seed=8)
    weights = dict(model.named_parameters())
    _, gradient = model.energy_and_gradient(x, y, t)
    ours = torch.autograd.grad((gradient - noise).square().sum(), list(weights.values()))
    leaf = y.clone().requires_grad_()
    (twice,) = torch.autograd.grad(model.energy(x, leaf, t).sum(), leaf, create_graph=True)
    # fc4's bias moves E but, through f, also ∇E: every parameter has a part in both.
    theirs = torch.autograd.grad((twice - noise).square().sum(), list(weights.values()))
    for name, a, b in zip(weights, ours, theirs, strict=True):
        assert b.norm() > 0, name
        assert (a - b).norm() < 1e-10 * b.norm(), name


def test_a_network_starts_as_a_linear_layer_of_pytorch_does() -> None:
    model = EnergyMLP(16, 16, width=64).initialise(torch.Generator().manual_seed(0))
    for name, parameter in model.named_parameters():
        layer = model.get_submodule(name.rpartition(".")[0])
        assert isinstance(layer, torch.nn.Linear)
        bound = 1 / math.sqrt(layer.in_features)
        values = parameter.detach().double().flatten()
        assert float(values.abs().max()) <= bound * (1 + 1e-6)
        # Uniform on ±b: variance b²/3, and that of the squares b⁴·(1/5 - 1/9).
        error = bound**2 * math.sqrt((1 / 5 - 1 / 9) / values.numel())
        assert abs(float(values.square().mean()) - bound**2 / 3) / error < 5, name
    again = EnergyMLP(16, 16, width=64).initialise(torch.Generator().manual_seed(0))
    for one, two in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("timestep", [-1, 10])
def test_timesteps_out_of_range_are_refused(timestep: int) -> None:
    model, x, y, t = _case()
    wrong = t.clone()
    wrong[3] = timestep
    v = planted.normal(10, 2, 3, seed=0)
    with pytest.raises(LevelError, match=r"0 … 9"):
        model.energy(x, y, timestep)
    with pytest.raises(LevelError, match=r"0 … 9"):
        model.energy(x, y, wrong)
    with pytest.raises(LevelError, match=r"0 … 9"):
        model.energy_and_gradient(x, y, wrong)
    with pytest.raises(LevelError, match=r"0 … 9"):
        model.hvp(x, y, wrong, v)
    with pytest.raises(LevelError, match=r"0 … 9"):
        model.hessian(x, y, wrong)


def test_dimensions_below_one_are_refused() -> None:
    with pytest.raises(ShapeError, match="found 0, 4"):
        EnergyMLP(0, 4)
    with pytest.raises(ShapeError, match="found 4, 4, 0"):
        EnergyMLP(4, 4, width=0)


def test_building_and_filling_a_network_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(2)
    expected = torch.rand(3)
    torch.manual_seed(2)
    planted.network(4, 4)
    assert torch.equal(torch.rand(3), expected)


def test_the_time_features_are_computed_in_float64_and_cast() -> None:
    model, x, y, t = _case(seed=9)
    single = model.float()
    features = single.time_mlp[0](torch.arange(10))
    assert features.dtype == torch.float64
    frequency = np.exp(-np.log(10000.0) * np.arange(64) / 63)
    angles = np.arange(10)[:, None] * frequency
    expected = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    assert np.abs(features.numpy() - expected).max() < 1e-14
    assert single.energy(x.float(), y.float(), t).dtype == torch.float32


@pytest.mark.parametrize("d", [1, 7, 159, 160, 200])  # together, and from 160 one by one
def test_hessians_of_many_and_of_few_columns_are_those_of_autograd(d: int) -> None:
    model = planted.network(3, d, width=24, seed=5)
    x, y, t = planted.normal(5, 3, seed=6), planted.normal(5, d, seed=7), torch.arange(5)
    found = model.hessian(x, y, t)
    assert torch.equal(found, found.mT)
    for i in range(5):

        def row(q: Tensor, i: int = i) -> Tensor:
            return model.energy(x[i : i + 1], q[None], t[i : i + 1]).sum()

        h = planted.hessian(row, y[i])
        assert (found[i] - h).norm() < 1e-10 * h.norm()


def test_the_grad_mode_does_not_choose_how_derivatives_are_computed() -> None:
    model, x, y, t = _case(seed=4)
    v = planted.normal(10, 4, 3, seed=1)
    with torch.no_grad():
        hessian, product = model.hessian(x, y, t), model.hvp(x, y, t, v)
    with torch.enable_grad():
        assert torch.equal(model.hessian(x, y, t), hessian)
        assert torch.equal(model.hvp(x, y, t, v), product)
        assert not model.hessian(x, y, t).requires_grad
