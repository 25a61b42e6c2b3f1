"""A cluster that answers as a real SLURM did; everything that is not SLURM's runs on this machine.

Recorded from slurm-wlm 22.05.8 of Debian 12 with one node, the partitions ``main``, ``short`` (QOS
``capped``: MaxSubmitJobsPerUser=4) and ``urgent``, the account ``lab``, user ``root``.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.shell import Completed, GitRemote, LocalShell

__all__ = ["RecordedCluster", "cluster_config"]

_PARTITION = (
    "PartitionName={name} AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL AllocNodes=ALL "
    "Default={default} QoS={qos} DefaultTime=00:05:00 DisableRootJobs=NO ExclusiveUser=NO "
    "GraceTime=0 Hidden=NO MaxNodes=UNLIMITED MaxTime={time} MinNodes=0 LLN=NO "
    "MaxCPUsPerNode=UNLIMITED Nodes=node1 PriorityJobFactor=1 PriorityTier=1 RootOnly=NO "
    "ReqResv=NO OverSubscribe=NO OverTimeLimit=NONE PreemptMode=OFF State={state} TotalCPUs=8 "
    "TotalNodes=1 SelectTypeParameters=NONE JobDefaults=(null) DefMemPerNode=UNLIMITED "
    "MaxMemPerNode=UNLIMITED TRES=cpu=8,mem=24105M,node=1,billing=8,gres/gpu=2\n"
)
_LIMIT = (
    "sbatch: error: QOSMaxSubmitJobPerUserLimit\n"
    "allocation failure: Job violates accounting/QOS policy (job submit limit, user's size and/or "
    "time limits)\n"
)
_DOS = (
    "sbatch: error: Batch script contains DOS line breaks (\\r\\n)\n"
    "sbatch: error: instead of expected UNIX line breaks (\\n).\n"
)
# The cluster had it, this machine need not: a preflight asks for it and copies nothing.
_RSYNC = "rsync() { return 1; }\n"
_PARTITIONS = ("main", "short", "urgent")


@dataclass
class RecordedCluster:
    """A shell; its fields are how the cluster differs from the one that was recorded.

    Attributes:
        name: Of the host.
        queued: QOS of each task in the user's queue, all in ``main``.
        down: Partitions that are down.
        gres: Of the nodes.
        clock_off: Seconds by which the clock is ahead.
        free_kib: On every disk; None for what this machine says.
        answers: What to say instead, by the first word.
        asked: Every command that was run.
    """

    name: str = "recorded"
    is_local: bool = False
    queued: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    gres: str = "gpu:2"
    clock_off: float = 0.0
    free_kib: int | None = None
    answers: Mapping[str, Callable[[Sequence[str]], Completed]] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", seconds: float = 60.0) -> Completed:
        self.asked.append(list(argv))
        if argv[0] in self.answers:
            return self.answers[argv[0]](argv)
        spoken = getattr(self, f"_{argv[0]}", None)
        if spoken is not None:
            out = spoken(list(argv), stdin.decode())
            return out if isinstance(out, Completed) else Completed(0, out, "")
        if argv[:2] == ["sh", "-c"]:
            argv = ["sh", "-c", f"{_RSYNC}{argv[2]}", *argv[3:]]
        done = LocalShell().run(argv, stdin=stdin, seconds=seconds)
        if argv[0] == "sh" and "df -Pk" in argv[2] and self.free_kib is not None:
            # As GNU df says it; -P keeps each file system on one line.
            line = f"/dev/sdb1 1000000 {1000000 - self.free_kib} {self.free_kib} 99% /data"
            head = "Filesystem 1024-blocks Used Available Capacity Mounted on"
            return Completed(0, f"{head}\n{line}\n", "")
        return done

    def copy_to(self, local: Path, remote: str, *, only: Sequence[str] = ()) -> None:  # noqa: ARG002
        raise AssertionError("a preflight copies nothing")

    def copy_from(self, remote: str, local: Path, *, only: Sequence[str] = ()) -> list[str]:  # noqa: ARG002
        raise AssertionError("a preflight copies nothing")

    def send_file(self, local: Path, remote: str) -> None:  # noqa: ARG002
        raise AssertionError("a preflight sends nothing")

    def git_remote(self, path: str) -> GitRemote:
        return GitRemote(path, {})

    def _scontrol(self, argv: list[str], _: str) -> str:
        if argv[1:3] == ["show", "config"]:
            return (
                "Configuration data as of 2026-11-22T20:20:06\nClusterName             = local\n"
                "MaxArraySize            = 1001\n"
            )
        assert argv == ["scontrol", "-o", "show", "partition"], argv
        return "".join(
            _PARTITION.format(
                name=name,
                default="YES" if name == "main" else "NO",
                qos="capped" if name == "short" else "N/A",
                time="00:10:00" if name == "short" else "01:00:00",
                state="DOWN" if name in self.down else "UP",
            )
            for name in _PARTITIONS
        )

    def _sinfo(self, argv: list[str], _: str) -> str:  # noqa: ARG002
        return "".join(f"{name}|24105|8|{self.gres}|1|idle\n" for name in _PARTITIONS)

    def _sacctmgr(self, argv: list[str], _: str) -> str:
        if "assoc" in argv:
            return "root||root|\nroot|root||\nlab||root|\nlab|root||\n"
        return "normal|||\ncapped|4||\n" if "qos" in argv else "lab|lab||normal\nroot|lab||\n"

    def _id(self, argv: list[str], _: str) -> str:  # noqa: ARG002
        return "root\n"

    def _squeue(self, argv: list[str], _: str) -> str:  # noqa: ARG002
        return "".join(f"{qos}|main|lab\n" for qos in self.queued)

    def _date(self, argv: list[str], _: str) -> str:  # noqa: ARG002
        return f"{time.time() + self.clock_off:.9f}\n"

    def _sbatch(self, argv: list[str], script: str) -> Completed:
        assert argv[:2] == ["sbatch", "--test-only"], argv
        options = dict(
            word.split("=", 1)
            for line in script.splitlines()
            if line.startswith("#SBATCH ")
            for word in line.split()[1:]
            if "=" in word
        )
        if "\r\n" in script:
            return Completed(1, "", _DOS)
        partition = options.get("--partition", "main")
        if partition not in _PARTITIONS:
            said = (
                f"sbatch: error: invalid partition specified: {partition}\n"
                "allocation failure: Invalid partition name specified\n"
            )
            return Completed(1, "", said)
        if options.get("--account", "lab") != "lab":
            said = (
                "allocation failure: Invalid account or account/partition combination specified\n"
            )
            return Completed(1, "", said)
        first, _, last = options["--array"].partition("%")[0].partition("-")
        used = self.queued.count("capped")
        capped = options.get("--qos") == "capped" or partition == "short"
        if capped and used + int(last) - int(first) + 1 > 4:
            return Completed(1, "", _LIMIT)
        said = (
            "sbatch: Job 1 to start at 2026-11-22T20:20:06 using 1 processors on nodes node1 in "
            f"partition {partition}\n"
        )
        return Completed(0, "", said)


def cluster_config(**changes: object) -> ClusterConfig:
    """A cluster that the recorded one fits."""
    fields: dict[str, object] = {
        "name": "recorded",
        "host": "recorded",
        "partitions": ("main",),
        "time_minutes": 30,
        "memory_mib": 4096,
    }
    return ClusterConfig(**(fields | changes))  # type: ignore[arg-type]
