"""``list``: the runs below a folder, as their folders tell of themselves."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ired_interp.cli.codes import FAILED
from ired_interp.cluster.logbook import logbook
from ired_interp.console import terminal
from ired_interp.experiments.page import Listing
from ired_interp.report.printed import Printed
from ired_interp.runs.heads import Found, RunHead, find_runs

__all__ = ["list_runs"]

_PREFIX = 12


def list_runs(options: argparse.Namespace) -> int:
    """Print them."""
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
