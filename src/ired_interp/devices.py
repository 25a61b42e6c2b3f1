"""Devices by name, checked before anything is computed."""

import torch

from ired_interp.errors import DtypeError

__all__ = ["check_device"]


def check_device(name: str) -> None:
    """Check that tensors can be made on a device of this name.

    Raises:
        DtypeError: torch does not know it, or has none here.
    """
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise DtypeError(
            f"device: expected one that torch can use here, such as cpu, found {name!r} ({reason})."
        ) from error
