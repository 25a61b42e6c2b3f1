"""A figure on a page: a chart that the browser draws, or a drawing of a user's own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import xarray as xr
from markupsafe import Markup

from ired_interp.errors import ExperimentError
from ired_interp.experiments.base import FigureSpec
from ired_interp.experiments.drawing import import_matplotlib
from ired_interp.experiments.interactive import PAGE, Interactive
from ired_interp.experiments.kit.charts import Chart
from ired_interp.experiments.kit.drawn import Drawing
from ired_interp.report.colors import DARK, LIGHT
from ired_interp.report.inline import Inline, inline, merged
from ired_interp.report.scripts import Scripts, packed, scripts

__all__ = ["Picture", "glyphs_of", "picture_of", "scripts_of"]

# A figure is as wide as the page up to the first, and scrolls rather than shrink below the second.
_WIDEST, _NARROWEST = 1.75, 1.25


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure on the page.

    Attributes:
        name: Its anchor.
        title: A line.
        caption: How to read it.
        chart: What the browser draws; None for a drawing.
        numbers: Of the chart, or of what moves beside a drawing, packed.
        drawings: Of a drawing, one, or one a theme; by the class of the style sheet that shows it,
            empty for what always is.
        widest: Of a drawing, in CSS pixels.
        narrowest: In CSS pixels.
        height: In CSS pixels at its widest.
        interactive: What a browser draws beside a drawing; None for nothing.
    """

    name: str
    title: str
    caption: str
    chart: Drawing | None = None
    numbers: str = ""
    drawings: Mapping[str, Inline] = field(default_factory=dict)
    widest: int = 0
    narrowest: int = 0
    height: int = 0
    interactive: Interactive | None = None


def picture_of(
    spec: FigureSpec | Chart,
    results: xr.DataTree,
    *,
    prefix: str = "",
    interactive: bool = True,
) -> Picture:
    """A figure for a page.

    Args:
        spec: What to show.
        results: Which hold all that it needs.
        prefix: Put before its name, where a page has figures of two runs.
        interactive: Whether to add what moves beside a drawing, if the figure has that.

    Raises:
        ExperimentError: What a browser is to draw is none, or cannot be stored.
    """
    name = f"{prefix}{spec.name}"
    if isinstance(spec, Chart):
        chart = spec.drawing_fn(results)
        return Picture(
            name=name, title=spec.title, caption=spec.caption, chart=chart, numbers=packed(chart)
        )
    width, height, drawings = _drawn(spec, results, name)
    moving = _interactive_of(spec, results) if interactive else None
    return Picture(
        name=name,
        title=spec.title,
        caption=spec.caption,
        widest=round(width * _WIDEST),
        narrowest=round(width * _NARROWEST),
        height=round(height * _WIDEST),
        drawings=drawings,
        interactive=moving,
        numbers="" if moving is None else packed(moving),
    )


def _drawn(
    spec: FigureSpec, results: xr.DataTree, name: str
) -> tuple[float, float, Mapping[str, Inline]]:
    """Width and height in points, and the drawings by the class that shows them."""
    # What draws costs half a second, and most pages draw nothing.
    import_matplotlib()
    from ired_interp.report.figures import draw_svg

    drawing = draw_svg(spec, results, LIGHT)
    light = inline(drawing.svg, name, LIGHT)
    drawings = {"": light}
    if spec.colors == "own":
        dark = inline(draw_svg(spec, results, DARK).svg, name, DARK)
        both = merged(light, dark)
        drawings = {"light": light, "dark": dark} if both is None else {"": both}
    return drawing.width, drawing.height, drawings


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


def scripts_of(pictures: Iterable[Picture]) -> Scripts | None:
    """What a page of these pictures needs; None where nothing is drawn in the browser."""
    return scripts() if any(picture.numbers for picture in pictures) else None
