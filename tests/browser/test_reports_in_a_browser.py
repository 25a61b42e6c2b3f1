"""A report of every experiment in Debian's chromium: sliders, themes, widths, print, no network.

`make test-browser`; chromium is installed if it is missing, for which root is needed.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import tiny_runs
from ired_interp.experiments.evidence_charts import evidence_charts
from ired_interp.report.colors import DARK, LIGHT
from ired_interp.report.figures import save_figures
from ired_interp.report.html import write_report
from ired_interp.runs.run import open_run

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
WAIT = 180_000  # ms; a machine that does other work draws slowly
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
TO = ("svg", "pdf", "png")
BEGIN = {".svg": b"<?xml", ".pdf": b"%PDF", ".png": b"\x89PNG"}
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Of the letters of the picture.
INK = """() => {
    const letters = document.querySelector(".plotted:has(input) .xaxislayer-above text");
    return letters && getComputedStyle(letters).fill; // there are none while it is drawn
}"""
# Of both axes.
RANGES = """() => ["xaxis", "yaxis"].flatMap(
    (axis) => document.querySelector(".plotted:has(input) .chart").layout[axis].range)"""
# What sticks out of the page, in CSS pixels.
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass
class Seen:
    """A page that was opened, and what must not happen there."""

    page: Any
    faults: list[str] = field(default_factory=list)

    def watch(self, address: str) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", lambda request: self._asked(request.url, address))

    def _heard(self, said: Any) -> None:
        if said.type in ("error", "warning"):
            self.faults.append(f"console {said.type}: {said.text}")

    def _asked(self, url: str, address: str) -> None:
        if url.split("#", maxsplit=1)[0] != address and not url.startswith("data:"):
            self.faults.append(f"request: {url[:100]}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        assert os.geteuid() == 0, f"expected {CHROMIUM}: install Debian's chromium, or be root"
        assert shutil.which("apt-get"), f"expected {CHROMIUM} or apt-get to install it"
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        )
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module", params=sorted(tiny_runs.CONFIGS))
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(tiny_runs.run_of(request.param, tmp_path_factory.mktemp(request.param)))


def opened(browser: Any, report: Path, **settings: Any) -> Seen:
    context = browser.new_context(**settings)
    context.set_default_timeout(WAIT)
    seen = Seen(context.new_page())
    seen.watch(report.as_uri())
    seen.page.goto(report.as_uri())
    return seen


def drawn(page: Any) -> Any:
    """The chart with a slider, once it is drawn, at the slider's first place."""
    box = page.locator(".plotted:has(input)")
    box.scroll_into_view_if_needed()
    page.wait_for_selector(".plotted:has(input)[data-drawn=yes]")
    box.locator(".chart").scroll_into_view_if_needed()
    box.locator("input").focus()
    page.keyboard.press("ArrowRight")  # from all at once
    return box


def rgb(color: str) -> str:
    return f"rgb({', '.join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))})"


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_slider_changes_the_picture(browser: Any, report: Path, size: dict[str, int]) -> None:
    """With the keyboard, and in both themes; nothing sticks out of the page."""
    seen = opened(browser, report, viewport=size, color_scheme="light")
    page = seen.page
    assert page.evaluate(OVERFLOW) <= 0
    box = drawn(page)
    chart, slider, said = (box.locator(name) for name in (".chart", "input", "output"))
    shown = []
    for theme in (LIGHT, DARK):
        page.emulate_media(color_scheme=theme.name)
        # Asked from outside: the page's policy lets nothing else be evaluated in it.
        for _ in range(100):
            if page.evaluate(INK) == rgb(theme.ink):
                break
            page.wait_for_timeout(50)
        assert page.evaluate(INK) == rgb(theme.ink)
        before, at = chart.screenshot(), said.inner_text()
        assert at == slider.get_attribute("aria-valuetext")
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert said.inner_text() != at
        after = chart.screenshot()
        page.keyboard.press("ArrowLeft")
        assert said.inner_text() == at
        shown += [before, after]
    lists = box.locator("select")
    if lists.count():
        lists.select_option(index=1)
        shown.append(chart.screenshot())
    assert len(set(shown)) == len(shown)
    assert page.evaluate(OVERFLOW) <= 0
    assert seen.faults == []
    page.context.close()


def test_a_zoom_stays_while_the_slider_moves(browser: Any, report: Path) -> None:
    """Until the axes are reset to those of the picture that is shown."""
    seen = opened(browser, report, viewport=WIDE)
    page = seen.page
    box = drawn(page)
    whole = page.evaluate(RANGES)
    plot = box.locator(".nsewdrag").bounding_box()
    page.mouse.move(plot["x"] + 0.3 * plot["width"], plot["y"] + 0.3 * plot["height"])
    page.mouse.down()
    page.mouse.move(plot["x"] + 0.7 * plot["width"], plot["y"] + 0.7 * plot["height"], steps=4)
    page.mouse.up()
    zoomed = changed_ranges(page, whole)
    box.locator("input").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(RANGES) == pytest.approx(zoomed)
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(RANGES) == pytest.approx(zoomed)
    box.locator(".modebar-btn[data-title='Reset axes']").click()
    assert changed_ranges(page, zoomed) == pytest.approx(whole)
    assert seen.faults == []
    page.context.close()


