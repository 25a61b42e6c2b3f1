"""Results that lack levels or problems are answered, or refused in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import xarray as xr

import tiny_runs
from ired_interp.errors import RunFolderError
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.verdicts import judge
from ired_interp.runs.results import read_results
from ired_interp.runs.run import Run

Cut = Callable[[xr.Dataset], xr.Dataset]
CUTS: dict[str, Cut] = {
    "a level": lambda data: data.isel(level=[1]) if "level" in data.dims else data,
    "a problem": lambda data: data.isel(problem=[0, 2]) if "problem" in data.dims else data,
    "all problems but one": lambda data: data.isel(problem=[1]) if "problem" in data.dims else data,
}


@pytest.fixture(scope="module", params=sorted(tiny_runs.CONFIGS))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return tiny_runs.run_of(request.param, tmp_path_factory.mktemp(request.param), controls=2)


def test_what_is_left_is_judged_and_summed_up(run: Run) -> None:
    hypotheses = [one for one in run.experiment.hypotheses if isinstance(one, Hypothesis)]
    for cut in CUTS.values():
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
