"""How often verdicts are wrong: nulls that come out as supported, truths that do.

    python benchmarks/calibration.py                       # every case, 200 nulls and 200 truths
    python benchmarks/calibration.py --only evidence       # those of one file
    python benchmarks/calibration.py --only evidence --runs 2000
    python benchmarks/calibration.py --only exp001 --runs 40 --trial   # other seeds, to try a case
    python benchmarks/calibration.py --keep FILE --part 1/4   # a quarter of the landscapes
    python benchmarks/calibration.py --keep FILE              # the rest, and the table

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
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import torch
import xarray as xr
from calibration_case import (
    NULL_SEEDS,
    RUNS,
    TRIAL_NULLS,
    TRIAL_TRUTHS,
    TRUE_SEEDS,
    Case,
    Results,
)
from kept_outcomes import Kept, Kind, Landscape

from ired_interp.experiments.hypothesis import Outcome
from ired_interp.experiments.verdicts import ALPHA, judge
from ired_interp.stats import proportion

MOST_OF_NULLS, FEWEST_OF_TRUTHS = 0.08, 0.92  # 16 and 184 of 200
LONGEST = 3.0
PREFIX = "calibration_"


@dataclass
class Count:
    """What became of the landscapes of one kind under one hypothesis."""

    outcomes: list[Outcome] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    def add(self, outcomes: Sequence[Outcome], kind: str = "") -> None:
        """Landscapes more."""
        self.outcomes += outcomes
        if kind and outcomes:
            self.kinds.append(f"{kind} {outcomes.count('supported')}/{len(outcomes)}")

    def cell(self, outcome: Outcome, *, most: float = 1.0, fewest: float = 0.0) -> str:
        """How many, with the interval, in bold where they miss the mark; empty without any."""
        total, number = len(self.outcomes), self.outcomes.count(outcome)
        if total == 0:
            return ""
        found = proportion(number, total)
        text = f"{number}/{total} ({100 * found.low:.1f} … {100 * found.high:.1f} %)"
        return bold(text, wrong=not fewest * total <= number <= most * total)


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
    parser.add_argument("--hypothesis", default="", help="the id of the only one to run")
    parser.add_argument("--runs", type=int, help="landscapes of each kind; all places if none")
    parser.add_argument("--trial", action="store_true", help="seeds kept for trying a case")
    parser.add_argument("--keep", type=Path, help="a file of outcomes to go on from")
    parser.add_argument("--part", default="1/1", help="i/n: with --keep, every n-th landscape")
    parser.add_argument("--so-far", action="store_true", help="the table of what is kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    proportion(0, 1)  # imports scipy, which is no landscape's time
    cases = [
        case
        for case in registered(options.only, options.hypothesis)
        if options.case in case.name and case.hypotheses
    ]
    written = (TRIAL_NULLS, TRIAL_TRUTHS) if options.trial else (NULL_SEEDS, TRUE_SEEDS)
    most = min((len(seeds) - RUNS * case.round for case in cases for seeds in written), default=0)
    if options.runs is not None and not 1 <= options.runs <= most:
        raise SystemExit(
            "calibration: expected a case and a number of runs that there are seeds of"
        )
    if not cases:
        raise SystemExit(f"calibration: found no case in {PREFIX}{options.only}*.py; see --help.")
    first, every = (int(number) for number in options.part.split("/"))
    kept = Kept(options.keep)
    for case in [] if options.so_far else cases:
        seeds = (seeds_of(case, one, options.runs)[first - 1 :: every] for one in written)
        run(case, kept, *seeds)
    if every > 1:
        return
    print(
        "| case | hypothesis | null landscapes | nulls supported | nulls refuted | true landscape "
        "| truths supported | truths supported in a family | longest |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for _, group in groupby(cases, key=lambda case: case.name):
        for row in rows(list(group), kept, *written, options.runs):
            print(row, flush=True)


def registered(only: str, hypothesis: str) -> Iterator[Case]:
    """The cases of the files beside this one, by name; of one hypothesis where it is named."""
    for path in sorted(Path(__file__).parent.glob(f"{PREFIX}*.py")):
        if path.stem == f"{PREFIX}case" or only not in path.stem.removeprefix(PREFIX):
            continue
        cases: Sequence[Case] = importlib.import_module(path.stem).CASES
        for case in cases:
            # An exploratory one is never supported: it is judged here as if it were tested.
            kept = [
                replace(one, role="confirmatory")
                for one in case.hypotheses
                if hypothesis in ("", one.id)
            ]
            yield replace(case, hypotheses=kept)


def seeds_of(case: Case, written: range, runs: int | None) -> range:
    """Those of the case's round and places, or as many as were asked for."""
    here = written[RUNS * case.round :]
    return here[case.places.start :][: len(case.places) if runs is None else runs]


