"""What the roles of colour are, on a light page and on a dark one, and the colours of maps."""

from collections.abc import Mapping
from typing import Final

from ired_interp.experiments.base import Theme
from ired_interp.experiments.kit.traces import Color, Scale

__all__ = ["COLORS", "DARK", "LIGHT", "SCALES", "THEMES", "color_name"]

# Okabe and Ito's blue and vermilion, and their sky blue and orange on a dark ground.
LIGHT = Theme(
    name="light",
    ink="#1f2328",
    muted="#6a737d",
    model="#0072b2",
    control="#d55e00",
    ideal="#24292f",
)
DARK = Theme(
    name="dark",
    ink="#e4e7eb",
    muted="#8b949e",
    model="#56b4e9",
    control="#e69f00",
    ideal="#f2f4f7",
)
THEMES = (LIGHT, DARK)

_MORE: Mapping[str, Mapping[str, str]] = {
    "light": {"shuffled": "#8250a8", "null": "#57606a"},
    "dark": {"shuffled": "#c9a0e8", "null": "#9aa5b1"},
}
# For what is told apart by nothing but its name, in turn.
_PALETTE: Mapping[str, tuple[str, ...]] = {
    "light": (
        "#0b6bcb",
        "#c4460c",
        "#00805c",
        "#a3417f",
        "#7a6200",
        "#3c8fb8",
        "#6b3fa0",
        "#4f5b66",
    ),
    "dark": (
        "#6cb8f0",
        "#f0a04b",
        "#3fc99d",
        "#e59ac4",
        "#d6c84a",
        "#a6d5f2",
        "#b99cec",
        "#aab6c2",
    ),
}


def _colors(theme: Theme) -> dict[str, str]:
    roles = {key: value for key, value in vars(theme).items() if key != "name"}
    palette = {f"c{i}": color for i, color in enumerate(_PALETTE[theme.name])}
    return {**roles, **_MORE[theme.name], **palette}


COLORS: Final[Mapping[str, Mapping[str, str]]] = {theme.name: _colors(theme) for theme in THEMES}
"""Colours by theme and name: the roles, then ``c0``, ``c1``, … of the palette."""

_RED_AND_BLUE = (
    "#053061",
    "#2166ac",
    "#4393c3",
    "#92c5de",
    "#d1e5f0",
    "#f7f7f7",
    "#fddbc7",
    "#f4a582",
    "#d6604d",
    "#b2182b",
    "#67001f",
)
_VIRIDIS = (
    "#440154",
    "#482878",
    "#3e4989",
    "#31688e",
    "#26828e",
    "#1f9e89",
    "#35b779",
    "#6ece58",
    "#b5de2b",
    "#fde725",
)
SCALES: Final[Mapping[Scale, Mapping[str, tuple[str, ...]]]] = {
    "diverging": {
        "light": _RED_AND_BLUE,
        "dark": ("#b5e2ff", "#3f9fe0", "#20262c", "#e0613a", "#ffd0b3"),
    },
    # From far below the middle to far above it; the middle has the colour of the ground.
    "heights": {
        "light": ("#4d3c00", "#a98600", "#ecd88f", "#f7fbff", "#9dcae1", "#3383bf", "#08306b"),
        "dark": ("#fff3c4", "#d8b33a", "#6b5712", "#20262c", "#1d4f78", "#3f9fe0", "#d9efff"),
    },
    "shares": {"light": _VIRIDIS, "dark": _VIRIDIS},
}
"""Colours of a map, evenly spaced, by theme."""


def color_name(color: Color) -> str:
    """The name of a colour: of its role, or of the palette's in turn."""
    return color if isinstance(color, str) else f"c{color % len(_PALETTE['light'])}"
