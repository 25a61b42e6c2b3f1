"""An experiment whose first units wait until a file appears, so that a test can hit them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["Gated", "GatedConfig"]


@dataclass(frozen=True, kw_only=True)
class GatedConfig:
    """What to do.

    Attributes:
        num_units: How many work units.
        seconds: That each takes at least.
        gated: How many of the first units wait for the gate.
        gate: A file; units that wait go on when it is there.
    """

    num_units: int = 20
    seconds: float = 0.0
    gated: int = 0
    gate: str = "none"


class Gated:
    """Normal numbers, late."""

    name = "gated"
    Config = GatedConfig
    hypotheses: Sequence[Any] = ()
    figures: Sequence[Any] = ()

    def units(self, config: GatedConfig) -> int:
        """As the config says."""
        return config.num_units

    def run_unit(self, config: GatedConfig, index: int) -> xr.Dataset:
        """The numbers depend on the index alone, whatever happens meanwhile."""
        time.sleep(config.seconds)
        while index < config.gated and not Path(config.gate).exists():
            time.sleep(0.1)
        draws = np.random.default_rng(index).normal(size=(1, 1000))
        return xr.Dataset({"draws": (("problem", "entry"), draws)}, coords={"problem": [index]})
