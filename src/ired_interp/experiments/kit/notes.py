"""The words of an experiment's page, read from a ``notes.md`` that stands beside its code.

    Does the energy of **{model}** measure …? This run moved {problems} {move} times.

    - Rank: {rank}, of the subspaces that are compared

    ## How the matrices were moved {#moves}

    - within: both subspaces kept

    A paragraph, with **strong**, *stressed* words and `code`.

    > A note, in small print.

    = σ_t·H = I, a formula.

What stands before the first heading is the page's lead, and its list the facts beside it. Names in
braces are those of `model_page.names_of`: the model, counts with their noun, sizes, options; and
those of the study. A paragraph that is nothing but a name may stand for a block, such as a list.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ired_interp.errors import ExperimentError
from ired_interp.experiments.page import (
    Block,
    Definitions,
    Marked,
    Paragraph,
    Section,
    Text,
)

__all__ = ["Notes", "notes"]

Names = Mapping[str, "str | Block"]
"""What fills in the names in braces."""

_HEADING = re.compile(r"## (.+?) \{#([a-z0-9-]+)\}")
_KINDS: Mapping[str, Literal["note", "formula"]] = {"> ": "note", "= ": "formula"}
_NAME = re.compile(r"\{(\w+)\}")
_MARKS = re.compile(r"\*\*(?P<strong>.+?)\*\*|\*(?P<em>[^*]+?)\*|`(?P<code>[^`]+)`")


@dataclass(frozen=True)
class Notes:
    """Words with names in braces, to be filled in from the results.

    Attributes:
        lead: The page's first paragraph.
        facts: Short ones beside it.
        sections: Anchor, title and blocks of the others.
    """

    lead: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[tuple[str, str, Sequence[str]]]

    def lead_of(self, names: Names) -> Text:
        """The lead, filled in."""
        return _text(self.lead, names)

    def facts_of(self, names: Names) -> list[tuple[str, Text]]:
        """The facts, filled in."""
        return [(term, _text(words, names)) for term, words in self.facts]

    def sections_of(self, names: Names) -> list[Section]:
        """The sections, filled in."""
        return [
            Section(name, title, tuple(_block(one, names) for one in blocks))
            for name, title, blocks in self.sections
        ]


def notes(path: Path) -> Notes:
    """The words of a ``notes.md``.

    Raises:
        ExperimentError: There is no lead, or a heading without an anchor.
    """
    first, *others = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    blocks = _blocks(first)
    leads = [one for one in blocks if not one.startswith("- ")]
    if len(leads) != 1:
        raise ExperimentError(
            f"{path}: expected one paragraph, the page's lead, before the first heading, found "
            f"{len(leads)}."
        )
    facts = [fact for one in blocks if one.startswith("- ") for fact in _items(one)]
    sections = []
    for other in others:
        line, _, body = other.partition("\n")
        heading = _HEADING.fullmatch(line.strip())
        if heading is None:
            raise ExperimentError(
                f"{path}: expected a heading with an anchor, as in '## What it is {{#meaning}}', "
                f"found {line.strip()!r}."
            )
        sections.append((heading[2], heading[1], _blocks(body)))
    return Notes(leads[0], facts, sections)


def _blocks(text: str) -> list[str]:
    """Paragraphs and lists, the lines of a paragraph joined."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.splitlines()
        joined = [
            lines[0],
            *(f"\n{x}" if x.startswith("- ") else f" {x.strip()}" for x in lines[1:]),
        ]
        found.append("".join(joined).replace(" > ", " "))
    return [block for block in found if block]


def _items(block: str) -> list[tuple[str, str]]:
    pairs = (line.removeprefix("- ").partition(": ") for line in block.splitlines())
    return [(term, words) for term, _, words in pairs]


def _block(block: str, names: Names) -> Block:
    alone = _NAME.fullmatch(block)
    whole = None if alone is None else names.get(alone[1])
    if whole is not None and not isinstance(whole, str):
        return whole
    if block.startswith("- "):
        return Definitions([(term, _text(words, names)) for term, words in _items(block)])
    for start, kind in _KINDS.items():
        if block.startswith(start):
            return Paragraph(_text(block.removeprefix(start), names), kind)
    return Paragraph(_text(block, names))


def _text(words: str, names: Names) -> Text:
    """Marked words apart, names filled in; what fills them in is not looked at for marks."""
    parts: list[str | Marked] = []
    end = 0
    for match in _MARKS.finditer(words):
        parts += [_filled(words[end : match.start()], names)] if match.start() > end else []
        mark = match.lastgroup or ""
        parts.append(Marked(_filled(match[mark], names), mark))  # type: ignore[arg-type]
        end = match.end()
    parts += [_filled(words[end:], names)] if end < len(words) else []
    return tuple(parts)


def _filled(words: str, names: Names) -> str:
    def value(match: re.Match[str]) -> str:
        found = names.get(match[1])
        if not isinstance(found, str):
            known = sorted(name for name, one in names.items() if isinstance(one, str))
            raise ExperimentError(
                f"notes: expected one of the names {', '.join(known)}, found {match[0]}."
            )
        return found

    return _NAME.sub(value, words)
