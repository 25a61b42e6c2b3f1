"""The parts of the Hessian against autograd's, layer by layer, and against closed forms."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import planted
from ired_interp.curvature import spectrum
from ired_interp.curvature.parts import part_spectra, part_traces, split
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.energy.parts import SplitEnergy
from ired_interp.landscape import Landscape
from ired_interp.models.zoo import load_model

NAMES = ("gauss_newton", "layer_1", "layer_2", "layer_3")
# A bias this large makes swish the identity: its second derivative underflows to 0.
SATURATED = 100.0


def _case(*, seed: int = 0, n: int = 6, width: int = 16) -> tuple[EnergyMLP, Tensor, Tensor]:
    """A network with weights large enough for every part to matter."""
    model = planted.steeper(planted.network(5, 3, width=width, seed=seed, gain=2.0), 2.0)
    return model, planted.normal(n, 5, seed=seed + 1), planted.normal(n, 3, seed=seed + 2)


def _chain(model: EnergyMLP, x: Tensor, t: int, y: Tensor) -> tuple[list[Tensor], Tensor]:
    """The pre-activations and f at one point, layer after layer from the text."""
    features = model.time_mlp(torch.tensor([t]))[0]
    gain2, bias2 = model.t_map_fc2(features).chunk(2)
    gain3, bias3 = model.t_map_fc3(features).chunk(2)
    a1 = model.fc1(torch.cat([x, y]))
    a2 = model.fc2(functional.silu(a1)) * (1 + gain2) + bias2
    a3 = model.fc3(functional.silu(a2)) * (1 + gain3) + bias3
    return [a1, a2, a3], model.fc4(functional.silu(a3))


def _expected_parts(model: EnergyMLP, x: Tensor, t: int, y: Tensor) -> Tensor:
    """2·JᵀJ, and for each layer the Hessian of E with every other bend straightened."""
    jacobian = torch.func.jacrev(lambda q: _chain(model, x, t, q)[1])(y)
    parts = [2 * jacobian.T @ jacobian]
    shifts = [torch.zeros(model.width, dtype=y.dtype, requires_grad=True) for _ in range(3)]
    energy = _shifted(model, x, t, y, shifts)
    deltas = torch.autograd.grad(energy, shifts)
    for layer, delta in enumerate(deltas):

        def pre(q: Tensor, layer: int = layer) -> Tensor:
            return _chain(model, x, t, q)[0][layer]

        start, slope = pre(y).detach(), torch.func.jacrev(pre)(y).detach()

        def bend(
            q: Tensor, start: Tensor = start, slope: Tensor = slope, delta: Tensor = delta
        ) -> Tensor:
            return (delta * functional.silu(start + slope @ (q - y))).sum()

        parts.append(planted.hessian(bend, y))
    return torch.stack(parts).detach()


def _shifted(model: EnergyMLP, x: Tensor, t: int, y: Tensor, shifts: list[Tensor]) -> Tensor:
    """E when h_l is moved by shifts[l]: its derivative there is δ_l."""
    features = model.time_mlp(torch.tensor([t]))[0]
    gain2, bias2 = model.t_map_fc2(features).chunk(2)
    gain3, bias3 = model.t_map_fc3(features).chunk(2)
    h = functional.silu(model.fc1(torch.cat([x, y]))) + shifts[0]
    h = functional.silu(model.fc2(h) * (1 + gain2) + bias2) + shifts[1]
    h = functional.silu(model.fc3(h) * (1 + gain3) + bias3) + shifts[2]
    energy: Tensor = model.fc4(h).square().sum()
    return energy


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_layer_s_part_is_the_hessian_with_all_other_bends_straightened(seed: int) -> None:
    model, x, y = _case(seed=10 * seed)
    assert isinstance(model, SplitEnergy)
    timesteps = [0, 2, 4, 6, 8, 9]
    land = Landscape(model, x, [10 - t for t in timesteps])
    assert land.part_names == NAMES
    got = land.hessian_parts(y)
    v = planted.normal(6, 3, 4, seed=seed)
    forms = land.quadratic_parts(y, v)
    single = land.quadratic_parts(y, v[:, :, 0])
    hessian = land.hessian(y)
    assert got.shape == (6, 4, 3, 3)
    assert torch.equal(got, got.mT)
    for i, t in enumerate(timesteps):
        expected = _expected_parts(model, x[i], t, y[i])
        norm = float(hessian[i].norm())
        assert (got[i] - expected).abs().max() < 1e-12 * norm
        assert (got[i].sum(0) - hessian[i]).abs().max() < 1e-12 * norm
        # No part is so small that its absence would go unseen.
        assert float(expected.flatten(1).norm(dim=1).min()) > 1e-3 * norm
        dense = torch.einsum("dm,pde,em->pm", v[i], expected, v[i])
        assert (forms[i] - dense).abs().max() < 1e-12 * norm * float(v[i].square().sum())
        assert (single[i] - dense[:, 0]).abs().max() < 1e-12 * norm * float(v[i].square().sum())


def test_at_the_released_width_the_residual_parts_make_up_the_rest() -> None:
    model = planted.network(16, 16, width=512, seed=3)
    x, y = planted.normal(2, 16, seed=4), planted.normal(2, 16, seed=5)
    parts = Landscape(model, x, [1, 10]).hessian_parts(y)
    for i, t in enumerate((9, 0)):

        def row(q: Tensor, i: int = i, t: int = t) -> Tensor:
            return _chain(model, x[i], t, q)[1].square().sum()

        def output(q: Tensor, i: int = i, t: int = t) -> Tensor:
            return _chain(model, x[i], t, q)[1]

        h, jacobian = planted.hessian(row, y[i]), torch.func.jacrev(output)(y[i]).detach()
        gauss_newton = 2 * jacobian.T @ jacobian
        assert (parts[i, 0] - gauss_newton).abs().max() < 1e-12 * h.norm()
        assert (parts[i, 1:].sum(0) - (h - gauss_newton)).abs().max() < 1e-12 * h.norm()


def _straighten(model: EnergyMLP, layer: int) -> EnergyMLP:
    """Move one layer's units to where swish is a straight line, and the next layer back."""
    linear = (model.fc1, model.fc2, model.fc3, model.fc4)
    with torch.no_grad():
        for modulation in (model.t_map_fc2, model.t_map_fc3):
            modulation.weight.zero_()
            modulation.bias.zero_()
        linear[layer].bias.add_(SATURATED)
        linear[layer + 1].bias.sub_(SATURATED * linear[layer + 1].weight.sum(1))
    return model


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_layer_without_bend_contributes_nothing(layer: int) -> None:
    model, x, y = _case(seed=4)
    land = Landscape(_straighten(model, layer), x, 6)
    found, spectra = split(land, y), part_spectra(land, y)
    norm = found.curvatures.abs().amax(dim=1)
    size = found.contributions.abs().amax(dim=2) / norm[:, None]
    straight = 1 + layer
    assert float(size[:, straight].max()) == 0
    assert float(spectra.eigenvalues[:, straight].abs().max()) == 0
    assert float(spectra.traces[:, straight].abs().max()) == 0
    others = [part for part in range(4) if part != straight]
    assert float(size[:, others].min()) > 1e-4


