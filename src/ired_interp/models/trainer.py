"""Training as a folder: start, stop at any moment, resume to the same numbers.

A training folder holds ``train.json`` (config and provenance), ``state.safetensors`` (everything
that the next step depends on), ``model.safetensors`` (the moving average as a checkpoint with its
card), ``best.safetensors`` (the same where the validation error was least),
``step-NNNNNNN.safetensors`` (the same at each step that was to be kept) and ``log.txt``.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import ConfigError, NonFiniteError, RunFolderError, TrainingError
from ired_interp.models.checkpoint import ModelCard, write_checkpoint
from ired_interp.models.stepping import Stepper
from ired_interp.models.tensor_file import read_safetensors, read_words, to_safetensors
from ired_interp.models.train_config import TrainConfig, TrainReport
from ired_interp.provenance import provenance
from ired_interp.solve import solve
from ired_interp.storage import append_log, create_folder, read_json, to_json, write_file
from ired_interp.tasks import Problems

__all__ = [
    "VALIDATION_SEED",
    "is_training_folder",
    "kept_path",
    "resume_training",
    "set_steps",
    "start_training",
    "training_progress",
]

Track = Callable[[Iterable[int]], Iterable[int]]

_FORMAT = "ired-interp-training"
_VERSION = 1
# Problems for validation and for runs come from other streams than training batches, and from
# another seed than a run is likely to use.
VALIDATION_SEED = 20_240_601
_CHECK_EVERY = 50


def start_training(
    config: TrainConfig,
    folder: Path,
    *,
    track: Track = iter,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainReport:
    """Make the folder and train.

    Args:
        config: What to train.
        folder: A new folder.
        track: Wraps the remaining step numbers, for a progress bar.
        should_stop: Asked after each step; when true, the state is saved and training returns.

    Raises:
        RunFolderError: The folder exists.
        StorageError: The file system refused.
        TrainingError: The loss left the finite numbers; the last saved state stays.
    """
    origin = provenance()
    head = {
        "format": _FORMAT,
        "version": _VERSION,
        "config": asdict(config),
        "provenance": origin,
    }
    _check_kept(config.keep, config.steps)
    training = _Training(config, origin)
    create_folder(folder, {"train.json": to_json(head), "log.txt": b""})
    return training.train(folder, track, should_stop)


def set_steps(folder: Path, steps: int) -> None:
    """Change how many steps a training is to have; the next `resume_training` goes that far.

    Nothing in a step depends on that number, so the weights are those of a training that was asked
    for that many at first; the curve keeps its entry at the old end.

    Raises:
        ConfigError: Fewer than the saved state has.
        RunFolderError: Not a training folder, or damaged.
        StorageError: The file system refused.
    """
    config, _ = _read_head(folder)
    done = training_progress(folder).step
    if steps < max(done, 1):
        raise ConfigError(f"steps: expected at least {max(done, 1)}, as are done, found {steps}.")
    _check_kept(tuple(step for step in config.keep if step > done), steps)
    head = read_json(folder / "train.json")
    head["config"]["steps"] = steps
    write_file(folder / "train.json", to_json(head))
    append_log(folder / "log.txt", f"steps set to {steps}")


def resume_training(
    folder: Path, *, track: Track = iter, should_stop: Callable[[], bool] = lambda: False
) -> TrainReport:
    """Go on where the folder's last saved state ends; nothing if all steps are done.

    Raises:
        RunFolderError: Not a training folder, or damaged.
        StorageError, TrainingError: As `start_training`.
    """
    config, origin = _read_head(folder)
    threads = torch.get_num_threads()
    torch.set_num_threads(int(origin["threads"]))
    try:
        training = _Training(config, origin)
        state = folder / "state.safetensors"
        if state.exists():
            training.restore(state)
        return training.train(folder, track, should_stop)
    finally:
        torch.set_num_threads(threads)


def training_progress(folder: Path) -> TrainReport:
    """How far the last saved state came, without loading it.

    Raises:
        RunFolderError: Not a training folder, or damaged.
    """
    config, _ = _read_head(folder)
    path = folder / "state.safetensors"
    if not path.exists():
        return TrainReport(folder, 0, config.steps, [])
    try:
        progress = json.loads(read_words(path)["progress"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise _damaged(path, error) from error
    return TrainReport(folder, int(progress["step"]), config.steps, list(progress["curve"]))


def _check_kept(keep: tuple[int, ...], steps: int) -> None:
    if keep and keep[-1] > steps:
        raise ConfigError(
            f"keep: expected steps of a training of {steps}, found {keep[-1]}: no checkpoint would "
            "be kept there. Ask for more steps or leave it out."
        )


def _read_head(folder: Path) -> tuple[TrainConfig, Mapping[str, Any]]:
    head = read_json(folder / "train.json")
    if head.get("format") != _FORMAT or head.get("version") != _VERSION:
        raise RunFolderError(
            f"{folder}: expected {_FORMAT} version {_VERSION}, found {head.get('format')!r} "
            f"version {head.get('version')!r}."
        )
    try:
        given = dict(head["config"])
        keep = tuple(given.pop("keep", ()))  # JSON has lists; trainings before this field, nothing
        return TrainConfig(keep=keep, **given), head["provenance"]
    except (TypeError, KeyError) as error:
        raise RunFolderError(
            f"{folder / 'train.json'}: the config is damaged ({error})."
        ) from error


def _damaged(path: Path, error: Exception) -> RunFolderError:
    return RunFolderError(
        f"{path}: the saved state is damaged ({error}). Delete it to start this training from its "
        "beginning."
    )


def kept_path(folder: Path, step: int) -> Path:
    """Where a training keeps the averaged weights of a step that was to be kept."""
    return folder / f"step-{step:07d}.safetensors"


def is_training_folder(folder: Path) -> bool:
    """Whether a folder was made by `start_training`."""
    return (folder / "train.json").is_file()


class _Training:
    """A training and its curve; lives for one call of `start` or `resume`."""

    def __init__(self, config: TrainConfig, origin: Mapping[str, Any]) -> None:
        self.config = config
        self.origin = origin
        self.curve: list[dict[str, float]] = []
        self.stepper = Stepper(config)
        self.held_out: Problems = self.stepper.task.sample(
            config.validation_problems,
            seed=VALIDATION_SEED,
            difficulty=config.difficulty,
            dtype=torch.float32,
            device=config.device,
        )

    def train(self, folder: Path, track: Track, should_stop: Callable[[], bool]) -> TrainReport:
        config = self.config
        if self.stepper.step >= config.steps:
            if not self.curve or self.curve[-1]["step"] < self.stepper.step:
                self._validate(folder)
                self._save_state(folder)
            elif not (folder / "model.safetensors").is_file():
                self._write_model(folder / "model.safetensors")
            return self._report(folder)
        append_log(folder / "log.txt", f"training from step {self.stepper.step} to {config.steps}")
        for step in track(range(self.stepper.step + 1, config.steps + 1)):
            self.stepper.take()
            keep = step in config.keep
            validate = keep or step % config.validate_every == 0 or step == config.steps
            stop = should_stop()
            if validate or stop or step % _CHECK_EVERY == 0:
                self._check_finite(folder)
            if validate:
                self._validate(folder)
            if keep:
                self._write_model(kept_path(folder, step))
            if validate or stop:
                self._save_state(folder)
            if stop and step < config.steps:
                append_log(folder / "log.txt", f"stopped at step {step} of {config.steps}")
                break
        return self._report(folder)

    def _check_finite(self, folder: Path) -> None:
        """Before anything is written: the losses since the last validation, and the weights.

        A finite loss may have a gradient that overflows, which leaves NaN in the weights.
        """
        if not bool(torch.isfinite(self.stepper.window).all()):
            raise self._exploded(folder, "the loss is")
        if not self.stepper.is_finite():
            raise self._exploded(folder, "the loss is finite and the weights are")

    def _exploded(self, folder: Path, what: str) -> TrainingError:
        step = self.stepper.step
        append_log(folder / "log.txt", f"{what} not finite at step {step}")
        names = ("state.safetensors", "best.safetensors")
        kept = [name for name in names if (folder / name).exists()]
        return TrainingError(
            f"{what} not finite at step {step}: the energy exploded. Expected finite losses and "
            f"weights. Kept in {folder}: {' and '.join(kept) or 'nothing yet'}. Start again "
            f"with a lower --learning-rate (now {self.config.learning_rate:g}), --clip "
            f"({self.config.clip:g}) or --init-gain "
            f"({self.config.init_gain:g})."
        )

    def _validate(self, folder: Path) -> None:
        denoising, contrastive, count = self.stepper.window.tolist()
        try:
            averaged, online = map(self._error, (self.stepper.average, self.stepper.online))
        except NonFiniteError as error:
            raise self._exploded(folder, "the energy at the validation problems is") from error
        entry = {
            "step": self.stepper.step,
            "mse_ema": averaged,
            "mse_online": online,
            "denoising": denoising / count,
            "contrastive": contrastive / count,
        }
        self.stepper.start_window()
        self.curve.append(entry)
        text = " ".join(f"{name}={value:.6g}" for name, value in entry.items())
        append_log(folder / "log.txt", text)
        # Before the state: a kill in between repeats the steps since the last one and loses none.
        self._write_model(folder / "model.safetensors")
        if entry["mse_ema"] <= min(each["mse_ema"] for each in self.curve):
            self._write_model(folder / "best.safetensors")

    def _write_model(self, path: Path) -> None:
        write_checkpoint(path, self.stepper.average.state_dict(), self._card())

    def _error(self, model: EnergyMLP) -> float:
        """Mean squared error an entry of the solver's answers to the held-out problems."""
        answer = solve(
            model,
            self.held_out.x,
            seed=VALIDATION_SEED,
            rule="released",
            bound=self.config.bound,
        )
        return float((answer.y - self.held_out.y).square().mean())

    def _save_state(self, folder: Path) -> None:
        progress = json.dumps({"step": self.stepper.step, "curve": self.curve})
        metadata = {"format": _FORMAT, "version": str(_VERSION), "progress": progress}
        write_file(folder / "state.safetensors", to_safetensors(self.stepper.state(), metadata))

    def restore(self, path: Path) -> None:
        """Take over a saved state."""
        try:
            tensors, words = read_safetensors(path)
            progress = json.loads(words["progress"])
            self.stepper.restore(int(progress["step"]), tensors)
            self.curve = list(progress["curve"])
        except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
            raise _damaged(path, error) from error

    def _card(self) -> ModelCard:
        config, last = self.config, self.curve[-1]
        return ModelCard(
            task=config.task,
            size=config.size,
            options=dict(config.options),
            dim_x=self.stepper.task.dim_x,
            dim_y=self.stepper.task.dim_y,
            width=config.width,
            num_levels=self.stepper.online.schedule.num_levels,
            weights="ema",
            training={
                "config": asdict(config),
                "steps_done": last["step"],
                "provenance": dict(self.origin),
                "curve": self.curve,
            },
            validation={
                "mse": last["mse_ema"],
                "mse_online": last["mse_online"],
                "num_problems": config.validation_problems,
                "seed": VALIDATION_SEED,
                "difficulty": config.difficulty,
                "rule": "released",
                "bound": config.bound,
                "dtype": "float32",
            },
        )

    def _report(self, folder: Path) -> TrainReport:
        return TrainReport(folder, self.stepper.step, self.config.steps, list(self.curve))
