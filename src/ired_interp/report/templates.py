"""The templates of pages: everything is escaped, and words carry their marks and indices."""

import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ired_interp.experiments.page import Definitions, Paragraph, Points, Table, Text
from ired_interp.report.colors import COLORS

__all__ = ["render"]

# σ_t, s_t, p_t, ᾱ_t, σ_t², ∇_y, ∇²_y; a name such as bias_type is none.
_INDEX = re.compile(r"(?:(?<=[σ²∇ᾱ])|(?<=\b[sp]))_([ty])(?![a-z0-9_])")
_BLOCKS = {"paragraph": Paragraph, "points": Points, "definitions": Definitions, "table": Table}


def render(name: str, content: Mapping[str, Any]) -> str:
    """A page from one of the package's templates, with its style sheet and the themes' colours."""
    environment = Environment(
        loader=PackageLoader("ired_interp", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["words"] = _words
    environment.tests |= {kind: _is_a(block) for kind, block in _BLOCKS.items()}
    return environment.get_template(name).render(
        # Our own file, with nothing of the results in it.
        style=Markup((files("ired_interp") / "report" / "style.css").read_text("utf-8")),  # noqa: S704
        colors={name: _variables(of_theme) for name, of_theme in COLORS.items()},
        **content,
    )


def _variables(colors: Mapping[str, str]) -> dict[str, str]:
    return {f"--fig-{name}": color for name, color in colors.items()}


def _is_a(kind: type[Any]) -> Callable[[Any], bool]:
    return lambda block: isinstance(block, kind)


def _words(text: Text) -> Markup:
    """Escaped, with marks as tags and the index of ``σ_t`` and its like set below."""
    if isinstance(text, str):
        return _subscripts(text)
    return Markup("").join(
        _subscripts(part) if isinstance(part, str) else _marked(part.text, part.mark)
        for part in text
    )


def _marked(text: str, mark: str) -> Markup:
    if mark == "code":
        return Markup("<code>{}</code>").format(text)
    if mark == "whole":
        return Markup('<span class="whole">{}</span>').format(_subscripts(text))
    return Markup(f"<{mark}>{{}}</{mark}>").format(text)  # noqa: S704 - one of our own names


def _subscripts(text: str) -> Markup:
    return Markup(_INDEX.sub(r"<sub>\1</sub>", str(escape(text))))  # noqa: S704 - escaped
