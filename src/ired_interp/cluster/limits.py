"""What a cluster lets a user submit: partitions, the longest array, room under QOS limits."""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from ired_interp.cluster.accounting import (
    Association,
    QosCaps,
    ask_association,
    ask_qos_caps,
)
from ired_interp.cluster.answers import NONE, not_understood, table, the_one, whole_lines
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.shell import Shell, ask
from ired_interp.errors import CannotAskError, ClusterError

__all__ = [
    "Limits",
    "Partition",
    "ask_limits",
    "head_room",
    "max_array_size",
    "partitions",
]

_CLOCK = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")
_NODES = {
    "partition": r"[^|\s]+",
    "memory": r"[^|]*",
    "cpus": r"[^|]*",
    "gres": r"[^|]*",
    "nodes": r"[^|]*",
    "state": r"[^|]*",
}
_TASKS = {"qos": r"[^|\s]*", "partition": r"[^|\s]*", "account": r"[^|\s]*"}
_THOUSANDS = {"": 1, "K": 1000, "M": 1000**2}
_USER_NAME = r"(\w[\w.@$+\\-]*)"
# Of a node's state what keeps jobs from it, also as one of several ("mixed+drain").
_AWAY = re.compile(
    r"(?i)down|drain(ed|ing)?|drng|fail(ing)?|error|unk(nown)?|inval|no_respond|not_responding|future"
)


@dataclass(frozen=True)
class Partition:
    """A partition as its controller describes it.

    Attributes:
        name: Of the partition.
        up: Whether it takes jobs.
        default: Whether it is the one for jobs that name none.
        max_minutes: Longest time limit; None for no limit.
        node_memory_mib: Memory of its biggest node.
        node_cpus: Cores of its biggest node.
        gres: Generic resources of its nodes, such as ``gpu:a100:4``; empty if there are none.
        nodes: How many it has.
        nodes_up: How many of them could run a job now or later.
        qos: The partition's own QOS, whose limits hold beside the job's.
    """

    name: str
    up: bool
    default: bool
    max_minutes: int | None
    node_memory_mib: int
    node_cpus: int
    gres: tuple[str, ...]
    nodes: int
    nodes_up: int
    qos: str | None


@dataclass(frozen=True)
class Limits:
    """Room for jobs, each array task counting as one.

    Attributes:
        left: How many more each limit allows, by its name, such as ``QOS capped
            (MaxSubmitJobsPerUser=4)``.
        of_partition: The limits that hold in each partition.
    """

    left: Mapping[str, int]
    of_partition: Mapping[str, tuple[str, ...]]

    def share_out(self, count: int) -> dict[str, int]:
        """Give every partition in turn as many of the tasks as it has room for."""
        left = dict(self.left)
        shares: dict[str, int] = {}
        for name, limits in self.of_partition.items():
            share = min([count, *(max(0, left[limit]) for limit in limits)])
            for limit in limits:
                left[limit] -= share
            count -= share
            if share:
                shares[name] = share
        return shares

    def room(self) -> int | None:
        """How many tasks fit at once; None for no limit."""
        if any(not limits for limits in self.of_partition.values()):
            return None
        return sum(self.share_out(sum(max(0, n) for n in self.left.values())).values())


def partitions(shell: Shell) -> list[Partition]:
    """All partitions that the user can see.

    Raises:
        CannotAskError: The controller did not answer.
    """
    described = ask(shell, ["scontrol", "-o", "show", "partition"], "the partitions")
    asked = f"{shell.name}: the partitions"
    nodes: dict[str, list[dict[str, str]]] = {}
    counted = ask(shell, ["sinfo", "-h", "-o", "%R|%m|%c|%G|%D|%T"], "the nodes")
    for row in table(counted, _NODES, f"{shell.name}: the nodes"):
        nodes.setdefault(row["partition"], []).append(row)
    # a partition is one line, or without -o several
    _, *blocks = " ".join(whole_lines(described, asked)).split("PartitionName=")
    if not blocks:
        raise not_understood(asked, "lines of PartitionName=…", described.strip() or "nothing")
    return [_partition(f"PartitionName={block}", nodes, asked) for block in blocks]


