"""The way of least energy between two minima: a nudged elastic band with a climbing image.

A chain of images hangs between the two ends. Each feels the energy's force across the chain and
springs along it, so that images slide down into the valley and keep equal distances; the highest
feels the energy's force turned round along the chain, and climbs to the saddle. Tangents are the
improved ones, which do not kink where the energy is steep; velocities follow FIRE, whose time step
comes from the largest curvature on the first path. The climbing image sits on the saddle, so the
images on either side of it are equally spaced among themselves.

Sources: Henkelman & Jónsson (2000), doi:10.1063/1.1323224 (tangents); Henkelman, Uberuaga & Jónsson
(2000), doi:10.1063/1.1329672 (climbing); Bitzek et al. (2006), doi:10.1103/PhysRevLett.97.170201.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.checks import Real, Whole, check_finite, real, whole
from ired_interp.curvature import spectrum
from ired_interp.errors import ShapeError
from ired_interp.landscape import Landscape

__all__ = ["Band", "Saddle", "find_saddle", "nudged_elastic_band"]

_LEAST_IMAGES = 3
# What a gradient can be told from 0 by, over ‖H‖ and a length, and what a band's can.
_TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}
_BAND_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4}
# FIRE: as published, but for the time step.
_MORE, _LESS, _MIX, _LESS_MIX, _PATIENCE = 1.1, 0.5, 0.1, 0.99, 5
_FIRST_STEP, _LONGEST_STEP = 0.1, 1.0  # in units of 1/√(largest curvature)
_MOST_MOVED = 0.5  # of the distance between images, in one step
_CLIMB_AT = 1e3  # times the tolerance
_NEWTON_STEPS = 20
_MOST_LOOKED_AT = 5


@dataclass(frozen=True, slots=True)
class Band:
    """The relaxed chain of each row.

    Attributes:
        images: From one end to the other.
        energy: E at each.
        residual: Largest force on an image that is left.
        peak: Which image is highest; 0 or m - 1 where nothing stands above the ends.
        converged: Whether the residual is at most tol·‖H‖·length, both of the first path.
        num_steps: Steps that the row took.
    """

    images: Float[Tensor, "n m d"]
    energy: Float[Tensor, "n m"]
    residual: Float[Tensor, " n"]
    peak: Int[Tensor, " n"]
    converged: Bool[Tensor, " n"]
    num_steps: Int[Tensor, " n"]


@dataclass(frozen=True, slots=True)
class Saddle:
    """A stationary point that Newton's method reached from a band's highest image.

    Attributes:
        y: The point; NaN where it was not found.
        energy: E there.
        gradient_norm: ‖∇E‖ there.
        num_negative: Negative eigenvalues of the Hessian there: 1 at the pass between two minima.
        moved: How far it lies from where the search began.
        found: Whether it converged, stayed near, and has exactly one negative eigenvalue.
    """

    y: Float[Tensor, "n d"]
    energy: Float[Tensor, " n"]
    gradient_norm: Float[Tensor, " n"]
    num_negative: Int[Tensor, " n"]
    moved: Float[Tensor, " n"]
    found: Bool[Tensor, " n"]


def nudged_elastic_band(
    land: Landscape,
    images: Float[Tensor, "n m d"],
    *,
    tol: Real | None = None,
    max_steps: Whole = 5_000,
) -> Band:
    """Relax a path between two minima; its ends stay where they are.

    Rows that do not converge are marked in the result, not raised.

    Args:
        land: The landscape, one row a path.
        images: The first path, such as `paths.straight_path`; images in different places.
        tol: Force left, as a share of ‖H‖ times the length of the first path; 1e-6 if None, in
            float32 1e-4.
        max_steps: Steps a row may take.

    Raises:
        ShapeError: Fewer than 3 images, images of other rows than the landscape's, two neighbours
            in one place, or ``tol`` or ``max_steps`` not positive.
        ShapeError, DtypeError, NonFiniteError: As the landscape's methods.

    Cost: one gradient an inner image and step, and extremal eigenvalues at five images a row to
    begin with.
    """
    max_steps = whole("max_steps", max_steps)
    tol = None if tol is None else real("tol", tol)
    share = _tolerance(tol, images, _BAND_TOLERANCE)
    _check(land, images, share, max_steps)
    n, m, _ = images.shape
    images = images.detach().clone()
    length = images.diff(dim=1).norm(dim=2).sum(dim=1)
    curvature = _largest_curvature(land, images)
    limit = share * curvature * length
    energy, gradient = _forces(land, images)
    clock = _Clock.start(curvature, images)
    converged = torch.zeros(n, dtype=torch.bool, device=images.device)
    residual = torch.full_like(limit, torch.inf)
    num_steps = torch.zeros(n, dtype=torch.long, device=images.device)
    climbs = torch.zeros_like(converged)
    rows = torch.arange(n, device=images.device)
    for step in range(max_steps + 1):
        force = _nudged(images[rows], energy[rows], gradient[rows], curvature[rows], climbs[rows])
        residual[rows] = force.norm(dim=2).amax(dim=1)
        done = (residual[rows] <= limit[rows]) & climbs[rows]
        climbs[rows] |= (residual[rows] <= _CLIMB_AT * limit[rows]) | (step > max_steps // 4)
        converged[rows[done]] = True
        rows, force = rows[~done], force[~done]
        if not len(rows) or step == max_steps:
            break
        images[rows, 1:-1] += clock.move(rows, force, length[rows] / (m - 1))
        here_energy, here_gradient = _forces(land.select(rows), images[rows])
        energy[rows], gradient[rows] = here_energy, here_gradient
        num_steps[rows] += 1
    return Band(images, energy, residual, energy.argmax(dim=1), converged, num_steps)


def find_saddle(
    land: Landscape,
    y: Float[Tensor, "n d"],
    *,
    within: Float[Tensor, " n"],
    tol: Real | None = None,
) -> Saddle:
    """Newton's method from points near saddles, with the distance that it may go.

    Args:
        land: The landscape.
        y: Where to start: a band's highest image.
        within: How far the saddle may lie from there, such as the distance between two images.
        tol: ‖∇E‖ ≤ tol·‖H‖·max(1, ‖y‖) is converged, and an eigenvalue below -tol·‖H‖ negative;
            1e-10 if None, in float32 1e-5.

    Raises:
        ShapeError: ``within`` is not a distance above 0 a row, or ``tol`` is not positive.
        ShapeError, DtypeError, NonFiniteError: As the landscape's methods.

    Cost: at most 20 Hessians, eigendecompositions and gradients a row.
    """
    tol = None if tol is None else real("tol", tol)
    limit = _tolerance(tol, y, _TOLERANCE)
    land.check_points(y)
    if within.shape != y.shape[:1] or not bool((within > 0).all()) or not limit > 0:
        raise ShapeError(
            f"find_saddle: expected tol > 0 and within [{y.shape[0]}] above 0, a distance a row, "
            f"found {limit} and {tuple(within.shape)}: {within.flatten().tolist()[:3]}."
        )
    start, y = y, y.detach().clone()
    energy, gradient = land.energy_and_gradient(y)
    still = torch.zeros_like(energy, dtype=torch.bool)
    for _ in range(_NEWTON_STEPS):
        values, vectors = torch.linalg.eigh(land.hessian(y))
        norm = values.abs().amax(dim=1)
        still = gradient.norm(dim=1) <= limit * norm * y.norm(dim=1).clamp_min(1)
        gone = (y - start).norm(dim=1) > within
        if bool((still | gone).all()):
            break
        floor = torch.finfo(y.dtype).eps * norm.clamp_min(torch.finfo(y.dtype).tiny)
        safe = torch.where(values.abs() > floor[:, None], values, floor[:, None])
        step = torch.einsum(
            "nde,ne->nd", vectors, torch.einsum("nde,nd->ne", vectors, gradient) / safe
        )
        far = step.norm(dim=1) > within
        step = torch.where(far[:, None], step * (within / step.norm(dim=1))[:, None], step)
        y = torch.where((still | gone)[:, None], y, y - step)
        energy, gradient = land.energy_and_gradient(y)
    values = torch.linalg.eigvalsh(land.hessian(y))
    norm = values.abs().amax(dim=1)
    negative = (values < -limit * norm[:, None]).sum(dim=1)
    moved = (y - start).norm(dim=1)
    found = still & (moved <= within) & (negative == 1)
    return Saddle(
        y=torch.where(found[:, None], y, torch.nan),
        energy=torch.where(found, energy, torch.nan),
        gradient_norm=gradient.norm(dim=1),
        num_negative=negative,
        moved=moved,
        found=found,
    )


@dataclass(frozen=True, slots=True)
class _Clock:
    """FIRE's velocities and time steps; they change as the band moves."""

    velocity: Tensor
    step: Tensor
    longest: Tensor
    mix: Tensor
    downhill: Tensor

    @classmethod
    def start(cls, curvature: Tensor, images: Tensor) -> "_Clock":
        unit = 1 / curvature.sqrt()
        return cls(
            velocity=torch.zeros_like(images[:, 1:-1]),
            step=_FIRST_STEP * unit,
            longest=_LONGEST_STEP * unit,
            mix=torch.full_like(unit, _MIX),
            downhill=torch.zeros_like(unit, dtype=torch.long),
        )

    def move(self, rows: Tensor, force: Tensor, spacing: Tensor) -> Tensor:
        """Where the images of some rows go next, at most half a spacing away."""
        velocity, step, mix = self.velocity[rows], self.step[rows], self.mix[rows]
        with_force = (velocity * force).sum(dim=(1, 2)) > 0
        downhill = torch.where(with_force, self.downhill[rows] + 1, 0)
        sizes = _size(velocity) / _size(force).clamp_min(torch.finfo(force.dtype).tiny)
        turned = (1 - mix)[:, None, None] * velocity + (mix * sizes)[:, None, None] * force
        velocity = torch.where(with_force[:, None, None], turned, 0)
        patient = with_force & (downhill > _PATIENCE)
        longer = torch.minimum(_MORE * step, self.longest[rows])
        step = torch.where(patient, longer, torch.where(with_force, step, _LESS * step))
        mix = torch.where(patient, _LESS_MIX * mix, torch.where(with_force, mix, _MIX))
        velocity = velocity + step[:, None, None] * force
        by = step[:, None, None] * velocity
        most = by.norm(dim=2).amax(dim=1).clamp_min(torch.finfo(force.dtype).tiny)
        share = (_MOST_MOVED * spacing / most).clamp(max=1)[:, None, None]
        self.velocity[rows], self.step[rows] = share * velocity, step
        self.mix[rows], self.downhill[rows] = mix, downhill
        moved: Tensor = share * by
        return moved


