"""EXP-007: what training does to answers and landscape, over checkpoints of one training."""

from pathlib import Path

from ired_interp.experiments.exp007.charts import CHARTS
from ired_interp.experiments.exp007.declared import (
    CLAIMS,
    LINES,
    SAID,
    TABLES,
    VARIABLES,
    checkpoints,
)
from ired_interp.experiments.exp007.measure import compare, measure_model_series, measure_series
from ired_interp.experiments.exp007.series import (
    THE_SERIES,
    UNTRAINED_SERIES,
    Exp007Config,
    with_series,
)
from ired_interp.experiments.kit.notes import notes
from ired_interp.experiments.kit.study import Study
from ired_interp.tasks import Task

__all__ = ["EXPERIMENT", "Exp007Config"]


def _complete(config: Exp007Config, _: Task) -> Exp007Config:
    return with_series(config)


EXPERIMENT = Study(
    name="exp007",
    title="What training does to answers and landscape",
    Config=Exp007Config,
    complete=_complete,
    prepare=compare,
    measure=measure_series,
    measure_model=measure_model_series,
    model=THE_SERIES,
    cases=(UNTRAINED_SERIES,),
    variables=VARIABLES,
    claims=CLAIMS,
    charts=CHARTS,
    tables=TABLES,
    said=SAID,
    lines=LINES,
    words=notes(Path(__file__).with_name("notes.md")),
    names=checkpoints,
    agreement="to 10⁻⁹ of the answers",
)
