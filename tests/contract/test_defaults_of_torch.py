"""Nothing that is computed depends on torch's default device or default dtype."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor

import ired_interp as ii
import planted
import tiny
from ired_interp import (
    anatomy,
    bands,
    directions,
    modes,
    paths,
    points,
    score_field,
    slices,
)
from ired_interp.curvature.lanczos import lanczos
from ired_interp.experiments import find_experiment
from ired_interp.experiments.smallest import reduce_config
from ired_interp.geometry import fixed_rank, grassmann, interop, restriction, spd, subspaces
from ired_interp.models.checkpoint import read_checkpoint
from ired_interp.models.zoo import untrained_like
from ired_interp.rules import bayes, low_rank, polynomials

SOURCE = Path(ii.__file__).parent
FACTORIES = {
    *("arange", "as_tensor", "asarray", "empty", "eye", "full", "linspace", "logspace", "ones"),
    *("rand", "randint", "randn", "randperm", "range", "scalar_tensor", "tensor", "tril_indices"),
    *("triu_indices", "zeros", "empty_strided", "frombuffer", "hann_window", "complex"),
}
OF_REALS = {"empty", "eye", "linspace", "logspace", "ones", "rand", "randn", "zeros"}

Y = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 0.5, 2.0]], dtype=torch.float64)
X = ii.task("inverse", size=4).sample(2, seed=0).x
MODEL = ii.load_model("inverse-4")
LAND = ii.Landscape.of(lambda y: (y**4).sum(-1), 4)
SMALL = ii.Landscape.of(lambda y: (y**4).sum(-1), 4, max_bytes=1)
LEVEL = ii.Landscape(MODEL, X, 3)
PAIRS = ii.curvature.spectrum(LAND, Y)
FRAME = planted.orthogonal(4, seed=0)[:, :2]
OTHER = planted.orthogonal(4, seed=1)[:, :2]
MATRICES = torch.stack([planted.symmetric([1.0, 2.0, 5.0], seed=i) for i in range(2)])
COMPLETION = ii.task("completion", size=3, rank=2).sample(4, seed=0)
INVERSE = ii.task("inverse", size=3).sample(8, seed=0)
HALF = torch.tensor([0.5], dtype=torch.float64)
ROWS = planted.normal(9, 4, seed=3)
WAY = paths.straight_path(Y, Y + 1, 3)
START, WITHIN = torch.zeros_like(X), torch.ones_like(Y[:, 0])

CALLS: dict[str, Callable[[], Any]] = {
    "schedule": ii.cosine_schedule,
    "load": lambda: ii.load_model("inverse-4").state_dict(),
    "untrained": lambda: ii.untrained_model("inverse", 3, seed=1).state_dict(),
    "untrained like": lambda: untrained_like(MODEL, seed=1).state_dict(),
    "exact": lambda: ii.exact_model(ii.task("gaussian", size=2)).state_dict(),
    "addition": lambda: ii.task("addition", size=3).sample(2, seed=0),
    "completion": lambda: ii.task("completion", size=3, scale=0.5).sample(2, seed=0),
    "inverse": lambda: ii.task("inverse", size=3, condition=10.0).sample(2, seed=0),
    "gaussian": lambda: ii.task("gaussian", size=2).sample(2, seed=0),
    "spectrum of gaussian": lambda: ii.task(
        "gaussian", size=2, spectrum=(1.0, 2.0, 3.0, 0.1)
    ).sample(2, seed=0),
    "level": lambda: ii.Landscape(MODEL, X, 3).timestep,
    "levels": lambda: ii.Landscape(MODEL, X, [3, 4]).timestep,
    "energy at one timestep": lambda: MODEL.energy(X, X, 3).detach(),
    "hessian": lambda: LAND.hessian(Y),
    "hessian by columns": lambda: SMALL.hessian(Y),
    "hessian of a model": lambda: LEVEL.hessian(X),
    "parts": lambda: LEVEL.hessian_parts(X),
    "spectra of parts": lambda: ii.curvature.part_spectra(LEVEL, X),
    "traces of parts": lambda: ii.curvature.part_traces(LEVEL, X),
    "squares": lambda: ii.Landscape.of_squares(lambda y: y**2, 4).hessian_parts(Y),
    "all": lambda: ii.curvature.spectrum(LAND, Y),
    "all of a model": lambda: ii.curvature.spectrum(LEVEL, X),
    "top": lambda: ii.curvature.spectrum(LAND, Y, 1, 1),
    "krylov": lambda: ii.curvature.spectrum(SMALL, Y, 1, 1, tol=1e-6),
    "krylov of a model": lambda: ii.curvature.spectrum(
        ii.Landscape(MODEL, X, 3, max_bytes=1), X, 2, 1, tol=1e-5
    ),
    "warm": lambda: ii.curvature.warm_spectrum(LAND, Y, num=2),
    "trace": lambda: ii.curvature.trace(LAND, Y),
    "hutchinson": lambda: ii.curvature.trace(LAND, Y, num_products=3, estimator="hutchinson"),
    "xtrace": lambda: ii.curvature.trace(LEVEL, X, num_products=8, estimator="xtrace"),
    "hutch++": lambda: ii.curvature.trace(LEVEL, X, num_products=9, estimator="hutch++"),
    "rtol": lambda: ii.curvature.trace(LEVEL, X, rtol=0.5),
    "interval": lambda: ii.curvature.trace(LEVEL, X, num_products=8).interval(),
    "frobenius": lambda: ii.curvature.frobenius_norm(LEVEL, X, num_products=8),
    "logdet": lambda: ii.curvature.log_determinant(LAND, Y, shift=1.0),
    "logdet by quadrature": lambda: ii.curvature.log_determinant(
        LAND, Y, shift=1.0, estimator="quadrature", num_probes=2, num_steps=3
    ),
    "log |det|": lambda: ii.curvature.log_abs_determinant(LAND, Y),
    "density": lambda: ii.curvature.spectral_density(LAND, Y),
    "density by quadrature": lambda: ii.curvature.spectral_density(
        LAND, Y, estimator="quadrature", num_probes=2, num_steps=3
    ),
    "clusters": lambda: ii.curvature.clusters(PAIRS, 0.1),
    "eigenspace": lambda: ii.curvature.eigenspace(PAIRS, 2),
    "alignment": lambda: ii.curvature.alignment(PAIRS, FRAME, tolerance=0.1, num_draws=9),
    "measures": lambda: [
        ii.curvature.condition_number(PAIRS.eigenvalues),
        ii.curvature.eigenvalue_errors(PAIRS.eigenvalues, PAIRS.residuals),
        ii.curvature.num_undetermined(PAIRS.eigenvalues, PAIRS.residuals),
    ],
    "slopes": lambda: ii.curvature.slopes(LAND, Y, PAIRS, Y),
    "exact slopes": lambda: ii.curvature.exact_slopes(lambda y: (y**4).sum(-1), Y, PAIRS, Y),
    "level change": lambda: ii.curvature.level_change(PAIRS, LAND, Y + 0.1, next_pairs=PAIRS),
    "follow": lambda: ii.curvature.follow([PAIRS, ii.curvature.spectrum(LAND, Y + 0.1)]).overlap,
    "overlap of levels": lambda: ii.curvature.overlap_between(
        ii.curvature.eigenspace(PAIRS, 2),
        ii.curvature.eigenspace(ii.curvature.spectrum(LAND, Y + 0.1), 2),
    ),
    "lanczos": lambda: lanczos(lambda v: LAND.hvp(Y, v), Y, 3),
    "minimise": lambda: ii.minimise(LAND, Y),
    "solve": lambda: ii.solve(MODEL, X, seed=0),
    "solve, paper": lambda: ii.solve(MODEL, X, seed=0, rule="paper"),
    "arms": lambda: [
        anatomy.infer(MODEL, X, START, arm, levels=(1, 10)) for arm in anatomy.ARMS[:4]
    ],
    "points": lambda: [
        points.locate(kind, MODEL, X, X, (1, 10), seed=0)
        for kind in ("typical", "scaled_solution", "solution", "trajectory")
    ],
    "modes": lambda: modes.find_modes(LAND, WAY),
    "band": lambda: bands.nudged_elastic_band(LAND, WAY, max_steps=3),
    "saddle": lambda: bands.find_saddle(LAND, Y, within=WITHIN),
    "low-rank path": lambda: paths.low_rank_path(
        FRAME[:, :1].mT, OTHER[:, :1].mT, 3, shape=(2, 2), rank=2
    ),
    "spd path": lambda: paths.spd_path(MATRICES[:1].flatten(1), MATRICES[1:].flatten(1), 3, size=3),
    "along": lambda: paths.energy_along(LAND, WAY),
    "directions": lambda: [
        directions.random_directions(2, 4, seed=0, purpose="test"),
        directions.singular_directions(Y, (2, 2)),
        directions.rotation_directions(Y, (2, 2), 1),
        *directions.hessian_directions(LAND, Y),
    ],
    "grid": lambda: slices.grid_axis(4, 1.0),
    "components": lambda: [
        slices.path_components(WAY),
        slices.random_walk_shares(Y, 4, num_draws=2),
    ],
    "score field": lambda: [
        score_field.centred_svd(ROWS),
        score_field.num_beyond_edge(score_field.centred_svd(ROWS)),
        score_field.held_out_share(ROWS, 2),
    ],
    "grassmann": lambda: [
        grassmann.distance(FRAME, OTHER),
        grassmann.pairwise_distances(FRAME[None], OTHER[None]),
        grassmann.chordal_squared(FRAME, OTHER),
        grassmann.log(FRAME, OTHER),
        grassmann.geodesic(FRAME, OTHER, HALF),
        grassmann.transport(FRAME, *[grassmann.log(FRAME, OTHER).tangent] * 2),
        grassmann.frechet_mean(torch.stack([FRAME, OTHER])),
    ],
    "fixed rank": lambda: [
        fixed_rank.closest(MATRICES, 2),
        fixed_rank.distance(MATRICES, 2),
        fixed_rank.tangent_basis(fixed_rank.closest(MATRICES, 2)),
        fixed_rank.normal_basis(fixed_rank.closest(MATRICES, 2)),
        fixed_rank.retract(fixed_rank.closest(MATRICES, 2), MATRICES),
        fixed_rank.tangent_part(fixed_rank.closest(MATRICES, 2), MATRICES),
    ],
    "spd": lambda: [
        spd.is_spd(MATRICES),
        spd.clip(MATRICES, floor=3.0),
        spd.affine_invariant_distance(*MATRICES),
        spd.log_euclidean_distance(*MATRICES),
        spd.affine_invariant_geodesic(MATRICES[0], MATRICES[1], HALF),
        spd.log_euclidean_geodesic(MATRICES[0], MATRICES[1], HALF),
        spd.eigen_parts(*MATRICES),
    ],
    "subspaces": lambda: [
        subspaces.orthonormalise(FRAME * 2),
        subspaces.principal_angles(FRAME, OTHER),
        subspaces.overlap(FRAME, OTHER),
        subspaces.explained_share(FRAME, OTHER),
        subspaces.random_angles(4, 2, 2, num_draws=3, seed=0),
        subspaces.random_angles(4, 2, 4, num_draws=3, seed=0),
        subspaces.overlap_quantiles(4, 2, 2, (0.5,), num_draws=9),
        subspaces.overlap_p_value(HALF, 7, 2, 2, num_draws=12),
        subspaces.overlap_p_value(HALF, 7, 1, 2),
    ],
    "restriction": lambda: [
        restriction.random_frames(2, 4, 2, seed=0),
        restriction.curvatures(MATRICES),
    ],
    "interop": lambda: interop.from_geomstats(interop.to_geomstats(FRAME)),
    "rules": lambda: [
        *(rule.answers(COMPLETION.x) for rule in low_rank.fit_low_rank(COMPLETION, 3, 2)),
        polynomials.fit_polynomial(INVERSE, 3, 3).answers(INVERSE.x),
        bayes.best_error(ii.task("gaussian", size=2)),
    ],
}


@pytest.fixture
def restored() -> Iterator[None]:
    """torch's defaults as they are by default, whatever the test set."""
    yield
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)