def _tolerance(tol: float | None, like: Tensor, usual: Mapping[torch.dtype, float]) -> float:
    return usual.get(like.dtype, usual[torch.float32]) if tol is None else tol


def _check(land: Landscape, images: Tensor, tol: float, max_steps: int) -> None:
    if images.ndim != 3 or images.shape[1] < _LEAST_IMAGES:  # noqa: PLR2004 - the number of axes
        raise ShapeError(
            f"nudged_elastic_band: expected images [n, m, d] with m ≥ {_LEAST_IMAGES}, found "
            f"{tuple(images.shape)}."
        )
    land.check_points(images[:, 0])
    check_finite("images", images)
    if bool((images.diff(dim=1).norm(dim=2) <= 0).any()):
        raise ShapeError(
            "nudged_elastic_band: expected neighbouring images that differ, found two in one "
            "place. Between two ends that are one minimum there is no path to relax."
        )
    if not tol > 0 or max_steps < 1:
        raise ShapeError(
            f"nudged_elastic_band: expected tol > 0 and max_steps ≥ 1, found {tol} and {max_steps}."
        )


def _largest_curvature(land: Landscape, images: Tensor) -> Tensor:
    """The largest |λ| of each row, at five of its images: it sets time steps and tolerances."""
    n, m, d = images.shape
    some = images[
        :,
        torch.linspace(0, m - 1, min(m, _MOST_LOOKED_AT), dtype=torch.float32, device=images.device)
        .round()
        .long(),
    ]
    rows = torch.arange(n, device=images.device).repeat_interleave(some.shape[1])
    found = spectrum(land.select(rows), some.reshape(-1, d), top=1, vectors=False, index=False)
    largest: Tensor = found.eigenvalues.abs().reshape(n, -1).amax(dim=1)
    return largest.clamp_min(torch.finfo(images.dtype).tiny)


