"""Outcomes of a calibration, kept as they are found: a stopped run goes on where it was.

A line of JSON a landscape: the case, null or true, the seed, the processor's seconds, and of each
hypothesis its outcome alone and as the first of its family. Several processes may write to one
file, as each line is written at once. The file knows nothing of the code: when a landscape or a
statistic has changed, start another one.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ired_interp.experiments.hypothesis import Outcome

__all__ = ["Kept", "Kind", "Landscape"]

Kind = Literal["null", "true"]


@dataclass(frozen=True, slots=True)
class Landscape:
    """What became of one landscape.

    Attributes:
        case: The case's name.
        kind: Whether the hypotheses are false in it or true.
        seed: That it was made from.
        seconds: Of the processor, with its verdicts at α.
        alone: The outcome of each hypothesis at α.
        in_family: At α over the number of hypotheses that are tested together.
    """

    case: str
    kind: Kind
    seed: int
    seconds: float
    alone: dict[str, Outcome]
    in_family: dict[str, Outcome]


class Kept:
    """Landscapes that are known, in a file where one is given."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found: dict[tuple[str, Kind, str, int], Landscape] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._remember(Landscape(**json.loads(line)))

    def find(self, case: str, kind: Kind, hypothesis: str, seed: int) -> Landscape | None:
        """The landscape of that seed in which the hypothesis was judged; None if there is none."""
        return self._found.get((case, kind, hypothesis, seed))

    def add(self, landscape: Landscape) -> None:
        """One more."""
        self._remember(landscape)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(landscape)) + "\n")

    def _remember(self, landscape: Landscape) -> None:
        for name in landscape.alone:
            self._found[landscape.case, landscape.kind, name, landscape.seed] = landscape
