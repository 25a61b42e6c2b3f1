"""A figure is drawn once, and its dark drawing is derived: it equals the one that is drawn dark."""

import re

import pytest
from matplotlib.figure import Figure
from xarray import DataTree

import tiny_runs
from interactive_checks import check_interactive
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.evidence_charts import evidence_charts
from ired_interp.report.colors import DARK, LIGHT, THEMES
from ired_interp.report.figures import draw_svg
from ired_interp.report.html import write_report
from ired_interp.report.inline import Inline, inline, merged, theme_colors
from tiers import slow_but

OWN = {"eigenvectors", "parts", "contributions", "slices", "path"}


def drawn(spec: FigureSpec, results: DataTree, theme: Theme) -> Inline:
    return inline(draw_svg(spec, results, theme).svg, spec.name, theme)


def shown(body: str, theme: str) -> str:
    """What the style sheet leaves of a body in a theme."""
    other = "dark" if theme == "light" else "light"
    return re.sub(rf'<\w+ class="{other}"[^>]*/>', "", body).replace(f' class="{theme}"', "")


def on_page(text: str, name: str) -> str:
    figure = text[text.index(f'id="figure-{name}"') :].split("</figure>", 1)[0]
    (body,) = re.findall(r"<svg[^>]*>(.*?)</svg>", figure, re.DOTALL)
    return str(body)


@pytest.mark.parametrize("name", slow_but({"exp004"}, sorted(tiny_runs.CONFIGS)))
def test_derived_is_drawn(name: str, shared_runs: tiny_runs.Shared) -> None:
    """What the page shows on a dark ground is what would have been drawn for it."""
    run = shared_runs[name]
    results, text = run.tree, write_report(run).read_text(encoding="utf-8")
    specs = [*run.experiment.figures, evidence_charts(results)[0]]
    assert not [spec.name for spec in specs if spec.missing(results)]
    for spec in specs:
        page, dark = on_page(text, spec.name), drawn(spec, results, DARK)
        assert (spec.colors == "own") == (spec.name in OWN)
        assert shown(page, "dark") == dark.body, spec.name
        assert (page == dark.body) == (spec.colors == "theme")
        assert all(f'<path id="{glyph}" ' in text for glyph in dark.glyphs)
        for theme in THEMES:
            assert not any(color in page for color in theme_colors(theme).values())
    for theme in THEMES:
        for variable, color in theme_colors(theme).items():
            assert f"{variable}: {color};" in text
    assert len(text.encode()) < 5_000_000
    check_interactive(run, text)


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
