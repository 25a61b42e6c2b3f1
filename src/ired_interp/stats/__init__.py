"""Statistics over problems: the problem is the unit of replication, never an eigenvalue."""

from ired_interp.stats.draws import BeyondDraws, beyond_draws
from ired_interp.stats.effects import PairedEffect, paired_effect
from ired_interp.stats.intervals import (
    FloatArray,
    IntArray,
    Interval,
    Intervals,
    bootstrap_mean,
    bootstrap_means,
    clustered_mean,
    skill,
    unit_means,
)
from ired_interp.stats.multiplicity import holm
from ired_interp.stats.permutation import SignFlip, sign_flip
from ired_interp.stats.proportions import proportion
from ired_interp.stats.ranks import (
    Correlation,
    PageTrend,
    page_trend,
    partial_spearman,
    spearman,
)
from ired_interp.stats.trends import Slope, log_log_slope, slope

__all__ = [
    "BeyondDraws",
    "Correlation",
    "FloatArray",
    "IntArray",
    "Interval",
    "Intervals",
    "PageTrend",
    "PairedEffect",
    "SignFlip",
    "Slope",
    "beyond_draws",
    "bootstrap_mean",
    "bootstrap_means",
    "clustered_mean",
    "holm",
    "log_log_slope",
    "page_trend",
    "paired_effect",
    "partial_spearman",
    "proportion",
    "sign_flip",
    "skill",
    "slope",
    "spearman",
    "unit_means",
]
