"""Whether a file of weights can be read without running code, is finite, and was ever trained.

A linear layer that PyTorch has just made has weights drawn evenly from ±1/√n for n inputs. Training
moves some of them out of that interval; where not one of thousands has left it, and they are still
spread as evenly as at first, nothing was trained.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from ired_interp.errors import CheckpointError, UnknownNameError
from ired_interp.models.checkpoint import read_checkpoint
from ired_interp.models.tensor_file import read_safetensors, read_words
from ired_interp.models.torch_file import read_torch
from ired_interp.preflight.check import Check, failed, not_checked, passed

__all__ = ["SUFFIXES", "check_weights"]

SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors")

_FEWEST = 64
# Of the interval: weights are stored in float32, and an empty edge is no sign of training.
_EDGE, _MARGIN = 0.9, 1e-5
_Z = 5.0
# Variance of a square of an even draw from (−1, 1): E u⁴ − (E u²)² = 1/5 − 1/9.
_SPREAD = math.sqrt(1 / 5 - 1 / 9)
_OURS = "ired-interp-model"


def check_weights(name: str, path: Path) -> Iterator[Check]:
    """Look at one file: ``checkpoint``, ``finite`` if it fails, and ``trained``.

    Args:
        name: What the config calls it.
        path: Where it is.
    """
    places: set[str] = set()
    try:
        state = _read(path, places)
    except (CheckpointError, UnknownNameError, OSError) as error:
        yield failed(
            "checkpoint",
            f"{name}: {str(error).removeprefix(f'{path}: ')}",
            "tensors alone, in a file that can be read without running code",
            "torch.save(model.state_dict(), PATH) in the code that made it, or take another file",
        )
        return
    bad = {
        key: int((~torch.isfinite(v)).sum()) for key, v in state.items() if v.is_floating_point()
    }
    wrong = [key for key, count in bad.items() if count]
    if wrong:
        count, total = bad[wrong[0]], state[wrong[0]].numel()
        yield failed(
            "finite",
            f"{name}: {wrong[0]}: {count} of {total} weights are NaN or infinite",
            "finite weights: the training exploded",
            "take an earlier checkpoint",
        )
        return
    try:
        steps = _steps(path)
    except (CheckpointError, UnknownNameError) as error:
        yield failed(
            "checkpoint", f"{name}: {error}", "a checkpoint in a known format", "see there"
        )
        return
    elsewhere = sorted(places - {"cpu"})
    saved = f", saved from {', '.join(elsewhere)}" if elsewhere else ""
    yield passed(
        "checkpoint", f"{name}: {len(state)} tensors, readable without running code{saved}"
    )
    yield _trained(name, state, steps)


def _trained(name: str, state: Mapping[str, Tensor], steps: int | None) -> Check:
    layers = {
        key: value
        for key, value in state.items()
        if value.ndim == 2 and value.is_floating_point() and value.numel() >= _FEWEST  # noqa: PLR2004
    }
    says = "" if steps is None else f"; the file says {steps} steps"
    if steps == 0:
        return _untrained(name, "the file says that it has taken 0 steps")
    if not layers:
        return not_checked("trained", f"{name} has no linear layer of {_FEWEST} weights or more")
    fresh = [key for key, value in layers.items() if _is_fresh(value)]
    if len(fresh) == len(layers):
        return _untrained(name, f"all {len(layers)} layers look as PyTorch draws them{says}")
    return passed(
        "trained",
        f"{name}: {len(layers) - len(fresh)} of {len(layers)} layers have left their initial "
        f"interval{says}",
    )


def _untrained(name: str, why: str) -> Check:
    return failed(
        "trained",
        f"{name}: {why}",
        "a trained model",
        "train it, or --skip trained if untrained weights are meant",
    )


def _is_fresh(value: Tensor) -> bool:
    """Whether a matrix is an even draw from ±1/√n, as far as that can be seen."""
    u = value.double().flatten() * math.sqrt(value.shape[1])
    if not _EDGE < float(u.abs().max()) <= 1 + _MARGIN:
        return False
    z = (float(u.square().mean()) - 1 / 3) * math.sqrt(u.numel()) / _SPREAD
    return abs(z) < _Z


def _read(path: Path, places: set[str]) -> dict[str, Tensor]:
    """All tensors of a file by name; ``places`` collects the devices they were saved from."""
    if not path.is_file():
        raise CheckpointError("no such file")
    if path.suffix == ".safetensors":
        try:
            return read_safetensors(path)[0]
        except SafetensorError as error:
            raise CheckpointError(f"the file is damaged or cut off ({error})") from error

    def note(storage: Any, place: str) -> Any:
        places.add(place)
        return storage

    content = read_torch(path, map_location=note)
    found = dict(_tensors(content, ""))
    if not found:
        raise CheckpointError("no tensors in it")
    return found


def _steps(path: Path) -> int | None:
    """Steps of training that a file of ours or of the reference names."""
    if path.suffix == ".safetensors":
        if read_words(path).get("format") != _OURS:
            return None
        card = read_checkpoint(path).card
        done = card.training.get("steps_done") if card is not None else None
        return done if isinstance(done, int) else None
    content = read_torch(path)
    step = content.get("step") if isinstance(content, dict) else None
    return step if isinstance(step, int) else None


def _tensors(content: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(content, Tensor):
        yield prefix or "tensor", content
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from _tensors(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(content, list | tuple):
        for number, value in enumerate(content):
            yield from _tensors(value, f"{prefix}.{number}" if prefix else str(number))
