"""What an experiment says of its results: hypotheses, charts, the page, lines for a terminal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import xarray as xr

from ired_interp.experiments import model_page
from ired_interp.experiments.base import FigureSpec
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.kit.charts import Chart
from ired_interp.experiments.kit.claims import Claim
from ired_interp.experiments.kit.expressions import Pick, pick
from ired_interp.experiments.kit.notes import Notes
from ired_interp.experiments.kit.tables import Lines, MeanTable, Sentence, TableOfResults
from ired_interp.experiments.kit.variables import Variables
from ired_interp.experiments.page import Block, Definition, Listing, Page, Points, Section
from ired_interp.experiments.skill import SKILL_DEFINITIONS

__all__ = ["Presented"]


@dataclass(frozen=True, kw_only=True)
class Presented:
    """What is said; nothing here computes more than the results hold.

    Attributes:
        name: Of run folders and pages.
        title: A line.
        variables: All that are measured.
        groups: Groups of its own in the results, each with what it holds, in words.
        claims: What it tests.
        charts: What it shows, the first one first.
        tables: Means over problems.
        said: Sentences of the findings.
        lines: What a terminal shows; the means by level, if it has none of its own.
        words: Of the page; a paragraph, if there is no more to say than its lead.
        names: (results) → what the words name, beside `model_page.names_of`: words, or a block that
            stands where a paragraph is nothing but its name.
        agreement: How far numbers in float64 agree on another kind of machine.
    """

    name: str
    title: str
    variables: Variables
    words: Notes | str
    lines: Lines | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    claims: Sequence[Claim] = ()
    charts: Sequence[Chart | FigureSpec] = ()
    tables: Sequence[TableOfResults] = ()
    said: Sequence[Sentence] = ()
    names: Callable[[xr.DataTree], Mapping[str, str | Block]] = lambda _: {}
    agreement: str = "to the round-off of the arithmetic"

    @property
    def hypotheses(self) -> Sequence[Hypothesis]:
        """The claims, as they are judged."""
        return tuple(claim.hypothesis() for claim in self.claims)

    @property
    def figures(self) -> Sequence[Chart | FigureSpec]:
        """The charts."""
        return self.charts

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """What the variables are."""
        return {**self.variables.definitions, **SKILL_DEFINITIONS}

    @property
    def needs(self) -> tuple[str, ...]:
        """What there is no page without."""
        shown = [name for table in self._tables for name in table.needs]
        paths = [f"summary/model/{name}" for name in (*shown, *self._lines.needs)]
        said = [path.replace("…", "model") for one in self.said for path in one.variables]
        paths += [path for path in said if path.startswith("summary/model/")]
        return tuple(dict.fromkeys(paths))

    def page(self, results: xr.DataTree) -> Page:
        """What the results say, in the experiment's words."""
        told = model_page.told_of(results)
        names, words = self._names(results), self._words
        tables = [(table, made) for table in self._tables if (made := table.of(results))]
        inside = [made for table, made in tables if not table.name]
        apart = [Section(table.name, table.title, (made,)) for table, made in tables if table.name]
        sentences = [(one.of(results), one.variables) for one in self.said]
        said = Points(
            [words for words, _ in sentences if words],
            list(dict.fromkeys(path for words, paths in sentences if words for path in paths)),
        )
        return Page(
            lead=words.lead_of(names),
            facts=[
                *words.facts_of(names),
                model_page.problems_fact(results, told.config),
                ("Numerics", f"{told.config['dtype']} on {told.config['device']}"),
            ],
            findings=[*([said] if self.said else []), *inside],
            sections=[*words.sections_of(names), *apart],
            subject=told.subject,
            drawn_of=told.drawn_of,
            layout=model_page.described_layout(
                "Its root is the model’s alone, with what is of the problems;",
                self._groups(results),
                "means over problems with their 95\u00a0% bootstrap intervals.",
            ),
            agreement=told.agreement(self.agreement),
        )

    def _groups(self, results: xr.DataTree) -> list[tuple[str, str]]:
        there = {node.path for node in results.subtree}
        found = [(path, what) for path, what in self.groups.items() if f"/{path}" in there]
        return found + model_page.networks_layout(results, "what depends on the network")

    def listing(self, results: xr.DataTree) -> Listing:
        """What a terminal shows."""
        return self._lines.of(results, self._names(results))

    @property
    def _words(self) -> Notes:
        return Notes(self.words, (), ()) if isinstance(self.words, str) else self.words

    @property
    def _by_level(self) -> list[tuple[str, Pick]]:
        """What has a mean over problems at every level, and nothing more."""
        return [
            (name, pick(name))
            for name, one in self.variables.items()
            if one.mean and set(one.dims) == {"problem", "level"}
        ]

    @property
    def _lines(self) -> Lines:
        return self.lines or Lines(columns=self._by_level, others=self._by_level[:1], caption="")

    @property
    def _tables(self) -> Sequence[TableOfResults]:
        if self.tables or not self._by_level:
            return self.tables
        return (MeanTable("Means by level", ("level",), self._by_level),)

    def _names(self, results: xr.DataTree) -> dict[str, str | Block]:
        return {**model_page.names_of(results), **self.names(results)}
