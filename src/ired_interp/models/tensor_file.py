"""Tensors and words as a safetensors file: the same content has the same bytes.

The library writes the words of the metadata in an order of chance. Here they are sorted; any reader
of the format reads both.
"""

import json
from collections.abc import Mapping

from safetensors.torch import save
from torch import Tensor

__all__ = ["to_safetensors"]

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
