"""Whether the rows of an energy are independent, and the same from call to call."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.energy.roundoff import high_differences, magnitude
from ired_interp.errors import EnergyError

__all__ = ["RowsField", "check_rows"]

_NUM_PROBE_ROWS = 8
_BATCH_ULPS = 64.0
_NOISE_ULPS = (1, 3, 8)
_NOISES = 30.0
_DIFFERENCES = 1 / 6  # power of ε that makes the step of a high difference


@runtime_checkable
class RowsField(Protocol):
    """An energy at rows that may turn out not to be independent."""

    def select(self, rows: slice | Tensor) -> "RowsField":
        """The same at some of the rows."""
        ...

    def energy(self, y: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """E at each row."""
        ...

    def moved_by(
        self, y: Float[Tensor, "n d"], inside: Int[Tensor, " k"], outside: Int[Tensor, " l"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "l d"]]:
        """E of all rows together, and the derivative of Σ E over some rows by some others."""
        ...


def check_rows(field: RowsField, y: Float[Tensor, "n d"]) -> None:
    """Raise EnergyError if ``energy_fn`` changes, or its first rows influence one another.

    The first 8 rows are evaluated twice. Then the even and the odd ones are evaluated by
    themselves, in reversed order, and the derivative of their energies by the others must be
    exactly zero. Energies that differ may do so by their own round-off: as much as they change
    where y moves by a few units of the last place, or a few units of the last place of the
    largest number that they pass through.

    Cost: four energies and two gradients of at most 8 rows, for one row two energies. A
    coupling of rows of equal parity that moves no energy by a share of √ε escapes.
    """
    probe = field.select(slice(0, _NUM_PROBE_ROWS))
    y = y[:_NUM_PROBE_ROWS]
    first = probe.energy(y).nan_to_num(0, 0, 0)
    _check_repeats(probe, y, first)
    if y.shape[0] == 1:
        return
    order = torch.arange(y.shape[0], device=y.device).flip(0)
    for parity in (0, 1):
        inside, outside = order[order % 2 == parity], order[order % 2 != parity]
        if inside.numel() and outside.numel():
            _check_split(probe, y, inside, outside)


def _check_repeats(field: RowsField, y: Float[Tensor, "n d"], first: Float[Tensor, " n"]) -> None:
    """The same rows again: to the last bit, but for sums that a device takes in any order."""
    gap = (field.energy(y).nan_to_num(0, 0, 0) - first).abs().max()
    unit = _BATCH_ULPS * torch.finfo(y.dtype).eps
    if bool(gap <= unit * first.abs().max()):
        return
    if float(gap) > unit * magnitude(lambda: field.energy(y), y.dtype).largest:
        raise EnergyError(
            "Landscape: the energy is not the same function from call to call (at the same y "
            f"it changes by {float(gap):.1e}). Expected no state and no randomness: call eval()"
            " on a module (dropout, spectral norm and batch norm change in training mode), and "
            "look for draws and caches inside fn."
        )


def _check_split(
    field: RowsField,
    y: Float[Tensor, "n d"],
    inside: Int[Tensor, " k"],
    outside: Int[Tensor, " l"],
) -> None:
    alone = field.select(inside).energy(y[inside])

    together, moved = field.moved_by(y, inside, outside)
    # Rows that are not finite are named by whoever asked; at a kink a derivative is 0·∞.
    together, alone = together.nan_to_num(0, 0, 0), alone.nan_to_num(0, 0, 0)
    moved = moved.nan_to_num(0, 0, 0)
    scale = together.abs().max().clamp_min(torch.finfo(y.dtype).tiny)
    gap = (together[inside] - alone).abs().max()
    changed = bool(gap > torch.finfo(y.dtype).eps ** 0.5 * scale)
    if bool((moved != 0).any()) or (changed and float(gap) > _round_off(field, y, together)):
        raise EnergyError(
            "Landscape: the rows of the energy influence one another, or it remembers earlier "
            "calls (without its neighbours a row's energy changes by a share of "
            f"{float(gap / scale):.1e}). Expected the energy of a row to depend on that row "
            "alone: look for a mean, a sum, a batch norm or a roll over the first axis, and "
            "for a cache inside fn."
        )


def _round_off(field: RowsField, y: Float[Tensor, "n d"], energy: Float[Tensor, " n"]) -> float:
    """How far round-off may move an energy.

    The largest of what moving y by its last places does, of the noise that high differences of
    E show, and of a few last places of the largest number that it passes through.
    """
    eps = torch.finfo(y.dtype).eps
    signs = torch.where(torch.arange(y.shape[1], device=y.device) % 2 == 0, 1, -1).to(y)
    step = eps**_DIFFERENCES * torch.linalg.vector_norm(y, dim=1, keepdim=True) * signs
    near = [field.energy(y * (1 + k * eps * signs)).nan_to_num(0, 0, 0) for k in _NOISE_ULPS]
    moved = max(float((there - energy).abs().max()) for there in near)
    line = torch.stack([field.energy(y + k * step) for k in range(-3, 4)], dim=1)
    shown = [float(part.nan_to_num(0, 0, 0).abs().max()) for part in high_differences(line)]
    return max(
        _NOISES * moved,
        _NOISES * max(shown),
        _BATCH_ULPS * eps * magnitude(lambda: field.energy(y), y.dtype).largest,
    )
