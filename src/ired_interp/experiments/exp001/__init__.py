"""EXP-001: the Hessian eigenspectrum of the energy in y, level by level."""

from pathlib import Path

from ired_interp.experiments.exp001.charts import CHARTS
from ired_interp.experiments.exp001.claims import CLAIMS
from ired_interp.experiments.exp001.declared import VARIABLES
from ired_interp.experiments.exp001.measure import (
    Exp001Config,
    completed,
    growth_bytes,
    spectra_of,
    what_is_asked,
)
from ired_interp.experiments.exp001.shown import LINES, SAID, TABLES, names_of
from ired_interp.experiments.exp001.summary import MEASURES, Measure, summary
from ired_interp.experiments.kit.cases import shuffled, untrained
from ired_interp.experiments.kit.notes import notes
from ired_interp.experiments.kit.study import Study

__all__ = ["EXPERIMENT", "MEASURES", "Exp001Config", "Measure"]

EXPERIMENT = Study(
    name="exp001",
    title="Curvature of the energy in the answer, level by level",
    Config=Exp001Config,
    complete=lambda config, task: completed(config, task.dim_y),
    prepare=what_is_asked,
    measure=spectra_of,
    cases=(untrained(), shuffled()),
    variables=VARIABLES,
    claims=CLAIMS,
    charts=CHARTS,
    tables=TABLES,
    said=SAID,
    lines=LINES,
    words=notes(Path(__file__).with_name("notes.md")),
    names=names_of,
    summary=summary,
    skill=lambda config: config.skill == "yes",
    memory=growth_bytes,
    agreement="to 10⁻¹²·‖H‖",
)
