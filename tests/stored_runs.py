"""A small run of every experiment, of which the results are stored: the science that must stay.

Each experiment has a run of ``inverse`` beside two draws of untrained weights and, where it knows
it, a twin trained on shuffled answers; and one of completion, or of the options that change which
variables there are. The stored file holds the results with the config that made them.
"""

import dataclasses
import gzip
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

import tiny
from ired_interp.experiments import find_experiment
from ired_interp.experiments.config import config_from_mapping, config_to_mapping
from ired_interp.experiments.verdict_data import verdict_groups
from ired_interp.models.checkpoint import Checkpoint, write_checkpoint
from ired_interp.models.zoo import open_checkpoint, untrained_like
from ired_interp.runs.execution import execute
from ired_interp.runs.run import Run, plan_run
from result_differences import PROVENANCE, groups_of

__all__ = [
    "NAMES",
    "OPTIONS",
    "RUNS",
    "StoredRun",
    "make",
    "read",
    "stored_path",
    "summed_up",
    "write",
]

_FOLDER = Path(__file__).parent / "golden" / "data" / "results"
OPTIONS = _FOLDER / "options.json"
"""Names, types and defaults of the options of every experiment."""
_KEPT = ("format", "format_version", "package_version", "git_sha", "torch", "numpy")

NAMES = ("exp001", "exp002", "exp004", "exp005", "exp006", "exp007", "exp011")
"""Of the experiments."""


@dataclasses.dataclass(frozen=True)
class StoredRun:
    """What is run.

    Attributes:
        experiment: Its name.
        options: Of its config; a name of `_MADE` stands for the checkpoint that is made.
    """

    experiment: str
    options: Mapping[str, object]


_LEVELS = (2, 10)
_INVERSE = {
    "model": "inverse-4-small-0",
    "problems": 8,
    "levels": _LEVELS,
    "controls": 2,
}
_WITH_TWIN = {**_INVERSE, "shuffled": "small-shuffled"}
_COMPLETION = {
    "model": "completion-3-rank-1",
    "problems": 3,
    "levels": _LEVELS,
    "controls": 1,
}
_SEARCH = {"slices": 1, "grid": 5, "starts": 3, "chords": 2, "images": 5, "walks": 20}

RUNS: Mapping[str, StoredRun] = {
    "exp001": StoredRun("exp001", {**_WITH_TWIN, "eigenvectors": 2}),
    # Ends alone, at a point that is searched for: no posterior, one draw.
    "exp001-ends": StoredRun(
        "exp001",
        {
            **_COMPLETION,
            "levels": (1, 10),
            "point": "minimum",
            "top": 3,
            "bottom": 2,
            "eigenvectors": 1,
        },
    ),
    # Untrained, as a trained landscape has one minimum and no barrier.
    "exp002": StoredRun(
        "exp002",
        {
            **_INVERSE,
            **_SEARCH,
            "model": "tiny",
            "shuffled": "tiny-shuffled",
            "problems": 4,
            "band_steps": 30,
        },
    ),
    "exp002-completion": StoredRun(
        "exp002",
        {**_COMPLETION, **_SEARCH, "problems": 2, "point": "typical", "band_steps": 10},
    ),
    "exp004": StoredRun("exp004", {**_WITH_TWIN, "moves": 4}),
    "exp004-completion": StoredRun("exp004", {**_COMPLETION, "moves": 4}),
    "exp005": StoredRun("exp005", {**_WITH_TWIN, "random_draws": 2}),
    "exp005-completion": StoredRun("exp005", {**_COMPLETION, "random_draws": 1}),
    "exp006": StoredRun(
        "exp006",
        {
            **_WITH_TWIN,
            # Hardly trained: where a path has arrived, its scores are differences of equal numbers.
            "model": "inverse-4-small-0-step-10",
            "shuffled": "early-shuffled",
            "noise": 18,
            "components": 2,
            "random_draws": 4,
        },
    ),
    "exp006-completion": StoredRun(
        "exp006",
        {
            **_COMPLETION,
            "model": "completion-early",
            "noise": 12,
            "components": 1,
            "random_draws": 4,
            "storage": "float16",
        },
    ),
    "exp007": StoredRun(
        "exp007",
        {**_INVERSE, "series": ("inverse-4-small-0-step-10", "inverse-4-small-0-step-300")},
    ),
    "exp007-completion": StoredRun(
        "exp007",
        {**_COMPLETION, "problems": 2, "series": ("completion-early", "completion-later")},
    ),
    "exp011": StoredRun(
        "exp011", {**_INVERSE, "model": "inverse-4-small-0-step-10", "problems": 4, "starts": 2}
    ),
}


