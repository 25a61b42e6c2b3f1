"""A landscape: the energy E_θ^k(x, ·) as a function of the candidate answer y alone."""

import copy
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ired_interp.checks import (
    Whole,
    check_like,
    check_matrix,
    check_model_dtype,
    check_vectors,
    finite,
    whole,
)
from ired_interp.energy.autodiff import AutodiffField
from ired_interp.energy.base import AnalyticEnergy, Energy, FixedCurvature
from ired_interp.energy.closed_forms import check_closed_forms
from ired_interp.energy.fields import AnalyticField, Field, blocks_within, where_defined
from ired_interp.energy.parts import ModelParts, SplitEnergy, SplitField
from ired_interp.energy.squares import SquaresField
from ired_interp.errors import DtypeError, EnergyError, ShapeError
from ired_interp.hessian_product import NO_SECOND_DERIVATIVE, HessianProduct
from ired_interp.schedule import Levels
from ired_interp.verification import NOT_ASKED, Verification
from ired_interp.verification import verify as _verify

__all__ = ["DEFAULT_MAX_BYTES", "Landscape"]

DEFAULT_MAX_BYTES = 64 * 2**20
_FEW_ROWS = 8


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
        level: Levels,
        *,
        max_bytes: Whole = DEFAULT_MAX_BYTES,
    ) -> None:
        check_matrix("x", x, columns=model.dim_x, of="the model's dim_x")
        check_model_dtype(model, x)
        timestep = model.schedule.timesteps(level, x.shape[0]).to(x.device)
        self._timestep: Tensor | None = timestep
        self._schedule = model.schedule
        self._setup(
            AnalyticField(model, x, timestep)
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
        dim_y: Whole,
        x: Float[Tensor, "n dim_x"] | None = None,
        *,
        max_bytes: Whole = DEFAULT_MAX_BYTES,
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
        return cls._of(AutodiffField(fn, () if x is None else (x,)), dim_y, x, max_bytes)

    @classmethod
    def of_squares(
        cls,
        fn: Callable[..., Tensor],
        dim_y: Whole,
        x: Float[Tensor, "n dim_x"] | None = None,
        *,
        max_bytes: Whole = DEFAULT_MAX_BYTES,
    ) -> "Landscape":
        """The landscape of E = ‖f‖², whose Hessian splits into 2·JᵀJ and 2·Σ_i f_i·∇²f_i.

        Args:
            fn: f: ``fn(y)`` → [n, r], or ``fn(x, y)`` → [n, r] if x is given, for any r ≥ 1. Called
                as `of` calls its ``fn``.
            dim_y: Entries of y.
            x: One row a row of y.
            max_bytes: Bound of the working memory.

        Raises:
            EnergyError: Later, where ``fn`` is called, as for `of`.
        """
        return cls._of(SquaresField(fn, () if x is None else (x,)), dim_y, x, max_bytes)

    @classmethod
    def _of(cls, field: Field, dim_y: Whole, x: Tensor | None, max_bytes: Whole) -> "Landscape":
        dim_y = whole("dim_y", dim_y, least=1)
        if x is not None:
            check_matrix("x", x)
        land = cls.__new__(cls)
        land._timestep = None
        land._setup(
            field,
            dim_y=dim_y,
            like=x,
            num_rows=None if x is None else x.shape[0],
            max_bytes=max_bytes,
        )
        return land

    def _setup(
        self,
        field: Field,
        *,
        dim_y: int,
        like: Tensor | None,
        num_rows: int | None,
        max_bytes: Whole,
    ) -> None:
        max_bytes = whole("max_bytes", max_bytes)
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
        return finite(out, "the energy")

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
        return finite(energy, "the energy"), finite(gradient, "the gradient")

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
        check_vectors(v, y)
        self.energy(y)  # no curvature where there is no energy
        rows = v[:, None] if v.ndim == 2 else v.mT  # noqa: PLR2004 - the number of axes
        out = self._products(y, rows)
        return out[:, 0] if v.ndim == 2 else out.mT  # noqa: PLR2004

    @torch.no_grad()
    def product(self, y: Float[Tensor, "n d"]) -> HessianProduct:
        """v ↦ ∇²_yE·v at fixed points, with m vectors as rows: `hvp` for many calls.

        The energy's forward pass at all rows is done here and held as long as the result is.

        Cost: one energy and one gradient; then one Hessian product a vector.

        Raises:
            ShapeError, DtypeError, NonFiniteError: y does not fit, or E is not finite there. A
                product that is not finite raises when it is taken.
        """
        self.check_points(y)
        blocks = tuple(rows for rows, _ in self._blocks(y, 1))
        parts = tuple(self._field.select(rows).linearise(y[rows]) for rows in blocks)
        known = [part.energy for part in parts if isinstance(part, FixedCurvature)]
        if len(known) == len(parts):
            finite(torch.cat(known), "the energy")
        else:
            self.energy(y)  # no curvature where there is no energy
        return HessianProduct(self, y, blocks, parts)

    def hessian(self, y: Float[Tensor, "n d"], *, verify: bool = True) -> Float[Tensor, "n d d"]:
        """∇²_yE at each row, symmetric.

        Args:
            y: The points.
            verify: Whether it is first held against the energy, as `verify` does.

        Cost: one energy, and d Hessian products or the closed form; the verification.

        Raises:
            ShapeError, DtypeError, NonFiniteError: y does not fit, or E or H is not finite.
            EnergyError: Its derivatives are not those of the energy.
        """
        return self.hessian_and_verification(y, verify=verify)[0]

    @torch.no_grad()
    def hessian_and_verification(
        self, y: Float[Tensor, "n d"], *, verify: bool = True
    ) -> tuple[Float[Tensor, "n d d"], Verification]:
        """`hessian`, and how far it was held against the energy."""
        self.check_points(y)
        known = self.verification(y, verify=verify)
        step = self._field.hessian_rows(self.max_bytes)
        if 0 < step < y.shape[0]:
            blocks = [slice(row, row + step) for row in range(0, y.shape[0], step)]
            h = torch.cat([self.select(rows).product(y[rows]).hessian() for rows in blocks])
        else:
            h = self.product(y).hessian() if step else self.assembled(y)
        if verify and isinstance(self._field, AnalyticField):
            for rows, _ in self._blocks(y, 1):
                check_closed_forms(self._field.select(rows), y[rows], h[rows], first=rows.start)
        return h, known

    def assembled(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d d"]:
        """∇²_yE in the energy's own way, or from products where not even one row fits.

        For checked points; nothing is verified.
        """
        self.energy(y)  # no curvature where there is no energy
        n, d = y.shape
        blocks = self._blocks(y, d)
        if all(columns == slice(0, d) for _, columns in blocks):
            parts = [self._field.select(rows).hessian(y[rows]) for rows, _ in blocks]
            return finite(torch.cat(parts), "the Hessian", NO_SECOND_DERIVATIVE)
        h = self._products(y, torch.eye(d, dtype=y.dtype, device=y.device).expand(n, -1, -1))
        return (h + h.mT) / 2

    @torch.no_grad()
    def verification(self, y: Float[Tensor, "n d"], *, verify: bool = True) -> Verification:
        """How far the derivatives at each row of y are those of the energy (docs/certificates.md).

        Closed forms of this package's own networks are verified by its tests, and not here.

        Args:
            y: The points.
            verify: False says that nothing was looked at.

        Raises:
            ShapeError, DtypeError, NonFiniteError: y does not fit.
            EnergyError: They are not, by more than the comparison's own error; or the energy is not
                the same from call to call or in other company.

        Cost: about 9 energies with gradients and a Hessian product; six times that at points where
        one step does not do.
        """
        self.check_points(y)
        if not verify:
            return Verification.without(y, NOT_ASKED)
        return Verification.join(
            [_verify(self._field.select(rows), y[rows]) for rows, _ in self._blocks(y, 1)]
        )

    @torch.no_grad()
    def check_closed_hessian(self, y: Float[Tensor, "n d"]) -> None:
        """Hold a model's ``hessian`` and ``product`` against its ``hvp``, at the first rows.

        Raises:
            EnergyError: They differ by more than round-off.

        Cost: nothing, unless the model brings closed forms of its own; then Hessians of 8 rows.
        """
        if isinstance(self._field, AnalyticField) and not self._field.is_tested:
            few, points = self._field.select(slice(0, _FEW_ROWS)), y[:_FEW_ROWS]
            check_closed_forms(few, points, few.hessian(points))

    @property
    def note(self) -> str:
        """What there is to say of how products were taken so far; mostly nothing."""
        return self._field.note

    @torch.no_grad()
    def energy_and_gradient_where_defined(
        self, y: Float[Tensor, "n d"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """E and ∇_yE; not finite, where the energy is not, and NaN where fn refuses a row.

        For trial points of a search. That rows are independent is not looked at again.
        """
        self.check_points(y)
        step = max(1, self.max_bytes // max(self._field.memory(y)(0), 1))
        blocks = [slice(row, row + step) for row in range(0, y.shape[0], step)]
        parts = [where_defined(self._field.select(rows), y[rows]) for rows in blocks]
        return torch.cat([e for e, _ in parts]), torch.cat([g for _, g in parts])

    @property
    def part_names(self) -> tuple[str, ...]:
        """The parts that ∇²_yE is a sum of.

        Raises:
            EnergyError: The energy is not known as such a sum.
        """
        return self._split_field().part_names

    @torch.no_grad()
    def hessian_parts(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n p d d"]:
        """The parts of ∇²_yE at each row, symmetric, in the order of ``part_names``.

        Cost: as `hessian`.

        Raises:
            EnergyError: The energy is not known as a sum of parts.
            ShapeError, DtypeError, NonFiniteError: As for `hessian`.
        """
        field = self._split_field()
        self.check_points(y)
        self.energy(y)  # no curvature where there is no energy
        blocks = self._blocks(y, y.shape[1])
        num_columns = blocks[0][1].stop
        parts = [
            field.select(rows).hessian_parts(y[rows], num_columns)
            for rows, columns in blocks
            if columns.start == 0
        ]
        return finite(torch.cat(parts), "a part of the Hessian")

    @torch.no_grad()
    def quadratic_parts(
        self, y: Float[Tensor, "n d"], v: Float[Tensor, "n d"] | Float[Tensor, "n d m"]
    ) -> Float[Tensor, "n p"] | Float[Tensor, "n p m"]:
        """vᵀ(part)v of each part of ∇²_yE, for one vector a row or for m of them.

        Cost: one energy and at most m Hessian products; no matrix is formed.

        Raises:
            EnergyError: The energy is not known as a sum of parts.
            ShapeError, DtypeError, NonFiniteError: As for `hvp`.
        """
        field = self._split_field()
        self.check_points(y)
        check_vectors(v, y)
        self.energy(y)  # no curvature where there is no energy
        vectors = v[:, None] if v.ndim == 2 else v.mT  # noqa: PLR2004 - the number of axes
        out = y.new_zeros(y.shape[0], len(field.part_names), vectors.shape[1])
        for rows, columns in self._blocks(y, vectors.shape[1]) if out.numel() else []:
            out[rows, :, columns] = field.select(rows).quadratic_parts(
                y[rows], vectors[rows, columns]
            )
        finite(out, "a part of the Hessian")
        return out[..., 0] if v.ndim == 2 else out  # noqa: PLR2004

    def _split_field(self) -> SplitField:
        field: object = self._field
        if isinstance(field, AnalyticField) and isinstance(field.model, SplitEnergy):
            return ModelParts(field.model, field.x, field.t)
        if isinstance(field, SplitField):
            return field
        raise EnergyError(
            "Landscape: this energy is not known as a sum of parts. If it is ‖f‖², build the "
            "landscape with Landscape.of_squares(fn, dim_y) from the fn that returns f; a model "
            "has to offer part_names, hessian_parts and quadratic_parts "
            "(ired_interp.energy.parts.SplitEnergy)."
        )

    def work(self, y: Float[Tensor, "n d"]) -> tuple[int, int]:
        """Floating-point operations, a row, of one Hessian product and of one dense Hessian.

        Counted or known, not timed: the same on every machine.

        Cost: nothing for a model that knows them, else two gradients and a product of one row.
        """
        return self._field.work(y)

    def product_bytes(self, y: Float[Tensor, "n d"], num_vectors: int = 1) -> int:
        """Bytes that `product` holds for each row, and needs while it works on so many vectors.

        Cost: nothing for a model that knows them, else one gradient of one row.
        """
        return self._field.memory(y)(num_vectors)

    def in_dtype(self, dtype: torch.dtype) -> "Landscape":
        """The same landscape with the model's weights and x rounded to another precision.

        Raises:
            DtypeError: The energy is not a torch module, so its numbers cannot be converted.
        """
        field = self._field
        if not isinstance(field, AnalyticField) or not isinstance(field.model, nn.Module):
            raise DtypeError(
                "in_dtype: expected the landscape of a model that is a torch.nn.Module, found "
                f"{type(field).__name__.strip('_')}; make it from weights of that dtype."
            )
        model = copy.deepcopy(field.model).to(dtype)
        x = field.x.to(dtype)
        land = Landscape.__new__(Landscape)
        land._timestep, land._schedule = self._timestep, self._schedule
        land._setup(
            AnalyticField(model, x, field.t),
            dim_y=self.dim_y,
            like=x,
            num_rows=self._num_rows,
            max_bytes=self.max_bytes,
        )
        return land

    @property
    def has_other_dtypes(self) -> bool:
        """Whether `in_dtype` can be used."""
        return isinstance(self._field, AnalyticField) and isinstance(self._field.model, nn.Module)

    def _products(self, y: Tensor, v: Tensor) -> Tensor:
        """Hessian products with vectors as rows, [n, m, d]."""
        out = torch.zeros_like(v)
        if v.shape[1] == 0:
            return out
        for rows, columns in self._blocks(y, v.shape[1]):
            out[rows, columns] = self._field.select(rows).hvp(y[rows], v[rows, columns])
        return finite(out, "the Hessian product", NO_SECOND_DERIVATIVE)

    def _blocks(self, y: Tensor, num_vectors: int) -> list[tuple[slice, slice]]:
        """Rows, and vectors where one row is too much, whose memory stays near the bound."""
        self._field.check_rows(y)
        return blocks_within(self._field.memory(y), y.shape[0], num_vectors, self.max_bytes)

    def check_rows(self, y: Float[Tensor, "n d"]) -> None:
        """Raise EnergyError if the energy's first rows influence one another."""
        self._field.check_rows(y)

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
            check_like("y", y, self._like, "x")
