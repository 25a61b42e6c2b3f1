"""The seven experiments find what they found: runs made anew agree with stored ones.

The stored results are of before the experiments were rewritten; stored_runs.py has the runs and
result_differences.py what is compared, and how.
"""

import json
from pathlib import Path

import pytest

import stored_runs
from ired_interp.experiments import find_experiment
from result_differences import differences, options_of
from tiers import slow_but


@pytest.mark.parametrize("name", slow_but({"exp001"}, stored_runs.RUNS))
def test_a_run_made_anew_finds_what_is_stored(name: str, tmp_path: Path) -> None:
    run = stored_runs.make(name, tmp_path)
    found = differences(stored_runs.read(name), run.tree.load(), intervals="near")
    assert not found, "\n".join(found)


# Those of completion have too few problems for their intervals to mean much.
@pytest.mark.parametrize(
    "name", slow_but({"exp001", "exp004"}, [*stored_runs.NAMES, "exp001-ends"])
)
def test_stored_data_have_the_summary_and_verdicts_that_are_stored(name: str) -> None:
    """The ends of the intervals too: no round-off of the data is in between."""
    found = differences(stored_runs.read(name), stored_runs.summed_up(name))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", stored_runs.NAMES)
def test_options_have_the_names_types_and_defaults_that_are_stored(name: str) -> None:
    stored = json.loads(stored_runs.OPTIONS.read_text(encoding="utf-8"))[name]
    found = options_of(find_experiment(name).Config)
    for option in stored.keys() | found.keys():
        was, now = stored.get(option), found.get(option)
        assert was == now, f"{name}: {option}: stored {was}, found {now}"


def test_every_experiment_that_ships_has_a_stored_run() -> None:
    assert {one.experiment for one in stored_runs.RUNS.values()} == set(stored_runs.NAMES)
    assert set(stored_runs.NAMES) <= set(stored_runs.RUNS)
    stored = {stored_runs.stored_path(name) for name in stored_runs.RUNS}
    assert set(stored_runs.OPTIONS.parent.glob("*.gz")) == stored
    assert sum(path.stat().st_size for path in stored) < 2_000_000
