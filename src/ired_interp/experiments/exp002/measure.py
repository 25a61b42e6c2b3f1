"""What EXP-002 measures: minima, the barriers between them, chords, and the solver's path."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ired_interp.bands import find_saddle, nudged_elastic_band
from ired_interp.directions import random_directions
from ired_interp.draws import RowDraws
from ired_interp.energy.base import Energy
from ired_interp.errors import ConfigError
from ired_interp.experiments.kit.options import ModelOptions, bound_of, option
from ired_interp.experiments.kit.study import Prepared
from ired_interp.experiments.kit.variables import Values
from ired_interp.experiments.unit_data import scales_at
from ired_interp.geometry.spd import is_spd, skew_share, symmetric_part
from ired_interp.landscape import Landscape
from ired_interp.modes import (
    Modes,
    NoMode,
    SeveralModes,
    SingleMode,
    find_modes,
    num_minima,
    same_minimum,
)
from ired_interp.paths import barrier, convexity, energy_along, spd_path, straight_path
from ired_interp.points import PointKind
from ired_interp.slices import path_components, plane_through, project_path, random_walk_shares
from ired_interp.solve import solve
from ired_interp.tasks.inverse import Inverse

__all__ = [
    "FIRST_STEP",
    "Drawn",
    "Exp002Config",
    "draw_starts",
    "measure_landscape",
    "solver_path",
]

FIRST_STEP = 1
"""The path is looked at from the prediction after level 2 on: that after level 1 is noise over
s_1 = 0.005, and would be all of the variance."""
# The force left on a band, as a share of ‖H‖·length; Newton's method does the rest.
_BAND_TOLERANCE = 1e-3
_LEAST_STEPS = 2
_TINY = 1e-12
_LEAST_SAME_IN_FLOAT32 = 1e-3


@dataclass(frozen=True, kw_only=True)
class Exp002Config(ModelOptions):
    """What EXP-002 is asked."""

    problems: int | None = option(
        "How many problems are searched for minima", laptop=10, paper=100, least=1
    )
    slices: int | None = option(
        "How many of the problems are sliced, from the first on",
        laptop=1,
        paper=10,
        least=0,
        at_most="problems",
    )
    point: PointKind = option("Where in y the planes go through", default="minimum")
    grid: int = option(
        "Points of a slice on each axis, odd, so that the point itself is one of them",
        default=101,
        least=3,
    )
    reach: float = option("Half the side of a slice, in σ_t", default=3.0, above=0)
    rank: int | None = option(
        "Where the answer is cut for moves that keep or raise the rank; the task's inner rank, or "
        "half the side, if none",
        least=1,
    )
    starts: int | None = option("Descents a problem and level", laptop=8, paper=20, least=2)
    spread: float = option(
        "Standard deviation of the starts' entries, around 0", default=5.0, above=0
    )
    same: float = option(
        "Distance at which two ends are one minimum, as a share of max(1, ‖y‖); in float32 at "
        "least 0.001",
        default=1e-4,
    )
    chords: int = option(
        "Straight lines between typical points, a problem and level", default=8, least=1
    )
    images: int = option(
        "Points of a chord, and of a path between minima; odd. The elastic band has every second "
        "of them",
        default=21,
        least=5,
    )
    band_steps: int = option(
        "Steps of the elastic band between the two most visited minima", default=200, least=1
    )
    walks: int = option("Random walks that the solver's path is held against", default=200, least=2)
    controls: int | None = option(
        "Draws of untrained weights beside the model", laptop=8, paper=10, least=0
    )
    unit_problems: int = option("Problems a work unit", default=10, least=1)

    def __post_init__(self) -> None:
        """Check every field, and those that go together.

        Raises:
            ConfigError: One of them cannot be meant.
        """
        super().__post_init__()
        for name in ("grid", "images"):
            if getattr(self, name) % 2 == 0:
                raise ConfigError(f"{name}: expected an odd number, found {getattr(self, name)}.")
        if not 0 < self.same < 1:
            raise ConfigError(f"same: expected a share in (0, 1), found {self.same}.")
        if self.dtype == "float32" and self.same < _LEAST_SAME_IN_FLOAT32:
            raise ConfigError(
                f"same: expected at least {_LEAST_SAME_IN_FLOAT32} in float32, where descents to "
                f"one minimum end a few 1e-4 apart, found {self.same}. Give --same, or float64."
            )


@dataclass(frozen=True, kw_only=True)
class Drawn(Prepared):
    """What is drawn for a unit's problems, and is the same for all networks and levels.

    Attributes:
        starts: Of the descents, [n, starts, d].
        noise: ε of the two ends of each chord, [n, 2, chords, d].
        frame: Two random directions, [n, 2, d].
    """

    starts: Tensor
    noise: Tensor
    frame: Tensor


def draw_starts(config: Exp002Config, given: Prepared) -> Drawn:
    """The problems with starts, noise and directions, in their dtype."""
    answer, first = given.problems.y, given.first
    n, d = answer.shape

    def normal(purpose: str, *shape: int) -> Tensor:
        draws = RowDraws(n, seed=config.seed, purpose=f"exp002/{purpose}", first=first)
        return draws.normal(*shape).to(answer)

    frame = random_directions(n, d, seed=config.seed, purpose="exp002/path", first=first)
    return Drawn(
        task=given.task,
        problems=given.problems,
        first=first,
        schedule=given.schedule,
        coords={"step": np.arange(1, given.schedule.num_levels + 1)},
        starts=config.spread * normal("starts", config.starts or 0, d),
        noise=normal("chords", 2, config.chords, d),
        frame=frame.to(answer),
    )


def measure_landscape(model: Energy, given: Drawn, config: Exp002Config) -> Values:
    """Everything about one network; its group holds the problems too."""
    path = solver_path(model, given, config)
    columns: dict[str, list[Tensor]] = {}
    for level in config.levels:
        land = Landscape(model, given.problems.x, level)
        here = _of_minima(land, given, level, config) | _of_chords(land, given, level, config)
        for name, value in here.items():
            columns.setdefault(name, []).append(value)
    return {
        "x": given.problems.x,
        "answer": given.problems.y,
        "path": path,
        **{name: torch.stack(values, dim=1) for name, values in columns.items()},
        **_of_path(path[:, FIRST_STEP:], given, config),
    }


def solver_path(model: Energy, given: Prepared, config: Exp002Config) -> Tensor:
    """The solver's predictions after each level, unscaled, [n, K, d]."""
    bound = bound_of(config)
    found = solve(model, given.problems.x, seed=config.seed, first=given.first, bound=bound)
    return found.trajectory.transpose(0, 1)


