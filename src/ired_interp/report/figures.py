"""Figures as files: one drawing, in a light and a dark theme, the same bytes every time."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib import style
from matplotlib.figure import Figure

from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.evidence_charts import evidence_charts
from ired_interp.experiments.kit.charts import Chart
from ired_interp.report.colors import LIGHT
from ired_interp.report.paper import paper_figure
from ired_interp.report.readable import read
from ired_interp.runs.run import Run
from ired_interp.storage import guard, write_file

__all__ = ["Drawing", "draw_svg", "save_figures"]

_POINTS_PER_INCH = 72
_SVG_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_PNG_METADATA = {"Software": None}
_DPI = 200  # of PNG alone
_SUFFIXES = ("svg", "pdf", "png")
_PDF_METADATA = {"CreationDate": None, "Creator": None, "Producer": None}


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG text.

    Attributes:
        svg: From ``<svg`` to ``</svg>``, on a transparent ground.
        width: In points.
        height: In points.
    """

    svg: str
    width: float
    height: float


def draw_svg(spec: FigureSpec, results: xr.DataTree, theme: Theme) -> Drawing:
    """Draw a figure; its letters are outlines, so that no font is needed.

    The same results give the same bytes.
    """
    with _own_style():
        figure = spec.draw_fn(results, theme)
        content = _to_bytes(figure, "svg", ground="none").decode()
        width, height = (float(side) * _POINTS_PER_INCH for side in figure.get_size_inches())
    # The prolog names a DTD on the network, which nothing needs.
    return Drawing(content[content.index("<svg") :], width, height)


def save_figures(run: Run, folder: Path) -> list[Path]:
    """Write a run's figures as SVG, PDF and PNG on white ground, for papers.

    Args:
        run: A finished run.
        folder: Made if it is not there; files of the same names are replaced.

    Returns:
        The files, ``NAME.svg``, ``NAME.pdf`` and ``NAME.png`` for each figure that the run measured
        all of, and ``evidence-ID`` for each verdict with an effect.

    Raises:
        RunFolderError: The run is not finished, or its results are damaged or of another version.
        StorageError: The file system refused.
    """
    paths = []
    with read(run) as results:
        with guard(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for spec in (*run.experiment.figures, *evidence_charts(results)):
            if spec.missing(results):
                continue
            with _own_style():
                figure = _on_paper(spec, results)
                contents = {one: _to_bytes(figure, one, ground="white") for one in _SUFFIXES}
            for suffix, content in contents.items():
                path = folder / f"{spec.name}.{suffix}"
                write_file(path, content)
                paths.append(path)
    return paths


def _on_paper(spec: FigureSpec | Chart, results: xr.DataTree) -> Figure:
    if isinstance(spec, Chart):
        return paper_figure(spec.drawing_fn(results), LIGHT)
    return spec.draw_fn(results, LIGHT)


@contextmanager
def _own_style() -> Iterator[None]:
    """matplotlib's defaults whatever the user's matplotlibrc says, for the time of one drawing."""
    own: dict[Any, Any] = {
        "svg.hashsalt": "ired-interp",
        "svg.fonttype": "path",
        "pdf.fonttype": 42,
    }
    with style.context(["default", own], after_reset=True):
        yield


def _to_bytes(figure: Figure, suffix: str, *, ground: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {"svg": _SVG_METADATA, "pdf": _PDF_METADATA, "png": _PNG_METADATA}[suffix]
    fine: Any = {"dpi": _DPI} if suffix == "png" else {}
    figure.savefig(buffer, format=suffix, facecolor=ground, metadata=metadata, **fine)
    return buffer.getvalue()
