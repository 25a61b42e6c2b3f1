"""Files of ``torch.save``, of every age, read as data: nothing in them is ever run.

torch reads its zip files and, since 0.1.10, the format before 1.6, both without running code. What
it cannot read so is refused with what the file is, for torch's own words name neither.
"""

import pickle
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ired_interp.errors import CheckpointError
from ired_interp.models.file_kinds import HEAD_BYTES, kind_of

__all__ = ["read_torch"]

_ZIP = b"PK"
# The pickled number with which the format before 1.6 begins.
_BEFORE_1_6 = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_BEFORE_0_1_10 = {"sys_info", "pickle", "storages", "tensors"}
# All that bytes which were changed or cut off were seen to raise in torch's reader.
_RAISED = (
    pickle.UnpicklingError,
    RuntimeError,
    AssertionError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
    OSError,
)
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
_SAID = "WeightsUnpickler error:"


def read_torch(path: Path, *, map_location: str | Callable[[Any, str], Any] = "cpu") -> Any:
    """The content of a file that ``torch.save`` wrote.

    Args:
        path: Of the file.
        map_location: As `torch.load` takes it.

    Raises:
        CheckpointError: Not such a file, cut off, damaged, or with more than tensors, numbers and
            texts in it.
        OSError: It cannot be read at all.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        if not head.startswith((_ZIP, _BEFORE_1_6)):
            raise CheckpointError(
                f"{path}: not a checkpoint: expected safetensors or what torch.save writes, found "
                f"{_old_tar(path) or kind_of(head)}."
            )
        if head.startswith(_ZIP) and (wrong := _of_zip(path)):
            raise CheckpointError(f"{path}: {wrong}")
        stream.seek(0)
        try:
            return torch.load(stream, map_location=map_location, weights_only=True)
        except _RAISED as error:
            raise CheckpointError(f"{path}: {_of_content(error)}") from error


def _of_zip(path: Path) -> str | None:
    """What is wrong with a zip file as a whole; None where it is one of ``torch.save``."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return (
            "the file is truncated or damaged: it begins as torch.save's zip files do and has no "
            "table of contents at its end. Copy it again."
        )
    if any(name.endswith("/constants.pkl") for name in names):
        return (
            "expected plain tensors, found a TorchScript archive, a program with its weights; it "
            "was not run. Where you trust it, save torch.jit.load(PATH).state_dict()."
        )
    if not any(name.endswith("data.pkl") for name in names):
        listed = (", ".join(names[:3]) or "nothing") + (" …" if names[3:] else "")
        return (
            f"not a checkpoint: expected a zip file of torch.save, found one of {listed}. Unpack "
            "it and name the checkpoint inside."
        )
    return None


def _of_content(error: BaseException) -> str:
    words = str(error).partition(_SAID)[2] or str(error) or type(error).__name__
    found = _GLOBAL.search(words) if isinstance(error, pickle.UnpicklingError) else None
    if found:
        return (
            f"expected plain tensors, numbers and texts, found {found[1]}: a pickle of whole "
            "objects, which only running code can load; it was not run. In the code that made it, "
            "save state_dict() and plain numbers."
        )
    reason = words.strip().splitlines()[0].partition(" Please")[0].rstrip(".: ")
    return f"the file is damaged or truncated ({reason:.120}). Copy it again."


def _old_tar(path: Path) -> str | None:
    """torch's first format, which no reader takes without running code."""
    try:
        with tarfile.open(path, "r:") as archive:
            names = set(archive.getnames())
    except (tarfile.TarError, OSError, ValueError, EOFError):
        return None
    if not names >= _BEFORE_0_1_10:
        return None
    return (
        "torch's tar format from before 0.1.10, which cannot be read without running code; it was "
        "not run. Where you trust the file, torch.save(torch.load(PATH, weights_only=False), NEW) "
        "converts it"
    )