def _of_minima(
    land: Landscape, given: Drawn, level: int, config: Exp002Config
) -> dict[str, Tensor]:
    """How many minima there are, and what stands between the two most visited."""
    answer = given.problems.y
    found = find_modes(land, given.starts, tol=config.same)
    minimum = torch.full_like(answer, torch.nan)
    for row, modes in enumerate(found):
        if not isinstance(modes, NoMode):
            minimum[row] = modes.y[0] if isinstance(modes, SeveralModes) else modes.y
    numbers = [_of_modes(modes) for modes in found]
    signal, sigma = scales_at(given.schedule, level)
    off = (minimum - signal * answer).norm(dim=1)
    pairs = {row: modes for row, modes in enumerate(found) if isinstance(modes, SeveralModes)}
    return {
        **{name: answer.new_tensor([one[name] for one in numbers]) for name in numbers[0]},
        "minimum_offset": off / (sigma * math.sqrt(answer.shape[1])),
        "minimum": minimum,
        **_of_barriers(land, pairs, given, config),
    }


def _of_modes(modes: Modes) -> dict[str, float]:
    """What is counted of the ends of one problem's descents."""
    converged, spread, softness, separation = 0, math.nan, math.nan, math.nan
    if not isinstance(modes, NoMode):
        converged, spread = modes.num_converged, modes.spread
    if isinstance(modes, SingleMode):
        softness = modes.softness
    if isinstance(modes, SeveralModes):
        softness, separation = float(modes.softness.min()), modes.separation
    return {
        "num_minima": num_minima(modes),
        "num_converged": converged,
        "same_minimum": same_minimum(modes),
        "mode_spread": spread,
        "mode_separation": separation,
        "softness": softness,
    }


_OF_BARRIERS = (
    "straight_height",
    "straight_excess",
    "geodesic_height",
    "geodesic_skew",
    "band_height",
    "saddle_height",
)


