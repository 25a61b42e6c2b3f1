"""A drawing as a part of the page: colours by name, names of its own, letters shared.

matplotlib writes an SVG file that stands alone. On a page with twenty of them the names of their
parts meet, the outlines of letters are there twenty times, and a dark page needs the same again in
other colours. So the colours of a `Theme` become variables of the page's style, ``#1f2328`` to
``var(--fig-ink)``; what is referred to is named after its figure, and nothing else has a name; and
the letters stand once on the page, for all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from markupsafe import Markup

from ired_interp.experiments.base import Theme

__all__ = ["Inline", "inline", "merged", "theme_colors"]

# 1/100 point is less than a fiftieth of a pixel, however wide the page.
_DIGITS = 2

_VIEW = re.compile(r'viewBox="([^"]*)"')
# What it sets stands in the page's style sheet.
_STYLE = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>\s*", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->\s*", re.DOTALL)
_GLYPH = re.compile(r'<path id="([A-Za-z]\w*-[0-9a-f]+)" (d="[^"]*" transform="[^"]*")/>\s*')
_EMPTY = re.compile(r"<defs>\s*</defs>\s*|<defs/>\s*")
_REFERENCE = re.compile(r'(?<=href="#)[^"]+|(?<=url\(#)[^)]+')
_NAME = re.compile(r' id="([^"]*)"')
_COLOR = re.compile(r"(?<=: )#[0-9a-f]{6}(?=[;\"])")
_PATH = re.compile(r'(?<= d=")[^"]*')
_PLACE = re.compile(r'(?<= [xy]=")[-0-9.]+(?=")')
_LONG = re.compile(r"-?\d+\.\d{3,}")
_COMMAND = re.compile(r"\s*([MLQCzZ])\s*")
_TAG = re.compile(r"<[^>]*>")
_SPACE = re.compile(r"(?<=>)\s+(?=<)")


@dataclass(frozen=True)
class Inline:
    """A drawing for the inside of a page.

    Attributes:
        view: The ``viewBox``, in points.
        body: All that is between ``<svg …>`` and ``</svg>``.
        glyphs: Outlines of the letters it uses, by the name that it uses; not in the body.
    """

    view: str
    body: Markup
    glyphs: Mapping[str, Markup]


def theme_colors(theme: Theme) -> dict[str, str]:
    """The colours of a theme by the name of their variable, such as ``--fig-ink``."""
    roles = (field.name for field in fields(theme) if field.name != "name")
    return {f"--fig-{role}": getattr(theme, role) for role in roles}


def inline(svg: str, name: str, theme: Theme) -> Inline:
    """Make a drawing a part of a page.

    Args:
        svg: As `draw_svg` made it.
        name: Put before the names of its parts; no other drawing of the page may have it.
        theme: Whose colours become variables; others stay as they are.
    """
    head = svg[: svg.index(">") + 1]
    body = _COMMENT.sub("", _STYLE.sub("", svg[len(head) : svg.rindex("</svg>")]))
    glyphs = {f"glyph-{key}": outline for key, outline in _GLYPH.findall(body)}
    body = _EMPTY.sub("", _GLYPH.sub("", body)).replace("xlink:href", "href")
    # In the order in which they are used, for matplotlib's own names depend on colours.
    names: dict[str, str] = {}
    for one in _REFERENCE.findall(body):
        if f"glyph-{one}" in glyphs:
            names[one] = f"glyph-{one}"
        names.setdefault(one, f"{name}-{len(names)}")
    body = _NAME.sub(lambda m: f' id="{names[m[1]]}"' if m[1] in names else "", body)
    body = _REFERENCE.sub(lambda m: names[m[0]], body)
    variables = {color: f"var({key})" for key, color in theme_colors(theme).items()}
    body = _COLOR.sub(lambda m: variables.get(m[0], m[0]), body)
    body = _SPACE.sub("", _PATH.sub(_shorter, _PLACE.sub(_rounded, body))).strip()
    # matplotlib escapes what it writes: the body is as safe as the file.
    return Inline(
        view=_VIEW.findall(head)[0],
        body=Markup(body),  # noqa: S704
        glyphs={
            key: Markup(f'<path id="{key}" {_PATH.sub(_shorter, " " + outline)[1:]}/>')  # noqa: S704
            for key, outline in glyphs.items()
        },
    )


def merged(light: Inline, dark: Inline) -> Inline | None:
    """One drawing of two that differ in some elements, of which the page shows one or the other.

    Args:
        light: In the light theme.
        dark: The same figure under the same name in the dark theme.

    Returns:
        None where the two are not made of the same elements, so that each must stand by itself.
    """
    pairs = list(zip(_TAG.findall(light.body), _TAG.findall(dark.body), strict=False))
    if light.view != dark.view or _TAG.split(light.body) != _TAG.split(dark.body):
        return None
    if not all(a == b or (a.endswith("/>") and _kind(a) == _kind(b)) for a, b in pairs):
        return None
    parts = [a if a == b else _shown(a, "light") + _shown(b, "dark") for a, b in pairs]
    # No element has text: letters are outlines.
    body = Markup("".join(parts))  # noqa: S704 - both are drawings
    return Inline(light.view, body, {**light.glyphs, **dark.glyphs})


def _kind(tag: str) -> str:
    return tag.split(" ", 1)[0]


def _shown(tag: str, theme: str) -> str:
    return f'{_kind(tag)} class="{theme}"{tag[len(_kind(tag)) :]}'


def _shorter(path: re.Match[str]) -> str:
    return _COMMAND.sub(r"\1", _LONG.sub(_rounded, path[0])).strip()


def _rounded(number: re.Match[str]) -> str:
    text = f"{float(number[0]):.{_DIGITS}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
