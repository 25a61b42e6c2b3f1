"""The smallest run of each experiment that still has every figure and a slider to move."""

import fcntl
from collections.abc import Mapping
from pathlib import Path

import tiny
from ired_interp.experiments import find_experiment
from ired_interp.experiments.config import config_from_mapping
from ired_interp.runs.execution import execute
from ired_interp.runs.run import Run, open_run, plan_run

__all__ = ["CONFIGS", "Shared", "run_of"]

LEVELS = (1, 10)
CONFIGS: Mapping[str, Mapping[str, object]] = {
    "exp001": {"problems": 3, "controls": 1},
    "exp002": {
        "problems": 3,
        "slices": 1,
        "grid": 9,
        "starts": 4,
        "chords": 2,
        "images": 5,
        "band_steps": 10,
        "walks": 20,
        "controls": 1,
    },
    "exp004": {"problems": 3, "controls": 1, "moves": 4},
    "exp005": {"problems": 3, "controls": 1, "random_draws": 1},
    "exp006": {"problems": 3, "controls": 1, "noise": 9, "random_draws": 8, "components": 2},
    "exp007": {"problems": 3, "controls": 1},
    "exp011": {"problems": 3, "controls": 1, "starts": 2},
}
# Checkpoints of a training that never was: weights of other seeds.
_STEPS = (10, 100)


class Shared:
    """The run of each experiment as `CONFIGS` has it, made once by whichever process asks first."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder

    def __getitem__(self, name: str) -> Run:
        with (self._folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
            run = self._folder / name / "run"
            if not (run / "results.h5").is_file():
                run_of(name, self._folder / name)
        return open_run(run)


def run_of(name: str, folder: Path, *, weights: int = 0, **changes: object) -> Run:
    """A finished run of an experiment on a tiny untrained model, in ``folder/run``.

    Args:
        name: Of the experiment.
        folder: Made if it is not there.
        weights: Seed of the model's weights.
        changes: Of its config.
    """
    folder.mkdir(exist_ok=True)
    experiment = find_experiment(name)
    model = tiny.checkpoint(folder / "tiny.safetensors", seed=weights)
    fields = {"model": str(model), "levels": LEVELS, **CONFIGS[name]} | changes
    if name == "exp007":
        fields |= _series(folder, weights)
    config = config_from_mapping(experiment.Config, fields)
    return execute(plan_run(experiment, config, folder / "run"))


def _series(folder: Path, weights: int) -> dict[str, object]:
    """Checkpoints of rising steps, the model the last of them."""
    paths = [
        tiny.checkpoint(folder / f"step-{step}.safetensors", seed=weights + i, steps=step)
        for i, step in enumerate(_STEPS, start=1)
    ]
    last = tiny.checkpoint(folder / "last.safetensors", seed=weights, steps=10 * _STEPS[-1])
    return {"model": str(last), "series": tuple(map(str, paths))}