def _partition(
    block: str, nodes: Mapping[str, Sequence[Mapping[str, str]]], asked: str
) -> Partition:
    entry: dict[str, str] = {}
    for word in block.split():
        name, equals, value = word.partition("=")
        if equals:
            entry.setdefault(name, value)  # what follows the answer has no say
    lacking = [name for name in ("PartitionName", "State", "MaxTime") if not entry.get(name)]
    if lacking:
        raise not_understood(asked, f"{lacking[0]}=… of a partition", block)
    rows = nodes.get(entry["PartitionName"], [])
    counts = [_count(row["nodes"], asked) for row in rows]
    qos = entry.get("QoS", "")
    return Partition(
        name=entry["PartitionName"],
        up=entry["State"] == "UP",
        default=entry.get("Default") == "YES",
        max_minutes=_minutes(entry["MaxTime"], asked),
        node_memory_mib=max((_number(row["memory"]) for row in rows), default=0),
        node_cpus=max((_number(row["cpus"]) for row in rows), default=0),
        gres=tuple(sorted({row["gres"] for row in rows} - set(NONE))),
        nodes=sum(counts),
        nodes_up=sum(n for n, row in zip(counts, rows, strict=True) if _is_up(row["state"])),
        qos=None if qos in NONE else qos,
    )


def max_array_size(shell: Shell) -> int:
    """One more than the highest index that an array may have.

    Raises:
        CannotAskError: The controller did not answer.
        ClusterError: The cluster takes no arrays.
    """
    found = _configured(shell, "MaxArraySize", r"\d+")
    if int(found) == 0:
        raise ClusterError(
            f"{shell.name}: expected a cluster with job arrays, found MaxArraySize = 0: its "
            "administrators have switched them off."
        )
    return int(found)


def _configured(shell: Shell, name: str, pattern: str) -> str:
    """A value of the cluster's configuration."""
    answer = ask(shell, ["scontrol", "show", "config"], name)
    asked = f"{shell.name}: {name}"
    return the_one(answer, rf"{name}\s*=\s*({pattern})", f"a line '{name} = …'", asked)


def head_room(shell: Shell, config: ClusterConfig) -> int | None:
    """How many more tasks the user may submit there; None for no limit.

    Raises:
        CannotAskError: It is not known, as at sites that close sacctmgr to users.
    """
    return ask_limits(shell, config).room()


def ask_limits(shell: Shell, config: ClusterConfig) -> Limits:
    """The limits of the QOS of job and partition, of the user's association, of its accounts.

    Where a site hides other users' jobs, what they take of a group's limit is not seen: sbatch
    itself refuses what breaks it.

    Raises:
        CannotAskError: They are not known.
    """
    known = {partition.name: partition for partition in partitions(shell)}
    wanted = config.partitions or tuple(name for name, p in known.items() if p.default)
    missing = [name for name in wanted if name not in known]
    if missing or not wanted:
        raise CannotAskError(
            f"{shell.name}: expected the partitions {', '.join(wanted) or '(a default one)'}, "
            f"found {', '.join(known)}."
        )
    words = "the user's name"
    user = the_one(ask(shell, ["id", "-un"], words), _USER_NAME, "a name", f"{shell.name}: {words}")
    cluster = _configured(shell, "ClusterName", r"\S+")
    caps = ask_qos_caps(shell)
    association = ask_association(shell, config.account, user, cluster)
    mine = _queued(shell, ["--me"])
    of_all = _of_association(shell, association, mine)
    left = dict(of_all)
    of_partition: dict[str, tuple[str, ...]] = {}
    for name in wanted:
        limits = dict(of_all)
        for qos in dict.fromkeys((config.qos or association.qos, known[name].qos)):
            if qos is None:
                continue
            if qos.lower() not in caps:
                raise CannotAskError(
                    f"{shell.name}: expected the QOS {qos} among those of accounting, found "
                    f"{', '.join(caps)}."
                )
            at = {p.name for p in known.values() if p.qos == qos}
            limits |= _of_qos(shell, qos, caps[qos.lower()], at, association.account, mine)
        left |= limits
        of_partition[name] = tuple(limits)
    return Limits(left, of_partition)


