"""The page of an experiment of one's own: escaped, complete, and good where it says nothing."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from rich.console import Console

from ired_interp.digits import with_error
from ired_interp.errors import ExperimentError
from ired_interp.experiments import Experiment, FigureSpec, Theme
from ired_interp.experiments.completion import as_experiment
from ired_interp.experiments.page import (
    Cell,
    Column,
    Definition,
    Definitions,
    Listing,
    Marked,
    Page,
    Paragraph,
    Points,
    Row,
    RowGroup,
    Section,
    Table,
)
from ired_interp.report.html import write_report
from ired_interp.report.terminal import results_table
from ired_interp.runs.execution import execute
from ired_interp.runs.run import Run, plan_run

EVIL = "<script>alert('σ_t')</script>&amp;"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose but these."""

    words: str = EVIL
    problems: int = 4
    careful: bool = True
    numbers: tuple[int, ...] = (1, 2)


def draw(results: xr.DataTree, theme: Theme) -> Figure:
    figure = Figure((3, 2))
    figure.subplots().plot(np.ravel(results.to_dataset()["value"]), color=theme.model)
    return figure


class Silent:
    """Says nothing of itself & its <numbers>."""

    name = "silent"
    Config = Config
    hypotheses: Sequence[str] = ()
    figures: Sequence[FigureSpec] = ()

    def units(self, config: Any) -> int:  # noqa: ARG002 - the interface
        return 2

    def run_unit(self, config: Any, index: int) -> xr.Dataset:
        rng = np.random.default_rng(index)
        problems = np.arange(config.problems) + index * config.problems
        return xr.Dataset(
            {
                "value": (
                    ("problem", "level"),
                    rng.normal(size=(config.problems, 2)),
                    {"units": "energy", "long_name": f"a value {EVIL}", "error": "spread"},
                ),
                "bias_type": ("problem", np.ones(config.problems)),
                "text": ("problem", ["a"] * config.problems),
            },
            coords={"problem": problems, "level": [1, 10]},
        )


class Scalar(Silent):
    """One number, no problems."""

    name = "scalar"

    def units(self, config: Any) -> int:  # noqa: ARG002 - the interface
        return 1

    def run_unit(self, config: Any, index: int) -> xr.Dataset:  # noqa: ARG002
        return xr.Dataset({"answer": 42.0})


class Talking(Silent):
    """Has a word for everything."""

    name = "talking"
    title = f"Title {EVIL}"
    hypotheses = (f"the value is 0 {EVIL}",)
    definitions: Mapping[str, Definition] = {"value": Definition("at σ_t, of bias_type", EVIL)}
    needs = ("summary/model/value",)
    figures = (
        FigureSpec("one", f"Figure {EVIL}", f"Caption {EVIL}", draw),
        FigureSpec("two", "Second", "Caption", draw),
        FigureSpec("none", "Of what is not there", "Caption", draw, needs=("controls/x/value",)),
    )

    def page(self, results: xr.DataTree) -> Page:  # noqa: ARG002
        row = Row(f"row {EVIL}", [Cell(EVIL, EVIL, EVIL)], 3, "model")
        return Page(
            lead=("Lead ", Marked(EVIL, "strong"), EVIL, Marked(EVIL, "code"), Marked("y", "i")),
            facts=[(EVIL, EVIL)],
            findings=[
                Points([EVIL, ("k = ", Marked(EVIL, "em"))]),
                Table(
                    label=EVIL,
                    group_heads=("level", EVIL),
                    row_head=EVIL,
                    columns=[Column(EVIL, EVIL, EVIL)],
                    groups=[RowGroup(("1", EVIL), [row, row])],
                    count_head="n",
                    reference=EVIL,
                    note=EVIL,
                ),
            ],
            sections=[
                Section(
                    "how",
                    EVIL,
                    [
                        Paragraph(EVIL),
                        Paragraph(("∇_yE = ", Marked("s_t/σ_t²", "whole")), "formula"),
                        Definitions([(EVIL, EVIL)]),
                    ],
                    short="How",
                )
            ],
            subject=EVIL,
            drawn_of=EVIL,
            first_figure=EVIL,
            layout=EVIL,
            agreement=EVIL,
        )

    def listing(self, results: xr.DataTree) -> Listing:  # noqa: ARG002
        return Listing(("[red]head[/red]", "b"), [("[bold]x[/bold]", "1")], "[i]caption[/i]")


class Tags(HTMLParser):
    """The tags, which must nest, and the words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.words: list[str] = []
        self.stack: list[str] = []
        self.feed(text)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "aria-labelledby", "aria-describedby") and value != "data:,":
                self.targets.append((value or "").removeprefix("#"))
        if tag not in ("meta", "link", "img", "br"):
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] != "style":
            self.words.append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())


Make = Callable[[type], Run]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A finished run of an experiment of the classes above, with its report."""
    done: dict[type, Run] = {}

    def made(kind: type) -> Run:
        if kind not in done:
            experiment: Experiment = as_experiment(kind(), kind.__name__)
            out = tmp_path_factory.mktemp(kind.__name__) / "run"
            done[kind] = execute(plan_run(experiment, Config(), out))
            write_report(done[kind])
        return done[kind]

    return made


