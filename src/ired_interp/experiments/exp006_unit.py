"""What one work unit of EXP-006 collects: the scores of a chunk of problems, of one network.

The scores of all levels are put into one array that is made beforehand; what is held at once grows
with the problems of a unit and with nothing else.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ired_interp.draws import RowDraws
from ired_interp.energy.base import Energy
from ired_interp.errors import NonFiniteError
from ired_interp.experiments.exp006_config import Exp006Config, chosen_components
from ired_interp.experiments.exp006_subspaces import own_frames, shares
from ired_interp.experiments.exp006_variables import (
    AT_ENDS,
    DEFINITIONS,
    ENDS,
    PLACES,
    TYPICAL,
    UNITS,
)
from ired_interp.experiments.model_config import bound_of
from ired_interp.experiments.skill import answer_variables
from ired_interp.experiments.unit_data import (
    described,
    draw_problems,
    level_coords,
    scales_at,
    to_numpy,
)
from ired_interp.landscape import Landscape
from ired_interp.score_field import (
    SpectrumOfRows,
    centred_svd,
    concentration,
    num_beyond_edge,
)
from ired_interp.solve import solve
from ired_interp.tasks import Problems, Task

__all__ = ["bytes_a_problem", "measure_problems"]

_AXES = ("problem", "level", "place")
# What is held in float64 beside what is stored: points, scores, the solver's path, their SVD.
_COPIES = 6
_ROUND_OFF = 200  # ε of the scores' dtype, times the root mean square of typical ones


@dataclass(frozen=True, slots=True)
class _Collected:
    """Scores and points, [n, L, places, 1 + N, d]; draw 0 is kept for the moves."""

    score: Tensor
    points: Tensor
    noise: Tensor


def bytes_a_problem(config: Exp006Config, dim_y: int) -> int:
    """What a problem of a unit takes at once, stored and in hand, above the network's own work."""
    draws = 1 + (config.noise or 0) + 2 * (config.random_draws or 0)
    return 8 * _COPIES * len(PLACES) * len(config.levels) * draws * dim_y


def measure_problems(
    model: Energy, task: Task, config: Exp006Config, first: int, count: int, *, answers: bool
) -> xr.Dataset:
    """Everything of ``count`` problems from number ``first`` on; the config is planned.

    Args:
        model: The energy, in the config's dtype.
        task: What the problems come from.
        config: What is asked.
        first: Number of the first problem.
        count: How many.
        answers: Whether to store the scores themselves, and what the model answers.

    Raises:
        NonFiniteError: A score does not fit into the dtype of storage.
        ConfigError: More components than half of the spectrum.
    """
    problems = draw_problems(task, config, first, count)
    collected = _collect(model, problems, config, first)
    floor = _score_floor(collected.score)
    spectrum = _above(floor, centred_svd(collected.score[..., 1:, :].double()), collected.score)
    k = chosen_components(config, task.dim_y)
    data_vars = _of_spectra(spectrum, collected)
    data_vars["score_floor"] = (("problem", "level"), to_numpy(floor), _attrs("score_floor"))
    ends = torch.stack(
        [
            spectrum.components[..., :k],
            spectrum.components[..., -k:],
        ],
        dim=3,
    )
    # The last components of fewer draws than dimensions are not those of least variance.
    complete = spectrum.num_rows - 1 >= spectrum.num_entries
    known = spectrum.eigenvalues[..., 0].isfinite()[..., None].expand(*ends.shape[:4]).clone()
    known[..., 1] &= complete
    data_vars |= _of_alignment(task, config, ends, known, first)
    data_vars |= _of_moves(model, problems, config, collected, ends, known, first)
    if answers:
        data_vars |= _stored(problems, collected, ends, known, config)
        data_vars |= answer_variables(
            model, problems, seed=config.seed, first=first, bound=bound_of(config)
        )
    return xr.Dataset(
        data_vars,
        coords=level_coords(model.schedule, config, first, count)
        | {
            "place": list(PLACES),
            "end": list(ENDS),
        },
    )


