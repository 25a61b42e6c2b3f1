"""An experiment that does nothing but wait, for tests of how runs are executed.

Tests copy this file into a folder of their own, which is then its project.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ired_interp.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class WaitingConfig:
    """What it does.

    Attributes:
        units: How many units.
        seconds: That each takes.
        numbers: In each unit.
        bad: Units that fail.
        seed: Of the numbers.
    """

    units: int = 12
    seconds: float = 0.05
    numbers: int = 100
    bad: tuple[int, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.units < 1:
            raise ConfigError(f"units: expected at least 1, found {self.units}.")


class Waiting:
    """Random numbers, slowly."""

    name = "waiting"
    Config = WaitingConfig
    hypotheses = ()
    figures = ()

    def units(self, config: WaitingConfig) -> int:
        return config.units

    def run_unit(self, config: WaitingConfig, index: int) -> xr.Dataset:
        time.sleep(config.seconds)
        mended = Path("mended").exists()
        if index in config.bad and not mended:
            raise ValueError(f"unit {index} is bad")
        if os.environ.get("KILL_IN_UNIT") == str(index) and not mended:
            os.kill(os.getpid(), signal.SIGKILL)
        drawn = np.random.default_rng([config.seed, index]).normal(size=(1, config.numbers))
        attrs = {"units": "1", "long_name": "a draw"}
        return xr.Dataset(
            {"value": (("problem", "draw_number"), drawn, attrs)}, coords={"problem": [index]}
        )
