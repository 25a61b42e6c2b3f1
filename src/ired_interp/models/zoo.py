"""Models by name: what ships in the package, files of the user's, and untrained controls."""

import difflib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from ired_interp.checks import Real, Whole, real
from ired_interp.draws import check_seed
from ired_interp.energy.mlp import DEFAULT_WIDTH, EnergyMLP
from ired_interp.errors import DtypeError, UnknownNameError
from ired_interp.models.card import bundled_file, list_models
from ired_interp.models.checkpoint import Checkpoint, Weights, read_checkpoint
from ired_interp.tasks import Task, task

__all__ = ["list_models", "load_model", "open_checkpoint", "untrained_like", "untrained_model"]


def open_checkpoint(source: str | Path, *, weights: Weights | None = None) -> Checkpoint:
    """A checkpoint by bundled name or by path.

    Raises:
        UnknownNameError: Neither a bundled name nor anything that looks like a path.
        CheckpointError: The file is missing or unfit.
    """
    name = str(source)
    if name in list_models():
        return replace(read_checkpoint(bundled_file(name), weights=weights), bundled=True)
    path = Path(source)
    if isinstance(source, str) and not (os.path.lexists(path) or path.suffix or path.name != name):
        near = difflib.get_close_matches(name, list_models(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownNameError(
            f"model: expected one of {', '.join(list_models())} or the path of a checkpoint, "
            f"found {name!r}.{hint}"
        )
    return read_checkpoint(path, weights=weights)


def load_model(
    source: str | Path,
    *,
    weights: Weights | None = None,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> EnergyMLP:
    """A trained energy by bundled name, or from a ``.safetensors`` of ours or a reference ``.pt``.

    Args:
        source: Name or path.
        weights: ``ema`` or ``online``, for a reference file; its moving average by default.
        dtype: Weights are stored in float32 and cast, exactly, to float64 by default.
        device: Where to put it.

    Raises:
        UnknownNameError: No such model.
        CheckpointError: The file is missing, damaged or not a model. There is no stand-in.
        DtypeError: ``dtype`` is not a floating-point type.
    """
    if not dtype.is_floating_point:
        raise DtypeError(f"load_model: expected a floating-point dtype, found {dtype}.")
    return open_checkpoint(source, weights=weights).model.to(device, dtype)


def untrained_model(
    of: Task | str,
    size: Whole | None = None,
    *,
    seed: Whole = 0,
    width: Whole = DEFAULT_WIDTH,
    gain: Real = 1.0,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
    **options: Real | Sequence[Real] | npt.NDArray[Any],
) -> EnergyMLP:
    """The network for a task with random weights: a control, never a stand-in.

    Args:
        of: A task, or the name of one, with its size and options as `ired_interp.task` takes them.
        size: Side of the matrix, with a name.
        seed: Of the weights, drawn as PyTorch initialises linear layers.
        width: Units of a hidden layer.
        gain: Scale of the initial weights, 1 for PyTorch's.
        dtype: Drawn in float64, rounded to float32 as trained weights are, then cast.
        device: Where to put it.
        **options: Of the task, with a name.

    Raises:
        UnknownNameError, ShapeError: No such task or size.
    """
    gain = real("gain", gain)
    if isinstance(of, str):
        if size is None:
            raise UnknownNameError(f"untrained_model: expected a size with the task name {of!r}.")
        of = task(of, size, **options)
    model = EnergyMLP(of.dim_x, of.dim_y, width=width)
    return _initialised(model, seed, gain).to(device, dtype)


def untrained_like(model: EnergyMLP, *, seed: Whole) -> EnergyMLP:
    """The same network with random weights, in the same dtype and on the same device."""
    like = next(model.parameters())
    fresh = EnergyMLP(model.dim_x, model.dim_y, width=model.width, schedule=model.schedule)
    return _initialised(fresh, seed, 1.0).to(like.device, like.dtype)


def _initialised(model: EnergyMLP, seed: Whole, gain: float) -> EnergyMLP:
    model.initialise(torch.Generator("cpu").manual_seed(check_seed(seed) % 2**63), gain=gain)
    model.requires_grad_(requires_grad=False)
    return model
