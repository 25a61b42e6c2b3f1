"""What runs in the clone: imports, weights, and one problem at one level through the pipeline.

A program of its own, ``python -P -m ired_interp.preflight.probe QUESTION FD``: it reads what to try
from a JSON file and writes what it found, one JSON object a line, to an open file descriptor. What
the author's code prints goes where it always goes.
"""

import dataclasses
import faulthandler
import json
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import xarray as xr

from ired_interp.errors import IredInterpError
from ired_interp.experiments import Experiment, Source, load
from ired_interp.experiments.base import groups_of
from ired_interp.experiments.config import config_from_words, config_to_mapping
from ired_interp.experiments.smallest import Reduced, reduce_config
from ired_interp.models.zoo import list_models, open_checkpoint
from ired_interp.preflight.causes import cause
from ired_interp.preflight.check import Check, failed, not_checked, passed
from ired_interp.preflight.importing import check_imports
from ired_interp.preflight.returned import check_finite, check_pure, check_read_back, seen_in
from ired_interp.preflight.walk import Import
from ired_interp.preflight.weights import SUFFIXES, check_weights
from ired_interp.report.html import write_report
from ired_interp.runs.execution import execute
from ired_interp.runs.memory import forget_peak, peak_bytes, resident_bytes
from ired_interp.runs.named_files import relocated
from ired_interp.runs.netcdf import from_bytes
from ired_interp.runs.run import plan_run
from ired_interp.runs.shards import unit_bytes, unit_of

__all__ = ["Question", "main"]

T = TypeVar("T")

_SLOW_SECONDS = 5.0
# Problems of the larger unit, and how much more work it must be to say something.
_FEW = 3
_TELLS_MORE = 1.5


@dataclass(frozen=True)
class Question:
    """What to try.

    Attributes:
        reference: Of the experiment.
        project: The clone's root; None for an experiment of this package.
        work_tree: Where the author works.
        clone: Where the commit's files are; None where the package is an installed one.
        words: Of the config.
        imports: Of the experiment's modules.
        weights: Files of weights that the sources name.
        folder: For what is written.
        files: Where files are that the commit does not hold, by the config's text.
    """

    reference: str
    project: str | None
    work_tree: str | None
    clone: str | None
    words: Mapping[str, str]
    imports: Sequence[Mapping[str, Any]]
    weights: Sequence[str]
    folder: str
    files: Mapping[str, str]


# What a stage says on the way to what it makes.
Steps = Generator[Check | Mapping[str, Any], None, T]


@dataclass(frozen=True)
class _Cost:
    """What a unit took; ``bytes`` is by how much the process grew."""

    seconds: float
    bytes: int


class _Stopped(Exception):  # noqa: N818 - no error: the end of what can be tried
    """A stage failed, so what follows it cannot be tried."""


def main() -> int:
    """Answer the question of the command line."""
    _, path, descriptor = sys.argv
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    begin = time.monotonic()
    # Kept from what the author's code starts, which could hold it open for ever.
    os.set_inheritable(int(descriptor), False)  # noqa: FBT003 - its signature
    with os.fdopen(int(descriptor), "w", encoding="utf-8") as stream:

        def say(kind: str, value: Mapping[str, Any]) -> None:
            nonlocal begin
            now = time.monotonic()
            stream.write(json.dumps({kind: dict(value), "seconds": now - begin}) + "\n")
            stream.flush()
            if kind == "check":
                begin = now

        faulthandler.enable()
        try:
            for answer in _Probe(Question(**content)).answers():
                if isinstance(answer, Check):
                    say("check", answer.as_mapping())
                else:
                    say("facts", answer)
        except _Stopped:
            pass
        say("end", {})
    return 0


