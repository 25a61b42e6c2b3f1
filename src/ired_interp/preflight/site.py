"""What only the cluster can say: the session, its clock, partitions, folders, limits, sbatch."""

import math
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ired_interp.cluster.answers import the_one
from ired_interp.cluster.code import Code
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.limits import Limits, Partition, ask_limits, max_array_size, partitions
from ired_interp.cluster.sbatch_options import typed_gpus
from ired_interp.cluster.script import Job, render
from ired_interp.cluster.shell import Shell, ask
from ired_interp.cluster.slurm import test_only
from ired_interp.errors import CannotAskError, ClusterError, SessionGoneError
from ired_interp.preflight.arrival import check_arrives, check_paths
from ired_interp.preflight.check import Check, failed, not_checked, passed
from ired_interp.preflight.ground import Ground

__all__ = ["Site", "check_script", "check_site"]

_CLOCK_SECONDS = 30.0
_LIMIT = re.compile(
    r"MaxSubmit|MaxJobs|AssocGrp|QOSMax|QOSGrp|job submit limit|array (specification|size)"
)


@dataclass(frozen=True)
class Site:
    """A cluster that can be asked.

    Attributes:
        config: Its table.
        shell: Where commands run.
        ground: The experiment and its commit.
    """

    config: ClusterConfig
    shell: Shell
    ground: Ground

    @property
    def sha(self) -> str:
        """Of the commit, for the script."""
        return self.ground.sha or "0" * 40

    @property
    def name(self) -> str:
        """Of the project, as a submission names its folder."""
        return Code(self.ground.root or Path("project"), self.sha, is_package=False).name


def check_site(site: Site, facts_fn: Callable[[], Mapping[str, Any]]) -> Iterator[Check | None]:
    """All that needs the cluster, in an order in which later checks use what earlier ones found.

    Args:
        site: The cluster.
        facts_fn: Waits for the dry run, which knows how many units there are.
    """
    yield passed("session", f"{site.shell.name} takes commands")
    yield from _ask("clock", lambda: _check_clock(site.shell))
    known = yield from _partitions(site, facts_fn)
    yield from _ask("folders", lambda: _check_folders(site.config, site.shell))
    repository = f"{site.config.root}/code/{site.name}.git"
    yield from _ask("arrives", lambda: check_arrives(site.ground, site.shell, repository))
    facts = facts_fn()
    yield None
    yield from _ask("paths", lambda: check_paths(site.shell, facts))
    units = int(facts.get("units", 0))
    tasks = max(1, math.ceil(units / site.config.units_per_task))
    script = _script(site, tasks, (site.config.partitions or (None,))[0])
    yield from _ask("script", lambda: check_script(site.shell, script))
    counted = f"{tasks} task{'s' * (tasks > 1)}"
    if not units:
        counted = "one task, as the dry run did not tell how many units there are,"
    if known is None:
        yield not_checked("sbatch", "the partitions are not known")
        yield not_checked("queue", "the partitions are not known")
        return
    yield from _submission(site, tasks, counted)


def _ask(name: str, fn: Callable[[], Check]) -> Iterator[Check]:
    """A check; where the cluster does not answer, nothing is known."""
    try:
        yield fn()
    except (CannotAskError, SessionGoneError, ClusterError) as error:
        yield not_checked(name, f"the cluster did not answer: {error}")


def _check_clock(shell: Shell) -> Check:
    begin = time.time()
    asked = f"{shell.name}: the time"
    answer = ask(shell, ["date", "+%s.%N"], "the time")
    end = time.time()
    # some know no %N
    there = float(the_one(answer, r"(\d{9,}(?:\.\d+)?)\D*", "seconds since 1970", asked))
    # Anywhere between question and answer would be right.
    off = max(0.0, begin - there, there - end)
    if off > _CLOCK_SECONDS:
        ahead = "behind" if there < begin else "ahead of"
        return failed(
            "clock",
            f"{shell.name} is {off:.0f} s {ahead} this machine",
            f"clocks within {_CLOCK_SECONDS:.0f} s: what is newer decides what is copied and made",
            "timedatectl set-ntp true here, or tell the cluster's administrators",
        )
    return passed(
        "clock", f"{shell.name} agrees with this machine within {max(off, end - begin):.1f} s"
    )


