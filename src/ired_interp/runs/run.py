"""A run is a folder: planned once, executed unit by unit, collated into results.h5.

``run.json`` holds the format's name and version, the experiment and where it is defined, its
planned config, the number of units, the plan's SHA-256 and the provenance; ``shards/`` the data of
each unit; ``results.h5`` the whole. docs/runs.md says what else is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import xarray as xr

from ired_interp.errors import RunFolderError
from ired_interp.experiments import Experiment, Source, load
from ired_interp.experiments.config import config_from_mapping, config_to_mapping
from ired_interp.runs.folder import RunFolder, check_plan, no_entry, read_run_json
from ired_interp.runs.format import FORMAT, VERSION, WITH_PLAN_HASH, is_run_folder
from ired_interp.runs.named_files import places_of, read_named, relocated
from ired_interp.runs.plan import config_differences, plan_hash, present_provenance
from ired_interp.runs.records import ShardFault, shard_path
from ired_interp.runs.results import read_results
from ired_interp.storage import append_log, create_folder, guard, read_json, to_json

__all__ = ["FORMAT", "VERSION", "Run", "is_run_folder", "open_run", "plan_run"]

_PATCH = "uncommitted.patch"


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        path: The folder.
        experiment: What it runs.
        config: The planned config.
        num_units: How many units the plan has.
        provenance: Of the process that planned it.
        source: Where the experiment is defined.
        plan_sha256: Of experiment, config and units: what defines the data.
        elsewhere: Another copy of the project, that was named when the run was opened; or None.
        held: The results, where they are in memory; None reads them whenever they are asked for.
    """

    path: Path
    experiment: Experiment
    config: Any
    num_units: int
    provenance: Mapping[str, Any]
    source: Source
    plan_sha256: str
    elsewhere: Path | None = None
    held: xr.DataTree | None = field(default=None, compare=False, repr=False)

    @property
    def folder(self) -> RunFolder:
        """What the folder alone tells."""
        return RunFolder(self.path, self.num_units, self.provenance, self.plan_sha256)

    @property
    def results_path(self) -> Path:
        """``results.h5``."""
        return self.path / "results.h5"

    @property
    def report_path(self) -> Path:
        """``report.html``."""
        return self.path / "report.html"

    @property
    def log_path(self) -> Path:
        """``log.txt``."""
        return self.path / "log.txt"

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
        return self.folder.code()

    def num_done(self) -> int:
        """How many units have data, sound or not."""
        return sum(shard_path(self.shards, i).is_file() for i in range(self.num_units))

    def faults(self) -> dict[int, ShardFault]:
        """Units whose data are missing or not to be used, and why.

        Cost: all shards are read.
        """
        return self.folder.faults()

    def undone(self) -> dict[int, ShardFault]:
        """Units whose data are missing, or not to be used by what their records say.

        Data are not read: those that are damaged show when they are.
        """
        return self.folder.undone()

    def missing_units(self) -> list[int]:
        """Numbers of the units that have no sound shard.

        Cost: all shards are read.
        """
        return list(self.faults())

    @property
    def results(self) -> xr.Dataset:
        """The model's results, the root of ``results.h5``.

        Raises:
            RunFolderError: The run is not finished, or the file is damaged.
        """
        return self.tree.to_dataset()

    @property
    def controls(self) -> dict[str, xr.Dataset]:
        """Results of each control, by name."""
        tree = self.tree
        if "controls" not in tree:
            return {}
        return {name: node.to_dataset() for name, node in tree["controls"].children.items()}

    @property
    def tree(self) -> xr.DataTree:
        """All of ``results.h5``: the root, ``controls/…`` and ``summary/…``.

        Raises:
            RunFolderError: The run is not finished, or the file is damaged.
        """
        if self.held is not None:
            return self.held
        if not self.finished:
            done = self.num_units - len(self.undone())
            raise RunFolderError(
                f"{self.path}: the run is not finished ({done} of {self.num_units} units done): "
                f"there is no results.h5. Finish it with 'ired-interp resume {self.path}'."
            )
        return read_results(self.path)

    def loaded(self) -> "Run":
        """This run with its results in memory: what asks for them reads them no more.

        Raises:
            RunFolderError: As `tree`.
        """
        return replace(self, held=self.tree)