def _collect(model: Energy, problems: Problems, config: Exp006Config, first: int) -> _Collected:
    """Gradients at 1 + N typical points and N + 1 ends of trajectories, level by level."""
    n, d = problems.y.shape
    num = 1 + (config.noise or 0)
    noise = RowDraws(n, seed=config.seed, purpose="exp006/noise", first=first).normal(num, d)
    noise = noise.to(problems.y)
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
    return _Collected(score, points, noise)


def _score_floor(score: Tensor) -> Tensor:
    """[n, L]: the spread of scores below which the round-off of a gradient shows in a spectrum.

    A gradient is a sum of terms as large as those of a typical point, wherever it is taken: its
    round-off does not shrink with it. It is below a tenth of this floor (a test holds float32
    beside float64), and so below 1 % of the variance that is reported. At float32 and inverse-4
    it is 0.05 to 0.09 of the floor, depending on the kernels of the processor and the batch.
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


def _of_spectra(spectrum: SpectrumOfRows, collected: _Collected) -> dict[str, Any]:
    alone = centred_svd(collected.noise[:, 1:].double())
    mean = spectrum.eigenvalues.sum(dim=-1, keepdim=True) / spectrum.num_entries
    relative = spectrum.eigenvalues / mean
    of_noise = alone.eigenvalues * alone.num_entries / alone.eigenvalues.sum(-1, keepdim=True)
    squares = (collected.score[..., 1:, :] - spectrum.mean[..., None, :]).square().sum(dim=-1)
    # Over the largest first: fourth powers of what is left of a descent leave the range.
    squares = squares / squares.amax(dim=-1, keepdim=True)
    known = spectrum.eigenvalues[..., 0].isfinite()
    draws = squares.sum(dim=-1).square() / squares.square().sum(dim=-1)
    at = {
        "effective_draws": torch.where(known, draws, torch.nan),
        "score_rms": collected.score[..., 1:, :].square().mean(dim=(-2, -1)).sqrt(),
        "concentration": concentration(spectrum),
        "beyond_edge": num_beyond_edge(spectrum),
        "top_eigenvalue": relative[..., 0],
    }
    return {
        **{name: (_AXES, to_numpy(value), _attrs(name)) for name, value in at.items()},
        "noise_concentration": (
            "problem",
            to_numpy(concentration(alone)),
            _attrs("noise_concentration"),
        ),
        "noise_beyond_edge": (
            "problem",
            to_numpy(num_beyond_edge(alone)),
            _attrs("noise_beyond_edge"),
        ),
        "eigenvalue": ((*_AXES, "rank"), to_numpy(relative), _attrs("eigenvalue")),
        "noise_eigenvalue": (("problem", "rank"), to_numpy(of_noise), _attrs("noise_eigenvalue")),
        "mean_score": ((*_AXES, "y_dim"), to_numpy(spectrum.mean), _attrs("mean_score")),
    }


def _of_alignment(
    task: Task, config: Exp006Config, ends: Tensor, known: Tensor, first: int
) -> dict[str, Any]:
    everyone = draw_problems(task, config, 0, config.problems or 0)
    own, other = [], []
    for e, end in enumerate(ENDS):
        frames = [frame.double().cpu() for frame in own_frames(task, everyone, end)]
        mine, theirs = shares(ends[:, :, :, e].cpu(), frames, first)
        own.append(torch.where(known[..., e].cpu(), mine, torch.nan))
        other.append(torch.where(known[..., e].cpu(), theirs, torch.nan))
    axes = (*_AXES, "end")
    return {
        "own_share": (axes, to_numpy(torch.stack(own, dim=-1)), _attrs("own_share")),
        "other_share": (axes, to_numpy(torch.stack(other, dim=-1)), _attrs("other_share")),
    }


def _of_moves(
    model: Energy,
    problems: Problems,
    config: Exp006Config,
    collected: _Collected,
    ends: Tensor,
    known: Tensor,
    first: int,
) -> dict[str, Any]:
    """Energy and error a short way along components and along random directions."""
    n, d = problems.y.shape
    num_random, k = config.random_draws or 0, ends.shape[-1]
    draws = RowDraws(n, seed=config.seed, purpose="exp006/random directions", first=first)
    random = torch.nn.functional.normalize(draws.normal(num_random, d), dim=-1).to(problems.y)
    shape = (n, len(config.levels), len(PLACES))
    along = {name: np.full((*shape, len(ENDS)), np.nan) for name in AT_ENDS if "share" not in name}
    beside = {name: np.full(shape, np.nan) for name in ("energy_random", "error_random")}
    for i, level in enumerate(config.levels):
        for p in range(len(PLACES)):
            found = ends[:, i, p].permute(0, 1, 3, 2).reshape(n, len(ENDS) * k, d)
            directions = torch.cat([found.to(problems.y), random], dim=1)
            energy, error = _rises(
                model, problems, level, collected.points[:, i, p, 0], directions, config.radius
            )
            for name, value in (("energy", energy), ("error", error)):
                by_chance = value[:, len(ENDS) * k :]
                beside[f"{name}_random"][:, i, p] = to_numpy(by_chance.mean(dim=1))
                for e in range(len(ENDS)):
                    mine = value[:, e * k : (e + 1) * k]
                    less = (by_chance[:, None] < mine[..., None]).double()
                    less += (by_chance[:, None] == mine[..., None]).double() / 2
                    for what, number in (
                        ("along", mine.mean(dim=1)),
                        ("place", less.mean(dim=(1, 2))),
                    ):
                        kept = torch.where(known[:, i, p, e], number.double(), torch.nan)
                        along[f"{name}_{what}"][:, i, p, e] = to_numpy(kept)
    axes = (*_AXES, "end")
    return {
        **{name: (axes, value, _attrs(name)) for name, value in along.items()},
        **{name: (_AXES, value, _attrs(name)) for name, value in beside.items()},
    }


def _rises(
    model: Energy,
    problems: Problems,
    level: int,
    y: Tensor,
    directions: Tensor,
    radius: float,
) -> tuple[Tensor, Tensor]:
    """σ·ΔE/‖δ‖² and Δ‖ŷ − y*‖²·s²/‖δ‖², both ways along each direction, [n, m] each."""
    n, m, d = directions.shape
    signal, sigma = scales_at(model.schedule, level)
    step = radius * sigma * d**0.5
    moved = torch.stack(
        [y[:, None] + step * directions, y[:, None] - step * directions, y[:, None].expand(n, m, d)]
    )
    land = Landscape(model, problems.x.repeat_interleave(m, dim=0).repeat(3, 1), level)
    energy, gradient = land.energy_and_gradient(moved.reshape(-1, d))
    energy = energy.reshape(3, n, m)
    answer = (moved - sigma * gradient.reshape(moved.shape)) / signal
    error = (answer - problems.y[:, None]).square().sum(dim=-1)
    rise = energy[0] + energy[1] - 2 * energy[2]
    worse = (error[0] + error[1]) / 2 - error[2]
    return sigma * rise / step**2, worse * signal**2 / step**2


def _stored(
    problems: Problems, collected: _Collected, ends: Tensor, known: Tensor, config: Exp006Config
) -> dict[str, Any]:
    component = torch.where(known[..., None, None], ends, torch.nan).mT
    return {
        "x": (("problem", "x_dim"), to_numpy(problems.x), _attrs("x")),
        "answer": (("problem", "y_dim"), to_numpy(problems.y), _attrs("answer")),
        "noise": (
            ("problem", "sample", "y_dim"),
            _fitted("noise", collected.noise[:, 1:], config),
            _attrs("noise"),
        ),
        "score": (
            (*_AXES, "sample", "y_dim"),
            _fitted("score", collected.score[..., 1:, :], config),
            _attrs("score"),
        ),
        "path": (
            ("problem", "level", "sample", "y_dim"),
            _fitted("path", collected.points[:, :, 1, 1:], config),
            _attrs("path"),
        ),
        "component": (
            (*_AXES, "end", "component_rank", "y_dim"),
            to_numpy(component).astype(config.storage),
            _attrs("component"),
        ),
    }


def _fitted(name: str, values: Tensor, config: Exp006Config) -> Any:
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


def _attrs(name: str) -> dict[str, str]:
    return described(name, DEFINITIONS, UNITS)