def _partitions(
    site: Site, facts_fn: Callable[[], Mapping[str, Any]]
) -> Generator[Check, None, Sequence[Partition] | None]:
    """``partition`` and ``gpu``; returns the partitions to be used, or None."""
    try:
        there = {one.name: one for one in partitions(site.shell)}
    except (CannotAskError, SessionGoneError, ClusterError) as error:
        for name in ("partition", "gpu"):
            yield not_checked(name, f"the cluster did not answer: {error}")
        return None
    config = site.config
    wanted = config.partitions or tuple(name for name, one in there.items() if one.default)
    yield _check_partition(config, wanted, there)
    used = [there[name] for name in wanted if name in there]
    device = site.ground.words.get("device")
    if device is None:
        device = str(facts_fn().get("device", "cpu"))
    yield _check_gpu(config, device, used)
    return used if used and len(used) == len(wanted) else None


def _check_partition(
    config: ClusterConfig, wanted: Sequence[str], there: Mapping[str, Partition]
) -> Check:
    table = f"[{config.name}] in clusters.toml"
    missing = [name for name in wanted if name not in there]
    if missing or not wanted:
        return failed(
            "partition",
            f"no partition {missing[0]!r}" if missing else "no default partition",
            f"one of {', '.join(there)}",
            f'partitions = ["{next(iter(there), "NAME")}"] of {table}',
        )
    for name in wanted:
        one = there[name]
        if not one.up or not one.nodes_up:
            state = (
                f"{name} is down"
                if not one.up
                else f"none of the {one.nodes} nodes of {name} is up"
            )
            return failed(
                "partition",
                state,
                "a partition that runs jobs",
                f"another one in {table}; 'sinfo' shows when",
            )
        asked: tuple[tuple[str, float, float | None, str], ...] = (
            ("time_minutes", config.time_minutes, one.max_minutes, "minutes"),
            ("memory_mib", config.memory_mib, one.node_memory_mib or None, "MiB a node"),
            ("cpus", config.cpus, one.node_cpus or None, "cores a node"),
        )
        for key, value, most, unit in asked:
            if most is not None and value > most:
                return failed(
                    "partition",
                    f"{key} = {value}, and {name} has {most:g} {unit} at most",
                    "a request that fits: some sites let such a job wait for ever",
                    f"{key} = {most:g} of {table}, or another partition",
                )
    return passed("partition", f"{', '.join(wanted)} up, the request fits its nodes and its limit")


def _check_gpu(config: ClusterConfig, device: str, used: Sequence[Partition]) -> Check:
    wants = device.startswith("cuda")
    typed = typed_gpus(config.sbatch_options)
    asks = config.gpus > 0 or typed is not None
    asked = typed or f"gpus = {config.gpus}"
    table = f"[{config.name}] in clusters.toml"
    without = [one.name for one in used if not any("gpu" in gres for gres in one.gres)]
    if wants and not asks:
        return failed(
            "gpu",
            f"the config asks for {device}, and gpus = 0",
            "a GPU in the request",
            f"gpus = 1 of {table}, or --device cpu",
        )
    if asks and without:
        return failed(
            "gpu",
            f"{asked}, and the nodes of {without[0]} have none",
            "a partition with GPUs",
            f"another of the partitions in {table}; 'sinfo -o \"%P %G\"' shows who has any",
        )
    if asks and not wants:
        return failed(
            "gpu",
            f"{asked}, and the config computes on {device}",
            "a request for what is used: an idle GPU costs the others",
            f"--device cuda, or gpus = 0 of {table}",
        )
    return passed("gpu", f"{asked}, device {device}")


_FOLDER = r"((?:notdir|readonly|there|above) /.*)"
_FOLDERS = """
d=$1
while [ ! -e "$d" ]; do d=$(dirname -- "$d"); done
if [ ! -d "$d" ]; then echo "notdir $d"
elif [ ! -w "$d" ] || [ ! -x "$d" ]; then echo "readonly $d"
elif [ "$d" = "$1" ]; then echo "there $d"; else echo "above $d"; fi
"""


def _check_folders(config: ClusterConfig, shell: Shell) -> Check:
    """Logs and results lie below the root; what is below it is made when a run is submitted."""
    wanted = {"root": config.root}
    if config.scratch is not None and config.scratch.startswith("/"):
        wanted["scratch"] = config.scratch
    for key, folder in wanted.items():
        answer = ask(shell, ["sh", "-c", _FOLDERS, "sh", folder], folder)
        said = the_one(answer, _FOLDER, "what the folder is", f"{shell.name}: {folder}")
        kind, _, at = said.partition(" ")
        table = f"[{config.name}] in clusters.toml"
        if kind == "there":
            continue
        if kind == "above" and at != "/":
            # What can be made is made; a folder of a disk that is not there is not.
            continue
        reason = {
            "above": f"{folder} does not exist, and nothing of it does",
            "readonly": f"{folder} cannot be made or written: {at} is not writable for you",
            "notdir": f"{at} is a file",
        }[kind]
        return failed(
            "folders",
            f"{key}: {reason} on {shell.name}",
            "a folder for logs and results: a job whose log has no folder vanishes without a word",
            f"mkdir -p {folder} there, or another {key} of {table}",
        )
    return passed("folders", f"logs and results in {config.root}, writable")


