"""Checkpoints: our safetensors with a card, and the released code's ``.pt``. Data, never code.

Format ``ired-interp-model`` version 1: a safetensors file whose tensors carry the reference's
parameter names and whose metadata hold ``format``, ``version`` and ``card``: `models.card`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors import SafetensorError
from torch import Tensor

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import CheckpointError, IredInterpError, UnknownNameError
from ired_interp.models.card import FORMAT, VERSION, ModelCard, card_of, damaged_card
from ired_interp.models.reference_file import Weights, listed, read_reference, unwrapped
from ired_interp.models.tensor_file import read_safetensors, to_safetensors
from ired_interp.schedule import Schedule, cosine_schedule
from ired_interp.storage import sha256_of, write_file
from ired_interp.tasks import Task, task, task_names

__all__ = [
    "Checkpoint",
    "ModelCard",
    "Weights",
    "check_task",
    "read_checkpoint",
    "task_of",
    "write_checkpoint",
]

# A safetensors file begins with the length of its header, a JSON object of at most so many bytes.
_LENGTH_BYTES, _MOST_HEADER_BYTES = 8, 100_000_000


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read and found sound.

    Attributes:
        model: The network, float32 weights as stored, on the CPU.
        card: What the file says of itself; None for the reference's format, which says nothing.
        sha256: Of the file.
        path: Where it was read.
        weights: Which weights were taken.
        bundled: Whether it ships in the package, so that its name finds it anywhere.
    """

    model: EnergyMLP
    card: ModelCard | None
    sha256: str
    path: Path
    weights: Weights
    bundled: bool = False


def read_checkpoint(path: Path, *, weights: Weights | None = None) -> Checkpoint:
    """Read either format.

    Args:
        path: A ``.safetensors`` of ours or a ``.pt`` of the reference.
        weights: ``ema`` or ``online``. None takes what a file of ours holds, and the moving average
            of a reference file, as its own evaluation does.

    Raises:
        CheckpointError: Missing, truncated, not a checkpoint, NaN weights, other levels, or weights
            that the file does not hold. The message names the file, what was found and expected.
        UnknownNameError: ``weights`` is neither of the two.
    """
    if weights is not None and weights not in get_args(Weights):
        raise UnknownNameError(f"weights: expected ema or online, found {weights!r}.")
    try:
        with path.open("rb") as stream:
            head = stream.read(_LENGTH_BYTES + 1)
        digest = sha256_of(path)
        if _is_safetensors(head):
            model, card = _read_ours(path)
            if weights is not None and weights != card.weights:
                raise CheckpointError(
                    f"{path}: expected {weights} weights, found a file that holds the "
                    f"{card.weights} ones alone."
                )
            return Checkpoint(model, card, digest, path, card.weights)
        chosen: Weights = weights or "ema"
        model = _build(path, read_reference(path, chosen), cosine_schedule())
        return Checkpoint(model, None, digest, path, chosen)
    except (FileNotFoundError, NotADirectoryError) as error:
        what = (
            f"a link to {path.readlink()}, which is not there"
            if path.is_symlink()
            else "no such file"
        )
        raise CheckpointError(
            f"{path}: {what}: expected a .safetensors checkpoint of ired-interp or a .pt of "
            "the IRED reference code."
        ) from error
    except IsADirectoryError as error:
        raise CheckpointError(f"{path}: expected a checkpoint file, found a folder.") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}.") from error


def write_checkpoint(path: Path, state: Mapping[str, Tensor], card: ModelCard) -> None:
    """Write our format, whole or not at all.

    Args:
        path: Ends in ``.safetensors``.
        state: The network's state dict.
        card: What to say about it.

    Raises:
        StorageError: The file system refused.
    """
    text = json.dumps(asdict(card), ensure_ascii=False)
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        # Readers of safetensors take no letter that UTF-8 lacks, as in the name of an old folder.
        "card": text.encode(errors="backslashreplace").decode(),
    }
    write_file(path, to_safetensors(state, metadata))


def task_of(card: ModelCard) -> Task:
    """The task that a model of ours was trained on."""
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in card.options.items()}
    return task(card.task, card.size, **options)


def check_task(checkpoint: Checkpoint, name: str | None, options: Mapping[str, Any]) -> Task:
    """The task that a checkpoint is for, checked against its dims.

    Args:
        checkpoint: What was read.
        name: The task that the user asked for; needed for a reference file, whose shapes fit
            several tasks.
        options: Options of that task.

    Raises:
        CheckpointError: No task known, or one whose dims do not fit.
    """
    model, card = checkpoint.model, checkpoint.card
    if name is None:
        if card is None:
            raise _no_task(checkpoint)
        return _check_dims(checkpoint, task_of(card))
    if card is not None and name != card.task:
        raise CheckpointError(
            f"{checkpoint.path}: expected a model of task {name!r}, found one trained on "
            f"{card.task!r} at size {card.size}."
        )
    if card is not None and not options:
        return _check_dims(checkpoint, task_of(card))
    return _check_dims(checkpoint, task(name, round(model.dim_y**0.5), **options))


