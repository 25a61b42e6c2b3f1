"""The data of a work unit: its problems, the coordinates of its levels, units and meanings."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ired_interp.experiments.kit.options import DTYPES, SubjectOptions
from ired_interp.experiments.page import Definition
from ired_interp.schedule import Schedule
from ired_interp.tasks import Problems, Task

__all__ = ["described", "draw_problems", "level_coords", "scales_at", "to_numpy"]


def draw_problems(task: Task, config: SubjectOptions, first: int, count: int) -> Problems:
    """Problems first … first + count - 1 of the run, in its dtype and on its device."""
    return task.sample(
        count,
        seed=config.seed,
        difficulty=config.difficulty,
        first=first,
        dtype=DTYPES[config.dtype],
        device=config.device,
    )


def level_coords(
    schedule: Schedule, config: SubjectOptions, first: int, count: int
) -> dict[str, Any]:
    """Coordinates of a unit's problems, and of its levels with t, σ_t and s_t."""
    timesteps = [schedule.timestep(level) for level in config.levels]
    return {
        "problem": np.arange(first, first + count),
        "level": ("level", np.array(config.levels)),
        "timestep": ("level", np.array(timesteps)),
        "sigma": ("level", schedule.sigma[timesteps].numpy()),
        "signal": ("level", schedule.signal[timesteps].numpy()),
    }


def scales_at(schedule: Schedule, level: int) -> tuple[float, float]:
    """s_t and σ_t of a level."""
    timestep = schedule.timestep(level)
    return float(schedule.signal[timestep]), float(schedule.sigma[timestep])


def described(
    name: str, definitions: Mapping[str, Definition], units: Mapping[str, str]
) -> dict[str, str]:
    """The attributes of a variable: its unit, where it has one, and what it is."""
    unit = {"units": units[name]} if name in units else {}
    return unit | {"long_name": definitions[name].meaning}


def to_numpy(tensor: Tensor) -> npt.NDArray[Any]:
    """Off the device and the graph."""
    return tensor.detach().cpu().numpy()
