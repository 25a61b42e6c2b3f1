"""EXP-001: the Hessian eigenspectrum of the energy in y, level by level."""

import hashlib
import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch import Tensor

from ired_interp import curvature
from ired_interp.devices import check_device
from ired_interp.draws import check_seed
from ired_interp.energy.exact import ideal_spectrum
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import CheckpointError, ConfigError
from ired_interp.experiments.base import GROUP, FigureSpec
from ired_interp.experiments.exp001_figures import FIGURES
from ired_interp.experiments.exp001_measures import MEASURES, UNITS, Measure
from ired_interp.landscape import Landscape
from ired_interp.models.checkpoint import Checkpoint, Weights, check_task
from ired_interp.models.zoo import open_checkpoint, untrained_like
from ired_interp.points import PointKind, locate
from ired_interp.stats import bootstrap_mean
from ired_interp.tasks import Difficulty, Task

__all__ = ["MEASURES", "Exp001", "Exp001Config", "Measure"]

_DTYPES = {"float64": torch.float64, "float32": torch.float32}
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_CONTROL = "controls/untrained"


@dataclass(frozen=True, kw_only=True)
class Exp001Config:
    """What EXP-001 measures.

    Attributes:
        model: A bundled name or the path of a checkpoint.
        task: Needed for a reference ``.pt``, which does not name its task.
        problems: How many problems.
        levels: Which levels, each in 1 … K.
        point: Where in y the Hessian is taken.
        difficulty: Which generator the problems come from.
        seed: Of problems, noise and the solver's start.
        controls: Draws of untrained weights to measure beside the model.
        weights: ``ema`` or ``online``, for a reference file.
        bound: The solver's clamp, for the points ``trajectory`` and ``minimum``.
        dtype: Precision of everything.
        device: Where to compute.
        unit_problems: Problems a work unit.
        model_sha256: Filled in when the run is planned; another file is refused from then on.
    """

    model: str = "inverse-4"
    task: str | None = None
    problems: int = 20
    levels: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    point: PointKind = "typical"
    difficulty: Difficulty = "same"
    seed: int = 0
    controls: int = 3
    weights: Weights | None = None
    bound: float = 2.0
    dtype: Literal["float64", "float32"] = "float64"
    device: str = "cpu"
    unit_problems: int = 10
    model_sha256: str = field(default="", metadata={"planned": True})

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_device(self.device)
        for name, least in (("problems", 1), ("controls", 0), ("unit_problems", 1)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"{name}: expected at least {least}, found {getattr(self, name)}."
                )
        if not self.levels or len(set(self.levels)) != len(self.levels):
            raise ConfigError(
                f"levels: expected different levels, at least one, found {list(self.levels)}."
            )
        if not 0 < self.bound < math.inf:
            raise ConfigError(f"bound: expected a finite number > 0, found {self.bound}.")
        for name, choices in (
            ("point", get_args(PointKind)),
            ("difficulty", get_args(Difficulty)),
            ("dtype", tuple(_DTYPES)),
        ):
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f"{name}: expected one of {', '.join(choices)}, found {getattr(self, name)!r}."
                )


class Exp001:
    """The experiment; it has no state."""

    name = "exp001"
    title = "Curvature of the energy in the answer, level by level"
    Config = Exp001Config
    hypotheses: Sequence[Any] = ()
    figures: Sequence[FigureSpec] = FIGURES

    def plan(self, config: Exp001Config) -> Exp001Config:
        """Check model, task and levels, and fix the model's file and hash."""
        checkpoint = _open(config)
        task = check_task(checkpoint, config.task, {})
        for level in config.levels:
            checkpoint.model.schedule.timestep(level)
        path = config.model if checkpoint.bundled else str(checkpoint.path.resolve())
        return replace(config, model=path, task=task.name, model_sha256=checkpoint.sha256)

    def units(self, config: Exp001Config) -> int:
        """Problem chunks, times the model and its controls."""
        return _num_chunks(config) * (1 + config.controls)

    def run_unit(self, config: Exp001Config, index: int) -> xr.Dataset:
        """One chunk of problems at all levels, for the model or one draw of its control."""
        case, chunk = divmod(index, _num_chunks(config))
        checkpoint = _open(config)
        task = check_task(checkpoint, config.task, {})
        model = checkpoint.model.to(config.device, _DTYPES[config.dtype])
        if case > 0:
            model = untrained_like(model, seed=_control_seed(config.seed, case - 1))
        first = chunk * config.unit_problems
        count = min(config.unit_problems, config.problems - first)
        data = _measure(model, task, config, first, count)
        if case > 0:
            data = data.expand_dims(draw=[case - 1])
        return data.assign_attrs(
            {
                GROUP: _CONTROL if case > 0 else "/",
                "task": task.name,
                "task_size": task.size,
                "task_options": json.dumps(task.options()),
            }
        )

    def summarise(self, results: xr.DataTree) -> dict[str, xr.Dataset]:
        """Means with bootstrap intervals, and quantiles of the spectrum, over problems."""
        groups = {"model": results.to_dataset()}
        if "controls" in results:
            # The problem is the unit of replication: its draws of weights are averaged first.
            groups["untrained"] = results[_CONTROL].to_dataset()
        return {name: _summary(data) for name, data in groups.items()}


