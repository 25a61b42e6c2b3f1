"""Derivatives are those of the energy, or that they are not, or not known to be, is said."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

import drawn_energies
import planted
from ired_interp.curvature import (
    frobenius_norm,
    log_determinant,
    spectral_density,
    spectrum,
    trace,
)
from ired_interp.energy.exact import GaussianEnergy
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.energy.roundoff import magnitude
from ired_interp.errors import EnergyError, NonFiniteError
from ired_interp.landscape import Landscape
from ired_interp.minimise import minimise
from ired_interp.verification import KINK, NOT_ASKED, ROUND_OFF, TESTED, VERIFIED, Verification
from tiers import slow

D = 4


def _y(n: int = 3, d: int = D) -> Tensor:
    return planted.normal(n, d, seed=n)


def _square(y: Tensor) -> Tensor:
    return y.square().sum(-1)


@slow
def test_drawn_defects_are_found_and_drawn_energies_are_not_refused() -> None:
    # benchmarks and notes quote the command of tests/drawn_energies.py, which draws thousands.
    wrong = []
    for seed in range(150):
        drawn = drawn_energies.draw(seed)
        said = drawn_energies.complaint(drawn, drawn_energies.outcome(drawn))
        wrong += [f"draw {seed}, {drawn.kind}: {said}"] if said else []
    assert not wrong


class _Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        cubed: Tensor = 3 * y**2 * grad
        return cubed


def _missing(y: Tensor) -> Tensor:
    found: Tensor = _Cube.apply(y)  # type: ignore[no-untyped-call]
    return found.sum(-1) + _square(y)


READERS: dict[str, Callable[[Landscape, Tensor, bool], object]] = {
    "all pairs": lambda land, y, verify: spectrum(land, y, verify=verify),
    "top": lambda land, y, verify: spectrum(land, y, top=1, verify=verify),
    "hessian": lambda land, y, verify: land.hessian(y, verify=verify),
    "trace": lambda land, y, verify: trace(land, y, verify=verify),
    "few probes": lambda land, y, verify: trace(
        land, y, estimator="hutchinson", num_products=3, verify=verify
    ),
    "norm": lambda land, y, verify: frobenius_norm(land, y, verify=verify),
    "log det": lambda land, y, verify: log_determinant(land, y, shift=100.0, verify=verify),
    "density": lambda land, y, verify: spectral_density(land, y, verify=verify),
    "minimum": lambda land, y, verify: minimise(land, y, verify=verify, max_steps=2),
}


@pytest.mark.parametrize("max_bytes", [1, 2**26])
@pytest.mark.parametrize("reader", READERS)
def test_a_missing_second_derivative_is_refused_by_all_that_rest_on_it(
    reader: str, max_bytes: int
) -> None:
    land = Landscape.of(_missing, D, max_bytes=max_bytes)
    with pytest.raises(EnergyError, match=r"second derivative is missing or wrong"):
        READERS[reader](land, _y(), True)  # noqa: FBT003 - verify
    if reader != "top" or max_bytes > 1:  # a Krylov space of a wrong Hessian need not converge
        READERS[reader](land, _y(), False)  # noqa: FBT003


def test_results_say_how_far_they_were_verified() -> None:
    land, y = Landscape.of(lambda y: _square(y) + y.exp().sum(-1), D), _y()
    for found in (
        spectrum(land, y).verification,
        spectrum(land, y, top=2).verification,
        trace(land, y).verification,
        log_determinant(land, y).verification,
        spectral_density(land, y).verification,
        minimise(land, y).verification,
        land.verification(y),
    ):
        assert found.outcomes == (VERIFIED,) * 3
        assert bool((found.product_error < 1e-5).all())
        assert bool((found.curvature_error < 1e-5).all())
        assert bool((found.gradient_error < 1e-6).all())
    left = spectrum(land, y, verify=False).verification
    assert left.outcomes == (NOT_ASKED,) * 3
    assert not any(left.is_verified)
    assert bool(torch.isinf(left.product_error).all())


def test_the_package_s_own_closed_forms_are_verified_by_its_tests() -> None:
    x, y = planted.normal(3, 3, seed=0), _y()
    model = planted.network(3, D)
    assert Landscape(model, x, 4).verification(y).outcomes == (TESTED,) * 3
    assert spectrum(Landscape(model, x, 4), y).verification.outcomes == (TESTED,) * 3

    class Mine(EnergyMLP):
        """Another class may override what it likes."""

    mine = Mine(3, D, width=8).double()
    mine.initialise(torch.Generator().manual_seed(0))
    assert Landscape(mine, x, 4).verification(y).outcomes == (VERIFIED,) * 3
    model.energy = lambda x, y, t: 2 * EnergyMLP.energy(model, x, y, t)  # type: ignore[method-assign]
    with pytest.raises(EnergyError, match="energy and energy_and_gradient give one energy"):
        Landscape(model, x, 4).verification(y)


class _Closed(GaussianEnergy):
    """A bowl with closed forms, one of which may be 1 % off."""

    wrong = ""

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return super().energy(x, y, t) * (1.01 if self.wrong == "energy" else 1)

    def energy_and_gradient(self, x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        energy, gradient = super().energy_and_gradient(x, y, t)
        return energy, gradient * (1.01 if self.wrong == "gradient" else 1)

    def hvp(self, x: Tensor, y: Tensor, t: Tensor, v: Tensor) -> Tensor:
        return super().hvp(x, y, t, v) * (1.01 if self.wrong == "hvp" else 1)

    def hessian(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return super().hessian(x, y, t) * (1.01 if self.wrong == "hessian" else 1)


@pytest.mark.parametrize("wrong", ["", "energy", "gradient", "hvp", "hessian"])
def test_closed_forms_that_users_bring_are_held_against_one_another(wrong: str) -> None:
    values = torch.tensor([0.1, 0.5, 2.0, 3.0], dtype=torch.float64)
    model = _Closed(planted.normal(D, 2, seed=0), values, planted.orthogonal(D, seed=1)).double()
    model.wrong = wrong
    land = Landscape(model, planted.normal(3, 2, seed=0), 3)
    if not wrong:
        assert spectrum(land, _y()).verification.outcomes == (VERIFIED,) * 3
        return
    for read in ("all pairs", "hessian", "trace", "density"):
        with pytest.raises(EnergyError, match="Landscape: the"):
            READERS[read](land, _y(), True)  # noqa: FBT003


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_a_kink_at_the_point_is_said_and_not_refused(power: float) -> None:
    y = _y(2)
    y[0, 0] = 0  # at the kink of one row, and far from it in the other
    land = Landscape.of(lambda y: y.relu().pow(power).sum(-1) + y.pow(4).sum(-1), D)
    found = land.verification(y)
    assert found.outcomes[0] == KINK
    assert found.outcomes[1] == VERIFIED


def test_an_energy_that_its_round_off_drowns_is_said_and_not_refused() -> None:
    y = _y().float()
    found = Landscape.of(lambda y: (_square(y) + 1e9) - 1e9, D).verification(y)
    assert found.outcomes == (ROUND_OFF,) * 3
    found = Landscape.of(lambda y: _square(y) + 1e9, D).verification(y)
    assert found.outcomes == (ROUND_OFF,) * 3


def test_a_batched_backward_that_lies_is_taken_one_vector_at_a_time() -> None:
    # torch's second derivative of group_norm is wrong in a batch where sizes coincide.
    def energy(y: Tensor) -> Tensor:
        weights = torch.cos(torch.arange(4, dtype=y.dtype)).view(1, 2, 2)
        normed = nn.functional.group_norm(y.view(-1, 2, 2), 2)
        return (normed.pow(3) * weights).sum((1, 2)) + y.pow(3).sum(-1)

    y = _y(2)
    land = Landscape.of(energy, D)
    leaf = y.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(leaf).sum(), leaf, create_graph=True)
    rows = [torch.autograd.grad(gradient[:, i].sum(), leaf, retain_graph=True)[0] for i in range(D)]
    wanted = torch.stack(rows, dim=1)
    assert (land.hessian(y) - wanted).abs().max() < 1e-12 * wanted.abs().max()
    assert "one vector at a time" in spectrum(land, y).reason


def _kernels() -> tuple[bool, bool]:
    cuda = torch.backends.cuda
    return bool(cuda.flash_sdp_enabled()), bool(cuda.math_sdp_enabled())  # type: ignore[no-untyped-call]


def test_nothing_of_the_caller_is_touched() -> None:
    x, y = planted.normal(3, D, seed=1), _y()
    before = x.clone(), y.clone()

    def energy(x: Tensor, y: Tensor) -> Tensor:
        x += 1
        y -= x
        h = y[:, None, :, None]
        return nn.functional.scaled_dot_product_attention(h, h, h).square().sum((1, 2, 3))

    flags = _kernels()
    with torch.no_grad():
        land = Landscape.of(energy, D, x)
        spectrum(land, y)
        minimise(land, y, max_steps=2)
        assert not torch.is_grad_enabled()
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])
    assert not y.requires_grad
    assert _kernels() == flags


def test_a_verification_is_put_together_by_rows() -> None:
    y = _y(4)
    land = Landscape.of(lambda y: _square(y) + y.pow(3).sum(-1), D)
    whole = land.verification(y)
    parts = [land.verification(y[i : i + 1]) for i in range(4)]
    joined = Verification.join(parts)
    assert joined.outcomes == whole.outcomes
    rows = torch.tensor([3, 1])
    assert torch.equal(joined.select(rows).product_error, joined.product_error[rows])
    other = Verification.without(y[:2], NOT_ASKED)
    changed = joined.with_rows(rows, other)
    assert changed.outcomes == (VERIFIED, NOT_ASKED, VERIFIED, NOT_ASKED)


def test_the_gaussian_energy_is_a_tested_closed_form() -> None:
    model = GaussianEnergy(
        torch.eye(2, dtype=torch.float64),
        torch.ones(2, dtype=torch.float64),
        torch.eye(2, dtype=torch.float64),
    )
    found = Landscape(model, _y(1, 2), 3).verification(_y(1, 2))
    assert found.outcomes == (TESTED,)
    assert float(found.product_error) == 0


@pytest.mark.parametrize("size", [0.0, 1e-20, 1.0, 1e8])
def test_the_size_of_y_need_not_be_that_of_the_energy_s_structure(size: float) -> None:
    centre = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)

    def energy(y: Tensor) -> Tensor:
        off = y - (size if size > 1 else 0) - centre
        return _square(off) + off.sin().sum(-1)

    y = torch.full((2, D), size, dtype=torch.float64)
    found = Landscape.of(energy, D).verification(y)
    assert found.outcomes == (VERIFIED,) * 2
    assert float(found.product_error.max()) < 1e-2
    assert float(found.curvature_error.max()) < 1e-2


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's first jvp
def test_forward_mode_inside_an_energy_can_be_watched() -> None:
    # Its derivatives are tensors without numbers, which a look at would end the process.
    weights = planted.normal(D, D, seed=0)

    def energy(y: Tensor) -> Tensor:
        moved: Tensor = torch.func.jvp(lambda z: (z @ weights).tanh(), (y,), (torch.ones_like(y),))[
            1
        ]
        return moved.square().sum(-1)

    assert magnitude(lambda: energy(_y()), torch.float64).largest > 0
    assert Landscape.of(energy, D).verification(0.25 * _y()).outcomes == (VERIFIED,) * 3


def test_a_magnitude_looks_into_compiled_functions_and_leaves_them_compiled() -> None:
    def energy(y: Tensor) -> Tensor:
        return ((1e6 * y).sin() * y).sum(-1)

    runs = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., object]:
        def run(*args: object) -> object:  # a kernel: what it computes inside is not seen
            runs.append(1)
            with torch._C._DisableTorchDispatch():
                return graph(*args)

        return run

    compiled = torch.compile(energy, backend=backend)
    y = _y()
    for _ in range(2):
        as_written = magnitude(lambda: energy(y), torch.float64).largest
        assert magnitude(lambda: compiled(y), torch.float64).largest == as_written > 1e5
        ran = len(runs)
        compiled(y)
        assert len(runs) == ran + 1


def test_a_magnitude_inside_torch_cond_is_not_known_and_cond_still_works() -> None:
    def energy(y: Tensor) -> Tensor:
        out: Tensor = torch.cond(torch.tensor(data=True), torch.sin, torch.cos, (y,))
        return out.sum(-1)

    for rows in (1, 2, 3):
        y = _y(rows)
        assert magnitude(partial(energy, y), torch.float64).largest == math.inf
        assert torch.equal(energy(y), y.sin().sum(-1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64])
def test_an_energy_of_coarser_numbers_is_not_refused(dtype: torch.dtype) -> None:
    weights = planted.normal(D, D, seed=0)

    def energy(y: Tensor) -> Tensor:
        coarse = (y.to(dtype) @ weights.to(dtype) + 1e2) - 1e2
        return coarse.abs().double().square().sum(-1) + _square(y)

    for seed in range(4):
        found = Landscape.of(energy, D).verification(planted.normal(2, D, seed=seed))
        assert set(found.outcomes) <= {VERIFIED, ROUND_OFF, KINK}


def test_an_energy_that_raises_beyond_its_domain_is_met_within_it() -> None:
    def energy(y: Tensor) -> Tensor:
        if bool((y <= 0).any()):
            raise ValueError("y must be positive")
        return (y - y.log()).sum(-1)

    land = Landscape.of(energy, 2)
    near = torch.tensor([[1e-3, 5.0]], dtype=torch.float64)
    assert spectrum(land, near).verification.outcomes == (VERIFIED,)
    found = minimise(land, torch.tensor([[50.0, 0.3]], dtype=torch.float64))
    assert bool(found.converged.all())
    with pytest.raises(ValueError, match="y must be positive"):
        land.energy(-near)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_batch_norm_in_training_mode_is_told_by_its_cure(n: int) -> None:
    norm = nn.BatchNorm1d(D).double().train()
    with pytest.raises(EnergyError, match=r"eval\(\)|batch norm"):
        Landscape.of(lambda y: _square(norm(y)), D).hessian(_y(n))


@pytest.mark.parametrize(
    "words", ["the shape of the wing is bad", "SparseSolver diverged", "my flash memory is full"]
)
def test_errors_that_an_energy_raises_stay_its_own(words: str) -> None:
    def energy(y: Tensor) -> Tensor:
        raise RuntimeError(words)

    with pytest.raises(RuntimeError, match=words):
        Landscape.of(energy, D).energy(_y())


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda y: torch.pdist(y[0].view(-1, 1)).square().sum()[None], "torch.pdist has no second"),
        (lambda y: (y @ torch.ones(3, 3).double()).sum(-1), "could not be computed"),
        (lambda y: y.view(-1, 7).sum(-1), "called with any of the rows"),
        (lambda y: nn.functional.hardsigmoid(y).square().sum(-1), "operation hardsigmoid has no"),
    ],
)
def test_what_torch_refuses_is_told_by_its_name(fn: Callable[[Tensor], Tensor], words: str) -> None:
    with pytest.raises(EnergyError, match=words):
        Landscape.of(fn, D).hessian(_y(1))


def test_a_second_derivative_that_is_not_defined_is_told_as_that() -> None:
    y = torch.zeros(1, D, dtype=torch.float64)
    with pytest.raises(NonFiniteError, match=r"Hessian is NaN.*second derivative is not defined"):
        Landscape.of(lambda y: torch.sinc(y).sum(-1), D).hessian(y)
