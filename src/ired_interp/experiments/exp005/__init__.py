"""EXP-005: gradient and curvature in tangent and normal directions, level by level."""

from dataclasses import replace
from pathlib import Path

from ired_interp.experiments.exp005.charts import CHARTS
from ired_interp.experiments.exp005.declared import (
    CLAIMS,
    GROUPS,
    LINES,
    SAID,
    TABLES,
    VARIABLES,
    names_of_splits,
)
from ired_interp.experiments.exp005.measure import in_own_splits, in_random_splits_too, split_spaces
from ired_interp.experiments.exp005.spaces import Exp005Config, chosen_rank
from ired_interp.experiments.kit.cases import shuffled, untrained
from ired_interp.experiments.kit.notes import notes
from ired_interp.experiments.kit.study import Study
from ired_interp.tasks import Task

__all__ = ["EXPERIMENT", "Exp005Config"]


def _complete(config: Exp005Config, task: Task) -> Exp005Config:
    """With the rank."""
    return replace(config, rank=chosen_rank(task, config.rank))


EXPERIMENT = Study(
    name="exp005",
    title="Gradient and curvature in tangent and normal directions",
    Config=Exp005Config,
    complete=_complete,
    prepare=split_spaces,
    measure=in_own_splits,
    measure_groups=in_random_splits_too,
    groups=GROUPS,
    cases=(untrained(), shuffled()),
    variables=VARIABLES,
    claims=CLAIMS,
    charts=CHARTS,
    tables=TABLES,
    said=SAID,
    lines=LINES,
    words=notes(Path(__file__).with_name("notes.md")),
    names=names_of_splits,
    small={"random_draws": 1},
    agreement="to 10⁻¹²·‖H‖",
)
