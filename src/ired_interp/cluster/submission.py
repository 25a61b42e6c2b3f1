"""Submit what is missing of a run, and never the same unit twice.

Before sbatch is called, the ledger names the job; whatever dies after that, the next ``submit``
asks the queue for that name and leaves alone what it finds there.
"""

import contextlib
import hashlib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ired_interp.cluster import code, ledger, slurm
from ired_interp.cluster.answers import listed
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.ledger import Place, read_ledger, read_tasks
from ired_interp.cluster.queueing import Share, put, share_out
from ired_interp.cluster.script import FOLDERS, Job, render
from ired_interp.cluster.shell import Shell, check
from ired_interp.cluster.staging import contents_of_code, files_of, named_here, stage
from ired_interp.errors import ClusterError, ConfigError, RunFolderError
from ired_interp.runs import locks
from ired_interp.runs.run import Run
from ired_interp.storage import read_json, to_json, write_file

__all__ = ["Submission", "place_of", "planned_commit", "preview", "submit", "units_to_submit"]

_LOG = logging.getLogger(__name__)

_HASH_DIGITS = 8
_UNPUSHED, _SKIPPED = "unpushed", "skipped_checks"  # in run.json
# What run.json gets after it was planned: the run's place there does not depend on it.
_ADDED = (_UNPUSHED, _SKIPPED, "files")
# What a task needs of the run folder; shards, failures and logs are made there.
_SENT = ("+ /run.json", "+ /uncommitted.patch", "+ /tasks/", "+ /tasks/*.json", "- *")


@dataclass(frozen=True)
class Submission:
    """What a ``submit`` did.

    Attributes:
        id: In the ledger; None if there was nothing to submit.
        jobs: Numbers of the jobs, by the name of their array.
        units: Units that are in the queue because of it.
        queued: Units that were there before.
        no_room: Units for which the cluster has no room now.
        why: The limits and refusals that left them out.
    """

    id: str | None
    jobs: Mapping[str, tuple[int, ...]]
    units: tuple[int, ...]
    queued: tuple[int, ...]
    no_room: tuple[int, ...]
    why: str


def submit(
    run: Run,
    shell: Shell,
    config: ClusterConfig,
    *,
    canary: bool = True,
    allow_unpushed: bool = False,
    skipped: Collection[str] = (),
    say: Callable[[str], None] = _LOG.info,
) -> Submission:
    """Put every unit that is neither done nor queued into the queue.

    Args:
        run: The run folder here.
        shell: Where sbatch is.
        config: The cluster.
        canary: Let the first task succeed before the others may start.
        allow_unpushed: Submit a commit that no remote has; the run's folder records it.
        skipped: Checks of the preflight that the user left out; the run's folder and the ledger
            record them.
        say: Gets a line for each step.

    Raises:
        ConfigError: The run cannot be executed from an exact commit.
        ClusterError: The cluster refused, and nothing was submitted.
        CannotAskError, SessionGoneError: No answer. What may be in the queue stays there, and is
            found by the next submit.
        RunFolderError: Another submit of the run is under way.
        StorageError: The file system refused.
    """
    with _alone(run.path):
        place = place_of(run, shell, config)
        sent = _check_code(run, allow_unpushed=allow_unpushed)
        todo, queued = units_to_submit(run, shell, place)
        if not todo:
            return Submission(None, {}, (), queued, (), "")
        say(f"{len(todo)} units to submit, {len(queued)} in the queue already")
        key, shares, why = share_out(shell, config, _tasks(todo, config))
        if not shares:
            raise ClusterError(
                f"{shell.name}: no room for a single task ({why}). Submit again when some of your "
                "jobs have ended."
            )
        repository = code.send_code(shell, config, sent)
        named = files_of(run, sent)
        stage(shell, config, [*named, *contents_of_code(sent)], say)
        prepared = code.prepare(shell, config, sent, repository)
        say(f"{shell.name} has commit {sent.sha[:12]}; {prepared.python}")
        unpushed = not code.is_on_a_remote(sent)
        _record(run, {_UNPUSHED: True} if unpushed else {}, skipped)
        resources = {k: v for k, v in asdict(config).items() if k not in ("name", "host")}
        ledger.append(
            run.path,
            "submitting",
            submission=key,
            place=asdict(place),
            sha=sent.sha,
            unpushed=unpushed,
            skipped=sorted(skipped),
            resources=resources,
        )
        for share in shares:
            ledger.write_tasks(run.path, share.name, share.tasks)
        _send_plan(run, shell, place)
        jobs = [_job(config, place, sent, prepared, share, named=bool(named)) for share in shares]
        taken = put(run.path, shell, key, jobs, shares, canary=canary)
    no_room = tuple(sorted(set(todo) - set(taken.units)))
    reasons = "; ".join((*taken.refusals, why)) if no_room else ""
    return Submission(key, taken.jobs, taken.units, queued, no_room, reasons)