def _of_barriers(
    land: Landscape, pairs: Mapping[int, SeveralModes], given: Drawn, config: Exp002Config
) -> dict[str, Tensor]:
    """Barriers between the two most visited minima of the rows that have them."""
    like, size = given.problems.y, given.task.size
    out = {name: like.new_full(like.shape[:1], torch.nan) for name in _OF_BARRIERS}
    out["band_status"] = like.new_full(like.shape[:1], -1)
    if not pairs:
        return out
    rows = torch.tensor(list(pairs), device=like.device)
    a, b = (torch.stack([modes.y[i] for modes in pairs.values()]) for i in (0, 1))
    here = land.select(rows)
    line = straight_path(a, b, config.images)
    straight = barrier(energy_along(here, line), line)
    out["straight_height"][rows], out["straight_excess"][rows] = straight.height, straight.excess
    if isinstance(given.task.family, Inverse):
        first, last = (end.reshape(-1, size, size) for end in (a, b))
        out["geodesic_skew"][rows] = torch.maximum(skew_share(first), skew_share(last))
        there = is_spd(symmetric_part(first)) & is_spd(symmetric_part(last))
        if bool(there.any()):
            curve = spd_path(a[there], b[there], config.images, size=size)
            along = barrier(energy_along(here.select(there.nonzero().flatten()), curve), curve)
            out["geodesic_height"][rows[there]] = along.height
    # Every second image is enough to climb from: Newton's method finds the saddle itself.
    band = nudged_elastic_band(here, line[:, ::2], tol=_BAND_TOLERANCE, max_steps=config.band_steps)
    relaxed = barrier(band.energy, band.images)
    out["band_height"][rows] = relaxed.height
    out["band_status"][rows] = (~band.converged).to(like)
    top = band.images[torch.arange(len(rows), device=rows.device), band.peak]
    saddle = find_saddle(here, top, within=relaxed.length / (band.images.shape[1] - 1))
    ends = torch.maximum(band.energy[:, 0], band.energy[:, -1])
    out["saddle_height"][rows] = saddle.energy - ends
    return out


def _of_chords(
    land: Landscape, given: Drawn, level: int, config: Exp002Config
) -> dict[str, Tensor]:
    """Straight lines between typical points of the same problem: how convex, what barriers."""
    answer, chords = given.problems.y, config.chords
    n, d = answer.shape
    signal, sigma = scales_at(given.schedule, level)
    ends = signal * answer[:, None, None] + sigma * given.noise
    rows = torch.arange(n, device=answer.device).repeat_interleave(chords)
    lines = straight_path(ends[:, 0].reshape(-1, d), ends[:, 1].reshape(-1, d), config.images)
    energy = energy_along(land.select(rows), lines)
    along = barrier(energy, lines)
    return {
        "convexity": convexity(energy, lines).reshape(n, chords).nanmean(dim=1),
        "chord_height": along.height.reshape(n, chords).mean(dim=1),
        "chord_excess": along.excess.reshape(n, chords).mean(dim=1),
    }


def _of_path(path: Tensor, given: Drawn, config: Exp002Config) -> dict[str, Tensor]:
    """What planes keep of the solver's path, and of random walks with its step lengths."""
    kept = path_components(path).shares.sum(dim=1)
    plane = plane_through(
        path[:, -1],
        *given.frame.unbind(dim=1),
        unit=torch.ones_like(path[:, -1, 0]),
        names=("random", "random"),
    )
    steps = path.diff(dim=1).norm(dim=2)
    walks = random_walk_shares(
        steps, path.shape[2], num_draws=config.walks, seed=config.seed, first=given.first
    )
    less = (walks < kept[:, None]).to(path) + (walks == kept[:, None]).to(path) / 2
    moves = (steps > 0).sum(dim=1) >= _LEAST_STEPS
    # Round-off is all that an exactly flat path loses.
    lost, walks_lost = ((1 - share).clamp_min(_TINY) for share in (kept, walks))
    flatness = walks_lost.log().mean(dim=1) - lost.log()
    return {
        "path_kept": kept,
        "path_kept_random": project_path(plane, path).kept,
        "walk_kept": walks.mean(dim=1),
        "walk_deviation": walks.std(dim=1),
        "path_flatness": torch.where(moves, flatness, torch.nan),
        "path_place": torch.where(moves, less.mean(dim=1), torch.nan),
    }
