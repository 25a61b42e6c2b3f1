"""``new``, ``compare`` and ``list``: a researcher's own experiments and their runs."""

import argparse
import json
import math
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ired_interp.cli.codes import FAILED
from ired_interp.cluster.logbook import logbook
from ired_interp.console import console, terminal
from ired_interp.digits import number
from ired_interp.errors import ConfigError
from ired_interp.experiments.drawing import import_matplotlib
from ired_interp.experiments.page import Listing
from ired_interp.experiments.starting import write_new_experiment
from ired_interp.report.printed import Printed
from ired_interp.runs.comparison import TOLERANCE, Comparison, Difference, compare_runs, to_json
from ired_interp.runs.heads import Found, RunHead, find_runs
from ired_interp.runs.moves import Move
from ired_interp.runs.over_models import judge_runs, verdicts_to_json
from ired_interp.runs.run import open_run

__all__ = ["add"]

_PREFIX = 12
_HASH = re.compile(r"[0-9a-f]{40,64}")
_DEFAULT_FOLDER = Path("runs")
# States of a variable: a line each, names alone, and counts alone.
_IN_DETAIL = ("moved", "other problems", "other shape")
_BY_NAME = ("only in first", "only in second")
_COUNTED = ("in part", "within")


def add(commands: Any) -> None:
    """Register the commands."""
    _add_new(commands)
    _add_compare(commands)
    _add_list(commands)


def _add_new(commands: Any) -> None:
    parser = commands.add_parser("new", help="write a small experiment of your own, with its test")
    kinds = parser.add_subparsers(metavar="KIND", required=True)
    experiment = kinds.add_parser("experiment", help="NAME.py and test_NAME.py")
    experiment.set_defaults(command=_new)
    experiment.add_argument("name", help="of the file: lower-case letters, digits and '_'")
    experiment.add_argument(
        "--folder", type=Path, default=Path(), help="where to (default: the working directory)"
    )


def _add_compare(commands: Any) -> None:
    parser = commands.add_parser(
        "compare",
        help="what differs between two finished runs",
        description="Compare config, code, machine and every number of two finished runs. The "
        "exit code is 0 if all numbers are the same within the tolerance, and 1 if not, whatever "
        "the configs are. With --over-models: judge the hypotheses over the models of 6 runs or "
        "more that differ in the model alone.",
    )
    parser.set_defaults(command=_compare)
    parser.add_argument("first", type=Path, help="run folder, whose numbers set the scale")
    parser.add_argument("second", type=Path, help="another")
    parser.add_argument("more", nargs="*", type=Path, help="others, with --over-models only")
    parser.add_argument(
        "--over-models",
        action="store_true",
        help="the verdicts over the models of these runs, each of which counts once",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        help="share of the largest number of the same unit by which numbers may differ "
        "(default: 1e-12)",
    )
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="also write a page of both runs side by side, of one experiment: what differs, skill, "
        "verdicts, the numbers that moved, and the figures",
    )


def _add_list(commands: Any) -> None:
    parser = commands.add_parser("list", help="the runs below a folder")
    parser.set_defaults(command=_list)
    parser.add_argument(
        "folders", nargs="*", type=Path, default=[_DEFAULT_FOLDER], help="default: ./runs"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--json", action="store_true", help="print them as JSON")
    kind.add_argument("--log", action="store_true", help="every submission, and what came of it")


def _new(options: argparse.Namespace) -> int:
    file, test = write_new_experiment(options.name, options.folder)
    console.print(
        f"{file}\n{test}\n"
        f"run it with   ired-interp run {shlex.quote(str(file))}\n"
        f"test it with  python -m pytest {shlex.quote(str(test))}",
        soft_wrap=True,
    )
    return 0


def _compare(options: argparse.Namespace) -> int:
    if options.over_models:
        return _over_models(options)
    if options.more:
        raise ConfigError(
            f"compare: expected two runs, found {2 + len(options.more)}. More are judged together "
            "with --over-models."
        )
    found = compare_runs(options.first, options.second, tolerance=options.tolerance)
    if options.json:
        sys.stdout.write(to_json(found) + "\n")
    else:
        _show(found)
    if options.report is not None:
        import_matplotlib()
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


def _list(options: argparse.Namespace) -> int:
    if options.log:
        sys.stdout.write(logbook(options.folders))
        return 0
    found = [one for folder in options.folders for one in find_runs(folder)]
    damaged = [one for one in found if one.head is None]
    if options.json:
        sys.stdout.write(json.dumps([_plain(one) for one in found], indent=2) + "\n")
    else:
        _show_runs(found, options.folders)
    return FAILED if damaged else 0


def _show_runs(found: Sequence[Found], folders: Sequence[Path]) -> None:
    rows = [_row(one.head) for one in found if one.head is not None]
    heads = ("run", "experiment", "model", "units", "state", "planned (UTC)", "commit")
    out = terminal()
    if rows:
        out.print(Printed(Listing(heads=heads, rows=rows, left=heads)))
    for one in found:
        if one.head is None:
            out.print(f"damaged  {one.fault}", soft_wrap=True)
    if not found:
        out.print(f"no runs in {', '.join(map(str, folders))}", soft_wrap=True)


def _row(head: RunHead) -> list[str]:
    commit = (head.sha or "")[:_PREFIX] + ("+" if head.dirty else "")
    planned = (head.planned or "").replace("T", " ")[:16]
    return [
        str(head.path),
        head.experiment,
        head.model or "",
        f"{head.num_done}/{head.num_units}",
        head.state,
        planned,
        commit,
    ]


def _plain(found: Found) -> dict[str, Any]:
    head = found.head
    if head is None:
        return {"path": str(found.path), "state": "damaged", "fault": found.fault}
    return {
        "path": str(head.path),
        "experiment": head.experiment,
        "reference": head.reference,
        "model": head.model,
        "units": head.num_units,
        "done": head.num_done,
        "state": head.state,
        "planned": head.planned,
        "commit": head.sha,
        "dirty": head.dirty,
    }