def page_of(run: Run) -> Tags:
    return Tags(run.report_path.read_text(encoding="utf-8"))


def shown(run: Run) -> str:
    stream = io.StringIO()
    Console(width=100, file=stream).print(results_table(run, "[red]title[/red]"))
    return stream.getvalue()


@pytest.mark.parametrize("kind", [Silent, Scalar, Talking])
def test_whatever_is_said_is_escaped_and_leads_somewhere(make: Make, kind: type) -> None:
    page = page_of(make(kind))
    assert "script" not in page.names
    assert len(page.ids) == len(set(page.ids))
    assert set(page.targets) <= set(page.ids)
    assert EVIL in page.said  # the config, at least


def test_the_default_page_has_the_summary(make: Make) -> None:
    run = make(Silent)
    page = page_of(run)
    assert "Says nothing of itself & its <numbers>" in page.said
    assert "This run of silent measured value , bias_type , text for 8 problems." in page.said
    assert "silent tests no hypothesis" in page.said
    for level in (1, 10):
        values = run.results["value"].sel(level=level)
        mean, error = float(values.mean()), float(values.std(ddof=1)) / 8**0.5
        assert " ".join(with_error(mean, error)) in page.said
    # A name is no formula, and keeps its underscore.
    assert "bias_type" in page.said
    assert page.said.count("careful yes") == 2


def test_the_default_listing_has_the_summary(make: Make) -> None:
    said = shown(make(Silent))
    assert "[red]title[/red]" in said
    assert "level 10" in said
    assert "bias_type" in said
    assert "text" not in said.split("means over")[0].replace("bias_type", "")


def test_an_experiment_without_problems_has_a_page(make: Make) -> None:
    run = make(Scalar)
    assert "summary" not in run.tree.children
    assert "There is no summary" in page_of(run).said
    assert "nothing was averaged" in " ".join(shown(run).split())


def test_all_that_an_experiment_says_is_on_its_page(make: Make) -> None:
    run = make(Talking)
    text, page = run.report_path.read_text(encoding="utf-8"), page_of(run)
    assert page.said.count(EVIL) > 20
    for heading in ("Figure", "Title"):
        assert f"{heading} {EVIL}" in page.said
    # A caption is escaped and has its index set below, as all words.
    caption = "Caption &lt;script&gt;alert(&#39;σ<sub>t</sub>&#39;)&lt;/script&gt;&amp;amp;"
    assert f">{caption}</figcaption>" in text
    assert "∇<sub>y</sub>E" in text
    assert '<span class="whole">s<sub>t</sub>/σ<sub>t</sub>²</span>' in text
    assert "at σ<sub>t</sub>, of bias_type" in text
    assert "<code>&lt;script&gt;alert(&#39;σ_t&#39;)&lt;/script&gt;&amp;amp;</code>" in text
    assert "Not drawn, because this run did not measure what it shows" in page.said
    assert "Of what is not there" in page.said


def test_a_terminal_shows_brackets_as_they_are(make: Make) -> None:
    said = shown(make(Talking))
    for words in ("[red]head[/red]", "[bold]x[/bold]", "[i]caption[/i]"):
        assert words in said


def test_the_command_names_the_options_that_differ(make: Make) -> None:
    """With the words that the command line reads; planned by hand, so by the experiment's name."""
    text = page_of(make(Silent)).said
    assert "ired-interp run silent \\ --problems 4 \\ --out NEW" in text


def test_many_rows_are_cut_and_counted(tmp_path: Path) -> None:
    class Wide(Silent):
        """Very many numbers."""

        name = "wide"

        def run_unit(self, config: Any, index: int) -> xr.Dataset:  # noqa: ARG002
            values = np.ones((2, 500))
            return xr.Dataset({"long": (("problem", "place"), values)})

    run = execute(plan_run(as_experiment(Wide(), "wide"), Config(), tmp_path / "run"))
    write_report(run)
    said = page_of(run).said
    assert "Only the first 60 rows are shown of long. All are in results.h5." in said
    assert "place 59" in said
    assert "place 60" not in said
    assert "470 more lines are in the report and in results.h5" in " ".join(shown(run).split())


def test_units_that_cannot_be_joined_are_refused() -> None:
    class Apart(Scalar):
        """Two units, and nothing to join them along."""

        def units(self, config: Any) -> int:  # noqa: ARG002
            return 2

    with pytest.raises(ExperimentError, match=r"expected a dimension 'problem'.*found none"):
        as_experiment(Apart(), "apart").run_unit(Config(), 0)
