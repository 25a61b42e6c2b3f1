"""Charts of EXP-006: spectra of scores, what problems share, and what a move along one does."""

from ired_interp.experiments.exp006.directions import BOTTOM, ENDS, TOP
from ired_interp.experiments.exp006.measure import PLACES, TYPICAL
from ired_interp.experiments.kit.charts import by_level
from ired_interp.experiments.kit.drawn import Axis
from ired_interp.experiments.kit.expressions import pick
from ired_interp.experiments.kit.facets import facet, quantity
from ired_interp.experiments.kit.level_charts import spectrum

__all__ = ["CHARTS"]

_BY_PLACE = facet(
    "place",
    only=PLACES,
    words={"typical": "typical points", "trajectory": "on the trajectory"},
)
_BY_END = facet("end", only=ENDS, words={TOP: "leading components", BOTTOM: "last components"})
_BARS = "Means over problems, bars are 95 % bootstrap intervals. "

CHARTS = (
    spectrum(
        "spectra",
        "Spectrum of the scores over noise",
        "Covariance eigenvalues of a problem’s scores over noise draws (typical points) or over "
        "the solver’s starts (trajectory), over their mean; means over problems. Dotted: the noise "
        "draws themselves, which in finite number fill the Marchenko-Pastur bulk and not a line at "
        "1. Where a determined answer is denoised ideally the score is the noise.",
        y="mean_eigenvalue",
        x="rank",
        rows=_BY_PLACE,
        axis=Axis(label="component"),
        up=Axis(label="λ over the mean λ", scale="log"),
        ideal=pick("mean_noise_eigenvalue"),
        ideal_name="the noise itself",
    ),
    by_level(
        "concentration",
        "Fewer directions than noise?",
        "Above: Σλ²/(Σλ)² of the same spectra over what isotropic rows have on average. Below: "
        "components beyond what the largest of isotropic rows exceeds in 1 % of draws. "
        f"{_BARS}Dotted: the noise draws themselves.",
        y=[
            quantity("concentration", label="concentration", ideal=pick("noise_concentration")),
            quantity("beyond_edge", label="beyond the edge", ideal=pick("noise_beyond_edge")),
        ],
        columns=_BY_PLACE,
        ideal_name="the noise itself",
        groups=("model", "untrained", "shuffled"),
        height=2.3,
    ),
    by_level(
        "problems",
        "Directions that problems share",
        "Above: concentration of the spectrum over problems of each problem’s mean score (bars: "
        "1.96 standard errors of a bootstrap over problems). Below: how much of a problem’s mean "
        "score the leading components of other problems explain, over k/d (bars: 95 % bootstrap "
        "intervals). Dotted: 1, chance. Networks with untrained weights share directions too.",
        y=[
            quantity("problems_concentration", label="concentration", null=1.0),
            quantity("shared_share", label="held-out share / chance", null=1.0),
        ],
        columns=_BY_PLACE,
        null_name="by chance",
        groups=("model", "untrained", "shuffled"),
        height=2.3,
    ),
    by_level(
        "alignment",
        "Do components lie in the problem’s own subspace?",
        "Share of the leading and the last components in the problem’s own subspace (filled), and "
        f"in those of the other problems (open), which has whatever all problems share. {_BARS}"
        "Where the spectrum is that of noise the components are arbitrary and both are alike.",
        y=quantity(
            "own_share", label="share", word="own", beside=[(pick("other_share"), "others’")]
        ),
        rows=_BY_END,
        columns=_BY_PLACE,
        groups=("model", "untrained", "shuffled"),
        height=2.3,
    ),
    by_level(
        "moves",
        "What a move along a component does",
        "At typical points that the components have not seen: second difference of the energy, in "
        "units of 1/σ_t (above), and rise of the squared error of the one-step answer, in units of "
        f"the move’s own (below). {_BARS}Triangles: random directions of the same length. Dashed: "
        "the ideal of a determined task.",
        y=[
            quantity(
                pick(f"{name}_along", place=TYPICAL, end=TOP),
                label=label,
                word="leading components",
                beside=[(pick(f"{name}_along", place=TYPICAL, end=BOTTOM), "last components")],
                once=[(pick(f"{name}_random", place=TYPICAL), "random directions")],
                ideal=ideal,
                scale="outliers",
            )
            for name, label, ideal in (
                ("energy", "rise of E", 1.0),
                ("error", "rise of the error", 0.0),
            )
        ],
        columns="case",
        groups=("model", "untrained", "shuffled"),
        ideal_name="ideal",
        height=2.3,
    ),
)
