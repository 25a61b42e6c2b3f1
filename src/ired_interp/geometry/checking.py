"""What the geometry refuses at its doors: shapes, dtypes, NaN, frames that are none."""

import torch
from torch import Tensor

from ired_interp.checks import check_finite, check_floating, check_like
from ired_interp.errors import ShapeError

__all__ = ["broadcast", "check_alike", "check_frame", "check_matrices", "check_same_dimension"]

_MATRIX_AXES = 2


def check_matrices(name: str, value: Tensor, *, shape: tuple[int, int] | None = None) -> None:
    """Check that an input is a finite floating-point tensor [..., rows, columns].

    Raises:
        DtypeError, ShapeError, NonFiniteError: Naming the input and what was found.
    """
    check_floating(name, value)
    if value.ndim < _MATRIX_AXES or 0 in value.shape[-2:]:
        raise ShapeError(f"{name}: expected matrices [..., m, n], found {tuple(value.shape)}.")
    if shape is not None and tuple(value.shape[-2:]) != shape:
        raise ShapeError(
            f"{name}: expected {shape[0]} × {shape[1]} matrices on the last two axes, found "
            f"{tuple(value.shape)}."
        )
    check_finite(name, value)


def check_alike(name: str, value: Tensor, like_name: str, like: Tensor) -> None:
    """Refuse another dtype or device, and leading axes that do not broadcast.

    Raises:
        DtypeError, ShapeError: Naming both.
    """
    check_like(name, value, like, like_name)
    try:
        _joined(value, like)
    except RuntimeError as error:
        raise ShapeError(
            f"{name}: expected leading axes that broadcast with those of {like_name}, "
            f"{tuple(like.shape[:-2])}, found {tuple(value.shape[:-2])}."
        ) from error


def check_frame(name: str, frame: Tensor) -> None:
    """Refuse columns that are not orthonormal to √ε of their dtype.

    Raises:
        DtypeError, ShapeError, NonFiniteError: Naming the frame and what was found.
    """
    check_matrices(name, frame)
    eye = torch.eye(frame.shape[-1], dtype=frame.dtype, device=frame.device)
    defect = float((frame.detach().mT @ frame.detach() - eye).abs().max()) if frame.numel() else 0.0
    if defect > torch.finfo(frame.dtype).eps ** 0.5:
        raise ShapeError(
            f"{name}: expected orthonormal columns, found products off by {defect:.1e}; pass it "
            "through orthonormalise first."
        )


def check_same_dimension(a: Tensor, b: Tensor) -> None:
    """Refuse subspaces of different dimension: they are points of different manifolds.

    Raises:
        ShapeError: Different d or k.
    """
    if a.shape[-2:] != b.shape[-2:]:
        raise ShapeError(
            "subspaces: expected two of one dimension in one space, found frames "
            f"{tuple(a.shape[-2:])} and {tuple(b.shape[-2:])}; principal_angles and overlap "
            "compare subspaces of different dimension."
        )


def broadcast(*values: Tensor) -> tuple[Tensor, ...]:
    """The same matrices with one set of leading axes."""
    lead = _joined(*values)
    return tuple(value.expand(*lead, *value.shape[-2:]) for value in values)


def _joined(*values: Tensor) -> tuple[int, ...]:
    shapes = (value.shape[:-2] for value in values)
    return tuple(torch.broadcast_shapes(*shapes))  # type: ignore[no-untyped-call]
