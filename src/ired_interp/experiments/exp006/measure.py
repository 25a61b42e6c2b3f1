"""What EXP-006 collects: scores over noise draws, their spectra, and what their components do.

The scores of all levels are put into one array that is made beforehand; what is held at once grows
with the problems of a unit and with nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ired_interp.draws import RowDraws
from ired_interp.energy.base import Energy
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import ConfigError, NonFiniteError
from ired_interp.experiments.exp006.directions import ENDS, own_frames, rises, shares
from ired_interp.experiments.kit.options import ModelOptions, bound_of, option
from ired_interp.experiments.kit.study import Prepared
from ired_interp.experiments.kit.variables import Values
from ired_interp.experiments.unit_data import draw_problems, scales_at, to_numpy
from ired_interp.landscape import DEFAULT_MAX_BYTES, Landscape
from ired_interp.score_field import (
    SpectrumOfRows,
    centred_svd,
    concentration,
    num_beyond_edge,
)
from ired_interp.solve import solve

__all__ = [
    "PLACES",
    "TRAJECTORY",
    "TYPICAL",
    "Drawn",
    "Exp006Config",
    "bytes_of",
    "chosen_components",
    "draw",
    "measure_scores",
    "measure_with_scores",
]

TYPICAL: Final = "typical"
TRAJECTORY: Final = "trajectory"
PLACES = (TYPICAL, TRAJECTORY)

_COMPONENTS = 3
# What is held in float64 beside what is stored: points, scores, the solver's path, their SVD.
_COPIES = 6
_ROUND_OFF = 200  # ε of the scores' dtype, times the root mean square of typical ones


@dataclass(frozen=True, kw_only=True)
class Exp006Config(ModelOptions):
    """What EXP-006 is asked."""

    problems: int | None = option("How many problems", laptop=32, paper=100, least=1)
    noise: int | None = option(
        "Noise draws a problem, at typical points and as starts of the solver",
        laptop=48,
        paper=100,
        least=3,
    )
    components: int | None = option(
        "How many components of each end are looked at; 3 if none, or half of the spectrum where "
        "that is fewer",
        least=1,
    )
    radius: float = option(
        "Length of a move along a component, in units of the length σ_t·√d of the noise",
        default=0.25,
        above=0,
    )
    storage: Literal["float32", "float16"] = option("How the scores are stored", default="float32")
    controls: int | None = option(
        "Draws of untrained weights beside the model", laptop=8, paper=10, least=0
    )
    random_draws: int | None = option("Random directions a problem", laptop=32, paper=100, least=1)
    bound: float | None = option(
        "The solver's clamp; that of the model's training if none", above=0
    )
    unit_problems: int = option("Problems a work unit", default=16, least=1)


@dataclass(frozen=True, kw_only=True)
class Drawn(Prepared):
    """What is drawn for a unit's problems, and their own subspaces.

    Attributes:
        noise: ε, [n, 1 + N, d]; draw 0 is kept for the moves.
        random: Unit directions, [n, m, d].
        frames: Of the own subspaces of *all* problems of the run, by end; float64 on the CPU.
        of_noise: The spectrum of the noise itself, by variable.
    """

    noise: Tensor
    random: Tensor
    frames: Mapping[str, Sequence[Tensor]]
    of_noise: Values


@dataclass(frozen=True, slots=True)
class _Field:
    """The scores of one network, with what they were collected at and their spectrum.

    Attributes:
        points: [n, L, places, 1 + N, d], those of the noise draws in their order.
        score: ∇E there.
        floor: [n, L], as `_score_floor` has it.
        spectrum: Of the scores but those of draw 0, over the draws.
        ends: The first and last k components, [n, L, places, ends, d, k].
        known: Which of them there are, [n, L, places, ends].
    """

    points: Tensor
    score: Tensor
    floor: Tensor
    spectrum: SpectrumOfRows
    ends: Tensor
    known: Tensor


def chosen_components(config: Exp006Config, dim_y: int) -> int:
    """How many components of each end: asked for or 3, at most half of the spectrum.

    Raises:
        ConfigError: More were asked for, or the spectrum has no halves.
    """
    noise = config.noise or 0
    most = min(noise - 1, dim_y) // 2
    asked = config.components
    if most < 1 or (asked is not None and asked > most):
        raise ConfigError(
            f"components: expected 1 … {most}, half of the spectrum of {noise} scores of {dim_y} "
            f"entries, found {asked if asked is not None else 'none'}."
        )
    return min(_COMPONENTS, most) if asked is None else asked


def bytes_of(config: Exp006Config, problems: int, model: EnergyMLP) -> int:
    """By how much a unit lets a process grow: what is stored and in hand, and a network's work."""
    draws = 1 + (config.noise or 0) + 2 * (config.random_draws or 0)
    # The model's scores and the spectra of draws of weights stay while other networks are measured.
    stay = 1 + (config.noise or 0) + 2 * (config.controls or 0)
    held = _COPIES * draws + stay
    each = 8 * held * len(PLACES) * len(config.levels) * model.dim_y
    return 2 * DEFAULT_MAX_BYTES + problems * each


