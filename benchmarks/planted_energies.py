"""Energies in closed form for the calibration: a landscape of its own for every problem.

A problem is recognised by its question. All have an axis T over the timesteps of the schedule, so
that a landscape may differ from level to level.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
import xarray as xr
from torch import Tensor

from ired_interp.energy.base import AnalyticEnergy, Energy
from ired_interp.experiments.exp006.directions import TOP, own_frames
from ired_interp.models.zoo import untrained_model
from ired_interp.schedule import Schedule, cosine_schedule
from ired_interp.tasks import Problems, Task

__all__ = [
    "Quadratic",
    "Waves",
    "Wells",
    "aligned_bases",
    "as_run",
    "as_run_by_level",
    "from_eigen",
    "haar",
    "num_timesteps",
    "own_and_rest",
    "quadratic",
    "random_symmetric",
    "sigmas",
    "signals",
    "untrained",
]

_WIDTH = 32  # of untrained networks
_DRAW = 1_000_003  # between the seeds of a landscape's network and of its controls


def num_timesteps() -> int:
    """T."""
    return cosine_schedule().num_levels


def sigmas() -> Tensor:
    """σ_t, [T]."""
    return cosine_schedule().sigma.double()


def signals() -> Tensor:
    """s_t, [T]."""
    return cosine_schedule().signal.double()


class _Planted:
    """Rows of a batch find the problem that they belong to by its question."""

    def __init__(self, problems: Problems) -> None:
        self.schedule = cosine_schedule()
        self._x = problems.x
        self.dim_x, self.dim_y = problems.x.shape[1], problems.y.shape[1]

    def _rows(self, x: Tensor) -> Tensor:
        return torch.cdist(x, self._x).argmin(dim=1)

    def working_bytes(self, num_vectors: int) -> int:
        """An upper bound for one row."""
        return 64 * (num_vectors + 2) * self.dim_y**2


class Quadratic(_Planted):
    """E = ½(y - c)ᵀH(y - c) + bᵀ(y - c), with H, c and b of each problem and timestep."""

    has_tested_derivatives: ClassVar[bool] = True  # tests/contract/test_calibration_cases.py

    def __init__(self, problems: Problems, hessian: Tensor, centre: Tensor, slope: Tensor) -> None:
        super().__init__(problems)
        self._hessian, self._centre, self._slope = hessian, centre, slope

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E at each row."""
        return self.energy_and_gradient(x, y, t)[0]

    def energy_and_gradient(self, x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """E and ∇_yE."""
        row = self._rows(x)
        off, slope = y - self._centre[row, t], self._slope[row, t]
        bent = torch.einsum("nij,nj->ni", self._hessian[row, t], off)
        return (off * (bent / 2 + slope)).sum(1), bent + slope

    def hvp(self, x: Tensor, y: Tensor, t: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002
        """∇²_yE·v."""
        return v @ self._hessian[self._rows(x), t]

    def hessian(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:  # noqa: ARG002
        """∇²_yE."""
        return self._hessian[self._rows(x), t]


class Wells(_Planted):
    """E = Σ_j w_j·(z_j² - 1)²/4 + h_j·z_j²/2, z = Qᵀy/ℓ.

    Coordinate j is a double well where w_j > 0, with minima at ±1 and a barrier of w_j/4 between
    them; a bowl where w_j = 0 and h_j > 0.

    Args:
        problems: With n rows.
        bases: Q, [n, d, d].
        wells: w, [n, T, d].
        bowls: h, [n, T, d].
        length: ℓ.
    """

    has_tested_derivatives: ClassVar[bool] = True  # tests/contract/test_calibration_cases.py

    def __init__(
        self,
        problems: Problems,
        bases: Tensor,
        wells: Tensor,
        bowls: Tensor,
        *,
        length: float,
    ) -> None:
        super().__init__(problems)
        self._bases, self._wells, self._bowls = bases, wells, bowls
        self._length = length

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E at each row."""
        return self.energy_and_gradient(x, y, t)[0]

    def energy_and_gradient(self, x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """E and ∇_yE."""
        row = self._rows(x)
        z = self._turned(row, y)
        w, h = self._wells[row, t], self._bowls[row, t]
        energy = (w * (z.square() - 1).square() / 4 + h * z.square() / 2).sum(1)
        slope = w * z * (z.square() - 1) + h * z
        return energy, torch.einsum("nij,nj->ni", self._bases[row], slope) / self._length

    def hvp(self, x: Tensor, y: Tensor, t: Tensor, v: Tensor) -> Tensor:
        """∇²_yE·v."""
        return v @ self.hessian(x, y, t)

    def hessian(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """∇²_yE."""
        row = self._rows(x)
        z = self._turned(row, y)
        bent = (self._wells[row, t] * (3 * z.square() - 1) + self._bowls[row, t]) / self._length**2
        return (self._bases[row] * bent[:, None]) @ self._bases[row].mT

    def _turned(self, row: Tensor, y: Tensor) -> Tensor:
        return torch.einsum("nij,ni->nj", self._bases[row], y) / self._length


class Waves(_Planted):
    """E = Σ_k a_k·cos(f_kᵀ(y - c) + φ_k) + h·‖y - c‖²/2: bent up as often as down where h = 0.

    Args:
        problems: With n rows.
        frequencies: f, [n, k, d].
        phases: φ, [n, k].
        amplitudes: a, [n, k].
        bowls: h, [n].
    """

    has_tested_derivatives: ClassVar[bool] = True  # tests/contract/test_calibration_cases.py

    def __init__(
        self,
        problems: Problems,
        frequencies: Tensor,
        phases: Tensor,
        amplitudes: Tensor,
        bowls: Tensor,
    ) -> None:
        super().__init__(problems)
        self._frequencies, self._phases = frequencies, phases
        self._amplitudes, self._bowls = amplitudes, bowls
        self._centre = signals()[:, None] * problems.y[:, None]

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E at each row."""
        return self.energy_and_gradient(x, y, t)[0]

    def energy_and_gradient(self, x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """E and ∇_yE."""
        row = self._rows(x)
        off, f, angle, a = self._parts(row, y, t)
        h = self._bowls[row]
        energy = (a * angle.cos()).sum(1) + h * off.square().sum(1) / 2
        slope = torch.einsum("nk,nkd->nd", -a * angle.sin(), f)
        return energy, slope + h[:, None] * off

    def hvp(self, x: Tensor, y: Tensor, t: Tensor, v: Tensor) -> Tensor:
        """∇²_yE·v."""
        return v @ self.hessian(x, y, t)

    def hessian(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """∇²_yE."""
        row = self._rows(x)
        _, f, angle, a = self._parts(row, y, t)
        bent = torch.einsum("nk,nki,nkj->nij", -a * angle.cos(), f, f)
        flat = torch.eye(self.dim_y, dtype=y.dtype)
        return (bent + bent.mT) / 2 + self._bowls[row][:, None, None] * flat

    def _parts(self, row: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        off = y - self._centre[row, t]
        f = self._frequencies[row]
        angle = torch.einsum("nkd,nd->nk", f, off) + self._phases[row]
        return off, f, angle, self._amplitudes[row]


def quadratic(
    problems: Problems, hessian: Tensor, *, off: Tensor | None = None, slope: Tensor | None = None
) -> Quadratic:
    """A quadratic around s_t·(y* + off), [n, d], plus a slope [n, T, d]; none of both by default.

    ``hessian`` is [n, T, d, d], unscaled: 1/σ_t times the identity is the ideal.
    """
    y = problems.y if off is None else problems.y + off
    centre = signals()[:, None] * y[:, None]
    return Quadratic(
        problems, hessian, centre, torch.zeros_like(centre) if slope is None else slope
    )


def haar(n: int, d: int, rng: torch.Generator) -> Tensor:
    """Random orthogonal matrices, [n, d, d]."""
    q, r = torch.linalg.qr(torch.randn(n, d, d, generator=rng, dtype=torch.float64))
    out: Tensor = q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None]
    return out


def random_symmetric(n: int, d: int, rng: torch.Generator) -> Tensor:
    """Matrices of the gaussian orthogonal ensemble with entries of variance 1/d, [n, d, d]."""
    a = torch.randn(n, d, d, generator=rng, dtype=torch.float64)
    out: Tensor = (a + a.mT) / (2 * d) ** 0.5
    return out


def from_eigen(bases: Tensor, values: Tensor) -> Tensor:
    """Q·diag(λ)·Qᵀ: bases [..., d, d] (columns) and values [..., d], which broadcast."""
    h = (bases * values[..., None, :]) @ bases.mT
    return (h + h.mT) / 2


def own_and_rest(task: Task, problems: Problems) -> tuple[Tensor, Tensor]:
    """Frames of each problem's own subspace, [n, d, l], and of the rest, [n, d, d - l]."""
    own = torch.stack(own_frames(task, problems, TOP)).double()
    num = own.shape[-1]
    whole = torch.linalg.qr(own, mode="complete").Q
    return own, whole[..., num:]


def aligned_bases(own: Tensor, rest: Tensor, share: Tensor, rng: torch.Generator) -> Tensor:
    """Orthonormal columns, [n, d, d]: the first l have ``share`` [n] of them in the own subspace.

    Their partners, the next l, have the other share, and the others none.
    """
    n, d, num = own.shape
    mine = own @ haar(n, num, rng)
    theirs = rest @ haar(n, d - num, rng)
    a, b = share.sqrt()[:, None, None], (1 - share).sqrt()[:, None, None]
    first, other = theirs[..., :num], theirs[..., num:]
    return torch.cat([a * mine + b * first, b * mine - a * first, other], dim=-1)


def untrained(task: Task, seed: int, num: int, *, width: int = _WIDTH) -> list[Energy]:
    """So many networks with random weights."""
    return [untrained_model(task, seed=seed * _DRAW + i, width=width) for i in range(num)]


def as_run(
    measure: Callable[[Energy], xr.Dataset],
    model: Energy,
    controls: Sequence[Energy],
    **attrs: object,
) -> xr.DataTree:
    """What a run of ``model`` beside ``controls`` would have returned."""
    return _tree([measure(one) for one in (model, *controls)], attrs)


def as_run_by_level(
    measure: Callable[[Energy, tuple[int, ...]], xr.Dataset],
    model: Energy,
    controls: Sequence[Energy],
    **attrs: object,
) -> xr.DataTree:
    """The same of the finest level alone, where networks stand as the levels of one model.

    What is the same for all networks, problems, noise and moves, is then computed once. Of no use
    for the solver's path, which would lead through one network after the other.
    """
    networks = [model, *controls]
    analytic = [one for one in networks if isinstance(one, AnalyticEnergy)]
    whole = len(analytic) == len(networks)
    side = _AnalyticSideBySide(analytic) if whole else _SideBySide(networks)
    data = measure(side, tuple(range(1, len(networks) + 1)))
    each = [data.isel(level=data["timestep"].values == i) for i in range(len(networks))]
    return _tree([one.assign_coords(level=[num_timesteps()]) for one in each], attrs)


def _tree(each: Sequence[xr.Dataset], attrs: Mapping[str, object]) -> xr.DataTree:
    draws = [one.expand_dims(draw=[i]) for i, one in enumerate(each[1:])]
    beside = xr.concat(draws, "draw", data_vars="all", coords="minimal", compat="override")
    return xr.DataTree.from_dict(
        {"/": each[0].assign_attrs(attrs), "controls/untrained": beside.assign_attrs(attrs)}
    )


class _SideBySide:
    """Timestep i is network i at its finest level; all of them have its signal and noise."""

    def __init__(self, networks: Sequence[Energy]) -> None:
        usual = cosine_schedule()
        finest = torch.zeros(len(networks), dtype=torch.long)
        self.schedule = Schedule(usual.alpha_bar[finest], usual.beta[finest])
        self.dim_x, self.dim_y = networks[0].dim_x, networks[0].dim_y
        self._networks = networks

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E at each row; all rows are of one timestep."""
        return self._networks[_only(t)].energy(x, y, torch.zeros_like(t))


class _AnalyticSideBySide:
    """The same of energies with closed forms."""

    has_tested_derivatives: ClassVar[bool] = True  # as those of its networks are

    def __init__(self, networks: Sequence[AnalyticEnergy]) -> None:
        plain = _SideBySide(networks)
        self.schedule, self.dim_x, self.dim_y = plain.schedule, plain.dim_x, plain.dim_y
        self._networks = networks

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E at each row; all rows are of one timestep."""
        return self._networks[_only(t)].energy(x, y, torch.zeros_like(t))

    def energy_and_gradient(self, x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """E and ∇_yE."""
        return self._networks[_only(t)].energy_and_gradient(x, y, torch.zeros_like(t))

    def hvp(self, x: Tensor, y: Tensor, t: Tensor, v: Tensor) -> Tensor:
        """∇²_yE·v."""
        return self._networks[_only(t)].hvp(x, y, torch.zeros_like(t), v)

    def hessian(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """∇²_yE."""
        return self._networks[_only(t)].hessian(x, y, torch.zeros_like(t))

    def working_bytes(self, num_vectors: int) -> int:
        """An upper bound for one row."""
        return max(one.working_bytes(num_vectors) for one in self._networks)


def _only(t: Tensor) -> int:
    (one,) = set(t.tolist())
    return int(one)