def _script(site: Site, tasks: int, partition: str | None) -> str:
    """What `submit` would hand to sbatch, with the names that it chooses left open."""
    root = site.config.root
    environment = site.config.environment or f"{root}/envs/preflight"
    return render(
        Job(
            name="preflight",
            cluster=site.config,
            run=f"{root}/runs/preflight",
            tasks="tasks/preflight.json",
            first=0,
            last=tasks - 1,
            partition=partition,
            sha=site.sha,
            clone=f"{root}/clones/{site.sha}",
            repository=f"{root}/code/{site.name}.git",
            python=f"{environment}/bin/python",
            is_package=site.ground.built_in,
            named=bool(site.ground.by_content),
        )
    )


def check_script(shell: Shell, script: str) -> Check:
    """That the script is one that bash can read, with Unix line endings."""
    if "\r" in script:
        line = next(i for i, text in enumerate(script.split("\n"), 1) if "\r" in text)
        return failed(
            "script",
            f"line {line} of the script ends like Windows' (CR LF)",
            "line feeds alone: sbatch refuses DOS line breaks, bash takes them for commands",
            "sed -i 's/\\r$//' clusters.toml",
        )
    done = shell.run(["bash", "-n"], stdin=script.encode())
    if done.returncode != 0:
        return failed(
            "script",
            f"bash cannot read the script: {done.words.splitlines()[0]}",
            "a script without a syntax error",
            "look at 'ired-interp submit RUN --dry-run'; report it, as the script is not yours",
        )
    return passed("script", f"{script.count(chr(10))} lines that bash can read")


def _submission(site: Site, tasks: int, counted: str) -> Iterator[Check]:
    """``sbatch`` and ``queue``: the limits as they are told, and the scheduler's own word."""
    limits: Limits | None = None
    closed = ""
    try:
        limits = ask_limits(site.shell, site.config)
    except (CannotAskError, SessionGoneError) as error:
        closed = str(error)
    names = site.config.partitions or (None,)
    shares: list[tuple[str | None, int]] = [(names[0], tasks)]
    if limits is not None and limits.share_out(tasks):
        shares = list(limits.share_out(tasks).items())
    if limits is not None and (room := limits.room()) is not None and room < tasks:
        shares = [(names[0], tasks)]
    try:
        longest = max_array_size(site.shell)
        refusal = next(
            (
                said
                for name, share in shares
                if (said := test_only(site.shell, _script(site, min(share, longest), name), []))
            ),
            None,
        )
    except (CannotAskError, SessionGoneError, ClusterError) as error:
        yield not_checked("sbatch", f"the scheduler did not answer: {error}")
        yield _check_queue(site, tasks, counted, limits, None, str(error))
        return
    if refusal is not None and not _LIMIT.search(refusal):
        yield failed(
            "sbatch",
            f"sbatch --test-only: {refusal}",
            "a script that the scheduler takes",
            f"see [{site.config.name}] in clusters.toml: partitions, account, qos, time, memory",
        )
        yield _check_queue(site, tasks, counted, limits, None, closed)
        return
    yield passed(
        "sbatch",
        "sbatch --test-only takes the script, but for the limits of 'queue'"
        if refusal
        else "sbatch --test-only takes the script",
    )
    yield _check_queue(site, tasks, counted, limits, refusal, closed)


def _check_queue(
    site: Site, tasks: int, counted: str, limits: Limits | None, refusal: str | None, closed: str
) -> Check:
    room = limits.room() if limits is not None else None
    named = ", ".join(limits.left) if limits is not None else ""
    if refusal is not None or (room is not None and room < tasks):
        said = f"; sbatch: {refusal}" if refusal else ""
        known = f"room for {room} ({named})" if room is not None else "the limits refuse them"
        each = math.ceil(tasks * site.config.units_per_task / room) if room else None
        fix = f"units_per_task = {each} in clusters.toml, or " if each else ""
        return failed(
            "queue",
            f"{counted} and {known}{said}",
            "room for the whole array: every task of an array counts as a job",
            f"{fix}wait until some of 'squeue --me -r' have ended; 'submit' puts in what fits and, "
            "given again, the rest",
        )
    if limits is None:
        return not_checked("queue", f"the limits cannot be asked for: {closed}")
    return passed(
        "queue", f"{counted} and {f'room for {room} ({named})' if room is not None else 'no limit'}"
    )
