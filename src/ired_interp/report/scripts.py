"""What a page holds for the browser: plotly.js, our own script, and numbers, all in the one file.

plotly.js has 4.8 MB. Compressed it is 1.5 MB, and 2.0 MB in the letters that a page may hold; the
browser inflates it when the first chart comes near. The page's policy lets these two
scripts run, by their hashes, and nothing else.
"""

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from ired_interp.errors import ExperimentError
from ired_interp.experiments.interactive import Interactive
from ired_interp.experiments.kit.drawn import Drawing
from ired_interp.report.browser import plotted

__all__ = ["Scripts", "packed", "scripts"]


@dataclass(frozen=True)
class Scripts:
    """The scripts of a page with charts.

    Attributes:
        own: Of ours, as it stands in the page.
        plotly: Compressed, as letters.
        policy: Sources that the page's policy allows.
    """

    own: Markup
    plotly: str
    policy: str


@cache
def scripts() -> Scripts:
    """Both scripts; the same bytes as long as the same plotly is installed."""
    own = (files("ired_interp") / "report" / "interactive.js").read_text("utf-8")
    plotly = (files("plotly") / "package_data" / "plotly.min.js").read_text("utf-8")
    return Scripts(
        own=Markup(own),  # noqa: S704 - our own file
        plotly=_letters(plotly),
        policy=f"'{_hash(own)}' '{_hash(plotly)}'",
    )


def packed(figure: Interactive | Drawing) -> str:
    """What a browser draws as JSON, compressed, as letters: nothing in it is a tag.

    Raises:
        ExperimentError: There is something in it that JSON does not have.
    """
    if isinstance(figure, Drawing):
        content = plotted(figure)
    else:
        content = {one.name: getattr(figure, one.name) for one in fields(figure)}
    try:
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ExperimentError(
            f"interactive figure by {figure.slider}: expected text, lists and finite numbers, "
            f"found something else ({error}). Make numbers with rounded(values), which has None "
            "where there is none."
        ) from error
    return _letters(text)


def _letters(text: str) -> str:
    # Without a time in its head: the same text, the same bytes.
    return base64.b64encode(
        gzip.compress(text.encode(errors="backslashreplace"), 9, mtime=0)
    ).decode()


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
