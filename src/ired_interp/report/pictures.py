"""A figure on a page: its drawing in both themes, and what a browser may draw beside it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import xarray as xr
from markupsafe import Markup

from ired_interp.errors import ExperimentError
from ired_interp.experiments.base import FigureSpec
from ired_interp.experiments.interactive import PAGE, Interactive
from ired_interp.report.figures import DARK, LIGHT, draw_svg
from ired_interp.report.inline import Inline, inline, merged
from ired_interp.report.scripts import packed

__all__ = ["NARROWEST_EVIDENCE", "Picture", "glyphs_of", "picture_of"]

# A figure is as wide as the page up to the first, and scrolls rather than shrink below the second.
_WIDEST, _NARROWEST = 1.75, 1.25
NARROWEST_EVIDENCE = 1.08
"""The figure of a verdict has little in it and may shrink further."""


@dataclass(frozen=True)
class Picture:
    """A figure on the page.

    Attributes:
        name: Its anchor.
        title: A line.
        caption: How to read it.
        widest: In CSS pixels.
        narrowest: In CSS pixels.
        height: In CSS pixels at its widest.
        drawings: One, or one a theme; by the class of the style sheet that shows it, empty for
            what always is.
        interactive: What a browser draws beside them; None for nothing.
        numbers: Of it, packed.
    """

    name: str
    title: str
    caption: str
    widest: int
    narrowest: int
    height: int
    drawings: Mapping[str, Inline]
    interactive: Interactive | None = None
    numbers: str = ""


def picture_of(
    spec: FigureSpec,
    results: xr.DataTree,
    *,
    narrowest: float = _NARROWEST,
    prefix: str = "",
    interactive: bool = True,
) -> Picture:
    """Draw a figure for a page.

    Args:
        spec: What to draw.
        results: Which hold all that it needs.
        narrowest: CSS pixels a point of the drawing below which it scrolls.
        prefix: Put before its name, where a page has figures of two runs.
        interactive: Whether to add what a browser draws, if the figure has that.

    Raises:
        ExperimentError: What a browser is to draw is not an `Interactive`, or cannot be stored.
    """
    name = f"{prefix}{spec.name}"
    drawing = draw_svg(spec, results, LIGHT)
    light = inline(drawing.svg, name, LIGHT)
    drawings = {"": light}
    if spec.colors == "own":
        dark = inline(draw_svg(spec, results, DARK).svg, name, DARK)
        both = merged(light, dark)
        drawings = {"light": light, "dark": dark} if both is None else {"": both}
    moving = _interactive_of(spec, results) if interactive else None
    return Picture(
        name,
        spec.title,
        spec.caption,
        widest=round(drawing.width * _WIDEST),
        narrowest=round(drawing.width * narrowest),
        height=round(drawing.height * _WIDEST),
        drawings=drawings,
        interactive=moving,
        numbers="" if moving is None else packed(moving),
    )


def _interactive_of(spec: FigureSpec, results: xr.DataTree) -> Interactive | None:
    if spec.interactive_fn is None:
        return None
    found: object = spec.interactive_fn(results, PAGE)
    if not isinstance(found, Interactive):
        raise ExperimentError(
            f"figure {spec.name}: interactive_fn: expected an Interactive of "
            f"ired_interp.experiments.interactive, returned {type(found).__name__}. Leave it out "
            "if there is nothing for a browser to draw."
        )
    return found


def glyphs_of(pictures: Iterable[Picture]) -> list[Markup]:
    """The letters of all drawings, each once."""
    found: dict[str, Markup] = {}
    for picture in pictures:
        for drawing in picture.drawings.values():
            found |= drawing.glyphs
    return [found[name] for name in sorted(found)]