def run(case: Case, kept: Kept, nulls: range, truths: range) -> None:
    """The landscapes of a case that are not kept yet."""
    warm = False
    for kind, results_fn, seeds in sides(case, nulls, truths):
        for seed in seeds:
            if any(kept.find(case.name, kind, one.id, seed) is None for one in case.hypotheses):
                if not warm:  # what it imports is no landscape's time
                    landscape(case, kind, results_fn, seed)
                    warm = True
                kept.add(landscape(case, kind, results_fn, seed))
        print(f"{case.name}: {kind}, {case.landscape}: done", file=sys.stderr, flush=True)


def sides(case: Case, nulls: range, truths: range) -> list[tuple[Kind, Results, range]]:
    """What a case has of nulls and truths, with the seeds of each."""
    found: list[tuple[Kind, Results, range]] = []
    if case.null is not None:
        found.append(("null", case.null, nulls))
    if case.truth is not None:
        found.append(("true", case.truth, truths))
    return found


def landscape(case: Case, kind: Kind, results_fn: Results, seed: int) -> Landscape:
    """One, each of its hypotheses judged alone."""
    start = time.process_time()  # of this process: the machine may have others
    results = results_fn(seed)
    alone = outcomes(case, results, ALPHA)
    seconds = time.process_time() - start
    in_family = outcomes(case, results, ALPHA / case.family) if kind == "true" else {}
    return Landscape(case.name, kind, seed, seconds, alone, in_family)


def outcomes(case: Case, results: xr.DataTree, alpha: float) -> dict[str, Outcome]:
    """The outcome of each hypothesis."""
    return {one.id: judge([one], results, alpha=alpha)[0].outcome for one in case.hypotheses}


def rows(
    cases: Sequence[Case], kept: Kept, nulls: range, truths: range, runs: int | None
) -> Iterator[str]:
    """A row of the table for each hypothesis of cases of one name."""
    counts: dict[str, Counts] = {}
    for case in cases:
        for one in case.hypotheses:
            count = counts.setdefault(one.id, Counts())
            for kind, _, seeds in sides(case, nulls, truths):
                here = [
                    kept.find(case.name, kind, one.id, seed) for seed in seeds_of(case, seeds, runs)
                ]
                found = [known for known in here if known is not None]
                side = count.nulls if kind == "null" else count.truths
                side.add([known.alone[one.id] for known in found], case.landscape)
                count.in_family.add([known.in_family[one.id] for known in found if known.in_family])
                count.longest = max([count.longest, *(known.seconds for known in found)])
    for name, count in counts.items():
        cells = (
            cases[0].name,
            name,
            "; ".join(count.nulls.kinds),
            count.nulls.cell("supported", most=MOST_OF_NULLS),
            count.nulls.cell("refuted"),
            "; ".join(count.truths.kinds),
            count.truths.cell("supported", fewest=FEWEST_OF_TRUTHS),
            count.in_family.cell("supported", fewest=FEWEST_OF_TRUTHS),
            bold(f"{count.longest:.2g} s", wrong=count.longest > LONGEST),
        )
        yield f"| {' | '.join(cells)} |"


def bold(text: str, *, wrong: bool) -> str:
    """Marked where it misses."""
    return f"**{text}**" if wrong else text


if __name__ == "__main__":
    main()
