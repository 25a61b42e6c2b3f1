"""EXP-011: inference with one part changed at a time, and what each is worth."""

from pathlib import Path

from ired_interp.experiments.exp011.charts import CHARTS
from ired_interp.experiments.exp011.declared import (
    CLAIMS,
    LINES,
    SAID,
    TABLES,
    VARIABLES,
    ways,
)
from ired_interp.experiments.exp011.measure import (
    Exp011Config,
    answer_in_every_way,
    answers_and_all_minima,
    draw_starts,
)
from ired_interp.experiments.kit.cases import untrained
from ired_interp.experiments.kit.notes import notes
from ired_interp.experiments.kit.study import Study

__all__ = ["EXPERIMENT", "Exp011Config"]

EXPERIMENT = Study(
    name="exp011",
    title="Anatomy of inference",
    Config=Exp011Config,
    prepare=draw_starts,
    measure=answer_in_every_way,
    measure_model=answers_and_all_minima,
    cases=(untrained(),),
    variables=VARIABLES,
    claims=CLAIMS,
    charts=CHARTS,
    tables=TABLES,
    said=SAID,
    lines=LINES,
    words=notes(Path(__file__).with_name("notes.md")),
    names=ways,
    small={"starts": 2},
    agreement="to 10⁻⁹ of the answers",
)
