"""Numbers out of arrays: NumPy's, torch's and xarray's are taken for what they are."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

import ired_interp as ii
from ired_interp import (
    annealing,
    bands,
    directions,
    modes,
    paths,
    points,
    score_field,
    slices,
    stats,
)
from ired_interp.checks import as_real, as_whole, real, whole
from ired_interp.draws import RowDraws, check_seed
from ired_interp.errors import ConfigError, IredInterpError, LevelError, ShapeError
from ired_interp.experiments.config import config_to_mapping
from ired_interp.experiments.exp001 import Exp001Config
from ired_interp.geometry import fixed_rank, grassmann, restriction, spd, subspaces
from ired_interp.models.train_config import TrainConfig
from ired_interp.rules import bayes, low_rank, polynomials

Y = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 0.5, 2.0]], dtype=torch.float64)
X = ii.task("inverse", size=4).sample(2, seed=0).x
MATRICES = torch.tensor([[[3.0, 1.0], [1.0, 2.0]]], dtype=torch.float64)
FRAMES = torch.eye(4, dtype=torch.float64)[:, :2].expand(2, -1, -1)

INTEGERS: dict[str, Callable[[int], Any]] = {
    "int64": np.int64,
    "uint8": np.uint8,
    "int32": np.int32,
    "0-d array": np.array,
    "0-d tensor": torch.tensor,
}
REALS: dict[str, Callable[[float], Any]] = {
    "float64": np.float64,
    "float32": np.float32,
    "0-d array": np.array,
    "0-d tensor": lambda v: torch.tensor(v, dtype=torch.float64),
}


def land(**how: Any) -> ii.Landscape:
    return ii.Landscape.of(lambda y: (y**4).sum(-1), 4, **how)


def pairs() -> Any:
    return ii.curvature.spectrum(land(), Y)


# Each takes the number under test as a whole one, and is called with 2 beside it.
WHOLE: dict[str, Callable[[Any], Any]] = {
    "dim_y": lambda n: ii.Landscape.of(lambda y: y.sum(-1), n).dim_y,
    "max_bytes": lambda n: land(max_bytes=n).hessian(Y),
    "level": lambda n: ii.Landscape(ii.load_model("inverse-4"), X, n).timestep,
    "levels in a list": lambda n: ii.Landscape(ii.load_model("inverse-4"), X, [n, 1]).timestep,
    "timestep of an energy": lambda n: ii.load_model("inverse-4").energy(X, X, n),
    "timestep": lambda n: ii.cosine_schedule().level(n),
    "K": lambda n: ii.cosine_schedule(n).alpha_bar,
    "size": lambda n: ii.task("inverse", size=n).dim_y,
    "large size": lambda n: ii.task("addition", size=10 * whole("n", n)).dim_y,
    "rank of a task": lambda n: ii.task("completion", size=4, rank=n).sample(1, seed=0).x,
    "map_seed": lambda n: ii.task("gaussian", size=2, map_seed=n).sample(1, seed=0).y,
    "seed": lambda n: ii.task("inverse", size=2).sample(1, seed=n).x,
    "number and first": lambda n: ii.task("inverse", size=2).sample(n, seed=0, first=n).x,
    "untrained": lambda n: ii.untrained_model("addition", n, seed=n, width=n).fc1.weight.detach(),
    "solve": lambda n: ii.solve(ii.load_model("inverse-4"), X, seed=n, num_steps=n, first=n).y,
    "top and bottom": lambda n: ii.curvature.spectrum(land(), Y, n, n).eigenvalues,
    "trace": lambda n: ii.curvature.trace(land(), Y, num_products=2 * whole("n", n), seed=n).value,
    "num_products": lambda n: ii.curvature.frobenius_norm(land(), Y, num_products=n).value,
    "logdet": lambda n: (
        ii.curvature.log_determinant(land(), Y, shift=1.0, num_probes=n, num_steps=n, seed=n).value
    ),
    "density": lambda n: (
        ii.curvature.spectral_density(
            land(), Y, width=20.0, num_points=64, num_probes=n, num_steps=n, seed=n
        ).density
    ),
    "warm": lambda n: ii.curvature.warm_spectrum(land(), Y, num=n, num_probe=n, seed=n).eigenvalues,
    "eigenspace": lambda n: ii.curvature.eigenspace(pairs(), n).frame,
    "alignment": lambda n: (
        ii.curvature.alignment(
            pairs(), torch.eye(4, dtype=torch.float64)[:, :1], num_draws=n, seed=n
        ).share
    ),
    "minimise": lambda n: ii.minimise(land(), Y, max_steps=n, renew_every=n).y,
    "dimension": lambda n: fixed_rank.dimension(n, n, n),
    "codimension": lambda n: fixed_rank.codimension(n, n, n),
    "closest": lambda n: fixed_rank.closest(MATRICES, n).s,
    "distance": lambda n: fixed_rank.distance(MATRICES, n),
    "random frames": lambda n: restriction.random_frames(n, n, n, seed=n, first=n),
    "null": lambda n: subspaces.overlap_null(n, n, n).mean,
    "angles": lambda n: subspaces.random_angles(n, n, n, num_draws=n, seed=n),
    "quantiles": lambda n: subspaces.overlap_quantiles(n, n, n, (0.5,), num_draws=n, seed=n).values,
    "p value": lambda n: subspaces.overlap_p_value(torch.tensor(0.5), 4, n, n, num_draws=n, seed=n),
    "mean": lambda n: grassmann.frechet_mean(FRAMES, max_steps=n).frame,
    "rule of low rank": lambda n: low_rank.fit_low_rank(
        ii.task("completion", size=2, rank=1).sample(3, seed=0), n, n
    )[0].answer_fn(ii.task("completion", size=2, rank=1).sample(1, seed=0).x),
    "polynomial": lambda n: polynomials.fit_polynomial(
        ii.task("inverse", size=2).sample(3, seed=0), n, n
    ).answer_fn(ii.task("inverse", size=2).sample(1, seed=0).x),
    "best error": lambda n: bayes.best_error(ii.task("gaussian", size=2), seed=n).low,
    "draws": lambda n: RowDraws(n, seed=n, purpose="test", first=n).normal(1),
    "directions": lambda n: directions.random_directions(n, n, seed=n, purpose="test", first=n),
    "modes": lambda n: str(modes.find_modes(land(), Y[:, None], max_steps=n)[0]),
    "path": lambda n: paths.straight_path(Y, Y + 1, 1 + whole("n", n)),
    "spd path": lambda n: paths.spd_path(MATRICES.flatten(1), 2 * MATRICES.flatten(1), 3, size=n),
    "band": lambda n: (
        bands.nudged_elastic_band(land(), paths.straight_path(Y, Y + 1, 3), max_steps=n).images
    ),
    "points": lambda n: (
        points.locate("typical", ii.load_model("inverse-4"), X, X, (n,), seed=n, first=n).y
    ),
    "chance": lambda n: score_field.largest_by_chance(2 * whole("n", n), n),
    "held out": lambda n: score_field.held_out_share(
        torch.arange(36.0, dtype=torch.float64).reshape(9, 4).sin(), n
    ),
    "grid": lambda n: slices.grid_axis(n, 1.0),
    "walk": lambda n: slices.random_walk_shares(Y, 4, num=n, num_draws=n, seed=n, first=n),
    "steps": lambda n: annealing.fixed_steps(n)(land(), Y, 0.01, 2.0).y,
    "sign flips": lambda n: stats.sign_flip(np.arange(3.0), num_draws=n, seed=n).greater,
    "bootstrap": lambda n: stats.bootstrap_mean(np.arange(9.0), seed=n, num_resamples=99).low,
    "proportion": lambda n: stats.proportion(n, n).low,
}

# Each takes the number under test, 0.5, as a real one.
REAL: dict[str, Callable[[Any], Any]] = {
    "tol": lambda v: ii.curvature.spectrum(land(), Y, 1, tol=v).eigenvalues,
    "rtol": lambda v: ii.curvature.trace(land(), Y, rtol=v).value,
    "width": lambda v: ii.curvature.spectral_density(land(), Y, width=v, num_points=2048).density,
    "shift": lambda v: ii.curvature.log_determinant(land(), Y, shift=v).value,
    "tolerance": lambda v: ii.curvature.clusters(pairs(), v).labels,
    "coverage": lambda v: ii.curvature.trace(land(), Y, num_products=3).interval(v),
    "minimise": lambda v: ii.minimise(land(), Y, tol=v, first_radius=v).y,
    "bound": lambda v: ii.solve(ii.load_model("inverse-4"), X, bound=v).y,
    "noise": lambda v: ii.task("completion", size=2, noise=v, scale=v).sample(1, seed=0).y,
    "condition": lambda v: ii.task("inverse", size=2, condition=2 * v).sample(1, seed=0).y,
    "spectrum": lambda v: ii.task("gaussian", size=2, spectrum=4 * (v,)).sample(1, seed=0).y,
    "gain": lambda v: ii.untrained_model("addition", 1, width=2, gain=v).fc1.weight.detach(),
    "offset": lambda v: ii.cosine_schedule(3, offset=v, max_beta=v).alpha_bar,
    "floor": lambda v: spd.clip(MATRICES, floor=v).matrix,
    "threshold": lambda v: low_rank.soft_impute(MATRICES, MATRICES > 1, v),
    "confidence": lambda v: stats.proportion(1, 3, confidence=v).low,
}
NO_WHOLE = [2.0, True, np.array([True])[0], np.float64(2), np.array([2]), torch.tensor([2]), "2"]


def made(cls: type[Any], **fields: Any) -> Any:
    """A config as it is made outside tests, where nothing checks annotations."""
    config = object.__new__(cls)
    inspect.unwrap(cls.__init__)(config, **fields)
    return config


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return bool(torch.isclose(a, b, rtol=0, atol=0, equal_nan=True).all())
    return bool(np.all(a == b))


@pytest.mark.parametrize("kind", INTEGERS)
def test_kinds_of_whole_numbers(kind: str) -> None:
    assert type(as_whole(INTEGERS[kind](2))) is int
    assert whole("count", INTEGERS[kind](2), least=2) == 2


@pytest.mark.parametrize("kind", ["int64", "uint8"])
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_number_of_another_library_is_that_number(name: str, kind: str) -> None:
    assert same(WHOLE[name](INTEGERS[kind](2)), WHOLE[name](2))


@pytest.mark.parametrize("kind", ["float32", "0-d tensor"])
@pytest.mark.parametrize("name", REAL)
def test_a_real_number_of_another_library_is_that_number(name: str, kind: str) -> None:
    if name == "condition":
        assert same(REAL[name](REALS[kind](0.75)), REAL[name](0.75))
    else:
        assert same(REAL[name](REALS[kind](0.5)), REAL[name](0.5))


@pytest.mark.parametrize("value", NO_WHOLE, ids=repr)
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    assert as_whole(value) is None
    with pytest.raises(ShapeError, match="count: expected a whole number ≥ 1, found"):
        whole("count", value, least=1)
    with pytest.raises(LevelError, match="level: expected a whole number"):
        inspect.unwrap(ii.cosine_schedule().__class__.timestep)(ii.cosine_schedule(), value)
    with pytest.raises(ConfigError, match="seed: expected a whole number"):
        inspect.unwrap(check_seed)(value)
    with pytest.raises(ConfigError, match=r"problems: expected|unit_problems: expected"):
        made(Exp001Config, unit_problems=value)
    with pytest.raises(IredInterpError, match="steps: expected"):
        made(TrainConfig, task="inverse", size=2, steps=value)


@pytest.mark.parametrize("value", [True, np.array([False])[0], "1e-3", 1j, np.array([0.5]), None])
def test_what_is_no_real_number_is_refused(value: Any) -> None:
    assert as_real(value) is None
    with pytest.raises(ShapeError, match="tol: expected a number, found"):
        real("tol", value)


def test_whole_numbers_do_not_overflow_as_those_of_numpy_do() -> None:
    assert ii.task("inverse", size=np.uint8(20)).dim_y == 400
    assert fixed_rank.dimension(np.uint8(200), np.uint8(200), np.uint8(10)) == 3900
    assert RowDraws(1, seed=np.uint64(2**63 + 1), purpose="a").normal(1).shape == (1, 1)


@pytest.mark.parametrize(
    "level", [np.array([1, 10]), list(np.array([1, 10])), torch.tensor([1, 10])]
)
def test_levels_of_rows_out_of_arrays(level: Any) -> None:
    found = ii.Landscape(ii.load_model("inverse-4"), X, level=level).timestep
    assert found is not None
    assert found.tolist() == [9, 0]


def test_coordinates_of_results_are_numbers() -> None:
    level = xr.DataArray([1, 10], dims="level")[1]
    assert as_whole(level) == 10
    assert as_real(level) == 10.0


def test_a_config_holds_plain_numbers() -> None:
    config = made(
        Exp001Config,
        problems=np.int64(3),
        levels=list(np.array([1, 10])),
        seed=np.uint8(2),
        bound=np.float32(2),
    )
    assert config == Exp001Config(problems=3, levels=(1, 10), seed=2, bound=2.0)
    assert json.loads(json.dumps(config_to_mapping(config)))["levels"] == [1, 10]
    assert type(config.problems) is type(config.seed) is type(config.levels[0]) is int
    trained = made(
        TrainConfig,
        task="completion",
        size=np.int64(4),
        options={"rank": np.int64(2), "noise": np.float32(0)},
        steps=np.int64(5),
        keep=(np.int32(2),),
        learning_rate=np.float32(0.5),
    )
    assert json.dumps(trained.options) == '{"rank": 2, "noise": 0.0}'
    assert {type(trained.size), type(trained.steps), type(trained.keep[0])} == {int}
    assert type(trained.learning_rate) is float


def test_a_run_is_planned_with_numbers_of_numpy(tmp_path: Path) -> None:
    run = ii.run(
        "exp001",
        model="inverse-4",
        out=tmp_path / "r",
        problems=np.int64(2),
        levels=np.array([10]),
        controls=np.int64(0),
        workers=np.int64(1),
    )
    config = json.loads((tmp_path / "r/run.json").read_text())["config"]
    assert (config["problems"], config["levels"]) == (2, [10])
    assert run.finished
