"""Tensors and words as a safetensors file: the same content has the same bytes.

The library writes the words of the metadata in an order of chance. Here they are sorted; any reader
of the format reads both. Its own reader of files takes no path that is not UTF-8; this one does.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load, save
from torch import Tensor

from ired_interp.models.card import LENGTH_BYTES, read_words

__all__ = ["read_safetensors", "read_words", "to_safetensors"]


def to_safetensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The file's content.

    Args:
        tensors: On any device; they are stored from contiguous copies.
        metadata: Words by name.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save(plain)
    begin = LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES], "little")
    places = json.loads(content[LENGTH_BYTES:begin])
    header = {"__metadata__": dict(sorted(metadata.items())), **dict(sorted(places.items()))}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text + content[begin:]


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, and its words.

    Raises:
        SafetensorError: Damaged or cut off.
        OSError: It cannot be read at all.
    """
    return load(path.read_bytes()), read_words(path)
