"""EXP-004: energy against distance, at growing and at fixed length of the move."""

from dataclasses import replace
from pathlib import Path

from ired_interp.experiments.exp004.charts import CHARTS
from ired_interp.experiments.exp004.declared import CLAIMS, LINES, SAID, TABLES, VARIABLES
from ired_interp.experiments.exp004.measure import move_matrices, predict_energy
from ired_interp.experiments.exp004.moves import Exp004Config, chosen_base, chosen_rank
from ired_interp.experiments.kit.cases import shuffled, untrained
from ired_interp.experiments.kit.notes import notes
from ired_interp.experiments.kit.study import Study
from ired_interp.tasks import Task

__all__ = ["EXPERIMENT", "Exp004Config"]


def _complete(config: Exp004Config, task: Task) -> Exp004Config:
    """With the base and the rank."""
    base = chosen_base(task, config.base)
    return replace(config, base=base, rank=chosen_rank(task, config.rank, base))


EXPERIMENT = Study(
    name="exp004",
    title="Energy against distance",
    Config=Exp004Config,
    complete=_complete,
    prepare=move_matrices,
    measure=predict_energy,
    cases=(untrained(), shuffled()),
    variables=VARIABLES,
    claims=CLAIMS,
    charts=CHARTS,
    tables=TABLES,
    said=SAID,
    lines=LINES,
    words=notes(Path(__file__).with_name("notes.md")),
    agreement="to 10⁻¹³·|E|",
)