def preview(run: Run, shell: Shell, config: ClusterConfig, *, folder: Path | None = None) -> str:
    """The scripts that `submit` would hand to sbatch now; nothing is changed anywhere.

    Args:
        run: The run, which may be a draft.
        shell: Where sbatch is.
        config: The cluster.
        folder: Where the run would lie here, if it is a draft.

    Raises:
        ConfigError, ClusterError, CannotAskError, SessionGoneError: As `submit`.
    """
    place = place_of(run, shell, config)
    if folder is not None and shell.is_local:
        place = Place(config.name, None, str(folder.resolve()))
    sent = _check_code(run, allow_unpushed=True)
    todo, queued = units_to_submit(run, shell, place)
    if not todo:
        return f"# nothing to submit: {len(queued)} units are in the queue, the others are done\n"
    tasks = _tasks(todo, config)
    _, shares, why = share_out(shell, config, tasks)
    environment = config.environment or f"{config.root}/envs/MADE-WHEN-SUBMITTED"
    prepared = code.Prepared(
        f"{config.root}/code/{sent.name}.git",
        f"{config.root}/clones/{sent.sha}",
        f"{environment}/bin/python",
    )
    named = bool(named_here(run, sent))
    jobs = [_job(config, place, sent, prepared, share, named=named) for share in shares]
    scripts = [render(job) for job in jobs]
    left = len(tasks) - sum(len(share.tasks) for share in shares)
    if left:
        scripts.append(f"# no room now for {left} of {len(tasks)} tasks: {why}\n")
    return "\n".join(scripts)


def place_of(run: Run, shell: Shell, config: ClusterConfig) -> Place:
    """Where the run lives on the cluster; a run stays where it was submitted first.

    Raises:
        ConfigError: It was submitted to another cluster.
    """
    attempts = read_ledger(run.path)
    if attempts:
        place = attempts[0].place
        if (place.cluster, place.host) != (config.name, config.host):
            raise ConfigError(
                f"{run.path} was submitted to {place.cluster} ({place.host or 'this machine'}): "
                f"expected that cluster, found {config.name} ({config.host or 'this machine'}). A "
                "run lives on one cluster; plan another run for another one."
            )
        return place
    if shell.is_local:
        return Place(config.name, None, str(run.path.resolve()))
    plan = {k: v for k, v in read_json(run.path / "run.json").items() if k not in _ADDED}
    digest = hashlib.sha256(to_json(plan)).hexdigest()[:_HASH_DIGITS]
    name = f"{run.path.resolve().name}-{digest}"
    return Place(config.name, config.host, f"{config.root}/runs/{name}")