def _check_dims(checkpoint: Checkpoint, chosen: Task) -> Task:
    model = checkpoint.model
    if (chosen.dim_x, chosen.dim_y) != (model.dim_x, model.dim_y):
        raise CheckpointError(
            f"{checkpoint.path}: expected dim_x = {chosen.dim_x} and dim_y = {chosen.dim_y} for "
            f"task {chosen.name!r} at size {chosen.size}, found {model.dim_x} and {model.dim_y}; "
            f"these dims fit {', '.join(_fitting(model)) or 'none of our tasks'}."
        )
    return chosen


def _no_task(checkpoint: Checkpoint) -> CheckpointError:
    model = checkpoint.model
    dims = f"dim_x = {model.dim_x} and dim_y = {model.dim_y} fit"
    if names := _fitting(model):
        return CheckpointError(
            f"{checkpoint.path}: the reference's files do not say their task: expected --task; "
            f"{dims} {', '.join(names)}."
        )
    return CheckpointError(
        f"{checkpoint.path}: expected a model of one of our tasks, whose problems can be drawn; "
        f"{dims} none ({', '.join(task_names())}). 'ired-interp solve --input x.npy' answers "
        "questions that you give, and ii.Landscape examines any."
    )


def _fitting(model: EnergyMLP) -> list[str]:
    """Our tasks of which these can be the dims."""
    size = round(model.dim_y**0.5)
    return [
        name
        for name in task_names()
        if (t := task(name, size)).dim_x == model.dim_x and t.dim_y == model.dim_y
    ]


def _is_safetensors(head: bytes) -> bool:
    length = int.from_bytes(head[:_LENGTH_BYTES], "little")
    return head[_LENGTH_BYTES:] == b"{" and length <= _MOST_HEADER_BYTES


def _read_ours(path: Path) -> tuple[EnergyMLP, ModelCard]:
    try:
        state, metadata = read_safetensors(path)
    except SafetensorError as error:
        raise CheckpointError(
            f"{path}: the safetensors file is damaged or truncated ({error}). Copy it again."
        ) from error
    card = card_of(path, metadata)
    try:
        task_of(card)
    except (TypeError, IredInterpError) as error:
        raise damaged_card(path, error) from error
    model = _build(path, unwrapped(path, state), cosine_schedule(card.num_levels))
    if (model.dim_x, model.dim_y) != (card.dim_x, card.dim_y):
        raise CheckpointError(
            f"{path}: expected dim_x = {card.dim_x} and dim_y = {card.dim_y} as its card says, "
            f"found weights of {model.dim_x} and {model.dim_y}."
        )
    return model, card


def _build(path: Path, state: Mapping[str, Tensor], schedule: Schedule) -> EnergyMLP:
    """A network with these weights, its dims and width read off the shapes."""
    try:
        width, dim_in = state["fc1.weight"].shape
        dim_y = state["fc4.weight"].shape[0]
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path}: expected the energy network's fc1.weight and fc4.weight, found "
            f"{listed(sorted(state))}."
        ) from error
    if not (width > 0 and 0 < dim_y < dim_in):
        raise CheckpointError(
            f"{path}: expected fc1 to take (x, y), found {dim_in} inputs for {dim_y} entries of "
            f"y and {width} units."
        )
    model = EnergyMLP(dim_in - dim_y, dim_y, width=width, schedule=schedule)
    expected = model.state_dict()
    missing = [name for name in expected if name not in state]
    surplus = [name for name in state if name not in expected]
    if missing or surplus:
        raise CheckpointError(
            f"{path}: expected the energy network's {len(expected)} tensors, found "
            f"{len(missing)} missing ({', '.join(missing[:3]) or '-'}) and {len(surplus)} unknown "
            f"({', '.join(surplus[:3]) or '-'})."
        )
    for name, tensor in expected.items():
        if state[name].shape != tensor.shape:
            raise CheckpointError(
                f"{path}: {name}: expected shape {tuple(tensor.shape)}, found "
                f"{tuple(state[name].shape)}."
            )
        plain = state[name].is_floating_point() and state[name].layout == torch.strided
        if not plain or state[name].is_meta:
            raise CheckpointError(
                f"{path}: {name}: expected weights as floating-point numbers, found "
                f"{state[name].dtype}, {state[name].layout} on {state[name].device}."
            )
        bad = int((~torch.isfinite(state[name])).sum())
        if bad:
            raise CheckpointError(
                f"{path}: {name}: expected finite weights, found {bad} NaN or infinite of "
                f"{tensor.numel()}: the training exploded. Take an earlier checkpoint."
            )
    model.load_state_dict(dict(state))
    model.requires_grad_(requires_grad=False)
    return model