def draw(config: Exp006Config, given: Prepared) -> Drawn:
    """Draw noise and random directions; the config is planned."""
    y, task, first = given.problems.y, given.task, given.first
    n, d = y.shape
    draws = RowDraws(n, seed=config.seed, purpose="exp006/noise", first=first)
    noise = draws.normal(1 + (config.noise or 0), d).to(y)
    draws = RowDraws(n, seed=config.seed, purpose="exp006/random directions", first=first)
    random = torch.nn.functional.normalize(draws.normal(config.random_draws or 0, d), dim=-1)
    everyone = draw_problems(task, config, 0, config.problems or 0)
    alone = centred_svd(noise[:, 1:].double())
    total = alone.eigenvalues.sum(-1, keepdim=True)
    return Drawn(
        task=task,
        problems=given.problems,
        first=first,
        schedule=given.schedule,
        coords={"place": list(PLACES), "end": list(ENDS)},
        variables={"noise": _fitted("noise", noise[:, 1:], config)},
        noise=noise,
        random=random.to(y),
        frames={
            end: [frame.double().cpu() for frame in own_frames(task, everyone, end)] for end in ENDS
        },
        of_noise={
            "noise_concentration": concentration(alone),
            "noise_beyond_edge": num_beyond_edge(alone),
            "noise_eigenvalue": alone.eigenvalues * alone.num_entries / total,
        },
    )


def measure_scores(model: Energy, given: Drawn, config: Exp006Config) -> Values:
    """Spectra of the scores, whose subspace their components lie in, and what these do."""
    return _numbers(model, given, config, _field(model, given, config))


def measure_with_scores(model: Energy, given: Drawn, config: Exp006Config) -> Values:
    """The same, with the scores themselves, the solver's path and the components.

    Raises:
        NonFiniteError: A score does not fit into the dtype of storage.
    """
    field = _field(model, given, config)
    components = torch.where(field.known[..., None, None], field.ends, torch.nan).mT
    return {
        **_numbers(model, given, config, field),
        "score": _fitted("score", field.score[..., 1:, :], config),
        "path": _fitted("path", field.points[:, :, PLACES.index(TRAJECTORY), 1:], config),
        "component": to_numpy(components).astype(config.storage),
    }


def _field(model: Energy, given: Drawn, config: Exp006Config) -> _Field:
    points, score = _collect(model, given, config)
    floor = _score_floor(score)
    spectrum = _above(floor, centred_svd(score[..., 1:, :].double()), score)
    k = config.components or 0
    ends = torch.stack([spectrum.components[..., :k], spectrum.components[..., -k:]], dim=3)
    known = spectrum.eigenvalues[..., 0].isfinite()[..., None].expand(*ends.shape[:4]).clone()
    # The last components of fewer draws than dimensions are not those of least variance.
    known[..., 1] &= spectrum.num_rows - 1 >= spectrum.num_entries
    return _Field(points, score, floor, spectrum, ends, known)


def _collect(model: Energy, given: Drawn, config: Exp006Config) -> tuple[Tensor, Tensor]:
    """Points and gradients at 1 + N typical points and 1 + N ends of trajectories."""
    problems, noise = given.problems, given.noise
    n, num, d = noise.shape
    x = problems.x.repeat_interleave(num, dim=0)
    path = solve(model, x, start=noise.reshape(-1, d), bound=bound_of(config)).trajectory
    points = noise.new_empty(n, len(config.levels), len(PLACES), num, d)
    score = torch.empty_like(points)
    for k, level in enumerate(config.levels):
        signal, sigma = scales_at(model.schedule, level)
        land = Landscape(model, x, level)
        points[:, k, 0] = signal * problems.y[:, None] + sigma * noise
        points[:, k, 1] = signal * path[level - 1].reshape(n, num, d)
        for p in range(len(PLACES)):
            score[:, k, p] = land.gradient(points[:, k, p].reshape(-1, d)).reshape(n, num, d)
    return points, score


