"""Training as a folder: start, stop at any moment, resume to the same numbers.

A training folder holds ``train.json`` (config and provenance), ``state.safetensors`` (everything
that the next step depends on), ``model.safetensors`` (the moving average as a checkpoint with its
card) and ``log.txt``.
"""

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ired_interp.draws import BatchDraws
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import ConfigError, RunFolderError, TrainingError
from ired_interp.models.checkpoint import ModelCard, write_checkpoint
from ired_interp.models.train_config import TrainConfig, TrainReport
from ired_interp.runs.provenance import provenance
from ired_interp.runs.storage import append_log, create_folder, read_json, to_json, write_file
from ired_interp.solve import solve
from ired_interp.tasks import Problems
from ired_interp.training import Batch, average_decay, losses

__all__ = [
    "VALIDATION_SEED",
    "is_training_folder",
    "resume_training",
    "set_steps",
    "start_training",
    "training_progress",
]

Track = Callable[[Iterable[int]], Iterable[int]]

_FORMAT = "ired-interp-training"
_VERSION = 1
_ADAM_BETAS = (0.9, 0.99)
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
    done = training_progress(folder).step
    if steps < max(done, 1):
        raise ConfigError(f"steps: expected at least {max(done, 1)}, as are done, found {steps}.")
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
        with safe_open(path, framework="pt") as stream:
            progress = json.loads((stream.metadata() or {})["progress"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise _damaged(path, error) from error
    return TrainReport(folder, int(progress["step"]), config.steps, list(progress["curve"]))


def _read_head(folder: Path) -> tuple[TrainConfig, Mapping[str, Any]]:
    head = read_json(folder / "train.json")
    if head.get("format") != _FORMAT or head.get("version") != _VERSION:
        raise RunFolderError(
            f"{folder}: expected {_FORMAT} version {_VERSION}, found {head.get('format')!r} "
            f"version {head.get('version')!r}."
        )
    try:
        return TrainConfig(**head["config"]), head["provenance"]
    except (TypeError, KeyError) as error:
        raise RunFolderError(
            f"{folder / 'train.json'}: the config is damaged ({error})."
        ) from error


def _damaged(path: Path, error: Exception) -> RunFolderError:
    return RunFolderError(
        f"{path}: the saved state is damaged ({error}). Delete it to start this training from its "
        "beginning."
    )


def is_training_folder(folder: Path) -> bool:
    """Whether a folder was made by `start_training`."""
    return (folder / "train.json").is_file()


class _Training:
    """Everything that the next step depends on; lives for one call of `start` or `resume`."""

    def __init__(self, config: TrainConfig, origin: Mapping[str, Any]) -> None:
        self.config = config
        self.origin = origin
        self.task = config.make_task()
        self.step = 0
        self.curve: list[dict[str, float]] = []
        weights_seed, batch_seed = ((2 * config.seed + i) % 2**63 for i in (0, 1))
        self.online = EnergyMLP(self.task.dim_x, self.task.dim_y, width=config.width)
        weights = torch.Generator().manual_seed(weights_seed)
        self.online.initialise(weights, gain=config.init_gain).to(config.device)
        self.average = copy.deepcopy(self.online).requires_grad_(requires_grad=False)
        self.generator = torch.Generator(config.device).manual_seed(batch_seed)
        self.optimiser = torch.optim.Adam(
            self.online.parameters(), lr=config.learning_rate, betas=_ADAM_BETAS, fused=True
        )
        # Sums since the last validation: denoising loss, contrastive loss, number of steps.
        self.window = torch.zeros(3, dtype=torch.float64, device=config.device)
        self.held_out: Problems = self.task.sample(
            config.validation_problems,
            seed=VALIDATION_SEED,
            difficulty=config.difficulty,
            dtype=torch.float32,
            device=config.device,
        )

    def train(self, folder: Path, track: Track, should_stop: Callable[[], bool]) -> TrainReport:
        config = self.config
        if self.step >= config.steps:
            if not self.curve or self.curve[-1]["step"] < self.step:
                self._validate(folder)
                self._save_state(folder)
            elif not (folder / "model.safetensors").is_file():
                self._write_model(folder)
            return self._report(folder)
        append_log(folder / "log.txt", f"training from step {self.step} to {config.steps}")
        for step in track(range(self.step + 1, config.steps + 1)):
            self._take_step()
            self.step = step
            validate = step % config.validate_every == 0 or step == config.steps
            stop = should_stop()
            if validate or stop or step % _CHECK_EVERY == 0:
                self._check_finite(folder)
            if validate:
                self._validate(folder)
            if validate or stop:
                self._save_state(folder)
            if stop and step < config.steps:
                append_log(folder / "log.txt", f"stopped at step {step} of {config.steps}")
                break
        return self._report(folder)

    def _take_step(self) -> None:
        config = self.config
        draws = BatchDraws(config.batch_size, self.generator, torch.float32)
        problems = self.task.draw(draws, difficulty=config.difficulty)
        t = torch.randint(
            self.online.schedule.num_levels,
            (config.batch_size,),
            generator=self.generator,
            device=self.generator.device,
        )
        noise, landscape_noise = draws.normal(self.task.dim_y), draws.normal(self.task.dim_y)
        batch = Batch(problems.x, problems.y, t, noise, landscape_noise)
        loss = losses(self.online, batch, bound=config.bound)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss.total)
        nn.utils.clip_grad_norm_(self.online.parameters(), config.clip)
        self.optimiser.step()
        self.window += torch.stack(
            [loss.denoising.detach(), loss.contrastive.detach(), torch.ones_like(loss.denoising)]
        )
        keep = average_decay(self.step + 1)
        if keep < 1:
            with torch.no_grad():
                for mean, value in zip(
                    self.average.parameters(), self.online.parameters(), strict=True
                ):
                    mean.lerp_(value, 1 - keep)

    def _check_finite(self, folder: Path) -> None:
        if bool(torch.isfinite(self.window).all()):
            return
        append_log(folder / "log.txt", f"the loss is not finite at step {self.step}")
        kept = "state.safetensors" if (folder / "state.safetensors").exists() else "nothing yet"
        raise TrainingError(
            f"the loss is not finite at step {self.step}: the energy exploded. Expected a finite "
            f"loss. Kept in {folder}: {kept}. Start again with a lower --learning-rate (now "
            f"{self.config.learning_rate:g}), --clip ({self.config.clip:g}) or --init-gain "
            f"({self.config.init_gain:g})."
        )

    def _validate(self, folder: Path) -> None:
        denoising, contrastive, count = self.window.tolist()
        entry = {
            "step": self.step,
            "mse_ema": self._error(self.average),
            "mse_online": self._error(self.online),
            "denoising": denoising / count,
            "contrastive": contrastive / count,
        }
        self.window.zero_()
        self.curve.append(entry)
        text = " ".join(f"{name}={value:.6g}" for name, value in entry.items())
        append_log(folder / "log.txt", text)
        # Before the state: a kill in between repeats the steps since the last one and loses none.
        self._write_model(folder)

    def _write_model(self, folder: Path) -> None:
        write_checkpoint(folder / "model.safetensors", self.average.state_dict(), self._card())

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
        tensors = {f"online.{k}": v for k, v in self.online.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for number, entry in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{number}.{k}": v for k, v in entry.items()}
        tensors |= {"generator": self.generator.get_state(), "window": self.window}
        progress = json.dumps({"step": self.step, "curve": self.curve})
        plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        metadata = {"format": _FORMAT, "version": str(_VERSION), "progress": progress}
        write_file(folder / "state.safetensors", save(plain, metadata=metadata))

    def restore(self, path: Path) -> None:
        """Take over a saved state."""
        try:
            with safe_open(path, framework="pt") as stream:
                progress = json.loads((stream.metadata() or {})["progress"])
                tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
            self.step, self.curve = int(progress["step"]), list(progress["curve"])
            for prefix, model in (("online.", self.online), ("average.", self.average)):
                model.load_state_dict(_under(tensors, prefix))
            adam = self.optimiser.state_dict()
            numbers = range(len(adam["param_groups"][0]["params"]))
            adam["state"] = {number: _under(tensors, f"adam.{number}.") for number in numbers}
            self.optimiser.load_state_dict(adam)
            self.generator.set_state(tensors["generator"])
            self.window.copy_(tensors["window"])
        except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
            raise _damaged(path, error) from error

    def _card(self) -> ModelCard:
        config, last = self.config, self.curve[-1]
        return ModelCard(
            task=config.task,
            size=config.size,
            options=dict(config.options),
            dim_x=self.task.dim_x,
            dim_y=self.task.dim_y,
            width=config.width,
            num_levels=self.online.schedule.num_levels,
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
        return TrainReport(folder, self.step, self.config.steps, list(self.curve))


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