def units_to_submit(
    run: Run, shell: Shell, place: Place
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Units that neither lie here or there nor are queued; and those that are queued.

    A shard that was fetched and found damaged is computed again.

    Raises:
        CannotAskError, SessionGoneError: It is not known what is queued or done.
    """
    names = [name for attempt in read_ledger(run.path) for name in attempt.names]
    queued: set[int] = set()
    for task in slurm.queue_state(shell, names):
        units = read_tasks(run.path, task.name)
        queued |= set(units[task.index]) if task.index < len(units) else set()
    missing = set(run.missing_units())
    if not shell.is_local:
        here = {i for i in missing if (run.path / "shards" / f"unit-{i:05d}.h5").exists()}
        missing -= _done_there(shell, place) - here
    return tuple(sorted(missing - queued)), tuple(sorted(queued))


def _done_there(shell: Shell, place: Place) -> set[int]:
    folder = f"{place.run}/shards"
    script = 'test -d "$1" || exit 0; find "$1" -name "unit-*.h5"'
    answer = check(shell, ["sh", "-c", script, "sh", folder], f"listing {folder}")
    there = listed(answer, r".*/unit-(\d+)\.h5", f"{shell.name}: {folder}")
    return {int(number) for number in there}


def _check_code(run: Run, *, allow_unpushed: bool) -> code.Code:
    """The commit that the run was planned with, all of it committed."""
    sent = code.code_of(run.source.project, planned_commit(run))
    project = run.provenance.get("project") or {}
    if run.provenance.get("git_dirty") if sent.is_package else project.get("dirty"):
        raise ConfigError(
            f"{run.path} was planned with uncommitted changes in {sent.project}: a cluster runs "
            "an exact commit. Commit them and plan the run again."
        )
    if not allow_unpushed and not code.is_on_a_remote(sent):
        raise ConfigError(
            f"{sent.project}: no remote has commit {sent.sha[:12]}, so nobody else could "
            "reproduce the result. 'git push' it (and 'git fetch'), or say --allow-unpushed."
        )
    return sent


def planned_commit(run: Run) -> str | None:
    """The commit of the project that the run was planned with; None if there was none."""
    if run.source.project is None:
        return run.provenance.get("git_sha")
    return (run.provenance.get("project") or {}).get("sha")


def _record(run: Run, told: Mapping[str, Any], skipped: Collection[str]) -> None:
    """The folder says what the user took upon himself: a commit on no remote, checks left out."""
    path = run.path / "run.json"
    head = read_json(path)
    all_skipped = sorted({*head.get(_SKIPPED, []), *skipped})
    new = {**head, **told, **({_SKIPPED: all_skipped} if all_skipped else {})}
    if new != head:
        write_file(path, to_json(new))


def _tasks(units: Sequence[int], config: ClusterConfig) -> list[tuple[int, ...]]:
    each = config.units_per_task
    return [tuple(units[i : i + each]) for i in range(0, len(units), each)]


def _send_plan(run: Run, shell: Shell, place: Place) -> None:
    """The run folder there: the plan, the frozen lists, and folders for what jobs write."""
    folders = [f"{place.run}/{name}" for name in FOLDERS]
    check(shell, ["mkdir", "-p", "--", *folders], f"making {place.run}")
    if not shell.is_local:
        shell.copy_to(run.path, place.run, only=_SENT)


def _job(
    config: ClusterConfig,
    place: Place,
    sent: code.Code,
    prepared: code.Prepared,
    share: Share,
    *,
    named: bool,
) -> Job:
    return Job(
        name=share.name,
        cluster=config,
        run=place.run,
        tasks=ledger.tasks_path(share.name),
        first=0,
        last=len(share.tasks) - 1,
        partition=share.partition,
        sha=sent.sha,
        clone=prepared.clone,
        repository=prepared.repository,
        python=prepared.python,
        is_package=sent.is_package,
        modules=sent.modules,
        large=sent.large,
        named=named,
    )


@contextlib.contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Two submits at once would both see the same units missing."""
    path = run / "submitting"
    with locks.hold(path) as ours:
        if not ours:
            holder = locks.holder_of(path)
            by = f" (process {holder.pid} on {holder.host})" if holder else ""
            raise RunFolderError(
                f"{run}: another submit of this run is under way{by}. Wait for it to end; one that "
                f"was killed is forgotten after {locks.SILENT_SECONDS:.0f} s."
            )
        yield