def test_where_f_is_zero_only_the_gauss_newton_part_is_left() -> None:
    model, x, y = _case(seed=5, n=1)
    with torch.no_grad():
        model.fc4.bias.sub_(_chain(model, x[0], 3, y[0])[1])
    land = Landscape(model, x, 7)
    found = part_spectra(land, y)
    assert float(land.energy(y)) < 1e-25
    assert float(found.norms[0, 1:].max()) < 1e-13 * float(found.norms[0, 0])
    assert abs(float(found.shares[0, 0]) - 1) < 1e-13
    assert (found.eigenvalues[:, 0] - spectrum(land, y).eigenvalues).abs().max() < 1e-12 * float(
        found.norms[0, 0]
    )


@pytest.mark.parametrize("level", [1, 5, 10])
def test_eigenvalues_of_the_trained_model_are_the_sum_of_their_contributions(level: int) -> None:
    model = load_model("inverse-4").double()
    x, y = planted.normal(5, 16, seed=1), planted.normal(5, 16, seed=2)
    land = Landscape(model, x, level)
    spec, found = spectrum(land, y), split(land, y)
    bound = 1e-12 * spec.norm[:, None]
    assert found.names == NAMES
    assert bool(((found.contributions.sum(1) - spec.eigenvalues).abs() <= bound).all())
    assert bool(((found.curvatures - spec.eigenvalues).abs() <= bound).all())
    assert bool((found.defects <= bound).all())
    dense = torch.einsum("nde,npdk,nke->npe", found.vectors, land.hessian_parts(y), found.vectors)
    assert bool(((found.contributions - dense).abs() <= bound[:, None]).all())
    top = split(land, y, spectrum(land, y, top=3, bottom=2).eigenvectors)
    assert top.contributions.shape == (5, 4, 5)
    assert bool(((top.contributions[..., -2:] - found.contributions[..., :2]).abs() <= 1e-10).all())


