"""How often verdicts are wrong: nulls that come out as supported, truths that do.

    python benchmarks/calibration.py                       # every case, 200 nulls and 200 truths
    python benchmarks/calibration.py --only evidence       # those of one file
    python benchmarks/calibration.py --only evidence --runs 2000
    python benchmarks/calibration.py --only exp001 --runs 40 --trial   # other seeds, to try a case

Cases are found in ``benchmarks/calibration_*.py``; `calibration_case` says how to add one, and
holds the seeds. Tests aim at α = 2.5 %. Of 200 nulls at most 16 may come out as supported, of 200
truths at least 184 must. Intervals are Clopper-Pearson at 95 %. The last column is the longest
that one landscape took with its verdicts, in seconds of one processor; it may be 3 s. Where the
nulls are of several kinds, the counts of each stand behind their names.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import torch
from calibration_case import (
    NULL_SEEDS,
    RUNS,
    TRIAL_NULLS,
    TRIAL_TRUTHS,
    TRUE_SEEDS,
    Case,
    Results,
)

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
    kinds: list[str] = field(default_factory=list)

    def add(self, outcomes: Sequence[Outcome], kind: str = "") -> None:
        """Landscapes more."""
        supported = outcomes.count("supported")
        self.total += len(outcomes)
        self.supported += supported
        self.refuted += outcomes.count("refuted")
        if kind and outcomes:
            self.kinds.append(f"{kind} {supported}/{len(outcomes)}")


@dataclass
class Counts:
    """A row of the table."""

    nulls: Count = field(default_factory=Count)
    truths: Count = field(default_factory=Count)
    in_family: Count = field(default_factory=Count)
    longest: float = 0.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="of the files calibration_<this>.py")
    parser.add_argument("--case", default="", help="part of the names of the cases to run")
    parser.add_argument("--runs", type=int, help="landscapes of each kind; all places if none")
    parser.add_argument("--trial", action="store_true", help="seeds kept for trying a case")
    options = parser.parse_args()
    torch.set_num_threads(1)
    proportion(0, 1)  # imports scipy, which is no landscape's time
    cases = [case for case in registered(options.only) if options.case in case.name]
    written = (TRIAL_NULLS, TRIAL_TRUTHS) if options.trial else (NULL_SEEDS, TRUE_SEEDS)
    most = min((len(seeds) - RUNS * case.round for case in cases for seeds in written), default=0)
    if options.runs is not None and not 1 <= options.runs <= most:
        raise SystemExit(
            "calibration: expected a case and a number of runs that there are seeds of"
        )
    if not cases:
        raise SystemExit(f"calibration: found no case in {PREFIX}{options.only}*.py; see --help.")
    print(
        "| case | hypothesis | null landscapes | nulls supported | nulls refuted | true landscape "
        "| truths supported | truths supported in a family | longest |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for _, group in groupby(cases, key=lambda case: case.name):
        for row in rows(list(group), *written, options.runs):
            print(row, flush=True)


def registered(only: str) -> Iterator[Case]:
    """The cases of the files beside this one, in order of their names."""
    for path in sorted(Path(__file__).parent.glob(f"{PREFIX}*.py")):
        if path.stem == f"{PREFIX}case" or only not in path.stem.removeprefix(PREFIX):
            continue
        cases: Sequence[Case] = importlib.import_module(path.stem).CASES
        yield from cases


def rows(cases: Sequence[Case], nulls: range, truths: range, runs: int | None) -> Iterator[str]:
    """A row of the table for each hypothesis of cases of one name.

    What misses its mark is in bold.
    """
    counts: dict[str, Counts] = {}
    for case in cases:
        for one in case.hypotheses:
            counts.setdefault(one.id, Counts())
        if case.null is not None:
            (alone,) = run(case, case.null, seeds_of(case, nulls, runs), counts, [ALPHA])
            for name, outcomes in alone.items():
                counts[name].nulls.add(outcomes, case.landscape)
        if case.truth is not None:
            alone, in_family = run(
                case, case.truth, seeds_of(case, truths, runs), counts, [ALPHA, ALPHA / case.family]
            )
            for name, outcomes in alone.items():
                counts[name].truths.add(outcomes, case.landscape)
                counts[name].in_family.add(in_family[name])
    for name, found in counts.items():
        yield row(cases[0].name, name, found)


def seeds_of(case: Case, written: range, runs: int | None) -> range:
    """Those of the case's round and places, or as many as were asked for."""
    here = written[RUNS * case.round :]
    return here[case.places.start : case.places.stop] if runs is None else here[:runs]


Outcomes = dict[str, list[Outcome]]


def run(
    case: Case, results_fn: Results, seeds: range, counts: dict[str, Counts], alphas: list[float]
) -> list[Outcomes]:
    """The outcomes of each hypothesis, judged alone, at each α; the first one is timed."""
    found: list[Outcomes] = [{one.id: [] for one in case.hypotheses} for _ in alphas]
    longest = 0.0
    for seed in seeds:
        start = time.process_time()  # of this process: the machine may have others
        results = results_fn(seed)
        for i, alpha in enumerate(alphas):
            for one in case.hypotheses:
                found[i][one.id].append(judge([one], results, alpha=alpha)[0].outcome)
            if i == 0:
                longest = max(longest, time.process_time() - start)
    for one in case.hypotheses:
        counts[one.id].longest = max(counts[one.id].longest, longest)
        supported = found[0][one.id].count("supported")
        print(f"{one.id}: {case.landscape} {supported}/{len(seeds)}", file=sys.stderr, flush=True)
    return found


def row(case: str, name: str, found: Counts) -> str:
    """A line of the table."""
    nulls, truths, in_family = found.nulls, found.truths, found.in_family
    cells = (
        case,
        name,
        "; ".join(nulls.kinds),
        cell(nulls, nulls.supported, wrong=nulls.supported > MOST_OF_NULLS * nulls.total),
        cell(nulls, nulls.refuted),
        "; ".join(truths.kinds),
        *(
            cell(one, one.supported, wrong=one.supported < FEWEST_OF_TRUTHS * one.total)
            for one in (truths, in_family)
        ),
        bold(f"{found.longest:.2g} s", wrong=found.longest > LONGEST),
    )
    return f"| {' | '.join(cells)} |"


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