class _Probe:
    """The stages, each of which needs what the one before it made."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.root = Path(question.clone) if question.clone is not None else None

    def answers(self) -> Iterator[Check | Mapping[str, Any]]:
        """Checks, and facts for those that are made elsewhere."""
        yield {"stage": "importing the experiment"}
        experiment = yield from self._load()
        yield {"stage": "reading the config"}
        config = yield from self._config(experiment)
        yield {"stage": "reading the weights"}
        yield from self._weights(config)
        yield {"stage": "planning"}
        small, reduced = yield from self._plan(experiment, config)
        yield {"stage": "computing one unit"}
        data = yield from self._unit(experiment, config, small, reduced)
        yield {"stage": "collating and reporting"}
        yield from self._pipeline(experiment, reduced, data)

    def _load(self) -> Steps[Experiment]:
        question = self.question
        project = None if question.project is None else Path(question.project)
        source = Source(question.reference, project)
        loaded: Experiment | IredInterpError
        try:
            loaded = load(source)
        except IredInterpError as error:
            loaded = error
        imports = [Import(**{**one, "names": tuple(one["names"])}) for one in question.imports]
        roots = []
        if project is not None and source.file is not None:
            roots = [source.file.parent, project, project / "src"]
        work_tree = None if question.work_tree is None else Path(question.work_tree)
        found = list(check_imports(imports, roots, self.root, work_tree))
        yield from found
        if any(check.status == "fail" for check in found):
            raise _Stopped
        if isinstance(loaded, IredInterpError):
            yield cause(loaded, self.root, "importing")
            raise _Stopped
        yield passed("interface", f"{loaded.name}: {loaded.title}")
        return loaded

    def _try(self, stage: str, fn: Callable[[], T]) -> Steps[T]:
        """Run what may raise anything; on an exception say its cause and stop."""
        try:
            return fn()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the author's code may raise anything
            failure: BaseException = error
        yield cause(failure, self.root, stage)
        raise _Stopped

    def _config(self, experiment: Experiment) -> Steps[Any]:
        words = dict(self.question.words)
        names = {field.name for field in dataclasses.fields(experiment.Config)}
        if "device" in names:
            default = next(
                f.default for f in dataclasses.fields(experiment.Config) if f.name == "device"
            )
            yield {"device": words.get("device", default if isinstance(default, str) else "cpu")}
            words["device"] = "cpu"
        config = yield from self._try(
            "reading the config", lambda: config_from_words(experiment.Config, words)
        )
        yield passed("config", f"{len(names)} fields, {len(self.question.words)} of them given")
        # As a job finds them: the commit does not hold them, so their content is elsewhere.
        return relocated(config, self.question.files)

    def _weights(self, config: Any) -> Steps[None]:
        named: dict[str, Path] = {}
        for value in config_to_mapping(config).values():
            if isinstance(value, str) and value in list_models():
                named[value] = open_checkpoint(value).path
            elif isinstance(value, str) and value.endswith(SUFFIXES):
                named[value] = self._path(value)
        for name in self.question.weights:
            named.setdefault(name, self._path(name))
        if not named:
            for one in ("checkpoint", "trained"):
                yield not_checked(one, "neither config nor code names a file of weights")
            return
        found = [check for name, path in named.items() for check in check_weights(name, path)]
        for one in ("checkpoint", "finite", "trained"):
            mine = [check for check in found if check.id == one]
            if mine:
                order = ("fail", "not_checked", "pass")
                yield min(mine, key=lambda check: order.index(check.status))
        if any(check.status == "fail" and check.id != "trained" for check in found):
            raise _Stopped

    def _path(self, name: str) -> Path:
        return Path(name) if self.root is None else self.root / name

    def _plan(self, experiment: Experiment, config: Any) -> Steps[tuple[Any, Reduced]]:
        planned = yield from self._try("planning", lambda: experiment.plan(config))
        units = yield from self._try("planning", lambda: experiment.units(planned))
        if not isinstance(units, int) or units < 1:
            yield failed(
                "interface",
                f"units() returned {units!r}",
                "how many there are, 1 or more",
                "see it",
            )
            raise _Stopped
        reduced = yield from self._try(
            "reducing", lambda: reduce_config(experiment, config, full=planned)
        )
        small = yield from self._try("planning", lambda: experiment.plan(reduced.config))
        of_small = yield from self._try("planning", lambda: experiment.units(small))
        texts = [v for v in config_to_mapping(planned).values() if isinstance(v, str)]
        yield {
            "units": units,
            "small_units": of_small,
            "times": reduced.times,
            "reduced": dict(reduced.ratios),
            "note": reduced.note,
            "absolute": [text for text in texts if text.startswith("/")],
        }
        return small, reduced

    def _unit(
        self, experiment: Experiment, config: Any, small: Any, reduced: Reduced
    ) -> Steps[xr.Dataset | xr.DataTree]:
        first, cold = yield from self._timed(experiment, small, "unit 0")
        yield from seen_in(first, reduced)
        yield from self._result(experiment, first)
        points = [(1.0, cold)]
        if cold.seconds < _SLOW_SECONDS:
            second, warm = yield from self._timed(experiment, small, "unit 0 again")
            yield check_pure(first, second)
            points = [(1.0, warm), *(yield from self._larger(experiment, config, small, reduced))]
        else:
            took = f"one unit took {cold.seconds:.0f} s, and would have to run twice"
            yield not_checked("pure", took)
        yield {
            "resident_bytes": resident_bytes() or peak_bytes(),
            "shard_bytes": len(unit_bytes(first)),
            "points": [(ratio, cost.seconds, cost.bytes) for ratio, cost in points],
        }
        return first

    def _timed(
        self, experiment: Experiment, config: Any, stage: str
    ) -> Steps[tuple[xr.Dataset | xr.DataTree, _Cost]]:
        """Unit 0 of a planned config, with what it took."""
        forget_peak()
        before, begin = resident_bytes() or peak_bytes(), time.monotonic()
        data = yield from self._try(stage, lambda: experiment.run_unit(config, 0))
        seconds = time.monotonic() - begin
        return data, _Cost(seconds, max(0, peak_bytes() - before))

    def _larger(
        self, experiment: Experiment, config: Any, small: Any, reduced: Reduced
    ) -> Steps[list[tuple[float, _Cost]]]:
        """A few problems at two levels, to tell what grows with them from what does not."""
        if reduced.own or reduced.note:
            return []
        full = experiment.plan(config)
        larger = reduce_config(experiment, config, full=full, num_problems=_FEW, num_levels=2)
        if larger.note:
            return []
        planned = yield from self._try("planning", lambda: experiment.plan(larger.config))
        units = experiment.units(planned)
        ratio = reduced.times / larger.times * experiment.units(small) / units
        if ratio < _TELLS_MORE:
            return []
        _, cost = yield from self._timed(experiment, planned, "a larger unit")
        return [(ratio, cost)]

    def _result(self, experiment: Experiment, data: xr.Dataset | xr.DataTree) -> Steps[None]:
        groups = groups_of(data)
        variables = {k: v for one in groups.values() for k, v in one.variables.items()}
        objects = [str(k) for k, v in variables.items() if v.dtype.kind == "O"]
        if objects:
            yield failed(
                "result_shape",
                f"variable {objects[0]} holds Python objects ({variables[objects[0]].shape})",
                "numbers or texts in arrays of one shape",
                f"make {objects[0]} an array of numbers; rows of different lengths need padding",
            )
            raise _Stopped
        check = yield from self._try(
            "writing a shard and reading it back",
            lambda: check_read_back(data, unit_of(from_bytes(unit_bytes(data)))),
        )
        yield check
        if check.status == "fail":
            raise _Stopped
        yield check_finite(experiment, data)

    def _pipeline(
        self, experiment: Experiment, reduced: Reduced, data: xr.Dataset | xr.DataTree
    ) -> Steps[None]:
        """Plan, write, read back, collate, summarise and report with the data that are there."""
        once: Any = _Once(experiment, data)
        question = self.question
        project = None if question.project is None else Path(question.project)
        folder = Path(question.folder) / "run"

        def through() -> tuple[int, int]:
            run = plan_run(once, reduced.config, folder, source=Source(question.reference, project))
            done = execute(run)
            report = write_report(done)
            return done.results_path.stat().st_size, report.stat().st_size

        sizes = yield from self._try("from plan to report", through)
        yield {"results_bytes": sizes[0]}
        how = reduced.note and f", unit 0 as it is since {reduced.note}"
        yield passed(
            "dry_run",
            f"plan, unit, shard, results ({sizes[0] / 1e3:.0f} kB) and report "
            f"({sizes[1] / 1e3:.0f} kB) made{how}",
        )


class _Once:
    """An experiment whose one unit is computed already."""

    def __init__(self, experiment: Experiment, data: xr.Dataset | xr.DataTree) -> None:
        self._experiment = experiment
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._experiment, name)

    def units(self, config: Any) -> int:  # noqa: ARG002 - as every experiment's
        return 1

    def run_unit(self, config: Any, index: int) -> xr.Dataset | xr.DataTree:  # noqa: ARG002
        return self._data


if __name__ == "__main__":
    sys.exit(main())