def tensors(value: Any) -> list[Tensor]:
    """All the tensors in a result, in order."""
    if isinstance(value, Tensor):
        return [value]
    if is_dataclass(value):
        return [one for f in fields(value) for one in tensors(getattr(value, f.name))]
    if isinstance(value, dict):
        return [one for part in value.values() for one in tensors(part)]
    if isinstance(value, list | tuple):
        return [one for part in value for one in tensors(part)]
    return [torch.tensor(value, dtype=torch.float64, device="cpu")] if type(value) is float else []


def same(found: Any, expected: Any) -> bool:
    """Equal to the last bit, on the CPU, in the same dtype."""
    pairs = list(zip(tensors(found), tensors(expected), strict=True))
    return all(
        a.device.type == "cpu"
        and a.dtype == b.dtype
        and np.array_equal(a.numpy(), b.numpy(), equal_nan=a.is_floating_point())
        for a, b in pairs
    )


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("name", CALLS)
def test_neither_default_is_asked(name: str) -> None:
    expected = CALLS[name]()
    for device, dtype in (("meta", torch.float16), ("cuda:99999", torch.float64)):
        torch.set_default_device(device)
        torch.set_default_dtype(dtype)
        assert same(CALLS[name](), expected), f"{device}, {dtype}"


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("name", ["exp001", "exp002", "exp004", "exp005", "exp006"])
def test_a_unit_of_work_asks_for_no_default(name: str, tmp_path: Path) -> None:
    experiment = find_experiment(name)
    model = tiny.checkpoint(tmp_path / "m.safetensors")
    asked = experiment.Config(model=str(model), levels=(10,), controls=0)
    planned = experiment.plan(reduce_config(experiment, asked).config)
    expected = experiment.run_unit(planned, 0)
    torch.set_default_device("cuda:99999")
    torch.set_default_dtype(torch.float64)
    xr.testing.assert_identical(experiment.run_unit(planned, 0), expected)


@pytest.mark.usefixtures("restored")
def test_a_reference_file_is_read_onto_the_cpu(tmp_path: Path) -> None:
    path = tiny.reference(tmp_path / "m.pt")
    expected = read_checkpoint(path).model.state_dict()
    torch.set_default_device("cuda:99999")
    torch.set_default_dtype(torch.float16)
    assert same(read_checkpoint(path).model.state_dict(), expected)


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_what_makes_a_tensor_says_where(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if not isinstance(node.func.value, ast.Name) or node.func.value.id != "torch":
            continue
        given, place = {keyword.arg for keyword in node.keywords}, f"line {node.lineno}"
        if node.func.attr in FACTORIES:
            assert "device" in given, f"{place}: expected device= in torch.{node.func.attr}"
        if node.func.attr in OF_REALS:
            assert "dtype" in given, f"{place}: expected dtype= in torch.{node.func.attr}"
        if node.func.attr == "Generator":
            assert node.args or "device" in given, f"{place}: expected a device of the generator"
