"""EXP-002: slices of the landscape, its minima, the barriers between them and the solver's path."""

from pathlib import Path

from ired_interp.experiments.exp002.charts import CHARTS
from ired_interp.experiments.exp002.declared import CLAIMS, LINES, SAID, TABLES, VARIABLES
from ired_interp.experiments.exp002.measure import Exp002Config, draw_starts, measure_landscape
from ired_interp.experiments.exp002.slices import SLICE_VARIABLES, SLICES, slice_problem, with_rank
from ired_interp.experiments.kit.cases import shuffled, untrained
from ired_interp.experiments.kit.notes import notes
from ired_interp.experiments.kit.study import SingleProblems, Study

__all__ = ["EXPERIMENT", "Exp002Config"]

EXPERIMENT = Study(
    name="exp002",
    title="Slices of the landscape, its minima, and the solver’s path through it",
    Config=Exp002Config,
    complete=with_rank,
    prepare=draw_starts,
    measure=measure_landscape,
    cases=(untrained(), shuffled()),
    single=SingleProblems(
        folder=SLICES,
        count=lambda config: config.slices or 0,
        measure=slice_problem,
        variables=SLICE_VARIABLES,
        meaning="one sliced problem each, with grids, gradients, path and directions",
    ),
    variables=VARIABLES,
    claims=CLAIMS,
    charts=CHARTS,
    tables=TABLES,
    said=SAID,
    lines=LINES,
    words=notes(Path(__file__).with_name("notes.md")),
    small={"slices": 1, "grid": 11, "starts": 4, "chords": 2, "images": 5, "walks": 20},
    agreement="to 10⁻¹²·‖H‖",
)
