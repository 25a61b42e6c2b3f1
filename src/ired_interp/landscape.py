"""A landscape: the energy E_θ^k(x, ·) as a function of the candidate answer y alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ired_interp.energy.autodiff import AutodiffField
from ired_interp.energy.base import AnalyticEnergy, Energy
from ired_interp.errors import DtypeError, NonFiniteError, ShapeError

__all__ = ["DEFAULT_MAX_BYTES", "Landscape", "check_matrix"]

DEFAULT_MAX_BYTES = 64 * 2**20


@runtime_checkable
class _Field(Protocol):
    """E and its derivatives at fixed rows; tangents and vectors as rows."""

    def select(self, rows: slice | Tensor) -> "_Field": ...
    def energy(self, y: Tensor) -> Tensor: ...
    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]: ...
    def hvp(self, y: Tensor, v: Tensor) -> Tensor: ...
    def hessian(self, y: Tensor) -> Tensor: ...
    def memory(self, y: Tensor) -> Callable[[int], int]: ...
    def check_rows(self, y: Tensor) -> None: ...


@dataclass(frozen=True)
class _AnalyticField:
    """A model with closed-form derivatives, at fixed x and t."""

    model: AnalyticEnergy
    x: Tensor
    t: Tensor

    def select(self, rows: slice | Tensor) -> "_AnalyticField":
        return _AnalyticField(self.model, self.x[rows], self.t[rows])

    def energy(self, y: Tensor) -> Tensor:
        return self.model.energy(self.x, y, self.t)

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.energy_and_gradient(self.x, y, self.t)

    def hvp(self, y: Tensor, v: Tensor) -> Tensor:
        return self.model.hvp(self.x, y, self.t, v)

    def hessian(self, y: Tensor) -> Tensor:
        return self.model.hessian(self.x, y, self.t)

    def memory(self, y: Tensor) -> Callable[[int], int]:  # noqa: ARG002 - the protocol's
        return self.model.working_bytes

    def check_rows(self, y: Tensor) -> None:
        """A model's rows are independent by its protocol."""