_Task = tuple[str, str, str]


def _of_association(shell: Shell, own: Association, mine: Sequence[_Task]) -> dict[str, int]:
    """What the user's own cap and those of the accounts leave, by words for each."""
    left: dict[str, int] = {}
    if own.max_submit is not None:
        used = sum(account == own.account for _, _, account in mine)
        limit = f"account {own.account} (MaxSubmitJobs={own.max_submit}, {used} used)"
        left[limit] = own.max_submit - used
    for name, (cap, below) in own.groups.items():
        used = len(_queued(shell, [f"--account={','.join(below)}"]))
        left[f"account {name} (GrpSubmitJobs={cap}, {used} used)"] = cap - used
    return left


def _of_qos(
    shell: Shell, qos: str, caps: QosCaps, at: Set[str], account: str, mine: Sequence[_Task]
) -> dict[str, int]:
    """What the caps of a QOS leave; it is that of a job, or of the partition ``at`` which it is."""
    left: dict[str, int] = {}
    if caps.of_user is not None:
        used = len(_under(qos, at, mine))
        left[f"QOS {qos} (MaxSubmitJobsPerUser={caps.of_user}, {used} used)"] = caps.of_user - used
    if caps.of_account is None and caps.of_all is None:
        return left
    tasks = _under(qos, at, _queued(shell, []))
    if caps.of_account is not None:
        used = sum(charged == account for _, _, charged in tasks)
        limit = f"QOS {qos} (MaxSubmitJobsPerAccount={caps.of_account}, {used} used)"
        left[limit] = caps.of_account - used
    if caps.of_all is not None:
        limit = f"QOS {qos} (GrpSubmitJobs={caps.of_all}, {len(tasks)} used)"
        left[limit] = caps.of_all - len(tasks)
    return left


def _under(qos: str, at: Set[str], tasks: Sequence[_Task]) -> list[_Task]:
    return [task for task in tasks if task[0] == qos or at & set(task[1].split(","))]


def _queued(shell: Shell, whose: Sequence[str]) -> list[_Task]:
    """QOS, partition and account of each task; -r, or an array counts as one."""
    answer = ask(shell, ["squeue", *whose, "-h", "-r", "-o", "%q|%P|%a"], "the queue")
    rows = table(answer, _TASKS, f"{shell.name}: the queue")
    return [(row["qos"], row["partition"], row["account"]) for row in rows]


def _number(text: str) -> int:
    """``24105``, or ``24105+`` where nodes differ; 0 where it is not told."""
    digits = text.rstrip("+")
    return int(digits) if digits.isdecimal() else 0


def _count(text: str, asked: str) -> int:
    """``12``, or ``1.2K``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KM]?)", text)
    if found is None:
        raise not_understood(asked, "a number of nodes", text)
    return int(float(found[1]) * _THOUSANDS[found[2]])


def _minutes(text: str, asked: str) -> int | None:
    """``1-02:00:00``, ``02:00:00``, ``30:00`` or ``UNLIMITED``."""
    if text in NONE:
        return None
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise not_understood(asked, "a time limit such as 1-02:00:00 or UNLIMITED", text)
    days, hours, minutes = (int(part or 0) for part in found.groups()[:3])
    return (days * 24 + hours) * 60 + minutes


def _is_up(state: str) -> bool:
    """A trailing ``*`` means that the node does not answer; other signs are of power and plans."""
    words = re.split(r"\+", state.rstrip("~#!%$@^-*&?+"))
    return "*" not in state and not any(_AWAY.fullmatch(word) for word in words)
