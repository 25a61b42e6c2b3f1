"""A figure is drawn once, and its dark drawing is derived: it equals the one that is drawn dark."""

import re
from typing import Literal

import pytest
from matplotlib.figure import Figure
from xarray import DataTree

from ired_interp.experiments.axes import dress
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.report.colors import COLORS, DARK, LIGHT, THEMES
from ired_interp.report.figures import draw_svg
from ired_interp.report.inline import Inline, inline, merged, theme_colors
from ired_interp.report.pictures import glyphs_of, picture_of


def drawn(spec: FigureSpec, results: DataTree, theme: Theme) -> Inline:
    return inline(draw_svg(spec, results, theme).svg, spec.name, theme)


def shown(body: str, theme: str) -> str:
    """What the style sheet leaves of a body in a theme."""
    other = "dark" if theme == "light" else "light"
    return re.sub(rf'<\w+ class="{other}"[^>]*/>', "", body).replace(f' class="{theme}"', "")


def own(name: str, colors: Literal["theme", "own"]) -> FigureSpec:
    """A figure of one's own, in the theme's colours, or with one that differs by theme."""

    def draw(_: DataTree, theme: Theme) -> Figure:
        figure = Figure((3, 2))
        ax = figure.subplots()
        dress(ax, theme)
        fill = theme.model if colors == "theme" else ("#112233", "#ddeeff")[theme.name == "dark"]
        ax.plot([0, 1 / 3, 1], [0, 2 / 3, 1], "o", color=theme.control, markerfacecolor=fill)
        ax.set_title("words", color=theme.ink)
        return figure

    return FigureSpec(name, "t", "c", draw, colors=colors)


@pytest.mark.parametrize("colors", ["theme", "own"])
def test_derived_is_drawn(colors: Literal["theme", "own"]) -> None:
    """What the page shows on a dark ground is what would have been drawn for it."""
    spec, results = own("mine", colors), DataTree()
    picture = picture_of(spec, results)
    (page,) = (str(one.body) for one in picture.drawings.values())
    dark = drawn(spec, results, DARK)
    assert shown(page, "dark") == dark.body
    assert (page == dark.body) == (colors == "theme")
    letters = " ".join(glyphs_of([picture]))
    assert dark.glyphs
    assert all(f'<path id="{glyph}" ' in letters for glyph in dark.glyphs)
    for theme in THEMES:
        assert not any(color in page for color in theme_colors(theme).values())
    # The page's variables are those that the drawing names.
    for theme in THEMES:
        for variable, color in theme_colors(theme).items():
            assert COLORS[theme.name][variable.removeprefix("--fig-")] == color


def test_colours_of_a_theme_differ_from_one_another() -> None:
    """Or else one could not be told from the other in a drawing."""
    for theme in THEMES:
        assert len(set(theme_colors(theme).values())) == len(theme_colors(theme))
    assert list(theme_colors(LIGHT)) == list(theme_colors(DARK))


def test_numbers_are_rounded_and_names_are_the_figures_own() -> None:
    def draw(_: DataTree, theme: Theme) -> Figure:
        figure = Figure((3, 2))
        ax = figure.subplots()
        ax.plot([0, 1 / 3, 1], [0, 2 / 3, 1], "o", color=theme.model, label="<evil> & --> more")
        ax.legend()
        return figure

    spec = FigureSpec("mine", "t", "c", draw, colors="theme")
    svg = draw_svg(spec, DataTree(), LIGHT).svg
    found = inline(svg, "mine", LIGHT)
    assert "evil" in svg
    assert "evil" not in found.body
    names = re.findall(r' id="([^"]*)"', found.body)
    assert names
    assert all(name.startswith("mine-") for name in names)
    wanted = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', found.body))
    assert {a or b for a, b in wanted} == {*names, *found.glyphs}
    paths = "".join(re.findall(r' d="([^"]*)"', found.body))
    assert paths
    assert not re.search(r"\.\d{3}", paths)
    assert re.search(r"\.\d{3}", "".join(re.findall(r' d="([^"]*)"', svg)))


def test_drawings_of_other_elements_are_not_merged() -> None:
    def draw(_: DataTree, theme: Theme) -> Figure:
        figure = Figure((3, 2))
        figure.subplots(1, 2 if theme.name == "dark" else 1)
        return figure

    spec = FigureSpec("other", "t", "c", draw)
    light, dark = (drawn(spec, DataTree(), theme) for theme in THEMES)
    assert merged(light, dark) is None
