"""An experiment whose units fail, hang, leak or store what is wrong, as its config asks.

Tests copy this file into a folder of their own, which is then its project.
"""

import dataclasses
import threading
import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

import ired_interp as ii
from ired_interp.errors import ConvergenceError

Ailment = Literal[
    "none",
    "nan_weight",
    "nan_x",
    "explodes",
    "overflows",
    "divides",
    "stores_nan",
    "gives_up",
    "not_converged",
    "no_memory",
    "hangs",
    "leaks",
    "raises",
]
KEPT: list[Any] = []
GATE = threading.Event()


@dataclass(frozen=True, kw_only=True)
class AilingConfig:
    """What goes wrong.

    Attributes:
        ailment: What.
        sick_unit: In which unit.
        sick_level: At which level.
        units: How many.
        levels: That are looked at.
        problems: In a unit.
        megabytes: That a problem takes.
        seconds: That a unit takes.
        device: Only said.
        dtype: Of the model.
    """

    ailment: Ailment = "none"
    sick_unit: int = 1
    sick_level: int = 7
    units: int = 3
    levels: tuple[int, ...] = (2, 7)
    problems: int = 2
    megabytes: int = 0
    seconds: float = 0.0
    device: str = "cpu"
    dtype: Literal["float32", "float64"] = "float64"


class Trunk(nn.Module):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 8)
        self.outer = nn.Linear(8, 8)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.outer(torch.tanh(self.inner(z))))


class Net(nn.Module):
    """A head a level."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.schedule = ii.cosine_schedule()
        self.dim_x = self.dim_y = 2
        self.trunk = Trunk()
        self.heads = nn.ModuleList(nn.Linear(8, 2) for _ in range(10))
        self.to(dtype)

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        hidden = self.trunk(torch.cat([x, y], dim=-1))
        out: Tensor = self.heads[int(t[0])](hidden)
        return out.square().sum(-1)


class Ailing:
    """Smallest eigenvalues of a small energy, or what goes wrong on the way."""

    name = "ailing"
    Config = AilingConfig
    hypotheses = ()
    figures = ()

    def units(self, config: AilingConfig) -> int:
        return config.units

    def fit(self, config: AilingConfig, max_memory: int) -> AilingConfig:
        most = max_memory // (config.megabytes * 2**20)
        return dataclasses.replace(config, problems=max(1, min(config.problems, most)))

    def run_unit(self, config: AilingConfig, index: int) -> xr.Dataset:
        time.sleep(config.seconds)
        sick = index == config.sick_unit
        if config.ailment == "leaks":
            KEPT.append(np.ones((config.megabytes, 2**17)))
        if sick:
            _suffer(config)
        model = _model(config, sick=sick)
        lowest = [_at(model, config, k, sick=sick) for k in config.levels]
        values = torch.stack(lowest, dim=1).numpy()
        status = np.zeros(values.shape, dtype=np.int8)
        if sick and config.ailment == "stores_nan":
            values[:, -1] = np.nan
        if sick and config.ailment == "not_converged":
            values[0, -1], status[0, -1] = np.nan, 1
        return xr.Dataset(
            {
                "lowest": (("problem", "level"), values, {"units": "energy / y^2"}),
                "status": (("problem", "level"), status),
            },
            coords={
                "problem": np.arange(config.problems) + index * config.problems,
                "level": list(config.levels),
            },
        )


def _suffer(config: AilingConfig) -> None:
    if config.ailment == "raises":
        raise KeyError("no such thing")
    if config.ailment == "gives_up":
        raise ConvergenceError(
            "spectrum: expected residuals ≤ 1.0e-08·‖H‖, found 3.2e-04·‖H‖ at 2 of 5 points. Use "
            "float64 or a larger tol."
        )
    if config.ailment == "no_memory":
        np.ones((config.problems, config.megabytes, 2**17))
    if config.ailment == "hangs":
        wait_for_the_gate()


def wait_for_the_gate() -> None:
    GATE.wait()


def _model(config: AilingConfig, *, sick: bool) -> Net:
    torch.manual_seed(0)
    model = Net(getattr(torch, config.dtype))
    head = model.heads[model.schedule.timestep(config.sick_level)]
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        if sick and config.ailment == "nan_weight":
            head.weight[0, 0] = torch.nan
        if sick and config.ailment == "explodes":
            head.weight.fill_(1e308)
        if sick and config.ailment == "overflows":
            head.weight.fill_(1e200)
    return model


def _at(model: Net, config: AilingConfig, level: int, *, sick: bool) -> Tensor:
    generator = torch.Generator().manual_seed(level)
    x, y = torch.randn((2, config.problems, 2), generator=generator, dtype=torch.float64)
    dtype = getattr(torch, config.dtype)
    if sick and level == config.sick_level and config.ailment == "nan_x":
        x[1] = torch.nan
        return model.energy(x.to(dtype), y.to(dtype), torch.zeros(1, dtype=torch.long)).detach()
    if sick and level == config.sick_level and config.ailment == "divides":
        y = y / torch.zeros_like(y)
    land = ii.Landscape(model, x.to(dtype), level)
    return ii.curvature.spectrum(land, y.to(dtype)).eigenvalues[:, 0]
