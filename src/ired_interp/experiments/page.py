"""What an experiment has to say about its results, as data: a page, and a table for a terminal.

All of it is text. The report escapes it and sets it; nobody writes HTML. In words that are not
code, ``σ_t`` and its like are set with a subscript.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "Block",
    "Cell",
    "Column",
    "Definition",
    "Definitions",
    "Listing",
    "Marked",
    "Page",
    "Paragraph",
    "Points",
    "Row",
    "RowGroup",
    "Section",
    "Table",
    "Text",
]

Mark = Literal["strong", "em", "i", "code", "whole"]


@dataclass(frozen=True)
class Marked:
    """A few words set apart.

    Attributes:
        text: The words.
        mark: ``strong``, ``em``, ``i`` (a letter of a formula), ``code``, or ``whole``: not broken
            over two lines.
    """

    text: str
    mark: Mark


Text: TypeAlias = str | Sequence[str | Marked]
"""Words, or words and marked words in a row, with their own spaces."""


@dataclass(frozen=True)
class Definition:
    """What a variable of the results is.

    Attributes:
        meaning: How it is measured.
        error: Where its error stands.
    """

    meaning: str
    error: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph: plain, a ``note`` in small print, or a ``formula``."""

    text: Text
    kind: Literal["plain", "note", "formula"] = "plain"


@dataclass(frozen=True)
class Points:
    """Short points, one below the other.

    Attributes:
        items: The points.
        variables: Paths of the variables in ``results.h5`` that their numbers come from; ``…``
            stands for each group that is spoken of.
    """

    items: Sequence[Text]
    variables: Sequence[str] = ()


@dataclass(frozen=True)
class Definitions:
    """Terms, each with what it means."""

    items: Sequence[tuple[str, Text]]


@dataclass(frozen=True)
class Column:
    """The head of a column of numbers.

    Attributes:
        label: A word or two.
        unit: Below it; empty if there is none.
        reference: What the column would be in the ideal case, if the table has such a row.
        variable: Path of its variable in ``results.h5``; ``…`` stands for the group of a row.
    """

    label: Text
    unit: str = ""
    reference: str = ""
    variable: str = ""


@dataclass(frozen=True)
class Cell:
    """A number as text.

    Attributes:
        value: To as many digits as its error allows; ``ired_interp.digits`` writes them.
        interval: Its error; empty if there is none.
        note: Such as ``n = 3`` where problems are missing.
    """

    value: str
    interval: str = ""
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One row of numbers.

    Attributes:
        label: What the row is of.
        cells: One a column.
        count: How many problems it is a mean over, where the table has that column.
        key: ``model`` or ``control`` gives the label that colour, which is that of the figures.
    """

    label: str
    cells: Sequence[Cell]
    count: int | None = None
    key: Literal["", "model", "control"] = ""


@dataclass(frozen=True)
class RowGroup:
    """Rows that share the first cells, such as the rows of one level."""

    heads: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Attributes:
        label: What it holds, for those who cannot see it.
        group_heads: Heads of the cells that the rows of a group share, at least one.
        row_head: Head of the rows' labels.
        columns: Heads of the numbers.
        groups: The rows.
        count_head: Head of ``Row.count``; empty if the table has none.
        reference: Label of the row of the columns' ``reference``; empty if the table has none.
        note: How to read it, above the table.
    """

    label: str
    group_heads: Sequence[Text]
    row_head: str
    columns: Sequence[Column]
    groups: Sequence[RowGroup]
    count_head: Text = ""
    reference: str = ""
    note: Text = ""


Block: TypeAlias = Paragraph | Points | Definitions | Table


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        name: Its anchor: letters, digits and hyphens.
        title: A line.
        blocks: What it holds.
        short: Its name in the list of contents; the title if empty.
    """

    name: str
    title: str
    blocks: Sequence[Block]
    short: str = ""


@dataclass(frozen=True)
class Page:
    """What an experiment says about one run; the report adds figures, variables and provenance.

    Attributes:
        lead: The paragraph below the title: what was asked of what, and what was measured.
        findings: Below the first figure: what came out.
        facts: Short ones, such as sizes and seeds.
        sections: After the findings, such as how to read the numbers.
        subject: What was measured, in the page's title; empty if nothing tells.
        drawn_of: What a figure is drawn of, for those who cannot see it.
        first_figure: The first figure in the list of contents; its title if empty.
        layout: What lies where in ``results.h5``.
        agreement: How far the numbers agree on another kind of machine.
    """

    lead: Text
    findings: Sequence[Block]
    facts: Sequence[tuple[str, Text]] = ()
    sections: Sequence[Section] = ()
    subject: str = ""
    drawn_of: str = ""
    first_figure: str = ""
    layout: Text = ""
    agreement: str = "to the round-off of the arithmetic"


@dataclass(frozen=True)
class Listing:
    """A small table of text, for a terminal.

    Attributes:
        heads: Of the columns.
        rows: A cell a column.
        caption: How to read it.
        left: Heads of columns of words, which begin at the left.
        muted: Heads of columns that stand back.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    left: Sequence[str] = ()
    muted: Sequence[str] = ()
