"""How often verdicts are wrong: nulls that come out as supported, truths that do.

    python benchmarks/calibration.py                       # every case, 200 nulls and 200 truths
    python benchmarks/calibration.py --only evidence       # those of one file
    python benchmarks/calibration.py --only evidence --runs 2000

Cases are found in ``benchmarks/calibration_*.py``; `calibration_case` says how to add one, and
holds the seeds. Tests aim at α = 2.5 %. Of 200 nulls at most 16 may come out as supported, of 200
truths at least 184 must. Intervals are Clopper-Pearson at 95 %. The last column is the longest
that one landscape took with its verdict; it may be 3 s.
"""

import argparse
import importlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import xarray as xr
from calibration_case import NULL_SEEDS, TRUE_SEEDS, Case

from ired_interp.experiments.hypothesis import Outcome
from ired_interp.experiments.verdicts import ALPHA, judge
from ired_interp.stats import proportion

MOST_OF_NULLS, FEWEST_OF_TRUTHS = 0.08, 0.92  # 16 and 184 of 200
LONGEST = 3.0
PREFIX = "calibration_"


@dataclass
class Count:
    """What became of the landscapes of one kind under one hypothesis."""

    total: int = 0
    supported: int = 0
    refuted: int = 0

    def add(self, outcome: Outcome) -> None:
        """One landscape more."""
        self.total += 1
        self.supported += outcome == "supported"
        self.refuted += outcome == "refuted"


@dataclass
class Counts:
    """A row of the table."""

    nulls: Count = field(default_factory=Count)
    truths: Count = field(default_factory=Count)
    in_family: Count = field(default_factory=Count)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="of the files calibration_<this>.py")
    parser.add_argument("--case", default="", help="part of the names of the cases to run")
    parser.add_argument("--runs", type=int, default=200, help=f"at most {len(NULL_SEEDS)}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases = [case for case in registered(options.only) if options.case in case.name]
    if not cases or not 1 <= options.runs <= len(NULL_SEEDS):
        raise SystemExit(
            "calibration: expected a case and a number of runs that there are seeds of"
        )
    print(
        "| case | hypothesis | nulls supported | nulls refuted | truths supported | truths "
        "supported in a family | longest |"
    )
    print("|---|---|---|---|---|---|---|")
    for case in cases:
        for row in rows(case, options.runs):
            print(row, flush=True)


def registered(only: str) -> Iterator[Case]:
    """The cases of the files beside this one, in order of their names."""
    for path in sorted(Path(__file__).parent.glob(f"{PREFIX}*.py")):
        if path.stem == f"{PREFIX}case" or only not in path.stem.removeprefix(PREFIX):
            continue
        cases: Sequence[Case] = importlib.import_module(path.stem).CASES
        yield from cases


def rows(case: Case, runs: int) -> Iterator[str]:
    """A row of the table for each hypothesis; what misses its mark is in bold."""
    counts = {hypothesis.id: Counts() for hypothesis in case.hypotheses}
    longest = 0.0
    for results_fn, seeds in ((case.null, NULL_SEEDS), (case.truth, TRUE_SEEDS)):
        if results_fn is None:
            continue
        for seed in seeds[:runs]:
            start = time.perf_counter()
            results = results_fn(seed)
            alone = outcomes(case, results, ALPHA)
            longest = max(longest, time.perf_counter() - start)
            for name, outcome in alone.items():
                (counts[name].nulls if seeds is NULL_SEEDS else counts[name].truths).add(outcome)
            if seeds is TRUE_SEEDS:
                for name, outcome in outcomes(case, results, ALPHA / case.family).items():
                    counts[name].in_family.add(outcome)
    for name, found in counts.items():
        nulls, truths, in_family = found.nulls, found.truths, found.in_family
        cells = (
            case.name,
            name,
            cell(nulls, nulls.supported, wrong=nulls.supported > MOST_OF_NULLS * nulls.total),
            cell(nulls, nulls.refuted),
            *(
                cell(one, one.supported, wrong=one.supported < FEWEST_OF_TRUTHS * one.total)
                for one in (truths, in_family)
            ),
            bold(f"{longest:.2g} s", wrong=longest > LONGEST),
        )
        yield f"| {' | '.join(cells)} |"


def outcomes(case: Case, results: xr.DataTree, alpha: float) -> dict[str, Outcome]:
    """The outcome of each hypothesis, judged alone."""
    return {
        hypothesis.id: judge([hypothesis], results, alpha=alpha)[0].outcome
        for hypothesis in case.hypotheses
    }


def cell(count: Count, number: int, *, wrong: bool = False) -> str:
    """A count with its interval; nothing where there were no landscapes."""
    if count.total == 0:
        return ""
    found = proportion(number, count.total)
    text = f"{number}/{count.total} ({100 * found.low:.1f} … {100 * found.high:.1f} %)"
    return bold(text, wrong=wrong)


def bold(text: str, *, wrong: bool) -> str:
    """Marked where it misses."""
    return f"**{text}**" if wrong else text


if __name__ == "__main__":
    main()
