"""What a run folder says of itself, read without importing its experiment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ired_interp.errors import IredInterpError, RunFolderError
from ired_interp.runs.claims import holder_of
from ired_interp.runs.format import FORMAT
from ired_interp.runs.records import shard_path
from ired_interp.storage import read_json

__all__ = ["Found", "RunHead", "find_runs", "read_head"]


@dataclass(frozen=True, kw_only=True)
class RunHead:
    """What ``run.json`` and the files beside it tell.

    Attributes:
        path: The folder.
        experiment: Its name.
        reference: Where it is defined: a name, file or module.
        config: Of the plan.
        num_units: Of the plan.
        num_done: Units that have data, sound or not.
        state: ``finished``, ``running`` (some unit), ``failed`` (some unit), ``stopped``, or
            ``planned``: nothing was done yet.
        planned: When, in UTC, as the log has it; None where it does not.
        provenance: Of the process that planned it.
    """

    path: Path
    experiment: str
    reference: str
    config: Mapping[str, Any]
    num_units: int
    num_done: int
    state: str
    planned: str | None
    provenance: Mapping[str, Any]

    @property
    def model(self) -> str | None:
        """The model under study, of an experiment that has one."""
        model = self.config.get("model")
        return Path(model).stem if isinstance(model, str) else None

    @property
    def sha(self) -> str | None:
        """The commit of the experiment: its project's, or this package's."""
        project = self.provenance.get("project") or self.provenance
        sha = project.get("sha", project.get("git_sha"))
        return sha if isinstance(sha, str) else None

    @property
    def dirty(self) -> bool:
        """Whether tracked files differed from that commit."""
        project = self.provenance.get("project") or self.provenance
        return bool(project.get("dirty", project.get("git_dirty")))


@dataclass(frozen=True)
class Found:
    """A run folder, or what is wrong with one."""

    path: Path
    head: RunHead | None
    fault: str


def read_head(path: Path) -> RunHead:
    """What a run folder says of itself.

    Raises:
        RunFolderError: Not a run folder, or a damaged one.
    """
    content = read_json(path / "run.json")
    if content.get("format") != FORMAT:
        raise RunFolderError(
            f"{path}: expected a run ({FORMAT}), found {content.get('format')!r}: it is another "
            "kind of folder."
        )
    try:
        experiment, num_units = str(content["experiment"]), int(content["units"])
        config, origin = dict(content["config"]), dict(content["provenance"])
        source = dict(content.get("source") or {"reference": experiment})
        done = sum(shard_path(path / "shards", i).is_file() for i in range(num_units))
        return RunHead(
            path=path,
            experiment=experiment,
            reference=str(source["reference"]),
            config=config,
            num_units=num_units,
            num_done=done,
            state=_state(path, done),
            planned=_first_time(path / "log.txt"),
            provenance=origin,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunFolderError(
            f"{path / 'run.json'}: expected experiment, config, units and provenance, found it "
            f"damaged ({type(error).__name__}: {error}). Restore it from a copy: the plan cannot "
            "be guessed."
        ) from error


def find_runs(folder: Path) -> Iterator[Found]:
    """The runs in a folder and in the folders below it, by path; what is damaged is named.

    Raises:
        RunFolderError: There is no such folder.
    """
    if not folder.is_dir():
        raise RunFolderError(f"{folder}: expected a folder that holds runs, found none.")
    for path in _folders(folder):
        try:
            yield Found(path, read_head(path), "")
        except IredInterpError as error:
            yield Found(path, None, str(error))
        except OSError as error:
            yield Found(path, None, f"{path} cannot be read: {error.strerror or error}.")


def _folders(folder: Path) -> Iterator[Path]:
    """Those that hold a run.json or look as if they had; a run holds no other run."""
    if (folder / "run.json").exists() or (folder / "shards").is_dir():
        yield folder
        return
    try:
        children = sorted(one for one in folder.iterdir() if one.is_dir())
    except OSError:  # named by its parent's reader, if it was a run; else none of ours
        return
    for child in children:
        if not child.name.startswith(".") and not child.is_symlink():
            yield from _folders(child)


def _state(path: Path, done: int) -> str:
    if (path / "results.h5").is_file():
        return "finished"
    noted = (path / "running").glob("unit-*.json")
    indices = [int(one.stem.removeprefix("unit-")) for one in noted]
    if any(holder_of(path / "running", index) is not None for index in indices):
        return "running"
    if any((path / "failures").glob("unit-*.json")):
        return "failed"
    return "stopped" if done else "planned"


def _first_time(log: Path) -> str | None:
    try:
        with log.open(encoding="utf-8", errors="replace") as stream:
            stamp = stream.readline().split(" ", 1)[0]
    except OSError:
        return None
    return stamp if stamp[:4].isdecimal() else None
