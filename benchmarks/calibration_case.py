"""What a calibration case is: landscapes in which hypotheses are false, and some where they hold.

An experiment registers its cases in a file ``benchmarks/calibration_<experiment>.py`` that defines

    CASES = (Case(name="exp005", hypotheses=..., null=..., truth=..., family=4),)

``null`` and ``truth`` take a seed and return what the experiment's run would have returned
(`ired_interp.open_run(...).results`): the same groups, dimensions and names, of landscapes with
d ≤ 64 at the number of problems that the page of the experiment documents. Draw from the seed and
nothing else, and let the truth be no stronger than what the page says can be seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import xarray as xr

from ired_interp.experiments.hypothesis import Hypothesis

__all__ = ["NULL_SEEDS", "TRUE_SEEDS", "Case", "Results"]

# Written before the first run, and never changed: the first 200 of each are the calibration.
NULL_SEEDS = range(10_000, 12_000)
TRUE_SEEDS = range(20_000, 22_000)

Results = Callable[[int], xr.DataTree]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Hypotheses with landscapes in which all of them are false, or all of them true.

    Attributes:
        name: A line of the table: experiment, landscape, number of problems.
        hypotheses: Judged one at a time.
        null: Seed → results in which they are false; None if there is nothing to show.
        truth: Seed → results in which they hold; likewise.
        family: How many hypotheses the experiment tests together. Nulls are judged alone, at the
            largest α that Holm could leave them, truths at α/family, the smallest.
    """

    name: str
    hypotheses: Sequence[Hypothesis]
    null: Results | None = None
    truth: Results | None = None
    family: int = 1
