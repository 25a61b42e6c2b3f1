"""Checks of the tensors and numbers that come in at public doors, and of those that go out."""

import operator
from typing import SupportsFloat, SupportsIndex, TypeAlias

import torch
from torch import Tensor, nn

from ired_interp.errors import DtypeError, IredInterpError, NonFiniteError, ShapeError

__all__ = [
    "Real",
    "Whole",
    "as_real",
    "as_whole",
    "check_finite",
    "check_floating",
    "check_like",
    "check_matrix",
    "check_model_dtype",
    "check_vectors",
    "finite",
    "plain",
    "real",
    "whole",
    "whole_numbers",
]

Whole: TypeAlias = SupportsIndex
"""A whole number of any library, such as NumPy's, for `whole` to take."""

Real: TypeAlias = SupportsFloat | SupportsIndex
"""A real number of any library, for `real` to take."""


def plain(value: object) -> object:
    """A number of NumPy, torch or xarray as Python's own; anything else as it is."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def as_whole(value: object) -> int | None:
    """The whole number as Python's int, which never overflows; None for 2.0, True and any other."""
    number = plain(value)
    if isinstance(number, bool) or hasattr(number, "shape"):
        return None
    return operator.index(number) if isinstance(number, SupportsIndex) else None


def as_real(value: object) -> float | None:
    """The real number as Python's float; None for True, texts and any other."""
    number = plain(value)
    if isinstance(number, bool) or hasattr(number, "shape"):
        return None
    return float(number) if isinstance(number, SupportsFloat | SupportsIndex) else None


def whole(
    name: str,
    value: object,
    *,
    least: int | None = None,
    error: type[IredInterpError] = ShapeError,
) -> int:
    """The whole number as Python's int, whatever library it came from.

    Raises:
        ShapeError, or the given error: 2.0, True, a text or an array with axes; a number below
            ``least``.
    """
    number = as_whole(value)
    if number is None or (least is not None and number < least):
        wanted = "" if least is None else f" ≥ {least}"
        found = value if number is None else number
        raise error(f"{name}: expected a whole number{wanted}, found {found!r}.")
    return number


def whole_numbers(**values: object) -> tuple[int, ...]:
    """`whole` of each."""
    return tuple(whole(name, value) for name, value in values.items())


def real(name: str, value: object, *, error: type[IredInterpError] = ShapeError) -> float:
    """The real number as Python's float, whatever library it came from.

    Raises:
        ShapeError, or the given error: True, a text or an array with axes.
    """
    number = as_real(value)
    if number is None:
        raise error(f"{name}: expected a number, found {value!r}.")
    return number


_USUAL_ADVICE = "Look at the size of y there and at the model's weights."


def check_matrix(
    name: str, value: Tensor, *, columns: int | None = None, of: str = "columns"
) -> None:
    """Check that an input is a finite floating-point tensor [n, columns] with n ≥ 1.

    Raises:
        ShapeError, DtypeError, NonFiniteError: Naming the input and what was found.
    """
    check_floating(name, value)
    if value.ndim != 2 or value.shape[0] == 0:  # noqa: PLR2004 - the number of axes
        raise ShapeError(
            f"{name}: expected shape [n, {columns or 'd'}] with n ≥ 1, found {tuple(value.shape)}."
        )
    if columns is not None and value.shape[1] != columns:
        raise ShapeError(
            f"{name}: expected {columns} entries a row ({of}), found {value.shape[1]}."
        )
    check_finite(name, value)


def check_floating(name: str, value: Tensor) -> None:
    """Refuse what is no tensor, and integers."""
    if not isinstance(value, Tensor):
        raise DtypeError(
            f"{name}: expected a torch tensor, found {type(value).__name__}; convert it with "
            "torch.as_tensor."
        )
    if not value.is_floating_point():
        raise DtypeError(f"{name}: expected a floating-point tensor, found {value.dtype}.")


def check_finite(name: str, value: Tensor) -> None:
    """Refuse NaN and infinity."""
    bad = int((~torch.isfinite(value)).sum())
    if bad:
        raise NonFiniteError(
            f"{name}: expected finite numbers, found {bad} NaN or infinite of {value.numel()}."
        )


def check_vectors(v: Tensor, y: Tensor) -> None:
    """Refuse vectors that are not one or m a row of y, finite and like it."""
    if v.ndim not in (2, 3) or v.shape[:2] != y.shape:
        raise ShapeError(
            f"v: expected shape {tuple(y.shape)} or ({y.shape[0]}, {y.shape[1]}, m), found "
            f"{tuple(v.shape)}."
        )
    check_like("v", v, y, "y")
    check_finite("v", v)


def finite(value: Tensor, what: str, advice: str = _USUAL_ADVICE) -> Tensor:
    """The value itself, row by row finite, or NonFiniteError with the first row that is not."""
    if bool(torch.isfinite(value.sum())):  # then all are, and a sum is quicker than looking at each
        return value
    wrong = ~torch.isfinite(value).flatten(1).all(1) if value.ndim > 1 else ~torch.isfinite(value)
    if bool(wrong.any()):
        rows = wrong.nonzero().flatten().tolist()
        raise NonFiniteError(
            f"{what} is NaN or infinite at {len(rows)} of {value.shape[0]} rows (first: row "
            f"{rows[0]}). {advice}"
        )
    return value


def check_like(name: str, value: Tensor, like: Tensor, like_name: str) -> None:
    """Refuse another dtype or device than that of the tensor it goes with."""
    if value.dtype != like.dtype or value.device != like.device:
        raise DtypeError(
            f"{name}: expected {like.dtype} on {like.device} as {like_name} is, found "
            f"{value.dtype} on {value.device}; convert one with .to()."
        )


def check_model_dtype(model: object, x: Tensor) -> None:
    """Refuse an x that is not in the dtype and on the device of the weights."""
    if not isinstance(model, nn.Module):
        return
    weights = [p for p in (*model.parameters(), *model.buffers()) if p.is_floating_point()]
    if weights:
        check_like("x", x, weights[0], "the model")
