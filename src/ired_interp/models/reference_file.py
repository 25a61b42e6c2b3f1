"""The released code's ``.pt``: which of its tensors are the energy network's."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ired_interp.choices import Weights
from ired_interp.errors import CheckpointError
from ired_interp.models.torch_file import read_torch
from ired_interp.schedule import NUM_LEVELS, Schedule, cosine_schedule

__all__ = ["Weights", "listed", "read_reference", "unwrapped"]

_PREFIX: dict[Weights, tuple[str, str]] = {
    "ema": ("ema", "ema_model.model.ebm."),
    "online": ("model", "model.ebm."),
}
_SCHEDULE = "alphas_cumprod"
# The reference stores its schedule in float32.
_SCHEDULE_TOLERANCE = 1e-6
# What holds a model while it is trained on several devices, compiled or recomputed; each puts its
# name into the names of the weights, anywhere, and changes nothing about them.
_WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
_MOST_LISTED = 4


def read_reference(path: Path, weights: Weights) -> dict[str, Tensor]:
    """The energy network's tensors, by the network's own names.

    Args:
        path: Of the file.
        weights: Which.

    Raises:
        CheckpointError: Not a checkpoint of the reference, without these weights, or of another
            schedule. The message names what is there.
        OSError: It cannot be read at all.
    """
    content = read_torch(path)
    part, prefix = _PREFIX[weights]
    if not isinstance(content, Mapping) or not isinstance(content.get(part), Mapping):
        found = listed(content) if isinstance(content, Mapping) else type(content).__name__
        raise CheckpointError(
            f"{path}: expected a checkpoint of the IRED reference with {part!r} in it, found "
            f"{found}."
        )
    tensors = unwrapped(
        path, {k: v for k, v in content[part].items() if isinstance(k, str) and torch.is_tensor(v)}
    )
    outer = prefix.removesuffix("model.ebm.")
    for name, stored in tensors.items():
        if name.startswith(outer) and name.endswith(_SCHEDULE):
            _check_schedule(path, stored, cosine_schedule())
    state = {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix) and not name.endswith(_SCHEDULE)
    }
    if not state:
        raise CheckpointError(
            f"{path}: expected {weights} weights under {part!r} as '{prefix}…', found "
            f"{listed(content[part])}."
        )
    return state


def unwrapped(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by the names they had before the model was wrapped.

    Raises:
        CheckpointError: Two of them have one name then.
    """
    plain: dict[str, str] = {}
    for name in tensors:
        short = ".".join(part for part in name.split(".") if part not in _WRAPPERS)
        if short in plain:
            raise CheckpointError(
                f"{path}: expected one {short!r}, found {plain[short]!r} and {name!r}: the model "
                "is there twice, wrapped and not. Keep one of them."
            )
        plain[short] = name
    return {short: tensors[name] for short, name in plain.items()}


def listed(names: Iterable[object]) -> str:
    """The first few names, and how many others there are."""
    every = [str(name) for name in names]
    others = len(every) - _MOST_LISTED
    rest = f" … and {others} others" if others > 0 else ""
    return (", ".join(every[:_MOST_LISTED]) or "nothing") + rest


def _check_schedule(path: Path, stored: Tensor, schedule: Schedule) -> None:
    if stored.shape != schedule.alpha_bar.shape:
        raise CheckpointError(
            f"{path}: expected a model of {NUM_LEVELS} levels, found one of {stored.numel()}."
        )
    gap = float((stored.double() - schedule.alpha_bar).abs().max())
    if not gap <= _SCHEDULE_TOLERANCE:
        raise CheckpointError(
            f"{path}: expected the cosine schedule, found one whose ᾱ differs by up to {gap:.1e}."
        )
