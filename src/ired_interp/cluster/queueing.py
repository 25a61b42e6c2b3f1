"""Arrays into the queue: shared out where there is room, a canary before the rest."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ired_interp.cluster import ledger, slurm
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.script import Job, render
from ired_interp.cluster.shell import Shell
from ired_interp.errors import CannotAskError, ClusterError

__all__ = ["Put", "Share", "put", "share_out"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Share:
    """One array: which tasks go where.

    Attributes:
        name: Of the job, ``ired-SUBMISSION-NUMBER``.
        partition: None for the default.
        tasks: The units of each task.
    """

    name: str
    partition: str | None
    tasks: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Put:
    """What the cluster took.

    Attributes:
        jobs: Numbers of the jobs, by the name of their array.
        units: Units in the queue because of it.
        refusals: In the scheduler's words.
    """

    jobs: Mapping[str, tuple[int, ...]]
    units: tuple[int, ...]
    refusals: tuple[str, ...]


def share_out(
    shell: Shell, config: ClusterConfig, tasks: Sequence[tuple[int, ...]]
) -> tuple[str, list[Share], str]:
    """Tasks over partitions with room, in arrays that are not too long.

    Returns:
        The submission's new key, its arrays, and the limits that were read, in words.

    Raises:
        CannotAskError, SessionGoneError: The controller does not answer at all.
    """
    why = ""
    try:
        limits = slurm.ask_limits(shell, config)
        rooms: list[tuple[str | None, int]] = [*limits.share_out(len(tasks)).items()]
        why = ", ".join(limits.left)
    except CannotAskError as error:
        # unknown is not zero: sbatch itself will say if it is too much
        _LOG.warning("the room under the limits is not known: %s", error)
        rooms = [((config.partitions or (None,))[0], len(tasks))]
    longest = slurm.max_array_size(shell)
    key = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    shares: list[Share] = []
    begin = 0
    for partition, room in rooms:
        end = begin + room
        for first in range(begin, end, longest):
            part = tuple(tasks[first : min(first + longest, end)])
            shares.append(Share(f"ired-{key}-{len(shares)}", partition, part))
        begin = end
    return key, shares, why


def put(
    run: Path,
    shell: Shell,
    key: str,
    jobs: Sequence[Job],
    shares: Sequence[Share],
    *,
    canary: bool,
) -> Put:
    """Hand the arrays to sbatch, the canary first; the ledger is told before and after.

    Raises:
        ClusterError: Nothing was taken; the message has the scheduler's words.
        CannotAskError, SessionGoneError: No answer: what may be in the queue is in the ledger.
    """
    for share in shares:
        ledger.append(run, "array", submission=key, name=share.name, partition=share.partition)
    tasks = {share.name: share.tasks for share in shares}
    with_canary = canary and sum(map(len, tasks.values())) > 1
    numbers: dict[str, tuple[int, ...]] = {}
    units: list[int] = []
    refusals: list[str] = []
    options: tuple[str, ...] = ()
    for piece in _pieces(jobs, with_canary=with_canary):
        try:
            number = _put_anywhere(run, shell, key, piece, options)
        except ClusterError as error:
            refusals.append(str(error))
            if with_canary and not options:
                break
            continue
        if with_canary and not options:
            options = (f"--dependency=afterok:{number}", "--kill-on-invalid-dep=yes")
        numbers[piece.name] = (*numbers.get(piece.name, ()), number)
        for task in tasks[piece.name][piece.first : piece.last + 1]:
            units += task
    if not units:
        raise ClusterError("; ".join(dict.fromkeys(refusals)))
    return Put(numbers, tuple(sorted(units)), tuple(dict.fromkeys(refusals)))


def _pieces(jobs: Sequence[Job], *, with_canary: bool) -> list[Job]:
    if not with_canary:
        return list(jobs)
    first, *others = jobs
    rest = [replace(first, first=1)] if first.last > 0 else []
    return [replace(first, last=0), *rest, *others]


def _put_anywhere(run: Path, shell: Shell, key: str, job: Job, options: Sequence[str]) -> int:
    """Its own partition first, then the others: limits may have moved, or be hidden from users.

    Raises:
        ClusterError: All refuse; with the words of the first.
    """
    refusals: list[ClusterError] = []
    for partition in dict.fromkeys((job.partition, *job.cluster.partitions)):
        script = render(replace(job, partition=partition))
        said = {"submission": key, "name": job.name, "partition": partition}
        try:
            number = slurm.submit_script(shell, script, options)
        except ClusterError as error:
            ledger.append(run, "refused", **said, words=str(error))
            refusals.append(error)
            continue
        tasks = job.last - job.first + 1
        taken = {"job": number, "tasks": tasks, "script": script, "options": list(options)}
        ledger.append(run, "submitted", **said, **taken)
        return number
    raise refusals[0]
