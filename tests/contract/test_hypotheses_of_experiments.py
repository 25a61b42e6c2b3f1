"""Hypotheses of an experiment are checked where it is loaded; calibration runs and counts."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from ired_interp.errors import ExperimentError
from ired_interp.experiments import (
    Evidence,
    FigureSpec,
    Hypothesis,
    experiment_names,
    find_experiment,
)
from ired_interp.experiments.completion import as_experiment
from ired_interp.experiments.kit.charts import Chart
from ired_interp.experiments.kit.drawn import Drawing, Grid, Panel

ROOT = Path(__file__).parents[2]


def hypothesis(**changed: Any) -> Hypothesis:
    words = dict.fromkeys(("statement", "supports", "refutes", "control", "source"), "")
    statistic = lambda _: Evidence(effect=np.zeros(3))  # noqa: E731
    plain = {"id": "one", "direction": "greater", "statistic": statistic}
    return Hypothesis(**{**words, **plain, **changed})


@dataclass(frozen=True, kw_only=True)
class Config:
    seed: int = 0


def experiment(hypotheses: Any, figures: Any = ()) -> Any:
    class Own:
        """One."""

        name = "own"

        def units(self, config: Config) -> int:  # noqa: ARG002 - as an author writes it
            return 1

        def run_unit(self, config: Config, index: int) -> xr.Dataset:  # noqa: ARG002
            return xr.Dataset()

    own: Any = Own()
    own.Config, own.hypotheses, own.figures = Config, hypotheses, figures
    return own


def test_hypotheses_and_sentences_may_stand_side_by_side() -> None:
    figure = FigureSpec("shown", "A title", "A caption", lambda _, __: Figure())
    both = ("a sentence", hypothesis(figure="shown"))
    assert as_experiment(experiment(both, (figure,)), "own").hypotheses == both
    empty = Drawing(overview=Grid(panels=[Panel(traces=[])]))
    chart = Chart("shown", "A title", "A caption", lambda _: empty)
    beside = (chart, FigureSpec("other", "A title", "A caption", lambda _, __: Figure()))
    assert as_experiment(experiment(both, beside), "own").hypotheses == both


@pytest.mark.parametrize(
    ("hypotheses", "message"),
    [
        ((3,), "expected Hypothesis of ired_interp.experiments, or a sentence, found int 3"),
        ((hypothesis(), hypothesis()), r"expected different ids, found \['one', 'one'\]"),
        (
            (hypothesis(figure="gone"),),
            "one: figure: expected the name of a figure .there is none.",
        ),
        ("a sentence", "expected a tuple"),
    ],
)
def test_other_hypotheses_are_refused(hypotheses: Any, message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        as_experiment(experiment(hypotheses), "own")


@pytest.mark.parametrize("name", experiment_names())
def test_an_experiment_tests_five_claims_at_most(name: str) -> None:
    claims = [one for one in find_experiment(name).hypotheses if isinstance(one, Hypothesis)]
    assert sum(one.role == "confirmatory" for one in claims) <= 5


def test_the_calibration_counts_nulls_and_truths() -> None:
    script = ROOT / "benchmarks/calibration.py"
    words = ["--only", "evidence", "--case", "normal, n = 6: no effect", "--runs", "15"]
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    row = [cell.strip() for cell in done.stdout.splitlines()[-1].strip("|").split("|")]
    assert row[:2] == ["normal, n = 6: no effect", "above-both"]
    supported, refuted, truths, in_family = (
        int(row[i].strip("*").split("/15")[0]) for i in (3, 4, 6, 7)
    )
    assert supported <= 3  # of 15 at 1/64
    assert refuted == 0  # 2/64 is above α
    assert truths > 3
    assert in_family == 0  # 5/64 is above α
