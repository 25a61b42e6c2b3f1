"""EXP-006: the score field, collected over noise and problems, and its spectrum beside chance."""

from dataclasses import replace
from pathlib import Path

from ired_interp.experiments.exp006.charts import CHARTS
from ired_interp.experiments.exp006.declared import (
    CLAIMS,
    LINES,
    SAID,
    TABLES,
    VARIABLES,
    own_subspaces,
)
from ired_interp.experiments.exp006.measure import (
    Exp006Config,
    bytes_of,
    chosen_components,
    draw,
    measure_scores,
    measure_with_scores,
)
from ired_interp.experiments.exp006.sharing import over_problems
from ired_interp.experiments.kit.cases import shuffled, untrained
from ired_interp.experiments.kit.notes import notes
from ired_interp.experiments.kit.study import Study
from ired_interp.tasks import Task

__all__ = ["EXPERIMENT", "Exp006Config"]


def _complete(config: Exp006Config, task: Task) -> Exp006Config:
    """With the number of components."""
    return replace(config, components=chosen_components(config, task.dim_y))


EXPERIMENT = Study(
    name="exp006",
    title="The score field: its spectrum, its directions and what they do",
    Config=Exp006Config,
    complete=_complete,
    prepare=draw,
    measure=measure_scores,
    measure_model=measure_with_scores,
    attributes=lambda config: {"components": config.components, "noise_draws": config.noise},
    cases=(untrained(), shuffled()),
    variables=VARIABLES,
    summary=over_problems,
    claims=CLAIMS,
    charts=CHARTS,
    tables=TABLES,
    said=SAID,
    lines=LINES,
    words=notes(Path(__file__).with_name("notes.md")),
    names=own_subspaces,
    memory=bytes_of,
    small={"random_draws": 1},
    agreement="to 10⁻¹²·‖H‖",
)
