"""The page of a run: one file that needs no network, made from ``results.h5`` and nothing else."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ired_interp.errors import RunFolderError
from ired_interp.experiments.base import FigureSpec
from ired_interp.report import tables
from ired_interp.report.figures import THEMES, draw_svg
from ired_interp.runs.run import Run
from ired_interp.runs.storage import write_file

__all__ = ["write_report"]

# A figure is as wide as the page up to the first, and scrolls rather than shrink below the second.
_WIDEST, _NARROWEST = 1.75, 1.25
_PREFIX = 12


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
        sources: By theme, a ``data:`` address with the whole image.
    """

    name: str
    title: str
    caption: str
    widest: int
    narrowest: int
    height: int
    sources: Mapping[str, str]


def write_report(run: Run) -> Path:
    """Write ``report.html`` into the folder of a finished run; the same results, the same bytes.

    Raises:
        RunFolderError: The run is not finished, or its results are damaged or of another version.
        StorageError: The file system refused.
    """
    results = run.tree
    missing = tables.missing_parts(results)
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
    controls = results.children["controls"].children if "controls" in results.children else {}
    point, sizes = str(results["point"].item()), results.sizes
    level_rows = tables.level_rows(results)
    drawable = [spec for spec in experiment.figures if not spec.missing(results)]
    environment = Environment(
        loader=PackageLoader("ired_interp", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["subscripts"] = _subscripts
    return environment.get_template(
        "report.html"
    ).render(
        # Our own file, with nothing of the results in it.
        style=Markup((files("ired_interp") / "report" / "style.css").read_text("utf-8")),  # noqa: S704
        experiment=experiment,
        attrs=results.attrs,
        config=config,
        model=tables.model_label(config["model"]),
        sha=results.attrs["model_sha256"][:_PREFIX],
        point=point,
        point_meaning=tables.POINTS[point],
        sizes=sizes,
        asked=tables.asked_words(results),
        certified="radii" in results.data_vars,
        levels=tables.level_words(config["levels"]),
        draws=controls["untrained"].sizes["draw"] if "untrained" in controls else 0,
        ideal_known=bool(results["ideal_eigenvalues"].notnull().all()),
        columns=tables.columns(results),
        level_rows=level_rows,
        incomplete=any(row.count < sizes["problem"] for level in level_rows for row in level.rows),
        sentences=tables.in_words(results),
        pictures=[_picture(spec, results) for spec in drawable],
        left_out=[spec.title for spec in experiment.figures if spec not in drawable],
        variables=tables.variable_rows(results),
        provenance=tables.provenance_rows(results),
        command=tables.command_line(experiment.name, config, experiment.Config),
    )


def _picture(spec: FigureSpec, results: xr.DataTree) -> _Picture:
    drawings = {theme.name: draw_svg(spec, results, theme) for theme in THEMES}
    width, height = next((one.width, one.height) for one in drawings.values())
    return _Picture(
        spec.name,
        spec.title,
        spec.caption,
        widest=round(width * _WIDEST),
        narrowest=round(width * _NARROWEST),
        height=round(height * _WIDEST),
        sources={name: _address(drawing.svg) for name, drawing in drawings.items()},
    )


def _subscripts(text: str) -> Markup:
    """``σ_t`` with its index set below, after everything else has been escaped."""
    return Markup(re.sub(r"(?<=[sσ²∇ᾱ])_([ty])", r"<sub>\1</sub>", str(escape(text))))  # noqa: S704


def _address(svg: str) -> str:
    # An image of its own, so that the ids of one drawing cannot meet those of another.
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