def make(name: str, folder: Path) -> Run:
    """The run, finished, in ``folder/run``; the checkpoints that it needs are written beside it."""
    one = RUNS[name]
    experiment = find_experiment(one.experiment)
    options = {key: _made(value, folder) for key, value in one.options.items()}
    config = config_from_mapping(experiment.Config, options)
    return execute(plan_run(experiment, config, folder / "run"))


def stored_path(name: str) -> Path:
    """Where the results of a run are stored."""
    return _FOLDER / f"{name}.h5.gz"


def read(name: str) -> xr.DataTree:
    """The stored results of a run."""
    with gzip.open(stored_path(name)) as file:
        content = file.read()
    with xr.open_datatree(io.BytesIO(content), engine="h5netcdf") as tree:
        return tree.load()


def summed_up(name: str) -> xr.DataTree:
    """The stored data of a run with their summary and verdicts made anew."""
    experiment = find_experiment(RUNS[name].experiment)
    made = ("/summary", "/verdicts")
    groups = {
        path: data for path, data in groups_of(read(name)).items() if not path.startswith(made)
    }
    results = xr.DataTree.from_dict(groups)
    for part, summary in experiment.summarise(results).items():
        groups[f"/summary/{part}"] = summary
    judged = verdict_groups(experiment.hypotheses, xr.DataTree.from_dict(groups))
    return xr.DataTree.from_dict(groups | {f"/{part}": data for part, data in judged.items()})


def write(run: Run, name: str) -> None:
    """Store the results of a run, without what its provenance says of a machine and of places."""
    tree = run.tree.load()
    attrs = {key: value for key, value in tree.attrs.items() if key not in PROVENANCE}
    attrs |= {key: tree.attrs[key] for key in _KEPT}
    tree.attrs = attrs | {"config": json.dumps(_as_named(config_to_mapping(run.config), run.path))}
    path = run.path.parent / "stored.h5"
    tree.to_netcdf(path, engine="h5netcdf")
    stored_path(name).parent.mkdir(exist_ok=True)
    stored_path(name).write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


def _as_named(value: Any, run: Path) -> Any:
    """A config with the name of each checkpoint that was made in place of its path."""
    if isinstance(value, Mapping):
        return {key: _as_named(one, run) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_named(one, run) for one in value]
    if isinstance(value, str) and value.startswith(str(run.parent.resolve())):
        return Path(value).stem
    return value


def _made(value: Any, folder: Path) -> Any:
    if isinstance(value, tuple):
        return tuple(_made(one, folder) for one in value)
    if not isinstance(value, str) or value not in _MADE:
        return value
    path = folder / f"{value}.safetensors"
    _MADE[value](path)
    return str(path)


def _twin(path: Path, one: Checkpoint, *, seed: int | None = None) -> None:
    """A network that says that it was trained on shuffled answers."""
    config = {**_training(one).get("config", {}), "answers": "shuffled"}
    _copy(path, one, seed=seed, config=config)


def _copy(path: Path, one: Checkpoint, *, seed: int | None = None, **training: object) -> None:
    """A checkpoint with another training on its card; with untrained weights, given a seed."""
    assert one.card is not None
    model = one.model if seed is None else untrained_like(one.model, seed=seed)
    card = dataclasses.replace(one.card, training={**_training(one), **training})
    write_checkpoint(path, {k: v.float() for k, v in model.state_dict().items()}, card)


def _training(one: Checkpoint) -> dict[str, Any]:
    assert one.card is not None
    return dict(one.card.training)


def _tiny_twin(path: Path) -> None:
    _twin(path, open_checkpoint(str(tiny.checkpoint(path, seed=1))))


_MADE: Mapping[str, Callable[[Path], object]] = {
    "tiny": tiny.checkpoint,
    "tiny-shuffled": _tiny_twin,
    "small-shuffled": lambda path: _twin(path, open_checkpoint("inverse-4-small-1")),
    "early-shuffled": lambda path: _twin(
        path, open_checkpoint("inverse-4-small-0-step-10"), seed=1
    ),
    "completion-early": lambda path: _copy(
        path, open_checkpoint("completion-3-rank-1"), seed=1, steps_done=10
    ),
    "completion-later": lambda path: _copy(
        path, open_checkpoint("completion-3-rank-1"), seed=2, steps_done=300
    ),
}