def _open(config: Exp001Config) -> Checkpoint:
    checkpoint = open_checkpoint(config.model, weights=config.weights)
    if config.model_sha256 and checkpoint.sha256 != config.model_sha256:
        raise CheckpointError(
            f"{checkpoint.path}: expected the file of the run's plan (SHA-256 "
            f"{config.model_sha256[:12]}…), found another ({checkpoint.sha256[:12]}…): the model "
            "was changed. Put the old file back, or start a new run."
        )
    return checkpoint


def _control_seed(seed: int, draw: int) -> int:
    """A seed that no other run's control has, nor a training of the same seed."""
    digest = hashlib.blake2b(f"untrained/{seed}/{draw}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _num_chunks(config: Exp001Config) -> int:
    return math.ceil(config.problems / config.unit_problems)


def _measure(
    model: EnergyMLP, task: Task, config: Exp001Config, first: int, count: int
) -> xr.Dataset:
    problems = task.sample(
        count,
        seed=config.seed,
        difficulty=config.difficulty,
        first=first,
        dtype=_DTYPES[config.dtype],
        device=config.device,
    )
    points = locate(
        config.point,
        model,
        problems.x,
        problems.y,
        config.levels,
        seed=config.seed,
        first=first,
        bound=config.bound,
    )
    columns: dict[str, list[Tensor]] = {}
    for i, level in enumerate(config.levels):
        found = points.found[:, i]
        for name, value in _at_level(model, problems.x, points.y[:, i], found, level).items():
            columns.setdefault(name, []).append(value)
    data_vars: dict[str, Any] = {
        "x": (("problem", "x_dim"), _numpy(problems.x), {"long_name": "the question"}),
        "answer": (("problem", "y_dim"), _numpy(problems.y), {"long_name": "the true answer y*"}),
        "y": (
            ("problem", "level", "y_dim"),
            _numpy(points.y),
            {"long_name": f"point examined ({config.point}), in the level's coordinates"},
        ),
        "status": (
            ("problem", "level"),
            _numpy((~points.found).to(torch.int8)),
            {"long_name": "0: a point was found; 1: the search for a minimum did not converge"},
        ),
    }
    for name, values in columns.items():
        stacked = torch.stack(values, dim=1)
        dims = ("problem", "level", "eigen")[: stacked.ndim]
        data_vars[name] = (dims, _numpy(stacked), {"units": UNITS[name]})
    timesteps = [model.schedule.timestep(level) for level in config.levels]
    ideal = ideal_spectrum(task, model.schedule, timesteps)
    data_vars["ideal_eigenvalues"] = (
        ("level", "eigen"),
        _numpy(ideal),
        {"units": "energy / y^2", "long_name": "spectrum of the ideal landscape, NaN if unknown"},
    )
    return xr.Dataset(
        data_vars,
        coords={
            "problem": np.arange(first, first + count),
            "level": ("level", np.array(config.levels)),
            "timestep": ("level", np.array(timesteps)),
            "sigma": ("level", model.schedule.sigma[timesteps].numpy()),
            "signal": ("level", model.schedule.signal[timesteps].numpy()),
            "eigen": np.arange(task.dim_y),
            "point": config.point,
        },
    )


def _at_level(
    model: EnergyMLP, x: Tensor, y: Tensor, found: Tensor, level: int
) -> dict[str, Tensor]:
    """Everything measured at one level; NaN (and -1 for counts) where no point was found."""
    land = Landscape(model, x, level)
    sigma = float(model.schedule.sigma[model.schedule.timestep(level)])
    measured: dict[str, Tensor] = {}
    if bool(found.any()):
        there = land.select(found.nonzero().flatten())
        energy, gradient = there.energy_and_gradient(y[found])
        spec = curvature.spectrum(there, y[found])
        values, residuals = spec.eigenvalues, spec.residuals
        measured = {
            "eigenvalues": values,
            "residuals": residuals,
            "scaled_eigenvalues": sigma * values,
            "energy": energy,
            "gradient_norm": gradient.norm(dim=1),
            "condition_number": _if_determined(
                curvature.condition_number(values), values.abs().amin(dim=1), values, residuals
            ),
            "positive_condition_number": _if_determined(
                curvature.positive_condition_number(values),
                torch.where(values > 0, values, torch.inf).amin(dim=1),
                values,
                residuals,
            ),
            "participation_ratio": curvature.participation_ratio(values),
            "spectral_gap": curvature.spectral_gap(values),
            "num_negative": curvature.num_negative(values, residuals),
            "num_undetermined": curvature.num_undetermined(values, residuals),
            "mean_scaled_eigenvalue": sigma * values.mean(dim=1),
            "largest_scaled_eigenvalue": sigma * values[:, -1],
            "smallest_scaled_eigenvalue": sigma * values[:, 0],
        }
    n, d = y.shape
    filled = {}
    for name in UNITS:
        wide = name in ("eigenvalues", "residuals", "scaled_eigenvalues")
        count = name in ("num_negative", "num_undetermined")
        shape = (n, d) if wide else (n,)
        out = torch.full(shape, -1 if count else torch.nan, dtype=torch.int64 if count else y.dtype)
        if measured:
            out[found.cpu()] = measured[name].cpu()
        filled[name] = out
    return filled


def _if_determined(ratio: Tensor, smallest: Tensor, values: Tensor, residuals: Tensor) -> Tensor:
    """A condition number, infinite where its denominator is no larger than its error."""
    unknown = smallest <= curvature.eigenvalue_errors(values, residuals).amax(dim=1)
    return torch.where(unknown, torch.inf, ratio)


def _summary(data: xr.Dataset) -> xr.Dataset:
    variables: dict[str, Any] = {}
    seed = 0
    for measure in MEASURES:
        values = data[measure.name].astype(float).where(data["status"] == 0)
        if measure.mean == "geometric":
            values = xr.apply_ufunc(np.log10, values.where(values > 0))
        if "draw" in values.dims:
            values = values.mean("draw")
        rows = []
        for level in data["level"].values:
            interval = bootstrap_mean(values.sel(level=level).values, seed=seed)
            ends = np.array([interval.mean, interval.low, interval.high])
            if measure.mean == "geometric":
                ends = 10**ends
            rows.append([*ends, interval.count])
        attrs = {"units": UNITS[measure.name], "long_name": f"{measure.mean} mean over problems"}
        variables[measure.name] = (("level", "statistic"), np.array(rows), attrs)
    found = data[["scaled_eigenvalues", "eigenvalues", "residuals"]].where(data["status"] == 0)
    shares = found["residuals"] / abs(found["eigenvalues"]).max("eigen")
    over = [dim for dim in ("problem", "draw") if dim in shares.dims]
    with warnings.catch_warnings():
        # A level where no point was found is NaN, as it should be.
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        quantiles = found["scaled_eigenvalues"].quantile(_QUANTILES, dim=over)
        largest, median = shares.max([*over, "eigen"]), shares.median([*over, "eigen"])
    variables["scaled_eigenvalues"] = (
        ("level", "eigen", "quantile"),
        quantiles.transpose("level", "eigen", "quantile").values,
        {"units": "1", "long_name": "quantiles over problems of the sorted eigenvalues"},
    )
    for name, errors in (("largest_residual", largest), ("median_residual", median)):
        text = f"{name.split('_')[0]} ‖Hv - λv‖ / max|λ| over all eigenvalues of all problems"
        variables[name] = ("level", errors.values, {"units": "1", "long_name": text})
    return xr.Dataset(
        variables,
        coords={
            "level": data["level"],
            "timestep": data["timestep"],
            "sigma": data["sigma"],
            "eigen": data["eigen"],
            "statistic": ["mean", "low", "high", "count"],
            "quantile": list(_QUANTILES),
        },
        attrs={"confidence": 0.95, "unit_of_replication": "problem"},
    )


def _numpy(tensor: Tensor) -> npt.NDArray[Any]:
    return tensor.detach().cpu().numpy()
