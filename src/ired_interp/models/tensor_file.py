"""Tensors and words as a safetensors file: the same content has the same bytes.

The library writes the words of the metadata in an order of chance. Here they are sorted; any reader
of the format reads both. Its own reader of files takes no path that is not UTF-8; this one does.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

__all__ = ["read_safetensors", "read_words", "to_safetensors"]

# The header's length, an unsigned number, little-endian; tensors begin at a multiple of 8.
_LENGTH_BYTES = 8


def to_safetensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The file's content.

    Args:
        tensors: On any device; they are stored from contiguous copies.
        metadata: Words by name.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save(plain)
    begin = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    places = json.loads(content[_LENGTH_BYTES:begin])
    header = {"__metadata__": dict(sorted(metadata.items())), **dict(sorted(places.items()))}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH_BYTES)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text + content[begin:]


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, and its words.

    Raises:
        SafetensorError: Damaged or cut off.
        OSError: It cannot be read at all.
    """
    return load(path.read_bytes()), read_words(path)


def read_words(path: Path) -> dict[str, str]:
    """The words in the header of a file; its tensors are not read.

    Raises:
        SafetensorError, OSError: As `read_safetensors`.
    """
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        text = stream.read(min(length, path.stat().st_size))
    try:
        header = json.loads(text)
        return dict(header.get("__metadata__", {}))
    except (ValueError, AttributeError, TypeError) as error:
        raise SafetensorError(f"the header is no JSON object: {error}") from error