# E = ‖f‖² of any f


def test_a_network_as_squares_has_the_same_gauss_newton_part() -> None:
    model, x, y = _case(seed=6)
    closed = Landscape(model, x, 6)

    def f(x: Tensor, y: Tensor) -> Tensor:
        return torch.stack([_chain(model, *pair)[1] for pair in _pairs(x, y)])

    def _pairs(x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, int, Tensor]]:
        return ((a, 4, b) for a, b in zip(x, y, strict=True))

    land = Landscape.of_squares(f, 3, x)
    assert land.part_names == ("gauss_newton", "residual")
    layers, halves = closed.hessian_parts(y), land.hessian_parts(y)
    norm = float(closed.hessian(y).norm())
    assert (halves[:, 0] - layers[:, 0]).abs().max() < 1e-12 * norm
    assert (halves[:, 1] - layers[:, 1:].sum(1)).abs().max() < 1e-12 * norm
    assert (land.energy(y) - closed.energy(y)).abs().max() < 1e-12 * float(closed.energy(y).max())
    assert (land.gradient(y) - closed.gradient(y)).abs().max() < 1e-12 * float(
        closed.gradient(y).norm()
    )


@pytest.mark.parametrize("num_residuals", [1, 3, 7])
def test_squares_of_any_number_of_residuals_split_as_autograd_says(num_residuals: int) -> None:
    mix = planted.normal(4, num_residuals, seed=1)
    x, y = planted.normal(5, 4, seed=2), planted.normal(5, 4, seed=3)

    def f(x: Tensor, y: Tensor) -> Tensor:
        return (x * y).sin() @ mix + (y.prod(-1) * x[:, 0])[:, None]

    land = Landscape.of_squares(f, 4, x)
    parts, v = land.hessian_parts(y), planted.normal(5, 4, 2, seed=4)
    forms, product = land.quadratic_parts(y, v), land.hvp(y, v)
    for i in range(5):

        def row(q: Tensor, i: int = i) -> Tensor:
            return f(x[i : i + 1], q[None])[0]

        def total(q: Tensor, i: int = i) -> Tensor:
            return f(x[i : i + 1], q[None]).square().sum()

        h, jacobian = planted.hessian(total, y[i]), torch.func.jacrev(row)(y[i])
        gauss_newton = 2 * jacobian.T @ jacobian
        norm = float(h.norm())
        assert (parts[i, 0] - gauss_newton).abs().max() < 1e-12 * norm
        assert (parts[i, 1] - (h - gauss_newton)).abs().max() < 1e-12 * norm
        assert float((h - gauss_newton).norm()) > 0.01 * norm  # not nothing
        assert (product[i] - h @ v[i]).abs().max() < 1e-12 * norm * float(v[i].norm())
        dense = torch.einsum("dm,pde,em->pm", v[i], parts[i], v[i])
        assert (forms[i] - dense).abs().max() < 1e-12 * norm * float(v[i].square().sum())
        rank = min(num_residuals, 4)
        lowest = torch.linalg.eigvalsh(parts[i, 0])[: 4 - rank]
        assert bool((lowest.abs() < 1e-12 * norm).all())


def test_a_square_of_a_square_is_two_thirds_gauss_newton() -> None:
    a = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    y = planted.normal(4, 3, seed=0)
    land = Landscape.of_squares(lambda y: a * y.square(), 3)
    # E = Σa²y⁴: Hessian 12a²y², of which 2(2ay)² = 8a²y² and 2·ay²·2a = 4a²y².
    unit = (a * y).square()
    expected = torch.stack([torch.diag_embed(8 * unit), torch.diag_embed(4 * unit)], dim=1)
    assert (land.hessian_parts(y) - expected).abs().max() < 1e-14 * float(expected.max())
    found = part_spectra(land, y)
    assert (found.shares - torch.tensor([2 / 3, 1 / 3], dtype=y.dtype)).abs().max() < 1e-14
    assert (found.eigenvalues[:, 1] - (4 * unit).sort(1).values).abs().max() < 1e-13
    assert (found.traces - 4 * unit.sum(1)[:, None] * torch.tensor([2.0, 1.0])).abs().max() < 1e-13
    assert (found.norms[:, 0] - 8 * unit.norm(dim=1)).abs().max() < 1e-13
    assert float((found.defects / found.norms[:, 0]).max()) < 1e-14


