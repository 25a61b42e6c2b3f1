"""Two runs side by side: what was asked, what computed it, and which numbers moved."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.errors import ConfigError
from ired_interp.runs.heads import RunHead, read_head
from ired_interp.runs.moves import PROBLEM, Move, aligned, moves_of
from ired_interp.runs.results import read_results

__all__ = ["TOLERANCE", "Comparison", "Difference", "compare_runs", "to_json"]

TOLERANCE = 1e-12

_SUMMARY, _CONTROLS = "summary", "controls"
_CODE = ("package_version", "package_sha256", "git_sha", "git_dirty", "torch", "numpy", "python")
_MACHINE = ("host", "machine", "platform", "gpu", "threads", "blas_threads")
# What a problem is, where a run holds it.
_QUESTIONS = ("x", "answer")


@dataclass(frozen=True)
class Difference:
    """An entry that differs; None is where there is none."""

    name: str
    first: Any
    second: Any


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs.

    Attributes:
        first: The one that is measured by.
        second: The other.
        config: Fields of the plan that differ, the experiment among them.
        code: Of the experiment and this package.
        machine: And threads.
        pairing: Whether problems were compared one by one, and why.
        moves: By variable, in the order of the results.
        tolerance: That was asked for.
    """

    first: Path
    second: Path
    config: Sequence[Difference]
    code: Sequence[Difference]
    machine: Sequence[Difference]
    pairing: str
    moves: Sequence[Move]
    tolerance: float

    @property
    def equal(self) -> bool:
        """Whether both hold the same variables, problems and places, within the tolerance."""
        return all(move.state in ("same bits", "within") for move in self.moves)

    @property
    def same_bits(self) -> bool:
        """Whether every variable is the same to the bit."""
        return all(move.state == "same bits" for move in self.moves)


def compare_runs(first: Path, second: Path, *, tolerance: float = TOLERANCE) -> Comparison:
    """Compare the results of two finished runs; neither is changed, no experiment is imported.

    Args:
        first: A run folder, whose numbers set the scale.
        second: Another.
        tolerance: Share of a variable's scale by which numbers may differ; 0 asks for equality.

    Raises:
        ConfigError: A tolerance below 0.
        RunFolderError: Not a run, not finished, or damaged.
    """
    if not 0 <= tolerance < np.inf:
        raise ConfigError(f"tolerance: expected a number of at least 0, found {tolerance}.")
    heads = read_head(first), read_head(second)
    trees = read_results(first), read_results(second)
    paired, pairing = _pairing(heads, trees)
    groups = [_groups(tree) for tree in trees]
    moves = [
        move
        for group in dict.fromkeys([*groups[0], *groups[1]])
        for move in moves_of(
            group,
            groups[0].get(group, xr.Dataset()),
            groups[1].get(group, xr.Dataset()),
            paired=paired,
            tolerance=tolerance,
        )
    ]
    asked = [{"experiment": head.reference} | dict(head.config) for head in heads]
    origins = [head.provenance for head in heads]
    return Comparison(
        first=first,
        second=second,
        config=_differences(asked[0], asked[1]),
        code=_differences(*(_chosen(origin, _CODE) | _project(origin) for origin in origins)),
        machine=_differences(*(_chosen(origin, _MACHINE) for origin in origins)),
        pairing=pairing,
        moves=moves,
        tolerance=tolerance,
    )


def _chosen(origin: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: origin.get(name) for name in names}


def _project(origin: Mapping[str, Any]) -> dict[str, Any]:
    return {f"project {name}": value for name, value in (origin.get("project") or {}).items()}


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    return [
        Difference(name, first.get(name), second.get(name))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]


def _groups(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """The root and the controls; the summary is made of them."""
    groups = {"": tree.to_dataset()}
    if _CONTROLS in tree.children:
        for name, node in tree[_CONTROLS].children.items():
            groups[f"{_CONTROLS}/{name}/"] = node.to_dataset()
    return groups


def _pairing(
    heads: tuple[RunHead, RunHead], trees: tuple[xr.DataTree, xr.DataTree]
) -> tuple[bool, str]:
    """Whether problems of the same number are the same problem."""
    first, second = (tree.to_dataset() for tree in trees)
    known = [
        name
        for name in _QUESTIONS
        if all(name in data and PROBLEM in data[name].dims for data in (first, second))
    ]
    for name in known:
        numbers = aligned(first[name], second[name])
        if numbers is None or numbers.first.sizes[PROBLEM] == 0:
            return False, f"not paired: the problems are others ({name} differs in shape)"
        if not np.array_equal(numbers.first, numbers.second, equal_nan=True):
            return False, f"not paired: the problems are others ({name} differs)"
    if known:
        return True, f"paired: the problems are the same ({' and '.join(known)} are equal)"
    seeds = [head.config.get("seed") for head in heads]
    if seeds[0] != seeds[1]:
        return False, "not paired: the seeds differ"
    return True, "paired by number: the runs do not hold their questions, and the seeds are equal"


def to_json(comparison: Comparison) -> str:
    """All of it, with the words ``infinite`` and ``unknown`` where JSON has no number."""
    content = {
        "equal": comparison.equal,
        "same_bits": comparison.same_bits,
        "first": str(comparison.first),
        "second": str(comparison.second),
        "tolerance": comparison.tolerance,
        "pairing": comparison.pairing,
        **{
            name: [vars(one) for one in getattr(comparison, name)]
            for name in ("config", "code", "machine")
        },
        "moves": [
            {key: _plain(value) for key, value in vars(move).items()} for move in comparison.moves
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return "unknown" if np.isnan(value) else "infinite"
    return value
