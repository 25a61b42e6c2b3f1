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

__all__ = [
    "NULL_SEEDS",
    "RUNS",
    "TRIAL_NULLS",
    "TRIAL_TRUTHS",
    "TRUE_SEEDS",
    "Case",
    "Results",
    "first_half",
    "second_half",
]

RUNS = 200
# Written before the first run, and never changed: the calibration of a round are 200 of each.
NULL_SEEDS = range(10_000, 12_000)
TRUE_SEEDS = range(20_000, 22_000)
# For looking for mistakes while a case is written: no count in the docs is of these.
TRIAL_NULLS = range(90_000, 92_000)
TRIAL_TRUTHS = range(95_000, 97_000)

Results = Callable[[int], xr.DataTree]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Hypotheses with landscapes in which all of them are false, or all of them true.

    Attributes:
        name: A line of the table: experiment, landscape, number of problems. Cases of one name
            share a line for each hypothesis, so that nulls of several kinds are counted together.
        hypotheses: Judged one at a time.
        null: Seed → results in which they are false; None if there is nothing to show.
        truth: Seed → results in which they hold; likewise.
        landscape: What they are, in words; empty where the name says it.
        family: How many hypotheses the experiment tests together. Nulls are judged alone, at the
            largest α that Holm could leave them, truths at α/family, the smallest.
        places: Which of the round's 200 seeds are run: some, where the nulls are of several kinds.
        round: Which 200 of the written seeds: 0 the first ones. It grows when a statistic was
            changed after its counts were seen, so that no count is of seeds already looked at.
    """

    name: str
    hypotheses: Sequence[Hypothesis]
    null: Results | None = None
    truth: Results | None = None
    landscape: str = ""
    family: int = 1
    places: range = range(RUNS)
    round: int = 0


def first_half() -> range:
    """Of the places of a round."""
    return range(RUNS // 2)


def second_half() -> range:
    """The others."""
    return range(RUNS // 2, RUNS)