def _rosenbrock(y: Tensor) -> Tensor:
    return torch.stack([10 * (y[:, 1] - y[:, 0].square()), 1 - y[:, 0]], dim=1)


def test_rosenbrock_bends_down_by_its_residual_alone_and_not_at_its_minimum() -> None:
    y = torch.tensor([[1.0, 1.0], [0.0, 1.0], [-1.2, 1.0]], dtype=torch.float64)
    land = Landscape.of_squares(_rosenbrock, 2)
    parts = land.hessian_parts(y)
    for part, (a, b) in zip(parts, y.tolist(), strict=True):
        jacobian = torch.tensor([[-20 * a, 10.0], [-1.0, 0.0]], dtype=torch.float64)
        residual = torch.tensor([[-400 * (b - a * a), 0.0], [0.0, 0.0]], dtype=torch.float64)
        assert torch.equal(part[0], 2 * jacobian.T @ jacobian)
        assert (part[1] - residual).abs().max() < 1e-12
    found = split(land, y)
    assert float(parts[0, 1].abs().max()) == 0
    # At (0, 1) H = diag(2 - 400, 200): the bend down is all residual.
    assert (found.curvatures[1] - torch.tensor([-398.0, 200.0])).abs().max() < 1e-11
    assert (found.contributions[1, :, 0] - torch.tensor([2.0, -400.0])).abs().max() < 1e-11
    assert (found.contributions[1, :, 1] - torch.tensor([200.0, 0.0])).abs().max() < 1e-11


@pytest.mark.parametrize("num_residuals", [2, 4, 9])
def test_a_linear_f_has_no_residual_part(num_residuals: int) -> None:
    a = planted.normal(4, num_residuals, seed=1)
    y = planted.normal(3, 4, seed=2)
    land = Landscape.of_squares(lambda y: y @ a - 1, 4)
    found, spectra = split(land, y), part_spectra(land, y)
    expected = torch.linalg.eigvalsh(2 * a @ a.T)
    norm = float(expected.max())
    assert float(found.contributions[:, 1].abs().max()) == 0
    assert float(spectra.eigenvalues[:, 1].abs().max()) == 0
    assert (found.contributions[:, 0] - expected).abs().max() < 1e-12 * norm
    assert (part_traces(land, y) - spectra.traces).abs().max() < 1e-12 * norm


def test_a_constant_f_besides_a_linear_one_adds_nothing() -> None:
    land = Landscape.of_squares(lambda y: torch.cat([y, torch.ones_like(y)], dim=1), 2)
    parts = land.hessian_parts(planted.normal(3, 2, seed=0))
    assert torch.equal(parts[:, 0], 2 * torch.eye(2, dtype=torch.float64).expand(3, -1, -1))
    assert float(parts[:, 1].abs().max()) == 0


def test_a_part_that_works_against_the_whole_has_a_negative_share() -> None:
    # f = 1 - y²: at y = 1/2 the parts are 2·(2y)² = 2 and 2·(3/4)·(-2) = -3, together -1.
    land = Landscape.of_squares(lambda y: 1 - y.square(), 1)
    found = part_spectra(land, torch.full((1, 1), 0.5, dtype=torch.float64))
    assert torch.equal(found.shares, torch.tensor([[-2.0, 3.0]], dtype=torch.float64))
    # Of no curvature there is no share: E = y⁴ at 0.
    quartic = Landscape.of_squares(lambda y: y.square(), 1)
    flat = part_spectra(quartic, torch.zeros(1, 1, dtype=torch.float64))
    assert bool(flat.shares.isnan().all())
    assert float(flat.norms.abs().max()) == float(flat.defects.abs().max()) == 0