def _score_floor(score: Tensor) -> Tensor:
    """[n, L]: the spread of scores below which the round-off of a gradient shows in a spectrum.

    A gradient is a sum of terms as large as those of a typical point, wherever it is taken: its
    round-off does not shrink with it. It is below a tenth of this floor (a test holds float32
    beside float64), and so below 1 % of the variance that is reported. How
    much it is depends on the processor's kernels and on the batch.
    """
    typical = score[:, :, PLACES.index(TYPICAL), 1:].double()
    size: Tensor = typical.square().mean(dim=(-2, -1)).sqrt()
    return _ROUND_OFF * torch.finfo(score.dtype).eps * size


def _above(floor: Tensor, spectrum: SpectrumOfRows, score: Tensor) -> SpectrumOfRows:
    """The spectrum, NaN where the scores spread by less than the floor over draws."""
    spread = score[..., 1:, :].double().var(dim=-2, correction=0).mean(dim=-1).sqrt()
    drowned = spread <= floor[..., None]
    values = torch.where(drowned[..., None], torch.nan, spectrum.eigenvalues)
    return replace(spectrum, eigenvalues=values)


def _numbers(model: Energy, given: Drawn, config: Exp006Config, field: _Field) -> Values:
    return {
        **given.of_noise,
        "score_floor": field.floor,
        **_of_spectra(field),
        **_of_alignment(given, field),
        **_of_moves(model, given, config, field),
    }


def _of_spectra(field: _Field) -> Values:
    spectrum, score = field.spectrum, field.score[..., 1:, :]
    mean = spectrum.eigenvalues.sum(dim=-1, keepdim=True) / spectrum.num_entries
    relative = spectrum.eigenvalues / mean
    squares = (score - spectrum.mean[..., None, :]).square().sum(dim=-1)
    # Over the largest first: fourth powers of what is left of a descent leave the range.
    squares = squares / squares.amax(dim=-1, keepdim=True)
    draws = squares.sum(dim=-1).square() / squares.square().sum(dim=-1)
    known = spectrum.eigenvalues[..., 0].isfinite()
    return {
        "effective_draws": torch.where(known, draws, torch.nan),
        "score_rms": score.square().mean(dim=(-2, -1)).sqrt(),
        "concentration": concentration(spectrum),
        "beyond_edge": num_beyond_edge(spectrum),
        "top_eigenvalue": relative[..., 0],
        "eigenvalue": relative,
        "mean_score": spectrum.mean,
    }


def _of_alignment(given: Drawn, field: _Field) -> Values:
    known, own, other = field.known.cpu(), [], []
    for e, end in enumerate(ENDS):
        mine, theirs = shares(field.ends[:, :, :, e].cpu(), given.frames[end], given.first)
        own.append(torch.where(known[..., e], mine, torch.nan))
        other.append(torch.where(known[..., e], theirs, torch.nan))
    return {"own_share": torch.stack(own, dim=-1), "other_share": torch.stack(other, dim=-1)}


def _of_moves(model: Energy, given: Drawn, config: Exp006Config, field: _Field) -> Values:
    """Energy and error a short way along components and along random directions."""
    n, _, places, ends, d, k = field.ends.shape
    found: dict[str, Any] = {}
    by_level = []
    for i, level in enumerate(config.levels):
        by_place = []
        for p in range(places):
            components = field.ends[:, i, p].mT.reshape(n, ends * k, d)
            directions = torch.cat([components.to(given.random), given.random], dim=1)
            at = field.points[:, i, p, 0]
            moved = rises(model, given.problems, level, at, directions, config.radius)
            by_place.append(torch.stack(moved))
        by_level.append(torch.stack(by_place, dim=2))
    # Energy and error, each of shape [n, L, places, directions].
    for name, values in zip(("energy", "error"), torch.stack(by_level, dim=2), strict=True):
        along, by_chance = values[..., : ends * k].unflatten(-1, (ends, k)), values[..., ends * k :]
        beside = by_chance[..., None, None, :]
        less = (beside < along[..., None]).double() + (beside == along[..., None]).double() / 2
        of_end = {"along": along.mean(dim=-1).double(), "place": less.mean(dim=(-2, -1))}
        found[f"{name}_random"] = by_chance.mean(dim=-1).double()
        for what, number in of_end.items():
            found[f"{name}_{what}"] = torch.where(field.known, number, torch.nan)
    return found


def _fitted(name: str, values: Tensor, config: Exp006Config) -> npt.NDArray[Any]:
    """In the dtype of storage, whose range is checked."""
    with np.errstate(over="ignore"):
        out = to_numpy(values).astype(config.storage)
    lost = int((~np.isfinite(out)).sum())
    if lost:
        raise NonFiniteError(
            f"{name}: expected numbers of at most {np.finfo(config.storage).max:g}, which "
            f"{config.storage} holds, found {lost} beyond. Give --storage float32."
        )
    return out
