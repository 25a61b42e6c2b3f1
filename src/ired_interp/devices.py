"""Devices by name, checked before anything is computed."""

import torch

from ired_interp.errors import DtypeError

__all__ = ["check_device", "check_device_name"]


def check_device_name(name: str) -> None:
    """Check that torch knows such a device; it need not be here, as where a run is only planned.

    Raises:
        DtypeError: It does not.
    """
    try:
        torch.device(name)
    except RuntimeError as error:
        raise DtypeError(
            f"device: expected a name that torch knows, such as cpu or cuda, found {name!r}."
        ) from error


def check_device(name: str) -> None:
    """Check that tensors can be made on a device of this name.

    Raises:
        DtypeError: torch does not know it, or has none here.
    """
    try:
        torch.zeros(1, dtype=torch.float32, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DtypeError(
            f"device: expected one that torch can compute on here, such as cpu, found {name!r}."
        ) from error