def _forces(land: Landscape, images: Tensor) -> tuple[Tensor, Tensor]:
    n, m, d = images.shape
    rows = torch.arange(n, device=images.device).repeat_interleave(m)
    energy, gradient = land.select(rows).energy_and_gradient(images.reshape(n * m, d))
    return energy.reshape(n, m), gradient.reshape(n, m, d)


def _nudged(
    images: Tensor, energy: Tensor, gradient: Tensor, stiffness: Tensor, climbs: Tensor
) -> Tensor:
    """The force on each inner image."""
    steps = images.diff(dim=1)
    before, after = steps[:, :-1], steps[:, 1:]
    fall, rise = energy.diff(dim=1)[:, :-1, None], energy.diff(dim=1)[:, 1:, None]
    most = torch.maximum(rise.abs(), fall.abs())
    least = torch.minimum(rise.abs(), fall.abs())
    upward = energy[:, 2:, None] > energy[:, :-2, None]
    # At a peak or a trough both neighbours count, the higher one more.
    mixed = torch.where(upward, most * after + least * before, least * after + most * before)
    tangent = torch.where(
        (rise > 0) & (fall > 0), after, torch.where((rise < 0) & (fall < 0), before, mixed)
    )
    flat = tangent.norm(dim=2, keepdim=True) == 0
    tangent = torch.where(flat, before + after, tangent)
    size = tangent.norm(dim=2, keepdim=True).clamp_min(torch.finfo(energy.dtype).tiny)
    tangent = tangent / size
    inner = gradient[:, 1:-1]
    along = (inner * tangent).sum(dim=2, keepdim=True)
    gap = after.norm(dim=2, keepdim=True) - before.norm(dim=2, keepdim=True)
    force = along * tangent - inner + stiffness[:, None, None] * gap * tangent
    top = energy[:, 1:-1].argmax(dim=1)
    higher = energy[:, 1:-1].amax(dim=1) > torch.maximum(energy[:, 0], energy[:, -1])
    climbing = torch.zeros_like(energy[:, 1:-1], dtype=torch.bool)
    climbing[torch.arange(len(top), device=top.device), top] = climbs & higher
    return torch.where(climbing[:, :, None], 2 * along * tangent - inner, force)


def _size(vectors: Tensor) -> Tensor:
    size: Tensor = vectors.square().sum(dim=(1, 2)).sqrt()
    return size
