"""The page of two runs of one experiment: what was asked, what came out, and what moved."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from ired_interp.digits import with_interval
from ired_interp.errors import ConfigError
from ired_interp.experiments.evidence_charts import evidence_charts
from ired_interp.experiments.skill_words import skill_clause, skill_section
from ired_interp.experiments.verdict_data import StoredVerdict, read_verdicts
from ired_interp.report.cards import NO_VERDICT, SYMBOLS, shown_outcome
from ired_interp.report.headline import headline
from ired_interp.report.pictures import Picture, glyphs_of, picture_of, scripts_of
from ired_interp.report.readable import read
from ired_interp.report.templates import render
from ired_interp.runs.comparison import Comparison, Difference
from ired_interp.runs.moves import Move
from ired_interp.runs.run import Run
from ired_interp.storage import write_file

__all__ = ["write_comparison"]

# More rows than this are counted: what moved least says least.
_ROWS = 60
# States of a variable; what is in neither there is nothing to compare of.
_SAME, _MOVED = ("same bits", "within", "in part"), ("moved", "other problems")
_SIDES = ("first", "second")


@dataclass(frozen=True)
class _Side:
    """One of the runs.

    Attributes:
        path: Of its folder.
        headline: The first line of its report.
        skill: A clause.
    """

    path: str
    headline: str
    skill: str


@dataclass(frozen=True)
class _Outcome:
    """A hypothesis in one run.

    Attributes:
        symbol: Of the outcome.
        outcome: Or ``shown, not tested``, or ``no verdict``.
        effect: With its interval; empty where nothing was measured.
        control: The same of the control.
    """

    symbol: str
    outcome: str
    effect: str = ""
    control: str = ""


def write_comparison(first: Run, second: Run, found: Comparison, path: Path) -> Path:
    """Write one page on two finished runs; the same runs, the same bytes.

    Args:
        first: A run.
        second: Of the same experiment, with another config or model.
        found: By `compare_runs` of both.
        path: Of the page; its folder is there.

    Raises:
        ConfigError: The runs are of different experiments.
        RunFolderError: A run is not finished, or its results are damaged or of another version.
        StorageError: The file system refused.
    """
    if first.experiment.name != second.experiment.name:
        raise ConfigError(
            f"compare --report: expected two runs of one experiment, found {first.experiment.name} "
            f"in {first.path} and {second.experiment.name} in {second.path}. Compare runs of the "
            "same experiment; without --report any two runs are compared, by their variables."
        )
    with read(first) as one, read(second) as other:
        trees = (one, other)
        figures = _pairs(first, trees)
        drawn = [picture for pair in figures for picture in pair]
        content = {
            "experiment": first.experiment,
            "sides": [_side(run, tree) for run, tree in zip((first, second), trees, strict=True)],
            "found": found,
            "differences": [
                (kind, [_words_of(one) for one in getattr(found, kind)])
                for kind in ("config", "code", "machine")
            ],
            "skills": [skill_section(tree) for tree in trees],
            "verdicts": _verdicts(trees),
            "moves": [_row(move) for move in _sorted(found.moves)[:_ROWS]],
            "left_out": max(0, len(_sorted(found.moves)) - _ROWS),
            "same": sum(move.state in _SAME for move in found.moves),
            "elsewhere": [
                (move.name, move.state, move.detail)
                for move in found.moves
                if move.state not in (*_SAME, *_MOVED)
            ],
            "figures": figures,
            "glyphs": glyphs_of(drawn),
            "scripts": scripts_of(drawn),
        }
        page = render("side_by_side.html", content)
    write_file(path, page.encode(errors="backslashreplace"))
    return path


def _side(run: Run, results: xr.DataTree) -> _Side:
    said = headline(run.experiment, run.experiment.page(results).subject, results)
    return _Side(str(run.path), said, skill_clause(results))


def _words_of(one: Difference) -> tuple[str, str, str]:
    return one.name, _whole(one.first), _whole(one.second)


def _whole(value: Any) -> str:
    """Not cut: what differs may do so at its end."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _verdicts(
    trees: Sequence[xr.DataTree],
) -> list[tuple[str, str, list[_Outcome]]]:
    """Id, statement, and what came out in each run."""
    stored = [{one.verdict.id: one for one in read_verdicts(tree)} for tree in trees]
    rows = []
    for name in dict.fromkeys([*stored[0], *stored[1]]):
        both = [side.get(name) for side in stored]
        statement = next(one.statement for one in both if one is not None)
        rows.append((name, statement, [_outcome(one) for one in both]))
    return rows


def _outcome(one: StoredVerdict | None) -> _Outcome:
    if one is None:
        return _Outcome(SYMBOLS[NO_VERDICT], NO_VERDICT)
    verdict, outcome = one.verdict, shown_outcome(one)
    if not verdict.num_problems:
        return _Outcome(SYMBOLS[outcome], outcome)
    effect = " ".join(
        with_interval(verdict.estimate.mean, verdict.estimate.low, verdict.estimate.high)
    )
    control = ""
    if verdict.control is not None:
        control = " ".join(
            with_interval(verdict.control.mean, verdict.control.low, verdict.control.high)
        )
    return _Outcome(SYMBOLS[outcome], outcome, effect, control)


def _sorted(moves: Sequence[Move]) -> list[Move]:
    """Those that moved, most standard errors first; what has none by its share of the scale."""
    return sorted(
        (move for move in moves if move.state in _MOVED),
        key=lambda move: (
            -1.0 if move.standard_errors is None else move.standard_errors,
            (move.largest or 0.0) / (move.scale or 1.0),
        ),
        reverse=True,
    )


def _row(move: Move) -> tuple[str, ...]:
    errors = "" if move.standard_errors is None else _number(move.standard_errors)
    places = f", the most of {move.places}" if move.places > 1 and move.at else ""
    return (
        move.name,
        errors,
        f"{move.at}{places}",
        _number(move.largest),
        _number(move.scale),
        str(move.problems or ""),
        move.state,
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return "∞" if math.isinf(value) else f"{value:.2g}".replace("-", "−")


def _pairs(run: Run, trees: Sequence[xr.DataTree]) -> list[tuple[Picture, Picture]]:
    """The figures that both runs measured, then the effects of their verdicts."""
    evidence = [{spec.name: spec for spec in evidence_charts(tree)} for tree in trees]
    pairs = [
        _pair((spec, spec), trees)
        for spec in run.experiment.figures
        if not any(spec.missing(tree) for tree in trees)
    ]
    pairs += [
        _pair((evidence[0][name], evidence[1][name]), trees)
        for name in evidence[0]
        if name in evidence[1]
    ]
    return pairs


def _pair(specs: Any, trees: Sequence[xr.DataTree]) -> tuple[Picture, Picture]:
    first, second = (
        picture_of(spec, tree, prefix=f"{side}-", interactive=False)
        for spec, tree, side in zip(specs, trees, _SIDES, strict=True)
    )
    return first, second
