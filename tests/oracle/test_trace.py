"""Trace and Frobenius norm against planted spectra, dense Hessians and written-out formulas."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import planted
from ired_interp.curvature.budget import DEFAULT_PRODUCTS, NUM_PILOT, Request, estimate
from ired_interp.curvature.estimates import Estimate, Estimator, Method, Sample, SpherePoints
from ired_interp.curvature.trace import frobenius_norm, trace
from ired_interp.energy.exact import GaussianEnergy, exact_model
from ired_interp.errors import (
    ConfigError,
    ConvergenceError,
    NonFiniteError,
    ShapeError,
    UnknownNameError,
)
from ired_interp.landscape import Landscape
from ired_interp.tasks import task

SAMPLED: tuple[Estimator, ...] = ("hutchinson", "hutch++", "xtrace")
sampled = pytest.mark.parametrize("name", SAMPLED)
MEASURES: dict[str, Callable[..., Estimate]] = {"trace": trace, "frobenius_norm": frobenius_norm}
measures = pytest.mark.parametrize("measure", MEASURES)

SPECTRA: dict[str, list[float]] = {
    "flat": [1.0 + 0.01 * i for i in range(24)],
    "decaying": [0.7**i for i in range(24)],
    "indefinite": [(-1.0) ** i * (1 + i) for i in range(24)],
    "cluster": [5.0] * 8 + [1e-3] * 16,
}


def _truth(measure: str, values: list[float]) -> float:
    e = torch.tensor(values, dtype=torch.float64)
    return float(e.sum() if measure == "trace" else torch.linalg.vector_norm(e))


def _diagonal(values: Tensor) -> tuple[Landscape, Tensor]:
    """A landscape whose Hessian has the given eigenvalues, other ones at each point."""
    n, d = values.shape
    q = planted.orthogonal(d, seed=7)
    land = Landscape.of(lambda x, y: (x * (y @ q).square()).sum(-1) / 2, d, values)
    return land, planted.normal(n, d, seed=8)


class Counting:
    """A quadratic with closed forms that counts the products it is asked for."""

    def __init__(self, a: Tensor) -> None:
        self._a = a
        self.products = 0
        self.dim_x = 1
        self.dim_y = a.shape[0]
        self.schedule = planted.network(1, 1).schedule

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:  # noqa: ARG002
        return ((y @ self._a) * y).sum(-1) / 2

    def energy_and_gradient(self, x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return self.energy(x, y, t), y @ self._a

    def hvp(self, x: Tensor, y: Tensor, t: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002
        self.products += v.shape[0] * v.shape[1]
        return v @ self._a

    def hessian(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:  # noqa: ARG002
        self.products += y.shape[0] * self.dim_y
        return self._a.expand(y.shape[0], -1, -1)

    def working_bytes(self, num_vectors: int) -> int:
        return 8 * (num_vectors + 1) * self.dim_y


@measures
@pytest.mark.parametrize("d", [1, 2, 5, 24])
def test_within_d_products_the_planted_value_is_exact(measure: str, d: int) -> None:
    values = SPECTRA["indefinite"][:d]
    land = planted.quadratic(planted.symmetric(values, seed=d))
    found = MEASURES[measure](land, planted.normal(3, d, seed=1), num_products=d)
    size = _truth("frobenius_norm", values)
    assert (found.value - _truth(measure, values)).abs().max() <= 1e-14 * d * size
    assert bool(found.exact.all())
    assert found.estimator == ("exact",) * 3
    assert found.num_products.tolist() == [d] * 3
    assert found.standard_error.tolist() == [0.0] * 3
    assert torch.equal(found.interval(), found.value[:, None].expand(3, 2))
    assert found.reason[0] == f"exact: d = {d} products do, of {d} allowed."


@measures
@pytest.mark.parametrize("max_bytes", [1, 400, 2**26])
def test_a_network_s_value_is_that_of_its_dense_hessian(measure: str, max_bytes: int) -> None:
    model = planted.network(4, 6, width=12, gain=2.0)
    x, y = planted.normal(3, 4, seed=1), planted.normal(3, 6, seed=2)
    found = MEASURES[measure](Landscape(model, x, [1, 5, 10], max_bytes=max_bytes), y)
    for i, level in enumerate((1, 5, 10)):
        t = torch.tensor([10 - level])

        def energy(at: Tensor, row: int = i, t: Tensor = t) -> Tensor:
            return model.energy(x[row : row + 1], at[None], t)[0]

        h = planted.hessian(energy, y[i])
        expected = h.trace() if measure == "trace" else torch.linalg.matrix_norm(h)
        assert (found.value[i] - expected).abs() <= 1e-12 * torch.linalg.matrix_norm(h)


def test_the_ideal_energy_has_the_trace_of_its_closed_form() -> None:
    problem = task("gaussian", size=4)
    model = exact_model(problem)
    levels = list(range(1, 11))
    found = trace(
        Landscape(model, planted.normal(10, problem.dim_x, seed=0), levels),
        planted.normal(10, problem.dim_y, seed=1),
    )
    expected = model.spectrum(torch.tensor([10 - level for level in levels])).sum(dim=1)
    assert ((found.value - expected).abs() <= 1e-13 * expected).all()


@sampled
@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_estimates_of_the_trace_lie_within_their_errors(
    name: Estimator, spectrum: str, seed: int
) -> None:
    values = SPECTRA[spectrum]
    land = planted.quadratic(planted.symmetric(values, seed=seed))
    y = planted.normal(1, len(values), seed=0)
    found = trace(land, y, estimator=name, num_products=30, seed=seed)
    assert found.estimator == (name,)
    assert not bool(found.exact)
    assert float(found.standard_error) > 0
    assert abs(float(found.value) - sum(values)) < 5 * float(found.standard_error)
    assert found.num_products.tolist() == [30]


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_estimates_of_the_norm_lie_within_their_errors(spectrum: str, seed: int) -> None:
    values = SPECTRA[spectrum]
    land = planted.quadratic(planted.symmetric(values, seed=seed))
    y = planted.normal(1, len(values), seed=0)
    found = frobenius_norm(land, y, estimator="hutchinson", num_products=20, seed=seed)
    off = float(found.value) - _truth("frobenius_norm", values)
    assert 0 < abs(off) < 5 * float(found.standard_error)


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_hutchinson_s_variance_is_the_one_of_the_sphere(spectrum: str) -> None:
    # Var zᵀHz = 2·(d·‖H‖_F² - tr²)/(d + 2) for z uniform on the sphere of radius √d.
    values = torch.tensor(SPECTRA[spectrum], dtype=torch.float64)
    d = len(values)
    truth = 2 * (d * values.square().sum() - values.sum() ** 2) / (d + 2)
    land = planted.quadratic(planted.symmetric(values.tolist(), seed=0))
    y = planted.normal(1, d, seed=0)
    count = 4000
    found = trace(land, y, estimator="hutchinson", num_products=count, seed=3)
    variance = float(found.standard_error) ** 2 * count
    # The error of a variance from its fourth moment; 4 is the excess of a χ² of few directions.
    assert abs(variance / float(truth) - 1) < 5 * ((2 + 4) / count) ** 0.5
    assert found.degrees_of_freedom.tolist() == [count - 1]


def test_probes_have_mean_0_and_covariance_1_and_length_root_d() -> None:
    like = torch.zeros(1, 5, dtype=torch.float64)
    z = SpherePoints(0, "p").draw(0, 8_000, like)
    assert (torch.linalg.vector_norm(z, dim=0) - 5**0.5).abs().max() < 1e-14 * 5
    assert z.mean(dim=1).abs().max() < 5 / 8_000**0.5
    assert (z @ z.T / 8_000 - torch.eye(5)).abs().max() < 5 / 8_000**0.5


def test_hutch_plus_plus_is_the_formula_written_out() -> None:
    a = planted.symmetric(SPECTRA["decaying"], seed=1)
    d, third = 24, 4
    z = SpherePoints(5, "curvature.trace").draw(0, 2 * third, torch.zeros(1, d).double())
    q = torch.linalg.qr(a @ z[:, :third]).Q
    outside = torch.eye(d, dtype=torch.float64) - q @ q.T
    g = outside @ z[:, third:]
    g = g / torch.linalg.vector_norm(g, dim=0) * (d - third) ** 0.5
    samples = (g * (a @ g)).sum(dim=0)
    found = trace(
        planted.quadratic(a),
        torch.zeros(1, d).double(),
        estimator="hutch++",
        num_products=14,
        seed=5,
    )
    assert float(found.value) == pytest.approx(float((q.T @ a @ q).trace() + samples.mean()), 1e-12)
    assert float(found.standard_error) == pytest.approx(float(samples.std()) / third**0.5, 1e-10)
    assert found.num_products.tolist() == [12]
    assert found.degrees_of_freedom.tolist() == [3]


@pytest.mark.parametrize("spectrum", ["flat", "decaying", "indefinite"])
def test_xtrace_and_its_jackknife_are_the_formulas_written_out(spectrum: str) -> None:
    a = planted.symmetric(SPECTRA[spectrum], seed=2)
    d, m = 24, 5
    omega = SpherePoints(5, "curvature.trace").draw(0, m, torch.zeros(1, d).double())

    def written_out(probes: Tensor) -> Tensor:
        traces = []
        for i in range(probes.shape[1]):
            others = torch.cat([probes[:, :i], probes[:, i + 1 :]], dim=1)
            q = torch.linalg.qr(a @ others).Q
            rest = probes[:, i] - q @ (q.T @ probes[:, i])
            rest = rest / torch.linalg.vector_norm(rest) * (d - others.shape[1]) ** 0.5
            traces.append((q.T @ a @ q).trace() + rest @ a @ rest)
        return torch.stack(traces).mean()

    y = torch.zeros(1, d).double()
    found = trace(planted.quadratic(a), y, estimator="xtrace", num_products=2 * m + 1, seed=5)
    without = torch.stack(
        [written_out(torch.cat([omega[:, :i], omega[:, i + 1 :]], dim=1)) for i in range(m)]
    )
    jackknife = float(torch.linalg.vector_norm(without - without.mean()))
    assert float(found.value) == pytest.approx(float(written_out(omega)), 1e-11)
    assert float(found.standard_error) == pytest.approx(jackknife, 1e-9)
    assert found.num_products.tolist() == [2 * m]


def test_the_norm_and_its_error_are_the_formulas_written_out() -> None:
    a = planted.symmetric(SPECTRA["indefinite"], seed=1)
    y = torch.zeros(1, 24).double()
    z = SpherePoints(5, "curvature.frobenius_norm").draw(0, 7, y)
    squares = (a @ z).square().sum(dim=0)
    found = frobenius_norm(planted.quadratic(a), y, estimator="hutchinson", num_products=7, seed=5)
    root = float(squares.mean().sqrt())
    assert float(found.value) == pytest.approx(root, rel=1e-12)
    error = float(squares.std()) / 7**0.5 / (2 * root)
    assert float(found.standard_error) == pytest.approx(error, rel=1e-12)
    assert found.degrees_of_freedom.tolist() == [6]


@pytest.mark.parametrize("name", ["hutch++", "xtrace"])
@pytest.mark.parametrize("products", [18, 36])
def test_what_a_basis_captures_is_exact(name: Estimator, products: int) -> None:
    values = [5.0, -3.0, 1.0] + [0.0] * 21
    # Turned, and along the axes, where what is left of the basis is exactly 0.
    for a in (planted.symmetric(values, seed=0), torch.diag(torch.tensor(values).double())):
        land = planted.quadratic(a)
        found = trace(land, planted.normal(2, 24, seed=0), estimator=name, num_products=products)
        assert (found.value - 3).abs().max() < 1e-12
        assert found.standard_error.max() < 1e-12


@sampled
@pytest.mark.parametrize("value", [0.0, 2.5])
def test_multiples_of_the_identity_leave_no_error(name: Estimator, value: float) -> None:
    land = planted.quadratic(value * torch.eye(20, dtype=torch.float64))
    y = planted.normal(2, 20, seed=0)
    found = trace(land, y, estimator=name, num_products=12)
    assert (found.value - 20 * value).abs().max() <= 1e-12
    assert found.standard_error.max() <= 1e-12
    norm = frobenius_norm(land, y, estimator="hutchinson", num_products=12)
    assert (norm.value - 20**0.5 * value).abs().max() <= 1e-13
    assert norm.standard_error.max() <= 1e-13
    assert trace(land, y, rtol=1e-3).value.tolist() == pytest.approx([20 * value] * 2)


@sampled
def test_one_dimension_is_exact_by_any_name(name: Estimator) -> None:
    land, y = planted.quadratic(torch.tensor([[-1.5]]).double()), planted.normal(2, 1, seed=0)
    found = trace(land, y, estimator=name, num_products=8)
    assert found.value.tolist() == pytest.approx([-1.5, -1.5], rel=1e-14)
    assert found.standard_error.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", ["hutch++", "xtrace"])
def test_a_basis_of_the_whole_space_is_exact(name: Estimator) -> None:
    a = planted.symmetric([1.0, -2.0, 4.0], seed=0)
    found = trace(planted.quadratic(a), planted.normal(1, 3, seed=0), estimator=name)
    assert found.value.tolist() == pytest.approx([3.0], rel=1e-14)
    assert found.standard_error.tolist() == [0.0]


@pytest.mark.parametrize("scale", [1e-200, 1e150])
def test_norms_whose_squares_are_no_numbers(scale: float) -> None:
    values = [scale * v for v in SPECTRA["indefinite"]]
    land = planted.quadratic(planted.symmetric(values, seed=0))
    y = planted.normal(1, 24, seed=0) * 1e-3
    expected = scale * _truth("frobenius_norm", SPECTRA["indefinite"])
    assert float(frobenius_norm(land, y).value) == pytest.approx(expected, rel=1e-12)
    found = frobenius_norm(land, y, estimator="hutchinson", num_products=20)
    assert abs(float(found.value) - expected) < 5 * float(found.standard_error) < expected


@pytest.mark.parametrize(
    ("measure", "name", "products"),
    [
        ("trace", "hutchinson", 17),
        ("trace", "hutch++", 18),
        ("trace", "xtrace", 18),
        ("trace", "exact", 40),
        ("trace", None, 30),
        ("trace", None, 300),
        ("frobenius_norm", "hutchinson", 17),
        ("frobenius_norm", None, 30),
    ],
)
def test_the_products_that_are_reported_are_those_that_were_made(
    measure: str, name: Estimator | None, products: int
) -> None:
    d = 400 if products == 300 else 40
    model = Counting(planted.symmetric([0.5**i for i in range(d)], seed=0))
    land = Landscape(model, planted.normal(3, 1, seed=0), 1, max_bytes=3000)
    found = MEASURES[measure](
        land, planted.normal(3, d, seed=1), estimator=name, num_products=products, verify=False
    )
    assert model.products == int(found.num_products.sum())
    assert int(found.num_products.max()) <= products


@pytest.mark.parametrize("rtol", [0.2, 0.02, 1e-6])
@measures
def test_a_tolerance_is_reached_and_its_products_are_counted(measure: str, rtol: float) -> None:
    values = [0.8**i for i in range(150)]
    model = Counting(planted.symmetric(values, seed=0))
    land = Landscape(model, planted.normal(2, 1, seed=0), 1)
    found = MEASURES[measure](land, planted.normal(2, 150, seed=1), rtol=rtol, verify=False)
    assert bool((found.standard_error <= rtol * found.value.abs()).all())
    assert model.products == int(found.num_products.sum())
    size = _truth(measure, values)
    assert ((found.value - size).abs() <= 5 * found.standard_error + 1e-12 * size).all()
    if rtol == 0.2:
        assert int(found.num_products.max()) < 150
    if rtol == 1e-6 and measure == "frobenius_norm":
        assert bool(found.exact.all())


@pytest.mark.parametrize("rtol", [5e-2, 3e-2, 1e-2, 5e-3, 2e-3, 1e-3, 5e-4, 1e-4])
def test_a_tolerance_that_takes_several_tries_counts_them_all(rtol: float) -> None:
    values = [0.8**i for i in range(500)]
    model = Counting(torch.diag(torch.tensor(values, dtype=torch.float64)))
    land = Landscape(model, planted.normal(1, 1, seed=0), 1)
    found = trace(land, planted.normal(1, 500, seed=1), rtol=rtol, verify=False)
    assert found.estimator == ("xtrace",)
    assert float(found.standard_error) <= rtol * float(found.value)
    assert model.products == int(found.num_products)
    assert abs(float(found.value) - sum(values)) < 5 * float(found.standard_error)
    if rtol == 1e-4:
        assert model.products >= 2 * NUM_PILOT + 32 + 64


def test_a_pilot_s_probes_are_not_those_of_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    purposes: set[str] = set()
    original = SpherePoints.draw

    def spy(self: SpherePoints, first: int, num: int, like: Tensor) -> Tensor:
        purposes.add(self.purpose)
        return original(self, first, num, like)

    monkeypatch.setattr(SpherePoints, "draw", spy)
    land = planted.quadratic(torch.eye(300).double())
    trace(land, planted.normal(1, 300, seed=0), num_products=280)
    assert purposes == {"curvature.trace", "curvature.trace.pilot"}


def test_a_pilot_chooses_point_by_point() -> None:
    # Where all directions share the curvature a basis is wasted; where few have it, it is all.
    d = 300
    values = torch.stack(
        [
            torch.linspace(1, 1.2, d, dtype=torch.float64),
            0.5 ** torch.arange(d, dtype=torch.float64),
            torch.linspace(-1, 1.2, d, dtype=torch.float64),
        ]
    )
    land, y = _diagonal(values)
    found = trace(land, y, num_products=280)
    assert found.estimator == ("hutchinson", "xtrace", "hutchinson")
    assert "in a pilot of 32" in found.reason[1]
    assert ((found.value - values.sum(1)).abs() < 5 * found.standard_error + 1e-12).all()
    tight = trace(land, y, rtol=1e-4)
    assert tight.estimator[1:] == ("xtrace", "exact")
    assert int(tight.num_products[1]) < int(tight.num_products[2]) == 2 * NUM_PILOT + d
    assert ((tight.value - values.sum(1)).abs() < 5 * tight.standard_error + 1e-11).all()


def test_few_products_go_to_what_they_suffice_for() -> None:
    land = planted.quadratic(planted.symmetric(SPECTRA["flat"], seed=0))
    y = planted.normal(1, 24, seed=0)
    assert trace(land, y, num_products=3).estimator == ("hutchinson",)
    assert trace(land, y, num_products=20).estimator == ("xtrace",)
    assert trace(land, y).estimator == ("exact",)
    assert DEFAULT_PRODUCTS >= 400  # EXP-001 at 20 × 20 is exact without a word


@sampled
def test_float32_is_float64_to_its_own_precision(name: Estimator) -> None:
    model = planted.network(4, 9, width=16, gain=2.0)
    x, y = planted.normal(3, 4, seed=1), planted.normal(3, 9, seed=2)
    exact = frobenius_norm(Landscape(model, x, 7), y).value
    expected = trace(Landscape(model, x, 7), y, estimator=name, num_products=12)
    low = Landscape(model.float(), x.float(), 7)
    found = trace(low, y.float(), estimator=name, num_products=12)
    assert found.value.dtype == found.standard_error.dtype == torch.float32
    assert ((found.value - expected.value).abs() <= 1e-5 * exact * 3).all()
    assert ((found.standard_error - expected.standard_error).abs() <= 1e-4 * exact).all()


@sampled
@pytest.mark.parametrize("fault", ["energy", "products"])
def test_an_energy_that_is_not_finite_is_refused(name: Estimator, fault: str) -> None:
    def energy(y: Tensor) -> Tensor:
        if fault == "energy":
            return y.square().sum(-1) * torch.where(y[:, 0] > 0, torch.nan, 1.0)
        return (y - y.detach()).abs().pow(1.5).sum(-1)  # E is 0 there, and its curvature infinite

    y = planted.normal(4, 30, seed=0)
    with pytest.raises(NonFiniteError, match="NaN or infinite at"):
        trace(Landscape.of(energy, 30), y, estimator=name, num_products=12)
    with pytest.raises(NonFiniteError, match="NaN or infinite at"):
        trace(Landscape.of(energy, 30), y)
    with pytest.raises(NonFiniteError, match="NaN or infinite at"):
        frobenius_norm(Landscape.of(energy, 30), y, num_products=5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"estimator": "hutchinson", "num_products": 1}, ShapeError, "at least 2 for 'hutchinson'"),
        ({"estimator": "hutch++", "num_products": 5}, ShapeError, "at least 6 for 'hutch\\+\\+'"),
        ({"estimator": "xtrace", "num_products": 3}, ShapeError, "at least 4 for 'xtrace'"),
        ({"estimator": "exact", "num_products": 79}, ShapeError, "at least d = 80 for 'exact'"),
        ({"num_products": 1}, ShapeError, "at least 2 for 'hutchinson', found 1"),
        ({"num_products": 0}, ShapeError, "whole number ≥ 1, found 0"),
        ({"num_products": True}, ShapeError, "whole number ≥ 1, found True"),
        ({"rtol": 0.0}, ConfigError, "positive share of the value, found 0.0"),
        ({"rtol": float("nan")}, ConfigError, "positive share"),
        ({"rtol": 0.1, "estimator": "xtrace"}, ConfigError, "Leave one of the two out"),
        ({"rtol": 0.1, "num_products": 40}, ShapeError, "at least 48 beside rtol, found 40"),
        ({"rtol": 1e-9, "num_products": 70}, ConvergenceError, "within 70 products.*exact value"),
        ({"seed": -1}, ConfigError, "seed"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(
    options: dict[str, object], error: type[Exception], message: str
) -> None:
    values = [1.0 + 0.1 * i for i in range(80)]
    land = planted.quadratic(planted.symmetric(values, seed=0))
    with pytest.raises(error, match=message):
        trace(land, planted.normal(1, 80, seed=0), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"estimator": "hutch"}, {"estimator": "Exact"}])
def test_an_unknown_estimator_is_refused(options: dict[str, str]) -> None:
    # Below the public door, where type checking is not in the way.
    request = Request(options["estimator"], None, None, 0, verify=True)
    land, y = planted.quadratic(torch.eye(2).double()), planted.normal(1, 2, seed=0)
    methods: dict[Estimator, Method] = {"exact": Method(_never, 1)}
    message = f"expected one of 'exact', or None to choose, found '{options['estimator']}'"
    with pytest.raises(UnknownNameError, match=message):
        estimate(land, y, methods, request, candidates=("exact",), purpose="p")


def _never(land: Landscape, y: Tensor, num_products: int, probes: SpherePoints) -> Sample:
    raise AssertionError


def test_only_hutchinson_knows_the_norm() -> None:
    land = planted.quadratic(torch.eye(2).double())
    with pytest.raises(UnknownNameError, match="expected one of 'exact', 'hutchinson', or None"):
        frobenius_norm(land, planted.normal(1, 2, seed=0), estimator="xtrace")


@pytest.mark.parametrize("coverage", [0.0, 1.0, 95.0])
def test_an_interval_s_coverage_is_a_share(coverage: float) -> None:
    found = trace(planted.quadratic(torch.eye(2).double()), planted.normal(1, 2, seed=0))
    with pytest.raises(ConfigError, match="between 0 and 1"):
        found.interval(coverage)


def test_an_interval_is_student_s() -> None:
    land = planted.quadratic(planted.symmetric([1.0, 2.0, 5.0, 9.0, 9.5, 20.0], seed=0))
    found = trace(land, planted.normal(1, 6, seed=0), estimator="hutchinson", num_products=5)
    low, high = found.interval(0.95)[0].tolist()
    assert (low + high) / 2 == pytest.approx(float(found.value), rel=1e-12)
    # t of 4 degrees of freedom at 0.975: 2.776
    assert (high - low) / 2 / float(found.standard_error) == pytest.approx(2.7764, abs=1e-4)


def test_a_gaussian_energy_s_points_differ_by_level() -> None:
    eigenvalues = torch.linspace(0.1, 2, 12, dtype=torch.float64)
    model = GaussianEnergy(
        torch.zeros(12, 1, dtype=torch.float64), eigenvalues, planted.orthogonal(12, seed=0)
    )
    land = Landscape(model, torch.zeros(3, 1, dtype=torch.float64), [1, 5, 10])
    found = trace(land, planted.normal(3, 12, seed=0), estimator="hutchinson", num_products=9)
    truth = model.spectrum(torch.tensor([9, 5, 0])).sum(dim=1)
    assert ((found.value - truth).abs() < 5 * found.standard_error).all()
    assert float(found.value.diff().abs().min()) > 1
