"""Verdicts over models: each counts once, on planted results and on those of a tiny network."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from ired_interp.cli import main
from ired_interp.errors import ConfigError, ExperimentError
from ired_interp.experiments.hypothesis import Evidence, Hypothesis
from ired_interp.experiments.model_evidence import beside_untrained, rows
from ired_interp.experiments.over_models import joined, judge_models
from ired_interp.experiments.verdicts import judge
from ired_interp.runs.over_models import judge_runs
from ired_interp.runs.plan import plan_hash
from ired_interp.runs.run import Run
from tiny_runs import run_of

N, DRAWS = 12, 6
X = np.random.default_rng(0).normal(size=(N, 3))
CLAIM = Hypothesis(
    id="above",
    statement="",
    statistic=lambda tree: beside_untrained(
        tree, lambda data: rows(data["size"]), null=0.0, note="planted"
    ),
    direction="greater",
    supports="",
    refutes="",
    control="",
    source="",
    needs=("size",),
)


def run(model: int, mean: float) -> xr.DataTree:
    """Of a model whose problems all lie around a mean of its own, beside the same networks."""
    rng, same = np.random.default_rng(1 + model), np.random.default_rng(99)
    given = {"x": (("problem", "x_dim"), X)}
    control = xr.Dataset({"size": (("draw", "problem"), 0.1 * same.normal(size=(DRAWS, N)) - 1)})
    effect = mean + 0.1 * rng.normal(size=N)
    return xr.DataTree.from_dict(
        {"/": xr.Dataset({"size": ("problem", effect)} | given), "controls/untrained": control}
    )


def test_models_are_what_is_tested() -> None:
    (found,) = judge_models([CLAIM], [run(i, 1 + 0.3 * i) for i in range(8)])
    assert (found.outcome, found.num_models, found.num_problems) == ("supported", 8, 8 * N)
    assert found.reason.endswith("over 8 models (planted).")
    assert found.p_for == pytest.approx(2**-8)
    # Five of eight above 0, surely each: to the problems an effect, to the models none.
    mixed = [run(i, 1.0 if i < 5 else -1.0) for i in range(8)]
    (over,) = judge_models([CLAIM], mixed)
    assert over.outcome == "inconclusive"
    pooled = joined([CLAIM.statistic(one) for one in mixed])
    problems = Evidence(effect=pooled.effect, control=np.full(8 * N, -9.0))
    told = replace(CLAIM, statistic=lambda _: problems, needs=())
    assert judge([told], xr.DataTree())[0].outcome == "supported"


def test_what_one_run_lacks_is_not_judged() -> None:
    runs = [run(i, 1.0) for i in range(6)]
    runs[3] = xr.DataTree(runs[3].to_dataset().drop_vars("size"))
    (found,) = judge_models([CLAIM], runs)
    assert found.reason == "Not measured: these results hold no size."


def test_runs_that_do_not_belong_together_are_refused() -> None:
    runs = [run(i, 1.0) for i in range(6)]
    with pytest.raises(ExperimentError, match="6 models or more, found 5"):
        judge_models([CLAIM], runs[:5])
    other = runs[2].to_dataset()
    other["x"] = other["x"] + 1
    with pytest.raises(ExperimentError, match="another x in run 3"):
        judge_models([CLAIM], [*runs[:2], xr.DataTree(other), *runs[3:]])
    alone = xr.DataTree(runs[5].to_dataset())
    with pytest.raises(ExperimentError, match="found 6, 6, 6, 6, 6, none draws"):
        judge_models([CLAIM], [*runs[:5], alone])


def of_another_model(run: Run, folder: Path, number: int, **config: object) -> Path:
    """As if another network had been measured: its correlations are a little other ones."""
    shutil.copytree(run.path, folder)
    plan = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    plan["config"] |= {"model_sha256": f"{number:064x}"} | config
    plan["plan_sha256"] = plan_hash(plan["source"]["reference"], plan["config"], plan["units"])
    (folder / "run.json").write_text(json.dumps(plan), encoding="utf-8")
    tree = run.tree
    root = tree.to_dataset()
    root["spearman"] = root["spearman"] * (1 - number / 100)
    results = xr.DataTree.from_dict({"/": root, "controls": tree["controls"]})
    (folder / "results.h5").unlink()
    results.to_netcdf(folder / "results.h5", engine="h5netcdf")
    return folder


def test_runs_of_six_networks_are_judged_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few: dict[str, Any] = {"problems": 2, "levels": (10,), "moves": 4}
    first = run_of("exp004", tmp_path / "0", **few)
    paths = [first.path, *(of_another_model(first, tmp_path / str(i), i) for i in range(1, 6))]
    words = [str(path) for path in paths]
    assert main(["compare", *words, "--over-models", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    verdicts = {one["id"]: one for one in told["verdicts"]}
    assert len(told["models"]) == 6
    assert told["exploratory"] == ["affine-at-fixed-length"]
    length = verdicts["grassmann-over-length"]
    assert (length["num_models"], length["num_problems"]) == (6, 12)
    assert "6 models" in length["reason"]
    assert main(["compare", *words, "--over-models"]) == 0
    printed = capsys.readouterr().out
    assert "exp004 over 6 models: tiny, tiny" in printed
    assert length["reason"] in printed
    assert any(
        line.split()[:2] == ["affine-at-fixed-length", "exploratory"]
        for line in printed.splitlines()
    )
    assert main(["compare", *words]) == 1
    assert "expected two runs, found 6" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"found that of .* again"):
        judge_runs([*paths, paths[0]])
    other = of_another_model(first, tmp_path / "other", 7, seed=1)
    with pytest.raises(ConfigError, match="another seed in"):
        judge_runs([*paths, other])