class Landscape:
    """E(x, ·) at a level: energy, gradient and curvature with respect to y, at fixed θ and x.

    Rows are independent problems. Work is done in chunks of rows (and, for Hessians by autograd, of
    columns) so that the working memory beside the result stays near ``max_bytes``; at least one row
    is always taken. Numbers agree across chunkings to round-off. No method needs or leaves a graph.

    Args:
        model: An energy with ``.energy(x, y, t)``, ``.schedule``, ``.dim_x`` and ``.dim_y``. Closed
            forms are used where the model has them, else autograd.
        x: The questions, in the model's dtype and on its device.
        level: One level in 1 … K, or one a row.
        max_bytes: Bound of the working memory.

    Raises:
        LevelError: A level outside 1 … K.
        ShapeError, DtypeError, NonFiniteError: x does not fit the model.
    """

    def __init__(
        self,
        model: Energy,
        x: Float[Tensor, "n dim_x"],
        level: int | Sequence[int] | Int[Tensor, "..."],
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        check_matrix("x", x, columns=model.dim_x, of="the model's dim_x")
        _check_model_dtype(model, x)
        timestep = model.schedule.timesteps(level, x.shape[0]).to(x.device)
        self._timestep: Tensor | None = timestep
        self._schedule = model.schedule
        self._setup(
            _AnalyticField(model, x, timestep)
            if isinstance(model, AnalyticEnergy)
            else AutodiffField(lambda x, t, y: model.energy(x, y, t), (x, timestep)),
            dim_y=model.dim_y,
            like=x,
            num_rows=x.shape[0],
            max_bytes=max_bytes,
        )

    @classmethod
    def of(
        cls,
        fn: Callable[..., Tensor],
        dim_y: int,
        x: Float[Tensor, "n dim_x"] | None = None,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> "Landscape":
        """The landscape of any differentiable energy.

        Args:
            fn: ``fn(y)`` → [n], or ``fn(x, y)`` → [n] if x is given. It may be called with any of
                the rows in any order, with x taken along.
            dim_y: Entries of y.
            x: One row a row of y.
            max_bytes: Bound of the working memory.

        Raises:
            EnergyError: Later, where ``fn`` is called: wrong shape or dtype, rows that influence
                one another, or no derivative in y.
        """
        if isinstance(dim_y, bool) or not isinstance(dim_y, int) or dim_y < 1:
            raise ShapeError(f"dim_y: expected a whole number ≥ 1, found {dim_y!r}.")
        if x is not None:
            check_matrix("x", x)
        land = cls.__new__(cls)
        land._timestep = None
        land._setup(
            AutodiffField(fn, () if x is None else (x,)),
            dim_y=dim_y,
            like=x,
            num_rows=None if x is None else x.shape[0],
            max_bytes=max_bytes,
        )
        return land

    def _setup(
        self,
        field: _Field,
        *,
        dim_y: int,
        like: Tensor | None,
        num_rows: int | None,
        max_bytes: int,
    ) -> None:
        if max_bytes < 1:
            raise ShapeError(f"max_bytes: expected at least 1, found {max_bytes}.")
        self._field = field
        self._like = like
        self._num_rows = num_rows
        self.dim_y = dim_y
        self.max_bytes = max_bytes

    @property
    def timestep(self) -> Int[Tensor, " n"] | None:
        """t of each row; None for `Landscape.of`, which has no levels."""
        return self._timestep

    @property
    def sigma(self) -> Float[Tensor, " n"] | None:
        """σ_t of each row, float64 on the CPU; None for `Landscape.of`."""
        return None if self._timestep is None else self._schedule.sigma[self._timestep.cpu()]

    @property
    def signal(self) -> Float[Tensor, " n"] | None:
        """s_t of each row, float64 on the CPU; None for `Landscape.of`."""
        return None if self._timestep is None else self._schedule.signal[self._timestep.cpu()]

    def select(self, rows: slice | Int[Tensor, " k"]) -> "Landscape":
        """The landscape of some of the rows."""
        if self._num_rows is None:
            return self
        land = Landscape.__new__(Landscape)
        land._timestep = None if self._timestep is None else self._timestep[rows]
        if self._timestep is not None:
            land._schedule = self._schedule
        num_rows = (
            len(range(*rows.indices(self._num_rows)))
            if isinstance(rows, slice)
            else int(rows.shape[0])
        )
        land._setup(
            self._field.select(rows),
            dim_y=self.dim_y,
            like=self._like,
            num_rows=num_rows,
            max_bytes=self.max_bytes,
        )
        return land

    @torch.no_grad()
    def energy(self, y: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """E at each row.

        Raises:
            ShapeError, DtypeError, NonFiniteError: y does not fit, or E is not finite there.
        """
        self.check_points(y)
        out = torch.cat(
            [self._field.select(rows).energy(y[rows]) for rows, _ in self._blocks(y, 0)]
        )
        return _finite(out, "the energy")

    def gradient(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """∇_yE at each row. Cost: one forward and one backward pass."""
        return self.energy_and_gradient(y)[1]

    @torch.no_grad()
    def energy_and_gradient(
        self, y: Float[Tensor, "n d"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """E and ∇_yE from one forward pass."""
        self.check_points(y)
        parts = [
            self._field.select(rows).energy_and_gradient(y[rows]) for rows, _ in self._blocks(y, 0)
        ]
        energy = torch.cat([energy for energy, _ in parts])
        gradient = torch.cat([gradient for _, gradient in parts])
        return _finite(energy, "the energy"), _finite(gradient, "the gradient")

    @torch.no_grad()
    def hvp(
        self, y: Float[Tensor, "n d"], v: Float[Tensor, "n d"] | Float[Tensor, "n d m"]
    ) -> Float[Tensor, "n d"] | Float[Tensor, "n d m"]:
        """∇²_yE·v, for one vector a row or for m of them at once.

        Cost: one energy and m Hessian products.

        Raises:
            ShapeError, DtypeError, NonFiniteError: y or v does not fit, or E or the product is not
                finite.
        """
        self.check_points(y)
        if v.ndim not in (2, 3) or v.shape[:2] != y.shape:
            raise ShapeError(
                f"v: expected shape {tuple(y.shape)} or ({y.shape[0]}, {y.shape[1]}, m), found "
                f"{tuple(v.shape)}."
            )
        _check_like("v", v, y, "y")
        _check_finite("v", v)
        self.energy(y)  # no curvature where there is no energy
        rows = v[:, None] if v.ndim == 2 else v.mT  # noqa: PLR2004 - the number of axes
        out = self._products(y, rows)
        return out[:, 0] if v.ndim == 2 else out.mT  # noqa: PLR2004

    @torch.no_grad()
    def hessian(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d d"]:
        """∇²_yE at each row, symmetric.

        Cost: one energy, and d Hessian products or the closed form.

        Raises:
            ShapeError, DtypeError, NonFiniteError: y does not fit, or E or H is not finite.
        """
        self.check_points(y)
        self.energy(y)  # no curvature where there is no energy
        n, d = y.shape
        blocks = self._blocks(y, d)
        if any(columns != slice(0, d) for _, columns in blocks):  # not even one row fits
            eye = torch.eye(d, dtype=y.dtype, device=y.device).expand(n, -1, -1)
            h = self._products(y, eye)
            return (h + h.mT) / 2
        parts = [self._field.select(rows).hessian(y[rows]) for rows, _ in blocks]
        return _finite(torch.cat(parts), "the Hessian")

    def _products(self, y: Tensor, v: Tensor) -> Tensor:
        """Hessian products with vectors as rows, [n, m, d]."""
        out = torch.zeros_like(v)
        if v.shape[1] == 0:
            return out
        for rows, columns in self._blocks(y, v.shape[1]):
            out[rows, columns] = self._field.select(rows).hvp(y[rows], v[rows, columns])
        return _finite(out, "the Hessian product")

    def _blocks(self, y: Tensor, num_vectors: int) -> list[tuple[slice, slice]]:
        """Rows, and vectors where one row is too much, whose memory stays near the bound."""
        self._field.check_rows(y)
        bytes_for = self._field.memory(y)
        num_rows = max(1, self.max_bytes // max(bytes_for(num_vectors), 1))
        num_columns = num_vectors
        while num_columns > 1 and bytes_for(num_columns) > self.max_bytes:
            num_columns = (num_columns + 1) // 2
        return [
            (slice(row, row + num_rows), slice(column, min(column + num_columns, num_vectors)))
            for row in range(0, y.shape[0], num_rows)
            for column in range(0, max(num_vectors, 1), max(num_columns, 1))
        ]

    def check_points(self, y: Tensor) -> None:
        """Check that y has one finite point a row, in the landscape's dtype and on its device.

        Raises:
            ShapeError, DtypeError, NonFiniteError: It does not fit.
        """
        check_matrix("y", y, columns=self.dim_y, of="dim_y")
        if self._num_rows is not None and y.shape[0] != self._num_rows:
            raise ShapeError(
                f"y: expected {self._num_rows} rows, one a row of x, found {y.shape[0]}."
            )
        if self._like is not None:
            _check_like("y", y, self._like, "x")


def check_matrix(
    name: str, value: Tensor, *, columns: int | None = None, of: str = "columns"
) -> None:
    """Check that an input is a finite floating-point tensor [n, columns] with n ≥ 1.

    Raises:
        ShapeError, DtypeError, NonFiniteError: Naming the input and what was found.
    """
    if not isinstance(value, Tensor):
        raise DtypeError(
            f"{name}: expected a torch tensor, found {type(value).__name__}; convert it with "
            "torch.as_tensor."
        )
    if not value.is_floating_point():
        raise DtypeError(f"{name}: expected a floating-point tensor, found {value.dtype}.")
    if value.ndim != 2 or value.shape[0] == 0:  # noqa: PLR2004 - the number of axes
        raise ShapeError(
            f"{name}: expected shape [n, {columns or 'd'}] with n ≥ 1, found {tuple(value.shape)}."
        )
    if columns is not None and value.shape[1] != columns:
        raise ShapeError(
            f"{name}: expected {columns} entries a row ({of}), found {value.shape[1]}."
        )
    _check_finite(name, value)


def _check_finite(name: str, value: Tensor) -> None:
    bad = int((~torch.isfinite(value)).sum())
    if bad:
        raise NonFiniteError(
            f"{name}: expected finite numbers, found {bad} NaN or infinite of {value.numel()}."
        )


def _finite(value: Tensor, what: str) -> Tensor:
    wrong = ~torch.isfinite(value).flatten(1).all(1) if value.ndim > 1 else ~torch.isfinite(value)
    if bool(wrong.any()):
        rows = wrong.nonzero().flatten().tolist()
        raise NonFiniteError(
            f"{what} is NaN or infinite at {len(rows)} of {value.shape[0]} rows (first: row "
            f"{rows[0]}). Look at the size of y there and at the model's weights."
        )
    return value


def _check_like(name: str, value: Tensor, like: Tensor, like_name: str) -> None:
    if value.dtype != like.dtype or value.device != like.device:
        raise DtypeError(
            f"{name}: expected {like.dtype} on {like.device} as {like_name} is, found "
            f"{value.dtype} on {value.device}; convert one with .to()."
        )


def _check_model_dtype(model: Energy, x: Tensor) -> None:
    if not isinstance(model, nn.Module):
        return
    weights = [p for p in (*model.parameters(), *model.buffers()) if p.is_floating_point()]
    if weights:
        _check_like("x", x, weights[0], "the model")
