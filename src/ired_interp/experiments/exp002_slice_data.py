"""What the pictures of slices show of the results, on paper and in a browser."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.colors import Colormap, LinearSegmentedColormap

from ired_interp.experiments.exp002.slices import SLICES

__all__ = ["COLOURS", "FIRST", "RINGS", "path_in", "reach_of", "scaled_in", "shades", "slices_of"]

FIRST = "0"
"""The problem whose slices are shown."""
# Contours of the ideal bowl at a distance of 1, 2 and 3 from its bottom, in σ_t.
RINGS = (1.0, 2.0, 3.0)
COLOURS = "blue above the point, yellow below it"
"""Of the scale, in words."""
# From far below the point to far above it; the point has the colour of the ground.
_SHADES = {
    "light": ["#4d3c00", "#a98600", "#ecd88f", "#f7fbff", "#9dcae1", "#3383bf", "#08306b"],
    "dark": ["#fff3c4", "#d8b33a", "#6b5712", "#20262c", "#1d4f78", "#3f9fe0", "#d9efff"],
}
# Of the colour scale: as many as an eye tells apart, and a file of half the size.
_STEPS = 96


def slices_of(results: xr.DataTree) -> xr.Dataset:
    """Of the first sliced problem, from the noisiest level on."""
    return results[f"{SLICES}/{FIRST}"].to_dataset().sortby("level")


def reach_of(data: xr.Dataset) -> float:
    """How far a slice goes from its point, in σ_t; its square is the ideal bowl in the corner."""
    return float(data["u"].values.max())


def scaled_in(here: xr.Dataset) -> npt.NDArray[np.floating[Any]]:
    """(E − E at the point)/σ_t of one plane at one level, a row a v."""
    scaled: npt.NDArray[np.floating[Any]] = here["energy_above"].transpose("v", "u").values
    return scaled / float(here["sigma"])


def path_in(here: xr.Dataset) -> npt.NDArray[np.floating[Any]]:
    """(u, v) of the solver's predictions, a row a prediction."""
    at: npt.NDArray[np.floating[Any]] = here["path_at"].transpose("path_step", "axis").values
    return at


def shades(theme: str) -> Colormap:
    """Of heights from -h to h, on a page in the theme of that name."""
    return LinearSegmentedColormap.from_list(f"heights, {theme}", _SHADES[theme], N=_STEPS)
