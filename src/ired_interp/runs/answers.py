"""Answers of the solver as a file of their own."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch import Tensor

from ired_interp.checks import check_matrix
from ired_interp.devices import check_device
from ired_interp.draws import check_seed
from ired_interp.errors import ConfigError, RunFolderError, ShapeError
from ired_interp.experiments.base import ROOT
from ired_interp.experiments.config import take_plain
from ired_interp.models.checkpoint import Checkpoint, Weights, check_task
from ired_interp.models.file_kinds import HEAD_BYTES, kind_of
from ired_interp.models.trained import training_bound
from ired_interp.models.zoo import open_checkpoint
from ired_interp.provenance import provenance
from ired_interp.runs.shards import to_bytes
from ired_interp.solve import Rule, Solution, solve
from ired_interp.storage import guard, write_file
from ired_interp.tasks import Difficulty, Task

__all__ = ["DrawnProblems", "SolverSettings", "read_questions", "solve_to_file"]

_FORMAT = "ired-interp-answers"
_VERSION = 1
_NPY = b"\x93NUMPY"


@dataclass(frozen=True)
class DrawnProblems:
    """Problems to draw from the model's task."""

    count: int
    difficulty: Difficulty = "same"

    def __post_init__(self) -> None:
        take_plain(self)
        if self.count < 1:
            raise ConfigError(f"problems: expected at least 1, found {self.count}.")


@dataclass(frozen=True, kw_only=True)
class SolverSettings:
    """How to solve; see `ired_interp.solve`. No bound is that of the model's training."""

    seed: int = 0
    rule: Rule = "released"
    num_steps: int = 5
    bound: float | None = None
    dtype: Literal["float64", "float32"] = "float64"
    device: str = "cpu"

    def __post_init__(self) -> None:
        take_plain(self)
        check_seed(self.seed)
        check_device(self.device)


def solve_to_file(
    model: str,
    source: DrawnProblems | Path,
    out: Path,
    settings: SolverSettings,
    *,
    task: str | None = None,
    weights: Weights | None = None,
    track: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> xr.Dataset:
    """Solve and write a netCDF-4 file, whole or not at all.

    Variables: ``x`` (problem, x_dim); ``prediction`` (problem, y_dim), unscaled; ``trajectory``
    (level, problem, y_dim); ``energy``, ``gradient_norm`` and ``rejected`` (level, problem); for
    drawn problems ``answer`` (problem, y_dim) and ``squared_error`` (problem), the mean over
    entries.

    Args:
        model: Bundled name or path.
        source: Problems to draw, or a ``.npy`` file with one question a row.
        out: A new file in a folder that exists or can be made.
        settings: How to solve.
        task: Needed for drawing the problems of a reference ``.pt``.
        weights: ``ema`` or ``online``, for a reference ``.pt``.
        track: Wraps the levels.

    Raises:
        RunFolderError: ``out`` exists.
        StorageError: The file system refused.
        IredInterpError: Model, task or questions do not fit.
    """
    if os.path.lexists(out):
        raise RunFolderError(f"{out} exists already: expected a new file. Choose another --out.")
    checkpoint = open_checkpoint(model, weights=weights)
    dtype = {"float64": torch.float64, "float32": torch.float32}[settings.dtype]
    energy = checkpoint.model.to(settings.device, dtype)
    bound = training_bound(checkpoint) if settings.bound is None else settings.bound
    known: Task | None
    answer = None
    if isinstance(source, Path):
        # It needs no task to draw questions; one that is named, or known, must fit all the same.
        unknown = task is None and checkpoint.card is None
        known = None if unknown else check_task(checkpoint, task, {})
        x = read_questions(source, energy.dim_x).to(settings.device, dtype)
    else:
        known = drawn = check_task(checkpoint, task, {})
        problems = drawn.sample(
            source.count,
            seed=settings.seed,
            difficulty=source.difficulty,
            dtype=dtype,
            device=settings.device,
        )
        x, answer = problems.x, problems.y
    solution = solve(
        energy,
        x,
        seed=settings.seed,
        rule=settings.rule,
        num_steps=settings.num_steps,
        bound=bound,
        track=track,
    )
    data = _dataset(x, solution, answer).assign_attrs(
        _attributes(checkpoint, known, source, settings, bound)
    )
    with guard(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    write_file(out, to_bytes({ROOT: data}))
    return data


def read_questions(path: Path, dim_x: int) -> Tensor:
    """Questions from a ``.npy`` file, float64 [n, dim_x].

    Raises:
        ConfigError: Missing or not a ``.npy`` file of numbers.
        ShapeError, NonFiniteError: Its content does not fit the model.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            stream.seek(0)
            content = np.load(stream, allow_pickle=False) if head.startswith(_NPY) else None
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(
            f"{path}: no such file: expected x.npy with one question a row."
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError) as error:
        raise ConfigError(
            f"{path}: expected a .npy file of numbers as numpy.save writes it ({error})."
        ) from error
    if content is None:
        raise ConfigError(
            f"{path}: expected a .npy file of numbers as numpy.save writes it, found "
            f"{kind_of(head)}."
        )
    if content.dtype.kind not in "fiu":
        raise ConfigError(f"{path}: expected an array of real numbers, found {content.dtype}.")
    if content.ndim == 1 and content.shape[0] == dim_x:
        raise ShapeError(
            f"{path}: expected one question a row, shape (n, {dim_x}), found ({dim_x},); save "
            "x[None]."
        )
    x = torch.from_numpy(content.astype(np.float64))
    check_matrix(f"{path}", x, columns=dim_x, of="the model's dim_x")
    return x


def _dataset(x: Tensor, solution: Solution, answer: Tensor | None) -> xr.Dataset:
    def numpy(tensor: Tensor) -> npt.NDArray[Any]:
        return tensor.cpu().numpy()

    by_level = ("level", "problem")
    variables: dict[str, Any] = {
        "x": (("problem", "x_dim"), numpy(x)),
        "prediction": (("problem", "y_dim"), numpy(solution.y)),
        "trajectory": (("level", "problem", "y_dim"), numpy(solution.trajectory)),
        "energy": (by_level, numpy(solution.energy), {"units": "energy"}),
        "gradient_norm": (by_level, numpy(solution.gradient_norm), {"units": "energy / y"}),
        "rejected": (by_level, numpy(solution.rejected), {"units": "inner steps"}),
    }
    if answer is not None:
        error = (solution.y - answer).square().mean(dim=1)
        variables["answer"] = (("problem", "y_dim"), numpy(answer))
        variables["squared_error"] = (("problem",), numpy(error), {"units": "y^2"})
    return xr.Dataset(
        variables,
        coords={
            "problem": np.arange(x.shape[0]),
            "level": np.arange(1, solution.trajectory.shape[0] + 1),
        },
    )


def _attributes(
    checkpoint: Checkpoint,
    task: Task | None,
    source: DrawnProblems | Path,
    settings: SolverSettings,
    bound: float,
) -> dict[str, Any]:
    origin = f"read from {source}" if isinstance(source, Path) else f"drawn, {source.difficulty}"
    names: dict[str, Any] = (
        {}
        if task is None
        else {"task": task.name, "task_size": task.size, "task_options": task.options()}
    )
    return names | {
        "problems": origin,
        "format": _FORMAT,
        "format_version": _VERSION,
        "model": str(checkpoint.path.name),
        "model_sha256": checkpoint.sha256,
        "weights": checkpoint.weights,
        **(vars(settings) | {"bound": bound}),
        **{k: v for k, v in provenance().items() if k != "command"},
    }
