"""A run folder as it tells of itself: its plan, and which of its units are done.

Nothing of its experiment is imported and no data are read, so that asking costs nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ired_interp.errors import RunFolderError
from ired_interp.experiments.locating import BUILT_IN
from ired_interp.runs.format import FORMAT, READ_VERSIONS, WITH_PLAN_HASH
from ired_interp.runs.plan import code_of, plan_hash
from ired_interp.runs.records import (
    ShardFault,
    find_fault,
    find_fault_beside,
    read_record,
    shard_path,
)
from ired_interp.storage import read_json

__all__ = ["RunFolder", "check_plan", "no_entry", "read_folder", "read_run_json", "worker_log"]


@dataclass(frozen=True)
class RunFolder:
    """A run folder.

    Attributes:
        path: The folder.
        num_units: How many units the plan has.
        provenance: Of the process that planned it.
        plan_sha256: Of experiment, config and units: what defines the data.
    """

    path: Path
    num_units: int
    provenance: Mapping[str, Any]
    plan_sha256: str

    @property
    def results_path(self) -> Path:
        """``results.h5``."""
        return self.path / "results.h5"

    @property
    def finished(self) -> bool:
        """Whether ``results.h5`` is there."""
        return self.results_path.is_file()

    @property
    def shards(self) -> Path:
        """Folder of the units' data."""
        return self.path / "shards"

    def code(self) -> dict[str, Any]:
        """What all units must be computed by: the code of the plan, or of the units that are done.

        Only a run that was planned on one machine and computed on another has the second.
        """
        planned = code_of(self.provenance)
        there = (i for i in range(self.num_units) if shard_path(self.shards, i).is_file())
        records = (read_record(self.shards, i) for i in there)
        found = [tuple(record.code.items()) for record in records if record and record.code]
        if not found or tuple(planned.items()) in found:
            return planned
        return dict(Counter(found).most_common(1)[0][0])

    def faults(self) -> dict[int, ShardFault]:
        """Units whose data are missing or not to be used, and why.

        Cost: all shards are read.
        """
        return self._asked(find_fault)

    def undone(self) -> dict[int, ShardFault]:
        """Units whose data are missing, or not to be used by what their records say.

        Data are not read: those that are damaged show when they are.
        """
        return self._asked(find_fault_beside)

    def _asked(self, find: Callable[..., ShardFault | None]) -> dict[int, ShardFault]:
        code = self.code()
        found = {
            i: find(self.shards, i, plan_sha256=self.plan_sha256, code=code)
            for i in range(self.num_units)
        }
        return {i: fault for i, fault in found.items() if fault is not None}


def read_folder(path: str | Path) -> RunFolder | None:
    """A run of a built-in experiment, for those who ask how its units stand.

    None where the folder alone does not vouch for its plan: an experiment of one's own may no
    longer be where it was, and before version 3 no hash says that the config is as planned.

    Raises:
        RunFolderError: Not a run folder, damaged, or of another version.
    """
    folder = Path(path)
    head = read_run_json(folder)
    try:
        if head["version"] < WITH_PLAN_HASH or head["source"]["project"] is not None:
            return None
        reference = head["source"]["reference"]
        if reference not in BUILT_IN:
            return None
        return RunFolder(
            path=folder,
            num_units=int(head["units"]),
            provenance=head["provenance"],
            plan_sha256=check_plan(folder, head, reference),
        )
    except KeyError as error:
        raise no_entry(folder, error) from error


def read_run_json(folder: Path) -> dict[str, Any]:
    """What ``run.json`` holds, of a format and version that can be read.

    Raises:
        RunFolderError: Not a run folder, damaged, or of another version.
    """
    head = read_json(folder / "run.json")
    if head.get("format") != FORMAT or head.get("version") not in READ_VERSIONS:
        *first, last = map(str, READ_VERSIONS)
        raise RunFolderError(
            f"{folder}: expected {FORMAT} version {', '.join(first)} or {last}, found "
            f"{head.get('format')!r} version {head.get('version')!r}."
        )
    return head


def check_plan(folder: Path, head: Mapping[str, Any], reference: str) -> str:
    """The SHA-256 of the plan, which must be the one that was planned.

    Raises:
        RunFolderError: It is another.
        KeyError: An entry is missing.
    """
    digest = plan_hash(reference, head["config"], int(head["units"]))
    if head["version"] >= WITH_PLAN_HASH and digest != head["plan_sha256"]:
        raise RunFolderError(
            f"{folder / 'run.json'} was changed after the run was planned: expected the plan "
            f"{head['plan_sha256']:.12}…, found {digest:.12}…. Undo the change, or start a new "
            "run."
        )
    return digest


def no_entry(folder: Path, error: KeyError) -> RunFolderError:
    """Says which entry of ``run.json`` is missing."""
    return RunFolderError(f"{folder / 'run.json'}: no entry {error}: it is damaged.")


def worker_log(run: Path, host: str, pid: int) -> Path:
    """Where a worker writes what happens, and what its experiment prints."""
    return run / "logs" / f"worker-{host}-{pid}.log"
