"""The house: which floor each folder and module stands on, and the circles that are left.

This is the one table. `contract/test_layers.py` walks the imports by it, and CONTRIBUTING.md shows
it as `as_text` writes it.
"""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "HIGHEST_OF_NUMERICS",
    "HOUSE",
    "KNOWN_CIRCLES",
    "WHOLE",
    "Floor",
    "as_text",
    "floor_of",
    "part_of",
]


@dataclass(frozen=True, slots=True)
class Floor:
    """Folders and modules that import one another in no circle, and nothing from above.

    Attributes:
        number: What is higher may import what is lower.
        parts: Names below ``ired_interp``; of two that fit a module, the longer one counts.
        what: They do.
    """

    number: int
    parts: tuple[str, ...]
    what: str


WHOLE = ""
"""The part that the package's own ``__init__`` is: every public name, for users alone."""

HOUSE = (
    Floor(15, (WHOLE,), "the package whole: for users, imported by no module of ours"),
    Floor(14, ("cli",), "the command line: parses, calls, prints"),
    Floor(13, ("doctor",), "a machine, or a run that failed: what is wrong"),
    Floor(12, ("preflight",), "what would stop a run"),
    Floor(11, ("api", "console", "cluster"), "what commands do, as functions; a run on SLURM"),
    Floor(10, ("report",), "figures, tables, the page"),
    Floor(9, ("runs",), "plan → execute → collate; shards"),
    Floor(8, ("experiments",), "config, units, statistics, claims, figures of each"),
    Floor(7, ("models",), "checkpoints, bundled models, trainer"),
    Floor(6, ("storage", "provenance"), "whole files or none; where a result came from"),
    Floor(
        5,
        ("points", "slices", "directions", "modes", "paths", "bands", "anatomy"),
        "where to look; minima, and ways between them; how a solver got there",
    ),
    Floor(
        4,
        ("curvature", "minimise", "annealing", "solve", "training", "negatives"),
        "what is asked of a landscape; how one is learned",
    ),
    Floor(
        3,
        ("landscape", "hessian_product", "verification", "comparisons", "judging"),
        "E(x, ·) at a level: energy, gradient, products, Hessian, and that they are its own",
    ),
    Floor(
        2,
        ("energy", "rules"),
        "the protocol, IRED's network, closed forms, autograd; trivial rules",
    ),
    Floor(
        1,
        ("schedule", "tasks", "stats", "geometry", "score_field", "digits", "lapack"),
        "levels, problems, statistics, spaces of subspaces",
    ),
    Floor(
        0,
        ("errors", "choices", "checks", "draws", "devices", "on_demand", "git"),
        "what everyone may need",
    ),
)
HIGHEST_OF_NUMERICS = 5

# Sets of parts, or of modules, each of which imports all others of its set: none is to be added.
KNOWN_CIRCLES: Mapping[frozenset[str], str] = {
    frozenset({"experiments.base", "experiments.interactive"}): (
        "A figure's type names what a browser draws, for annotations alone; that takes the theme, "
        "which stands beside the figure. The kit's charts need neither."
    ),
}

_PARTS = {part: floor.number for floor in HOUSE for part in floor.parts}
_COLUMN = 42
_WIDTH = 100


def part_of(module: str) -> str | None:
    """The longest name in the table that a module's name begins with; None if there is none.

    Args:
        module: Without ``ired_interp.``; `WHOLE` for the package itself.
    """
    if module == WHOLE:
        return WHOLE
    words = module.split(".")
    for length in range(len(words), 0, -1):
        if (prefix := ".".join(words[:length])) in _PARTS:
            return prefix
    return None


def floor_of(part: str) -> int:
    """Of a name in the table."""
    return _PARTS[part]


def as_text() -> str:
    """The table, floor by floor from the top."""
    lines = []
    for floor in HOUSE:
        names = textwrap.wrap(" · ".join(part or "ired_interp" for part in floor.parts), _COLUMN)
        words = textwrap.wrap(floor.what, _WIDTH - _COLUMN - 6)
        for i in range(max(len(names), len(words))):
            number = f"{floor.number:2}" if i == 0 else "  "
            name = names[i] if i < len(names) else ""
            word = words[i] if i < len(words) else ""
            lines.append(f"{number}  {name:{_COLUMN}}  {word}".rstrip())
    return "\n".join(lines)