def changed_ranges(page: Any, before: list[float]) -> list[float]:
    """The axes' ranges as soon as they are others."""
    for _ in range(100):
        found: list[float] = page.evaluate(RANGES)
        if found != before:
            return found
        page.wait_for_timeout(50)
    raise AssertionError(f"the axes stay at {before}")


def test_the_pointer_says_values(browser: Any, report: Path) -> None:
    seen = opened(browser, report, viewport=WIDE)
    box = drawn(seen.page)
    # All of it, or the pointer would have to go where nothing is shown.
    box.locator(".chart").evaluate("chart => chart.scrollIntoView({block: 'center'})")
    x, y = seen.page.evaluate(
        """() => {
            const chart = document.querySelector(".plotted:has(input) .chart");
            const plot = chart.querySelector(".nsewdrag").getBoundingClientRect();
            const marks = [...chart.querySelectorAll(".points path.point")];
            const places = marks.map((mark) => mark.getBoundingClientRect());
            const centres = places.map((one) => [one.x + one.width / 2, one.y + one.height / 2]);
            return centres.find(([x, y]) => x > plot.left && x < plot.right
                && y > plot.top && y < plot.bottom)
                ?? [plot.x + plot.width / 2, plot.y + plot.height / 2]; // a map has values all over
        }"""
    )
    seen.page.mouse.move(x + 5, y + 5)
    seen.page.mouse.move(x, y, steps=3)
    box.locator(".hoverlayer text").first.wait_for(state="attached")
    assert any(letter.isdigit() for letter in box.locator(".hoverlayer").text_content())
    assert seen.faults == []
    seen.page.context.close()


def test_print_has_every_chart_in_light_colours(browser: Any, report: Path) -> None:
    """Of a dark page that was not scrolled; the cards are open on paper."""
    seen = opened(browser, report, viewport=WIDE, color_scheme="dark")
    page = seen.page
    page.wait_for_selector("html[data-drawn=all]")
    color = "getComputedStyle(document.documentElement).getPropertyValue('--fig-ink').trim()"
    assert page.evaluate(color) == DARK.ink
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    for _ in range(100):
        if page.evaluate(INK) == rgb(LIGHT.ink):
            break
        page.wait_for_timeout(50)
    assert not page.locator(".chooser").first.is_visible()
    charts = page.locator(".plotted .chart")
    for i in range(charts.count()):
        assert charts.nth(i).locator("svg").first.is_visible()
    assert page.evaluate(INK) == rgb(LIGHT.ink)
    assert page.evaluate(color) == LIGHT.ink
    assert page.evaluate(OVERFLOW) <= 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.pdf().startswith(b"%PDF")
    assert seen.faults == []
    page.context.close()


def test_a_line_of_the_strip_opens_its_card(browser: Any, report: Path) -> None:
    """With the keyboard; the chart of its effects is drawn when it is seen."""
    seen = opened(browser, report, viewport=NARROW)
    page = seen.page
    card = page.locator("details.card:has(.plotted)").first
    assert not card.locator(".opened").is_visible()
    card.locator("summary").focus()
    page.keyboard.press("Enter")
    assert card.locator(".opened").is_visible()
    card.locator(".chart svg").first.wait_for(state="visible")
    assert page.evaluate(OVERFLOW) <= 0
    assert seen.faults == []
    page.context.close()


def test_a_name_of_the_legend_hides_its_lines(browser: Any, report: Path) -> None:
    seen = opened(browser, report, viewport=WIDE)
    page = seen.page
    page.wait_for_selector("html[data-drawn=all]")
    box = page.locator("figure .plotted:has(.legend button)").first
    button, chart = box.locator(".legend button").first, box.locator(".chart")
    before = chart.screenshot()
    button.focus()
    page.keyboard.press("Enter")
    assert box.locator(".legend button").first.get_attribute("aria-pressed") == "false"
    assert chart.screenshot() != before
    page.keyboard.press("Enter")
    assert box.locator(".legend button").first.get_attribute("aria-pressed") == "true"
    assert seen.faults == []
    page.context.close()


def test_without_scripts_a_page_says_where_the_charts_are(browser: Any, report: Path) -> None:
    """Its words, verdicts and tables are there."""
    seen = opened(browser, report, viewport=NARROW, java_script_enabled=False)
    page = seen.page
    notes = page.locator("figure:not(.small) noscript .note")
    assert notes.count() == page.locator("figure:not(.small) .plotted").count() > 0
    assert all(notes.nth(i).is_visible() for i in range(notes.count()))
    assert "report RUN --figures DIR" in notes.first.inner_text()
    assert page.locator("svg.glance").first.is_visible()
    assert page.locator("table").first.is_visible()
    assert seen.faults == []
    page.context.close()


def test_every_figure_is_there_for_papers(report: Path, tmp_path: Path) -> None:
    """As SVG, with axes and text, and as PDF: needs no browser, but the same runs."""
    run = open_run(report.parent)
    specs = [*run.experiment.figures, *evidence_charts(run.tree)]
    paths = save_figures(run, tmp_path / "figures")
    assert [path.name for path in paths] == [f"{s.name}.{to}" for s in specs for to in TO]
    for path in paths:
        content = path.read_bytes()
        assert content.startswith(BEGIN[path.suffix])
        if path.suffix == ".svg":
            groups = re.findall(rb'<g id="([^"]+)"', content)
            assert b"axes_1" in groups
            assert any(one.startswith(b"text_") for one in groups)
