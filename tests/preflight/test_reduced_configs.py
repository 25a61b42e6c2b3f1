"""A config made as small as it goes, and how its cost is scaled up again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import xarray as xr

from ired_interp.errors import ConfigError, ExperimentError
from ired_interp.experiments import Experiment, find_experiment
from ired_interp.experiments.base import ROOT
from ired_interp.experiments.completion import as_experiment
from ired_interp.experiments.smallest import Reduced, reduce_config
from ired_interp.preflight.resources import estimate
from ired_interp.preflight.returned import check_finite, check_read_back, seen_in
from ired_interp.runs.netcdf import from_bytes
from ired_interp.runs.shards import to_bytes


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
    data: Any = experiment.run_unit(experiment.plan(config), 0)
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


def test_a_unit_passes_what_is_to_be_seen_of_it_and_no_more() -> None:
    """Five checks once passed in the same words whatever the unit was."""
    reduced = Reduced(None, {"problems": 40, "levels": 3})
    flat = xr.Dataset({"a": ("problem", [1.0]), "n": ("problem", [1])})
    found = {check.id: check for check in seen_in(flat, reduced)}
    assert list(found) == ["dims", "levels", "array_type", "call_signature", "device"]
    assert found["levels"].status == "not_checked"
    assert "nothing along 'level'" in found["levels"].found
    tried = "in one unit of the trial with 1/40 of the problems, 1/3 of the levels"
    for name in ("dims", "array_type", "call_signature", "device"):
        assert found[name].status == "pass"
        assert tried in found[name].found
    assert "problem 1" in found["dims"].found
    assert "float64, int64" in found["array_type"].found
    levelled = {check.id: check for check in seen_in(flat.expand_dims(level=[2, 7]), reduced)}
    assert levelled["levels"].status == "pass"
    assert "level 2, 7, in one unit" in levelled["levels"].found


def test_what_a_shard_changes_is_found() -> None:
    """Once it was written alone, and said to be read back."""
    data = xr.Dataset({"days": ("problem", [1.0, 2.0]), "a": ("problem", [1.0, float("nan")])})
    for text, status in (("days", "pass"), ("days since 2000-01-01", "fail")):
        data["days"].attrs["units"] = text
        read = from_bytes(to_bytes({ROOT: data})).to_dataset()
        check = check_read_back(data, read)
        assert (check.id, check.status) == ("result_shape", status)
    assert "variable days is float64 over ('problem',) before it is stored" in check.found
    assert "datetime64" in check.found
