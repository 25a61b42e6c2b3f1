"""EXP-007: what training does to answers and landscape, over checkpoints of one training."""

import re
from dataclasses import replace
from pathlib import Path

from ired_interp.errors import CheckpointError, ConfigError
from ired_interp.experiments.exp007.charts import CHARTS
from ired_interp.experiments.exp007.declared import (
    CLAIMS,
    LINES,
    SAID,
    TABLES,
    VARIABLES,
    checkpoints,
)
from ired_interp.experiments.exp007.measure import (
    LEAST,
    THE_SERIES,
    UNTRAINED_SERIES,
    Exp007Config,
    compare,
    measure_model_series,
    measure_series,
)
from ired_interp.experiments.kit.notes import notes
from ired_interp.experiments.kit.study import Study
from ired_interp.models.checkpoint import Checkpoint
from ired_interp.models.trained import training_differences, training_difficulty
from ired_interp.models.zoo import open_checkpoint

__all__ = ["EXPERIMENT", "Exp007Config", "with_series"]

_KEPT = re.compile(r"step-0*(\d+)$")


def with_series(config: Exp007Config) -> Exp007Config:
    """The config with its series by name, hash and step, and how it was trained.

    Raises:
        ConfigError: Fewer than three checkpoints, or two of one step.
        CheckpointError: One cannot be read, does not say its step, or is of another training.
    """
    last = open_checkpoint(config.model, weights=config.weights)
    names = config.series or _found(config.model, last)
    found = [(name, open_checkpoint(name, weights=config.weights)) for name in names]
    for name, one in found:
        different = training_differences(one, last)
        if different:
            raise CheckpointError(
                f"{name}: expected a checkpoint of the training of {config.model}, found another "
                f"one: {'; '.join(different)}."
            )
    found = sorted(
        ((name, one) for name, one in found if one.sha256 != last.sha256),
        key=lambda pair: _step(*pair),
    )
    steps = (*(_step(*pair) for pair in found), _step(config.model, last))
    if len(steps) < LEAST or len(set(steps)) < len(steps) or steps[-1] != max(steps):
        raise ConfigError(
            f"series: expected at least {LEAST} checkpoints of different steps, the model the "
            f"last of them, found steps {', '.join(map(str, steps))}. Train with --keep STEPS, or "
            "name checkpoints with --series."
        )
    return replace(
        config,
        series=tuple(name if one.bundled else str(one.path.resolve()) for name, one in found),
        series_sha256=tuple(one.sha256 for _, one in found),
        steps=steps,
        trained_on=training_difficulty(last),
    )


def _found(model: str, last: Checkpoint) -> tuple[str, ...]:
    if last.bundled:
        paths = last.path.parent.glob(f"{model}-step-*.safetensors")
        return tuple(sorted(path.name.removesuffix(".safetensors") for path in paths))
    return tuple(sorted(str(path) for path in Path(last.path).parent.glob("step-*.safetensors")))


def _step(name: str, one: Checkpoint) -> int:
    if one.card is not None and "steps_done" in one.card.training:
        return int(one.card.training["steps_done"])
    kept = _KEPT.search(one.path.stem)
    if kept is None:
        raise CheckpointError(
            f"{name}: expected a checkpoint that says how many steps it had, in its card or as "
            "step-N in its name, found neither."
        )
    return int(kept[1])


EXPERIMENT = Study(
    name="exp007",
    title="What training does to answers and landscape",
    Config=Exp007Config,
    complete=lambda config, _: with_series(config),
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