@pytest.mark.parametrize("size", [1e-180, 1e180])
def test_norms_and_shares_neither_overflow_nor_underflow(size: float) -> None:
    land = Landscape.of_squares(lambda y: size**0.5 * y.square(), 2)
    found = part_spectra(land, torch.ones(1, 2, dtype=torch.float64))
    norms = 2**0.5 * torch.tensor([8.0, 4.0], dtype=torch.float64)
    assert (found.norms / size - norms).abs().max() < 1e-13
    assert float(found.defects.max()) < 1e-14 * size
    assert (found.shares - torch.tensor([2 / 3, 1 / 3], dtype=torch.float64)).abs().max() < 1e-14


EXAMPLES: dict[str, Callable[[], tuple[Landscape, Tensor]]] = {
    "network": lambda: _example_network(torch.float64),
    "squares": lambda: (Landscape.of_squares(_rosenbrock, 2), planted.normal(6, 2, seed=3)),
}


def _example_network(dtype: torch.dtype) -> tuple[Landscape, Tensor]:
    model, x, y = _case(seed=8)
    return Landscape(model.to(dtype), x.to(dtype), 8), y.to(dtype)


@pytest.mark.parametrize("name", EXAMPLES)
def test_traces_norms_and_shares_are_those_of_the_matrices(name: str) -> None:
    land, y = EXAMPLES[name]()
    parts, h = land.hessian_parts(y), land.hessian(y)
    found = part_spectra(land, y)
    norm = torch.linalg.matrix_norm(h)
    tolerance = 1e-12 * norm[:, None]
    trace = torch.einsum("npdd->np", parts)
    assert bool(((part_traces(land, y) - trace).abs() <= tolerance).all())
    assert bool(((found.traces - trace).abs() <= tolerance).all())
    assert bool(((found.eigenvalues.sum(2) - trace).abs() <= tolerance).all())
    assert bool(((found.norms - found.eigenvalues.square().sum(2).sqrt()).abs() <= tolerance).all())
    shares = torch.einsum("npde,nde->np", parts, h) / norm.square()[:, None]
    assert (found.shares - shares).abs().max() < 1e-12
    assert (found.shares.sum(1) - 1).abs().max() < 1e-12
    assert bool((found.defects <= 1e-12 * norm).all())
    assert bool((found.residuals <= 1e-12 * found.norms[..., None] + 1e-300).all())
    # With all eigenvectors, the split knows the shares without a matrix.
    apart = split(land, y)
    along = (apart.contributions * apart.curvatures[:, None]).sum(2)
    assert (along / apart.curvatures.square().sum(1, keepdim=True) - shares).abs().max() < 1e-12


def test_float32_is_float64_to_its_own_precision() -> None:
    exact_land, y = _example_network(torch.float64)
    rough_land, rough_y = _example_network(torch.float32)
    exact, rough = split(exact_land, y), split(rough_land, rough_y)
    norm = exact.curvatures.abs().amax(dim=1)
    assert rough.contributions.dtype == rough.defects.dtype == torch.float32
    # Eigenvectors may turn, sums over all of them may not.
    gap = (rough.contributions.sum(2) - exact.contributions.sum(2)).abs()
    assert bool((gap <= 1e-5 * norm[:, None]).all())
    assert bool((gap > 1e-12 * norm[:, None]).any())
    assert bool((rough.defects <= 1e-5 * norm[:, None]).all())
    spectra = part_spectra(rough_land, rough_y)
    wide = part_spectra(exact_land, y)
    assert bool(
        ((spectra.eigenvalues - wide.eigenvalues).abs() <= 1e-5 * norm[:, None, None]).all()
    )
    assert spectra.shares.dtype == torch.float32


def test_parts_that_are_not_the_energy_s_show_as_a_defect() -> None:
    class Wrong(EnergyMLP):  # the one thing to replace is the method under test
        def quadratic_parts(self, x: Tensor, y: Tensor, t: Tensor, v: Tensor) -> Tensor:
            return super().quadratic_parts(x, y, t, v) * 1.5

    model, x, y = _case(seed=9)
    wrong = Wrong(5, 3, width=16).double()
    wrong.load_state_dict(model.state_dict())
    found = split(Landscape(wrong, x, 4), y)
    assert (found.defects - 0.5 * found.curvatures.abs()).abs().max() < 1e-12 * float(
        found.curvatures.abs().max()
    )
