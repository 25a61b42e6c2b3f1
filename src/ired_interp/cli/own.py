"""``new`` and ``compare``: a researcher's own experiments, and two runs side by side."""

import argparse
import json
import math
import re
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from ired_interp.cli.codes import FAILED
from ired_interp.console import console, terminal
from ired_interp.digits import number
from ired_interp.errors import ConfigError
from ired_interp.experiments.page import Listing
from ired_interp.experiments.starting import write_new_experiment
from ired_interp.report.printed import Printed
from ired_interp.runs.comparison import TOLERANCE, Comparison, Difference, compare_runs, to_json
from ired_interp.runs.moves import Move
from ired_interp.runs.over_models import judge_runs, verdicts_to_json
from ired_interp.runs.run import open_run

__all__ = ["compare", "new"]

_PREFIX = 12
_HASH = re.compile(r"[0-9a-f]{40,64}")
# States of a variable: a line each, names alone, and counts alone.
_IN_DETAIL = ("moved", "other problems", "other shape")
_BY_NAME = ("only in first", "only in second")
_COUNTED = ("in part", "within")


def new(options: argparse.Namespace) -> int:
    """Write an experiment and its test."""
    file, test = write_new_experiment(options.name, options.folder)
    console.print(
        f"{file}\n{test}\n"
        f"run it with   ired-interp run {shlex.quote(str(file))}\n"
        f"test it with  python -m pytest {shlex.quote(str(test))}",
        soft_wrap=True,
    )
    return 0


def compare(options: argparse.Namespace) -> int:
    """Say what differs."""
    if options.over_models:
        return _over_models(options)
    if options.more:
        raise ConfigError(
            f"compare: expected two runs, found {2 + len(options.more)}. More are judged together "
            "with --over-models."
        )
    tolerance = TOLERANCE if options.tolerance is None else options.tolerance
    found = compare_runs(options.first, options.second, tolerance=tolerance)
    if options.json:
        sys.stdout.write(to_json(found) + "\n")
    else:
        _show(found)
    if options.report is not None:
        from ired_interp.report.side_by_side import write_comparison

        runs = open_run(options.first), open_run(options.second)
        console.print(f"report   {write_comparison(*runs, found, options.report)}", soft_wrap=True)
    return 0 if found.equal else FAILED


def _over_models(options: argparse.Namespace) -> int:
    if options.report is not None:
        raise ConfigError("compare: --report shows two runs side by side, not --over-models.")
    found = judge_runs([options.first, options.second, *options.more])
    if options.json:
        sys.stdout.write(verdicts_to_json(found) + "\n")
        return 0
    heads = ("hypothesis", "verdict", "effect", "null", "control", "g", "p")
    rows = [
        (
            one.id,
            "exploratory" if one.id in found.exploratory else one.outcome,
            number(one.estimate.mean, 3),
            number(one.null, 3),
            "–" if one.control is None else number(one.control.mean, 3),
            number(one.hedges_g, 2),
            number(one.adjusted_p, 2),
        )
        for one in found.verdicts
    ]
    out = terminal()
    out.print(f"{found.experiment} over {len(found.models)} models: {', '.join(found.models)}\n")
    out.print(Printed(Listing(heads=heads, rows=rows, left=heads[:2])))
    out.print()
    for one in found.verdicts:
        out.print(f"{one.id}: {one.reason}", soft_wrap=True)
    return 0


def _show(found: Comparison) -> None:
    out = terminal()
    out.print(f"config   {_in_words(found.config)}")
    out.print(f"code     {_in_words(found.code)}")
    out.print(f"machine  {_in_words(found.machine)}")
    out.print(f"problems {found.pairing}")
    by_state: dict[str, list[Move]] = {}
    for move in found.moves:
        by_state.setdefault(move.state, []).append(move)
    for state in _IN_DETAIL:
        if moves := by_state.get(state, []):
            rows = [[move.name, *_cells(move)] for move in moves]
            out.print(f"\n{state}:")
            out.print(Printed(Listing(heads=[""] * 4, rows=rows, left=[""])))
    for state in _BY_NAME:
        names = [move.name for move in by_state.get(state, [])]
        if names:
            out.print(f"\n{state}: {', '.join(names)}")
    for state in _COUNTED:
        if moves := by_state.get(state, []):
            out.print(f"\n{state}: {len(moves)} variables, {_farthest(moves)}")
    same = len(by_state.get("same bits", []))
    verdict = (
        "the same to the bit"
        if found.same_bits
        else f"the same within {found.tolerance:g}"
        if found.equal
        else f"not the same within {found.tolerance:g}"
    )
    out.print(
        f"\n{same} of {len(found.moves)} variables have the same bits: the runs are {verdict}."
    )


def _in_words(differences: Sequence[Difference]) -> str:
    if not differences:
        return "the same"
    return "; ".join(
        f"{one.name}: {_short(one.first)} | {_short(one.second)}" for one in differences
    )


def _short(value: Any) -> str:
    """A hash by its beginning; whatever else differs may do so at its end."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text[:_PREFIX]}…" if _HASH.fullmatch(text) else text


def _cells(move: Move) -> list[str]:
    """By how much, in standard errors, and where."""
    if move.largest is None:
        return ["", "", move.detail]
    by = f"by {_number(move.largest)}" + (f" of {_number(move.scale)}" if move.scale else "")
    errors, where = "", []
    if move.standard_errors is not None:
        text = _number(move.standard_errors)
        errors = f"{text} standard error" + "s" * (text != "1")
        where += [f"at {move.at}"] * bool(move.at)
        where += [f"the most of {move.places}"] * (move.places > 1)
    if move.problems:
        where.append(f"n = {move.problems}")
    return [by, errors, ", ".join([*where, *([move.detail] if move.detail else [])])]


def _farthest(moves: Sequence[Move]) -> str:
    farthest = max(moves, key=lambda move: (move.largest or 0.0) / (move.scale or 1.0))
    where = f", {farthest.detail}" if farthest.detail else ""
    return (
        f"by at most {_number(farthest.largest or 0.0)} of {_number(farthest.scale or 0.0)} "
        f"({farthest.name}{where})"
    )


def _number(value: float) -> str:
    return "∞" if math.isinf(value) else f"{value:.2g}"
