"""Who computes which unit at the moment: claims that end with the process that holds them.

A unit is a pure function, so two processes that compute the same one write the same bytes. A claim
saves that work, and lets others see where it is done; nothing depends on it.
"""

from contextlib import AbstractContextManager
from pathlib import Path

from ired_interp.runs import locks
from ired_interp.runs.locks import Holder

__all__ = ["Holder", "claim", "forget", "holder_of"]


def claim(folder: Path, index: int) -> AbstractContextManager[bool]:
    """Hold a unit while it is computed.

    Args:
        folder: The run's ``running``.
        index: Of the unit.

    Returns:
        To be used with ``with``; gives whether the unit is ours. If not, another process is at
        work on it.

    Raises:
        StorageError: The file system refused.
    """
    return locks.hold(_of_unit(folder, index))


def holder_of(folder: Path, index: int) -> Holder | None:
    """The live process that computes a unit; None if none does."""
    return locks.holder_of(_of_unit(folder, index))


def forget(folder: Path, index: int) -> None:
    """Remove what a process that is known to be dead left behind."""
    locks.forget(_of_unit(folder, index))


def _of_unit(folder: Path, index: int) -> Path:
    return folder / f"unit-{index:05d}"
