"""The page of a run: one file that needs no network, made from ``results.h5`` and nothing else."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ired_interp.errors import RunFolderError
from ired_interp.experiments.base import FigureSpec, missing_variables
from ired_interp.experiments.evidence_figures import evidence_figures
from ired_interp.experiments.interactive import PAGE, Interactive
from ired_interp.experiments.page import Definitions, Paragraph, Points, Table, Text
from ired_interp.experiments.skill_words import skill_section
from ired_interp.experiments.verdict_data import VERDICTS
from ired_interp.report import tables
from ired_interp.report.cards import cards
from ired_interp.report.figures import DARK, LIGHT, draw_svg
from ired_interp.report.headline import headline
from ired_interp.report.inline import Inline, inline, merged, theme_colors
from ired_interp.report.scripts import packed, scripts
from ired_interp.runs.run import Run
from ired_interp.runs.storage import write_file

__all__ = ["write_report"]

# A figure is as wide as the page up to the first, and scrolls rather than shrink below the second;
# the one of a verdict has little in it and may shrink further.
_WIDEST, _NARROWEST, _NARROWEST_EVIDENCE = 1.75, 1.25, 0.9
# σ_t, s_t, p_t, ᾱ_t, σ_t², ∇_y, ∇²_y; a name such as bias_type is none.
_INDEX = re.compile(r"(?:(?<=[σ²∇ᾱ])|(?<=\b[sp]))_([ty])(?![a-z0-9_])")
_BLOCKS = {"paragraph": Paragraph, "points": Points, "definitions": Definitions, "table": Table}


@dataclass(frozen=True)
class _Picture:
    """A figure on the page.

    Attributes:
        name: Its anchor.
        title: A line.
        caption: How to read it.
        widest: In CSS pixels.
        narrowest: In CSS pixels.
        height: In CSS pixels at its widest.
        drawings: One, or one a theme; by the class of the style sheet that shows it, empty for
            what always is.
        interactive: What a browser draws beside them; None for nothing.
        numbers: Of it, packed.
    """

    name: str
    title: str
    caption: str
    widest: int
    narrowest: int
    height: int
    drawings: Mapping[str, Inline]
    interactive: Interactive | None = None
    numbers: str = ""


def write_report(run: Run) -> Path:
    """Write ``report.html`` into the folder of a finished run; the same results, the same bytes.

    Raises:
        RunFolderError: The run is not finished, or its results are damaged or of another version.
        StorageError: The file system refused.
    """
    results = run.tree
    missing = [] if "config" in results.attrs else ["attribute config"]
    missing += missing_variables(results, run.experiment.needs)
    if missing:
        raise RunFolderError(
            f"{run.results_path}: expected results of this version of {run.experiment.name}, found "
            f"none of {', '.join(missing)}. Delete the file and run 'ired-interp resume "
            f"{run.path}': it is made again from the shards."
        )
    write_file(run.report_path, _render(run, results).encode())
    return run.report_path


def _render(run: Run, results: xr.DataTree) -> str:
    experiment, config = run.experiment, tables.config_of(results)
    page = experiment.page(results)
    evidence = evidence_figures(results)
    small = {spec.name: _picture(spec, results, narrowest=_NARROWEST_EVIDENCE) for spec in evidence}
    stored = results[VERDICTS].attrs if VERDICTS in results.children else {}
    drawable = [spec for spec in experiment.figures if not spec.missing(results)]
    pictures = [_picture(spec, results) for spec in drawable]
    environment = Environment(
        loader=PackageLoader("ired_interp", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["words"] = _words
    environment.tests |= {name: _is_a(kind) for name, kind in _BLOCKS.items()}
    return environment.get_template("report.html").render(
        # Our own file, with nothing of the results in it.
        style=Markup((files("ired_interp") / "report" / "style.css").read_text("utf-8")),  # noqa: S704
        experiment=experiment,
        attrs=results.attrs,
        page=page,
        headline=headline(experiment, page.subject, results),
        skill=skill_section(results),
        cards=cards(experiment, results),
        evidence=small,
        evidence_caption=evidence[0].caption if evidence else "",
        alpha=stored.get("alpha"),
        confidence=round(100 * float(stored["confidence"])) if stored else None,
        drawn={spec.name: spec.title for spec in drawable},
        pictures=pictures,
        scripts=scripts() if any(one.interactive for one in pictures) else None,
        glyphs=_glyphs([*small.values(), *pictures]),
        colors={theme.name: theme_colors(theme) for theme in (LIGHT, DARK)},
        left_out=[spec.title for spec in experiment.figures if spec not in drawable],
        variables=tables.variable_rows(results, experiment.definitions),
        provenance=tables.provenance_rows(results),
        project=tables.project_of(results),
        command=tables.command_line(run.source.reference, config, experiment.Config),
    )


def _is_a(kind: type[Any]) -> Callable[[Any], bool]:
    return lambda block: isinstance(block, kind)


def _picture(spec: FigureSpec, results: xr.DataTree, *, narrowest: float = _NARROWEST) -> _Picture:
    drawing = draw_svg(spec, results, LIGHT)
    light = inline(drawing.svg, spec.name, LIGHT)
    drawings = {"": light}
    if spec.colors == "own":
        dark = inline(draw_svg(spec, results, DARK).svg, spec.name, DARK)
        both = merged(light, dark)
        drawings = {"light": light, "dark": dark} if both is None else {"": both}
    interactive = None if spec.interactive_fn is None else spec.interactive_fn(results, PAGE)
    return _Picture(
        spec.name,
        spec.title,
        spec.caption,
        widest=round(drawing.width * _WIDEST),
        narrowest=round(drawing.width * narrowest),
        height=round(drawing.height * _WIDEST),
        drawings=drawings,
        interactive=interactive,
        numbers="" if interactive is None else packed(interactive),
    )


def _glyphs(pictures: Iterable[_Picture]) -> list[Markup]:
    """The letters of all drawings, each once."""
    found: dict[str, Markup] = {}
    for picture in pictures:
        for drawing in picture.drawings.values():
            found |= drawing.glyphs
    return [found[name] for name in sorted(found)]


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
