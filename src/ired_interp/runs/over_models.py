"""Verdicts over the models of several finished runs that differ in nothing else."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ired_interp.errors import ConfigError
from ired_interp.experiments.hypothesis import Verdict
from ired_interp.experiments.over_models import judge_models
from ired_interp.experiments.verdict_data import judged
from ired_interp.runs.heads import RunHead, read_head
from ired_interp.runs.run import open_run

__all__ = ["OverModels", "judge_runs", "verdicts_to_json"]

_OF_THE_MODEL = ("model", "model_sha256")


@dataclass(frozen=True, kw_only=True)
class OverModels:
    """What several runs say together.

    Attributes:
        experiment: Of all of them.
        models: Of each run, in their order.
        verdicts: Of each hypothesis, over these models.
        exploratory: Ids of those that are shown and not tested.
    """

    experiment: str
    models: Sequence[str]
    verdicts: Sequence[Verdict]
    exploratory: Sequence[str]


def judge_runs(paths: Sequence[Path]) -> OverModels:
    """The verdicts of an experiment over the models of its runs.

    Args:
        paths: Run folders, finished, of one experiment and config, each of another model.

    Raises:
        ConfigError: Runs that differ in more than the model, or a model that comes twice.
        ExperimentError: Too few runs, or other problems.
        RunFolderError: Not a run, not finished, or damaged.
    """
    heads = [read_head(path) for path in paths]
    _check_configs(heads)
    _check_models(heads)
    runs = [open_run(path) for path in paths]
    hypotheses = judged(runs[0].experiment.hypotheses)
    return OverModels(
        experiment=heads[0].experiment,
        models=[head.model or "" for head in heads],
        verdicts=judge_models(hypotheses, [run.tree for run in runs]),
        exploratory=[one.id for one in hypotheses if one.role == "exploratory"],
    )


def verdicts_to_json(found: OverModels) -> str:
    """All of it; numbers that are not defined are null."""
    content = {
        "experiment": found.experiment,
        "models": list(found.models),
        "verdicts": [_plain(asdict(one)) for one in found.verdicts],
        "exploratory": list(found.exploratory),
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _check_configs(heads: Sequence[RunHead]) -> None:
    first = _asked(heads[0])
    for head in heads[1:]:
        other = _asked(head)
        names = [name for name in first | other if first.get(name) != other.get(name)]
        if names:
            raise ConfigError(
                f"over models: expected runs that differ in the model alone, found another "
                f"{', '.join(names)} in {head.path} than in {heads[0].path}."
            )


def _check_models(heads: Sequence[RunHead]) -> None:
    seen: dict[Any, Path] = {}
    for head in heads:
        sha256 = head.config.get("model_sha256")
        if not sha256:
            raise ConfigError(
                f"over models: expected runs of an experiment on models, found {head.path}, whose "
                "config has no model_sha256."
            )
        if sha256 in seen:
            raise ConfigError(
                f"over models: expected different models, found that of {seen[sha256]} again in "
                f"{head.path}. A model counts once."
            )
        seen[sha256] = head.path


def _asked(head: RunHead) -> dict[str, Any]:
    config = {name: value for name, value in head.config.items() if name not in _OF_THE_MODEL}
    return {"experiment": head.reference} | config


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
