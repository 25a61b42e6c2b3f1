"""What a model of ours says of itself, read from the head of its file: no weights are read.

The card is JSON in the metadata of a safetensors file, which begins with the length of a JSON
header. `ired_interp.models.checkpoint` reads the whole file, and checks it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ired_interp.choices import Weights
from ired_interp.errors import CheckpointError

__all__ = [
    "FORMAT",
    "LENGTH_BYTES",
    "VERSION",
    "ModelCard",
    "bundled_file",
    "card_of",
    "damaged_card",
    "list_models",
    "read_card",
    "read_words",
]

FORMAT = "ired-interp-model"
VERSION = 1
# The header's length, an unsigned number, little-endian; tensors begin at a multiple of 8.
LENGTH_BYTES = 8

_SUFFIX = ".safetensors"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a checkpoint of ours says about itself.

    Attributes:
        task: Name of the task.
        size: Side of the matrix.
        options: The task's options, as `ired_interp.task` takes them.
        dim_x: Entries of x.
        dim_y: Entries of y.
        width: Units of a hidden layer.
        num_levels: K.
        weights: Which weights these are: the moving average (``ema``) or the ``online`` ones.
        training: How it was trained: config, steps, provenance, curve.
        validation: Error on the fixed held-out problems: ``mse``, ``num_problems``, ``rule`` …
    """

    task: str
    size: int
    options: Mapping[str, Any] = field(default_factory=dict)
    dim_x: int
    dim_y: int
    width: int
    num_levels: int
    weights: Weights
    training: Mapping[str, Any]
    validation: Mapping[str, Any]


def list_models() -> list[str]:
    """Names of the bundled models, those of the inverse task first."""
    names = [path.name.removesuffix(_SUFFIX) for path in _folder().glob(f"*{_SUFFIX}")]
    return sorted(names, key=lambda name: (not name.startswith("inverse"), name))


def bundled_file(name: str) -> Path:
    """Where a bundled model lies."""
    return _folder() / f"{name}{_SUFFIX}"


def read_card(path: Path) -> ModelCard:
    """The card of a file of ours.

    Raises:
        CheckpointError: It is damaged, or no model of ours.
    """
    try:
        return card_of(path, read_words(path))
    except SafetensorError as error:
        raise CheckpointError(
            f"{path}: the safetensors file is damaged or truncated ({error}). Copy it again."
        ) from error


def read_words(path: Path) -> dict[str, str]:
    """The words in the header of a file; its tensors are not read.

    Raises:
        SafetensorError, OSError: Damaged or cut off; or it cannot be read at all.
    """
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(LENGTH_BYTES), "little")
        text = stream.read(min(length, path.stat().st_size))
    try:
        header = json.loads(text)
        return dict(header.get("__metadata__", {}))
    except (ValueError, AttributeError, TypeError) as error:
        raise SafetensorError(f"the header is no JSON object: {error}") from error


def card_of(path: Path, metadata: Mapping[str, str]) -> ModelCard:
    """The card in the words of a file.

    Raises:
        CheckpointError: They are not those of a model of ours, or the card is damaged.
    """
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: expected format {FORMAT!r} in the header, found "
            f"{metadata.get('format')!r}: these are other tensors, not a model of ired-interp."
        )
    if metadata.get("version") != str(VERSION):
        raise CheckpointError(
            f"{path}: expected version {VERSION} of the format, found "
            f"{metadata.get('version')!r}; a newer ired-interp wrote it. Upgrade."
        )
    try:
        content = json.loads(metadata.get("card", ""))
        known = {f.name for f in fields(ModelCard)}
        return ModelCard(**{k: v for k, v in content.items() if k in known})
    except (json.JSONDecodeError, TypeError, AttributeError) as error:
        raise damaged_card(path, error) from error


def damaged_card(path: Path, error: Exception) -> CheckpointError:
    """Says what is wrong with a card."""
    return CheckpointError(f"{path}: the card in the header is damaged ({error}).")


def _folder() -> Path:
    return Path(str(files("ired_interp") / "models" / "bundled"))
