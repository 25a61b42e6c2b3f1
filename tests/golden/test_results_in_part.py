"""Results that lack levels or problems are answered, or refused in words."""

from pathlib import Path
from typing import Literal

import pytest
import xarray as xr

import tiny_runs
from ired_interp.errors import RunFolderError
from ired_interp.experiments.base import missing_variables
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.page import Points, Table
from ired_interp.experiments.verdicts import judge
from ired_interp.report.headline import headline_variables
from ired_interp.runs.results import read_results
from ired_interp.runs.run import Run


def cut(data: xr.Dataset) -> xr.Dataset:
    """Without the first of two levels and the second of three problems."""
    kept = {"level": [1], "problem": [0, 2]}
    return data.isel({dim: at for dim, at in kept.items() if dim in data.dims})


@pytest.mark.parametrize("name", sorted(tiny_runs.CONFIGS))
def test_what_is_left_is_judged_and_summed_up(name: str, shared_runs: tiny_runs.Shared) -> None:
    run = shared_runs[name]
    hypotheses = [one for one in run.experiment.hypotheses if isinstance(one, Hypothesis)]
    kept = xr.DataTree.from_dict(
        {
            node.path: cut(node.to_dataset(inherit=False))
            for node in run.tree.subtree
            if node.path.partition("/slices")[0] in ("/", "/controls", "/controls/untrained")
        }
    )
    verdicts = judge(hypotheses, kept)
    assert [one.id for one in verdicts] == [one.id for one in hypotheses]
    # fewer than six problems decide nothing, and the sentence says so
    assert {one.outcome for one in verdicts} == {"inconclusive"}
    assert all(one.reason for one in verdicts)
    summary = run.experiment.summarise(kept)["model"]
    assert summary.sizes["level"] == kept.sizes["level"]
    check_traced(run)


def check_traced(run: Run) -> None:
    """Every number of the key findings and of the first line names its variable."""
    blocks = run.experiment.page(run.tree).findings
    (table,) = (block for block in blocks if isinstance(block, Table))
    (points,) = (block for block in blocks if isinstance(block, Points))
    assert all(column.variable for column in table.columns)
    assert points.variables
    named = [*points.variables, *(column.variable for column in table.columns)]
    paths = [path.replace("…", "model") for path in named] + headline_variables(run.tree)
    assert missing_variables(run.tree, paths) == []


@pytest.mark.parametrize("problems", [[0, 1, 7], [0, 1]])
def test_a_control_of_other_problems_is_refused_in_words(
    problems: list[int], tmp_path: Path
) -> None:
    def of(numbers: list[int]) -> xr.Dataset:
        return xr.Dataset({"energy": ("problem", [1.0] * len(numbers))}, {"problem": numbers})

    for name, group, numbers in (("/", None, [0, 1, 2]), ("c", "controls/untrained", problems)):
        mode: Literal["w", "a"] = "w" if name == "/" else "a"
        of(numbers).to_netcdf(tmp_path / "results.h5", mode=mode, group=group, engine="h5netcdf")
    with pytest.raises(RunFolderError, match=r"cannot be read.*made again from the shards"):
        read_results(tmp_path)