def plan_run(
    experiment: Experiment,
    config: Any,
    out: Path,
    *,
    source: Source | None = None,
    max_memory: int | None = None,
) -> Run:
    """Check the config, freeze the plan, make the folder.

    Args:
        experiment: What to run.
        config: Its config.
        out: A new folder.
        source: Where the experiment is defined; by default it is found by its name.
        max_memory: Bytes by which a unit may let the process grow; the experiment's ``fit`` plans
            units of that size.

    Raises:
        RunFolderError: ``out`` exists; where it is a run, the message says how its plan differs.
        ConfigError: A memory budget, and an experiment that cannot keep one.
        StorageError: The file system refused.
        IredInterpError: The config cannot be run.
    """
    where = source or Source(experiment.name, None)
    planned = experiment.plan(config)
    if max_memory is not None:
        planned = experiment.fit(planned, max_memory)
    num_units = experiment.units(planned)
    content = config_to_mapping(planned)
    digest = plan_hash(where.reference, content, num_units)
    if is_run_folder(out):
        _refuse_other_plan(out, experiment, where.reference, content)
    origin, patch = present_provenance(where)
    head = {
        "format": FORMAT,
        "version": VERSION,
        "experiment": experiment.name,
        "source": {
            "reference": where.reference,
            "project": None if where.project is None else str(where.project.resolve()),
        },
        "config": content,
        "units": num_units,
        "plan_sha256": digest,
        "max_memory": max_memory,
        "provenance": origin,
    }
    patches = {_PATCH: patch} if patch else {}
    create_folder(out, {"run.json": to_json(head), "log.txt": b""} | patches)
    with guard(out):
        (out / "shards").mkdir(exist_ok=True)
    run = Run(out, experiment, planned, num_units, origin, where, digest)
    append_log(run.log_path, f"planned {experiment.name}: {num_units} units, plan {digest[:12]}")
    return run


def _refuse_other_plan(
    out: Path, experiment: Experiment, reference: str, asked: Mapping[str, Any]
) -> None:
    """A run folder keeps its plan; one that is identical is refused by `create_folder`."""
    head = read_json(out / "run.json")
    there = (head.get("source") or {}).get("reference", head.get("experiment"))
    if there != reference:
        changed = [f"experiment: {there} there, {reference} asked for"]
    else:
        changed = config_differences(_before(experiment.Config) | head.get("config", {}), asked)
    if changed:
        raise RunFolderError(
            f"{out} exists already and holds a run with another plan: expected the same config, "
            f"found {'; '.join(changed)}. Choose another --out, or finish what is there with "
            f"'ired-interp resume {out}'."
        )


def _before(config_class: type[Any]) -> dict[str, Any]:
    """What runs did that were planned before a field of the config was there."""
    return {
        field.name: field.metadata["before"]
        for field in fields(config_class)
        if "before" in field.metadata
    }


def open_run(path: str | Path, *, project: Path | None = None, files: Path | None = None) -> Run:
    """A run folder, finished or not.

    Args:
        path: The folder.
        project: Another copy of the project that the experiment is defined in, such as the clone
            on a cluster; by default the one it was planned in.
        files: Folder of the files that the config names, each by its content, such as on a
            cluster; by default they are where the config says.

    Raises:
        RunFolderError: Not a run folder, damaged, of another version, or a file is not there.
        UnknownNameError, ExperimentError: The experiment is not where it was.
    """
    folder = Path(path)
    head = read_run_json(folder)
    try:
        source = _source(head, project)
        experiment = load(source)
        content = _before(experiment.Config) | head["config"]
        config = config_from_mapping(experiment.Config, content)
        if files is not None:  # the plan, its hash and the data keep the names it was planned with
            config = relocated(config, places_of(read_named(head), files))
        num_units = int(head["units"])
        digest = check_plan(folder, head, source.reference)
        return Run(
            path=folder,
            experiment=experiment,
            config=config,
            num_units=num_units,
            provenance=head["provenance"],
            source=source,
            plan_sha256=digest,
            elsewhere=project,
        )
    except KeyError as error:
        raise no_entry(folder, error) from error


def _source(head: Mapping[str, Any], project: Path | None) -> Source:
    if head["version"] < WITH_PLAN_HASH:
        return Source(head["experiment"], None)
    recorded = head["source"]["project"]
    if recorded is None:
        return Source(head["source"]["reference"], None)
    return Source(head["source"]["reference"], (project or Path(recorded)).resolve())
