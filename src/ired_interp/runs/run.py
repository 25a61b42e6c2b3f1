"""A run is a folder: planned once, executed unit by unit, collated into results.h5.

``run.json`` holds the format's name and version, the experiment, its planned config, the number of
units and the provenance; ``shards/`` one file a unit; ``results.h5`` the whole. Killed anywhere, a
run resumes and ends with the same data.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from time import monotonic
from typing import Any

import torch
import xarray as xr

from ired_interp.errors import RunFolderError
from ired_interp.experiments import Experiment, find_experiment
from ired_interp.experiments.config import config_from_mapping, config_to_mapping
from ired_interp.runs.provenance import provenance
from ired_interp.runs.shards import ROOT, collate, has_shard, read_shard, to_bytes, write_shard
from ired_interp.runs.storage import (
    append_log,
    create_folder,
    guard,
    read_json,
    to_json,
    write_file,
)

__all__ = ["Run", "execute", "is_run_folder", "open_run", "plan_run"]

Track = Callable[[Iterable[int]], Iterable[int]]

_FORMAT = "ired-interp-run"
# Version 2: eigenvalues may be those of the ends only, and each has its certificate.
_VERSION = 2
_READ = (1, 2)
_SUMMARY = "summary"
_SAME_CODE = ("package_version", "git_sha", "torch")


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        path: The folder.
        experiment: What it runs.
        config: The planned config.
        num_units: How many units the plan has.
        provenance: Of the process that planned it.
    """

    path: Path
    experiment: Experiment
    config: Any
    num_units: int
    provenance: Mapping[str, Any]

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

    def missing_units(self) -> list[int]:
        """Numbers of the units that have no shard yet."""
        folder = self.path / "shards"
        return [i for i in range(self.num_units) if not has_shard(folder, i)]

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
        if not self.finished:
            done = self.num_units - len(self.missing_units())
            raise RunFolderError(
                f"{self.path}: the run is not finished ({done} of {self.num_units} units done): "
                f"there is no results.h5. Finish it with 'ired-interp resume {self.path}'."
            )
        try:
            with xr.open_datatree(self.results_path, engine="h5netcdf") as tree:
                return tree.load()
        except (OSError, ValueError, KeyError) as error:
            raise RunFolderError(
                f"{self.results_path} cannot be read ({error}). Delete it and run "
                f"'ired-interp resume {self.path}': it is made again from the shards."
            ) from error


def plan_run(experiment: Experiment, config: Any, out: Path) -> Run:
    """Check the config, freeze the plan, make the folder.

    Raises:
        RunFolderError: ``out`` exists.
        StorageError: The file system refused.
        IredInterpError: The config cannot be run.
    """
    planned = experiment.plan(config)
    num_units = experiment.units(planned)
    origin = provenance()
    head = {
        "format": _FORMAT,
        "version": _VERSION,
        "experiment": experiment.name,
        "config": config_to_mapping(planned),
        "units": num_units,
        "provenance": origin,
    }
    create_folder(out, {"run.json": to_json(head), "log.txt": b""})
    with guard(out):
        (out / "shards").mkdir()
    run = Run(out, experiment, planned, num_units, origin)
    append_log(run.log_path, f"planned {experiment.name}: {num_units} units")
    return run


def _before(config_class: type[Any]) -> dict[str, Any]:
    """What runs did that were planned before a field of the config was there."""
    return {
        field.name: field.metadata["before"]
        for field in fields(config_class)
        if "before" in field.metadata
    }


def is_run_folder(path: Path) -> bool:
    """Whether a folder was made by `plan_run`."""
    return (path / "run.json").is_file()


def open_run(path: str | Path) -> Run:
    """A run folder, finished or not.

    Raises:
        RunFolderError: Not a run folder, damaged, or of another version.
    """
    folder = Path(path)
    head = read_json(folder / "run.json")
    if head.get("format") != _FORMAT or head.get("version") not in _READ:
        raise RunFolderError(
            f"{folder}: expected {_FORMAT} version {' or '.join(map(str, _READ))}, found "
            f"{head.get('format')!r} version {head.get('version')!r}."
        )
    try:
        experiment = find_experiment(head["experiment"])
        content = _before(experiment.Config) | head["config"]
        config = config_from_mapping(experiment.Config, content)
        return Run(folder, experiment, config, int(head["units"]), head["provenance"])
    except KeyError as error:
        raise RunFolderError(f"{folder / 'run.json'}: no entry {error}: it is damaged.") from error


def execute(run: Run, *, track: Track = iter) -> Run:
    """Compute the units that are missing, then collate. Does nothing where all is done.

    Args:
        run: Planned or partly executed.
        track: Wraps the numbers of the missing units, for a progress bar.

    Raises:
        RunFolderError: A shard is damaged.
        StorageError: The file system refused.
        IredInterpError: A unit failed; the shards of the others stay.
    """
    if run.finished:
        return run
    if run.missing_units():
        _check_same_code(run)
    folder = run.path / "shards"
    with guard(folder):
        folder.mkdir(exist_ok=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(int(run.provenance["threads"]))
    try:
        for index in track(run.missing_units()):
            begin = monotonic()
            write_shard(folder, index, run.experiment.run_unit(run.config, index))
            append_log(run.log_path, f"unit {index} done in {monotonic() - begin:.2f} s")
        groups = collate([read_shard(folder, i) for i in range(run.num_units)])
        results = xr.DataTree.from_dict(groups)
        for name, summary in run.experiment.summarise(results).items():
            groups[f"{_SUMMARY}/{name}"] = summary
    finally:
        torch.set_num_threads(threads)
    groups[ROOT] = groups[ROOT].assign_attrs(_attributes(run))
    write_file(run.results_path, to_bytes(groups))
    append_log(run.log_path, "collated results.h5")
    return run


def _check_same_code(run: Run) -> None:
    """One run, one code: the units that are missing must be computed as the others were."""
    now = provenance()
    changed = [
        f"{name} was {run.provenance.get(name)}, is {now[name]}"
        for name in _SAME_CODE
        if run.provenance.get(name) != now[name]
    ]
    if changed:
        raise RunFolderError(
            f"{run.path}: expected the code that planned the run, found another "
            f"({'; '.join(changed)}). Go back to that code, or start a new run."
        )


def _attributes(run: Run) -> dict[str, Any]:
    """Provenance without times, so that the same plan gives the same file."""
    config = config_to_mapping(run.config)
    named: dict[str, Any] = {
        k: config[k] for k in ("model_sha256", "seed", "dtype", "device") if k in config
    }
    return {
        "format": _FORMAT,
        "format_version": _VERSION,
        "experiment": run.experiment.name,
        "config": config,
        **named,
        **{k: v for k, v in run.provenance.items() if k != "command"},
    }
