"""A config made as small as it goes, and how its cost is scaled up again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import xarray as xr

from ired_interp.errors import ConfigError, ExperimentError
from ired_interp.experiments import Experiment, find_experiment
from ired_interp.experiments.completion import as_experiment
from ired_interp.experiments.smallest import reduce_config
from ired_interp.preflight.probe import check_finite
from ired_interp.preflight.resources import estimate


@dataclass(frozen=True, kw_only=True)
class Config:
    problems: int = 40
    unit_problems: int = 10
    levels: tuple[int, ...] = (3, 5, 7)
    draws: int = 2
    strict: bool = False

    def __post_init__(self) -> None:
        if self.strict and self.problems < 2:
            raise ConfigError("problems: expected at least 2.")


class Plain:
    name = "plain"
    Config = Config
    hypotheses = ()
    figures = ()
    may_be_missing: Sequence[str] = ()

    def units(self, config: Any) -> int:  # noqa: ARG002
        return 1

    def run_unit(self, config: Any, index: int) -> xr.Dataset:  # noqa: ARG002
        return xr.Dataset({"found": ("problem", [float("nan")])})


class Own(Plain):
    def smallest(self, config: Config) -> Config:
        return replace(config, problems=2, draws=1)


class Wrong(Plain):
    def smallest(self, config: Config) -> Any:  # noqa: ARG002
        return {"problems": 1}


class Wrapped:
    """An experiment in another's clothes, as the preflight wraps one whose unit is computed."""

    def __init__(self, kind: type[Plain]) -> None:
        self._kind = complete(kind)

    def __getattr__(self, name: str) -> Any:
        if name == "own":
            raise AttributeError(name)
        return getattr(self._kind, name)


def complete(kind: type[Plain]) -> Experiment:
    return as_experiment(kind(), kind.__name__)


class OftenMissing(Plain):
    may_be_missing = ("found",)


def test_a_complete_experiment_says_what_its_author_left_out() -> None:
    """So that none who asks looks for the author's object behind it."""
    assert complete(Plain).smallest is None
    assert list(complete(Plain).may_be_missing) == []
    assert list(complete(OftenMissing).may_be_missing) == ["found"]
    assert reduce_config(Wrapped(Own), Config()).own
    for kind, status in ((Plain, "fail"), (OftenMissing, "pass")):
        found = complete(kind).run_unit(Config(), 0)
        assert check_finite(Wrapped(kind), found).status == status


def test_a_reduction_that_takes_no_config_is_refused_when_it_is_loaded() -> None:
    class Takes(Plain):
        def smallest(self) -> Config:
            return Config()

    with pytest.raises(ExperimentError, match=r"smallest.*a method that takes 1 argument beside"):
        complete(Takes)


def test_one_problem_at_the_first_level() -> None:
    reduced = reduce_config(complete(Plain), Config())
    assert reduced.config == Config(problems=1, unit_problems=1, levels=(3,))
    assert reduced.ratios == {"problems": 40, "unit_problems": 10, "levels": 3}
    assert reduced.times == 120  # units are how the work is cut, not more of it
    assert reduced.note == ""


def test_an_experiment_says_itself_what_is_smallest() -> None:
    reduced = reduce_config(complete(Own), Config())
    assert reduced.config == Config(problems=2, draws=1)
    assert reduced.times == 20 * 2
    with pytest.raises(ExperimentError, match="smallest: expected a Config, found dict"):
        reduce_config(complete(Wrong), Config())


def test_what_cannot_be_reduced_is_said() -> None:
    reduced = reduce_config(complete(Plain), Config(strict=True))
    assert reduced.config == Config(strict=True)
    assert "refuses one problem at one level" in reduced.note


def test_the_package_s_experiment_runs_at_its_smallest() -> None:
    experiment = find_experiment("exp001")
    reduced = reduce_config(experiment, experiment.Config(problems=20))
    assert (reduced.config.problems, reduced.config.levels) == (1, (1,))
    assert reduced.times == 200


def test_what_the_plan_fills_in_is_counted() -> None:
    for name in ("exp001", "exp004"):
        experiment = find_experiment(name)
        config = experiment.Config(levels=(3, 7))
        planned = experiment.plan(config)
        reduced = reduce_config(experiment, config, full=planned)
        assert reduced.config.problems == 1
        assert reduced.ratios["problems"] == planned.problems
        assert reduced.times >= 2 * planned.problems


def test_what_the_package_s_experiment_may_leave_out_is_no_failure() -> None:
    experiment = find_experiment("exp001")
    config = experiment.Config(problems=1, levels=(1,), controls=0, top=2, bottom=1)
    data = experiment.run_unit(experiment.plan(config), 0)
    assert bool(data["condition_number"].isnull().all())
    assert check_finite(experiment, data).status == "pass"
    data["energy"][:] = float("nan")
    check = check_finite(experiment, data)
    assert (check.id, check.status) == ("finite", "fail")
    assert "energy: 1 of 1 numbers are NaN" in check.found


def test_the_cost_is_that_of_the_reduced_unit_times_its_work() -> None:
    """40 problems at 3 levels in 4 units of 10: a unit has 30 times the work of the small one."""
    known = {
        "units": 4,
        "small_units": 1,
        "times": 120,
        "points": [(1, 0.5, 1000)],
        "resident_bytes": 10**8,
        "shard_bytes": 2000,
    }
    cost = estimate(known)
    assert cost is not None
    assert (cost.unit_seconds, cost.total_seconds) == (15.0, 60.0)
    assert (cost.unit_bytes, cost.start_bytes) == (30_000, 10**8)
    assert cost.disk_bytes == 2 * 120 * 2000
    assert estimate({"units": 4}) is None
    # With a second measurement what does not grow is counted once a unit.
    cost = estimate(known | {"points": [(1, 0.5, 1000), (6, 1.0, 1000)]})
    assert cost is not None
    assert cost.unit_seconds == pytest.approx(0.5 + 29 * 0.1)
    assert cost.unit_bytes == 1000
