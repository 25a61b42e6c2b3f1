"""The score spectra of EXP-006 in a browser: a level at a time, component by component."""

from typing import Any

import xarray as xr

from ired_interp.experiments.base import Theme
from ired_interp.experiments.exp006.measure import PLACES
from ired_interp.experiments.interactive import Interactive, axis, label, rounded

__all__ = ["PLACE_WORDS", "interactive_spectra"]

PLACE_WORDS = {"typical": "typical points", "trajectory": "on the trajectory"}
"""What is said of each place."""


def interactive_spectra(results: xr.DataTree, theme: Theme) -> Interactive:
    """Covariance eigenvalues of the scores over their mean, at one level."""
    summaries = results["summary"].children
    model = summaries["model"].to_dataset().sortby("level")
    cases = [model]
    looks = [("model", theme.model, "circle", "solid")]
    if "untrained" in summaries:
        cases.append(summaries["untrained"].to_dataset().sortby("level"))
        looks.append(("untrained weights", theme.control, "square", "dash"))
    looks.append(("the noise itself", theme.ideal, "line-ew", "dot"))
    ranks = list(range(1, model.sizes["rank"] + 1))
    levels, sigma = model["level"].values, results.to_dataset().sortby("level")["sigma"].values
    noise = {"y": rounded(model["mean_noise_eigenvalue"].values)}
    values = [
        [
            [
                *(
                    {"y": rounded(data["mean_eigenvalue"].isel(level=i).sel(place=place).values)}
                    for data in cases
                ),
                noise,
            ]
            for i in range(len(levels))
        ]
        for place in PLACES
    ]
    return Interactive(
        caption=(
            "The same at any level. Under the pointer: each component’s eigenvalue over the mean "
            "eigenvalue, which has no unit, means over problems."
        ),
        slider="level k",
        positions=[f"k = {k}, σ = {s:.2f}" for k, s in zip(levels, sigma, strict=True)],
        choice="scores",
        choices=[PLACE_WORDS[place] for place in PLACES],
        traces=[_trace(*look, ranks) for look in looks],
        values=values,
        layout={
            "xaxis": axis("component"),
            "yaxis": axis("λ over the mean λ", type="log", exponentformat="power", dtick="D2"),
            "hovermode": "x unified",
        },
    )


def _trace(name: str, color: str, symbol: str, dash: str, ranks: list[int]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(name),
        "x": ranks,
        "line": {"color": color, "width": 2, "dash": dash},
        "marker": {"color": color, "size": 6, "symbol": symbol},
        "hovertemplate": "%{y:.4g}",
    }
