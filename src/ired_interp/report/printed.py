"""A small table on a terminal of any width: nothing in it is cut, and no text is markup."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ired_interp.experiments.page import Listing

__all__ = ["Printed"]

_GAP = 2  # between columns
_INDENT = 2


@dataclass(frozen=True)
class Printed:
    """A listing for ``Console.print``: a table where it fits, else some lines a row.

    Columns of words are broken between words before the table gives way; numbers never are.

    Attributes:
        listing: What to print.
        title: Above it; none if empty.
    """

    listing: Listing
    title: str = ""

    def __rich_console__(
        self,
        console: Console,
        options: ConsoleOptions,
    ) -> Iterator[Table | Text | Padding]:
        """What rich is to print."""
        widths = _widths(self.listing, options.max_width)
        if widths is not None:
            yield self._table(widths)
            return
        if self.title:
            yield Text(self.title, "bold")
        for row in self.listing.rows:
            yield from self._lines(row, options.max_width)
        if self.listing.caption:
            yield Text(" ".join(self.listing.caption.split()), "dim italic")

    def _table(self, widths: Sequence[int]) -> Table:
        table = Table(
            title=Text(self.title) if self.title else None,
            caption=Text(self.listing.caption) if self.listing.caption else None,
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
            show_edge=False,
            show_header=any(self.listing.heads),
        )
        for head, width in zip(self.listing.heads, widths, strict=True):
            table.add_column(
                Text(head),
                justify="left" if head in self.listing.left else "right",
                style="dim" if head in self.listing.muted else "",
                width=width,
            )
        for row in self.listing.rows:
            table.add_row(*map(Text, row))
        return table

    def _lines(self, row: Sequence[str], width: int) -> Iterator[Text | Padding]:
        """The first cell, then the others after their heads, as many to a line as fit."""
        (head, *heads), (first, *cells) = self.listing.heads, row
        yield Text(first if head in self.listing.left else f"{head} {first}", "bold")
        named = [f"{one} {cell}".strip() for one, cell in zip(heads, cells, strict=True) if cell]
        line = ""
        for entry in named:
            longer = f"{line} · {entry}" if line else entry
            if line and cell_len(longer) > width - _INDENT:
                yield Padding(Text(line), (0, 0, 0, _INDENT), expand=False)
                longer = entry
            line = longer
        if line:
            yield Padding(Text(line), (0, 0, 0, _INDENT), expand=False)


def _widths(listing: Listing, most: int) -> list[int] | None:
    """Of the columns, words broken where that is needed; None if there is no room for them."""
    columns = list(zip(listing.heads, *listing.rows, strict=True))
    widths = [max(map(cell_len, column)) for column in columns]
    # The first column names the row: what is broken there cannot be copied.
    least = [
        max(cell_len(word) for cell in column for word in cell.split() or [""])
        if i and column[0] in listing.left
        else widths[i]
        for i, column in enumerate(columns)
    ]
    over = sum(widths) + _GAP * (len(widths) - 1) - most
    while over > 0:
        room = [width - floor for width, floor in zip(widths, least, strict=True)]
        widest = max(range(len(room)), key=lambda i: room[i])
        if room[widest] == 0:
            return None
        widths[widest] -= 1
        over -= 1
    return widths
