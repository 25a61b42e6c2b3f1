"""A real SLURM and a real sshd on this machine, on loopback only, in one folder; for the tests.

    python tests/cluster/daemons/start_slurm.py FOLDER      # as root; prints JSON: where things are
    python tests/cluster/daemons/stop_slurm.py FOLDER [--clear | --power-cut node1]

munged, mariadbd, slurmdbd, slurmctld, a slurmd for each node and sshd run without an init system
and without cgroups. Started again it brings back only what died.

Partitions: ``main`` (default), ``short`` (QOS ``capped``: 4 jobs in all for a user), ``urgent``
(preempts ``main``, whose jobs are requeued). Account ``lab``. Nodes ``node1`` and ``node2``, where
``node2`` takes what ``node1`` cannot. Not as at a site: no cgroups; a node is down 10 s after its
slurmd died (sites: 300 s); a requeued job may start again after 10 s (sites: 120 s).
"""

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

from daemon_parts import (
    fail,
    folder_of,
    free_ports,
    is_running,
    listening_beyond_loopback,
    need,
    start,
    wait_for,
)

# Each command and the Debian package that has it.
COMMANDS = {
    "munged": "munge",
    "mariadbd": "mariadb-server-core",
    "mariadb": "mariadb-client-core",
    "slurmdbd": "slurmdbd",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "rsync": "rsync",
    "git": "git",
    "git-lfs": "git-lfs",
}
NODES = ("node1", "node2")
CPUS = 8
MAX_SUBMIT = 4

SLURM_CONF = """
ClusterName=local
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.own
SlurmdPidFile={folder}/run/slurmd-%n.own
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=256
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=10
KillWait=5
UnkillableStepTimeout=20
JobRequeue=1
MinJobAge=60
EnforcePartLimits=ALL
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2,requeue_setup_env_fail
PriorityType=priority/basic
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd_port}
AccountingStoragePass={folder}/munge/socket
AccountingStorageEnforce=associations,limits,qos
AccountingStoreFlags=job_comment
{nodes}
PartitionName=main Nodes=ALL Default=YES PriorityTier=1 DefaultTime=5 MaxTime=60 State=UP
PartitionName=short Nodes=ALL PriorityTier=1 DefaultTime=5 MaxTime=10 QOS=capped PreemptMode=OFF
PartitionName=urgent Nodes=ALL PriorityTier=10 DefaultTime=5 MaxTime=60 PreemptMode=OFF State=UP
"""

SLURMDBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={dbd_port}
CommunicationParameters=NoInAddrAny
SlurmUser=root
LogFile={folder}/log/slurmdbd.log
PidFile={folder}/run/slurmdbd.own
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
"""

SSHD_CONF = """
ListenAddress 127.0.0.1
Port {ssh_port}
HostKey {folder}/ssh/host_key
PidFile {folder}/run/sshd.own
AuthorizedKeysFile {folder}/ssh/keys
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
AllowUsers {user}
PrintMotd no
MaxSessions 10
SetEnv SLURM_CONF={folder}/etc/slurm.conf
"""

# What a user has in ~/.ssh/config; "ssh -fNM cluster" opens the session.
SSH_CONFIG = """
Host cluster
    HostName 127.0.0.1
    Port {ssh_port}
    User {user}
    IdentityFile {folder}/ssh/client_key
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {folder}/ssh/known_hosts
    StrictHostKeyChecking yes
    LogLevel ERROR
    ControlPath {folder}/ssh/cm-%C
"""


def says(*words: str, environment: dict[str, str] | None = None) -> str | None:
    """What a command prints, or None if it fails."""
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    return done.stdout if done.returncode == 0 else None


def on_loopback(host: str) -> bool:
    """Whether a name means this machine alone: the daemons bind to what their host's name means."""
    return (says("getent", "ahostsv4", host) or "").startswith("127.")


def host() -> str:
    """The name under which the daemons run."""
    name = os.uname().nodename
    return name.split(".")[0] if on_loopback(name) else "localhost"


def named(words: list[str]) -> list[str]:
    """A daemon's command; where this machine's name is not on loopback, it runs under another.

    In a UTS namespace of its own, sbatch and srun inside of a job work; srun from outside hangs.
    """
    if on_loopback(os.uname().nodename):
        return words
    if says("unshare", "-u", "true") is None:
        fail("this machine's name is not on loopback, and there is no right to a UTS namespace")
    return ["unshare", "-u", "sh", "-c", 'hostname localhost; exec "$@"', "sh", *words]


def write_configuration(folder: Path) -> dict[str, str | int]:
    """The configuration files; ports stay what they were at the first start."""
    ports = folder / "etc" / "ports"
    if not ports.exists():
        ports.write_text(str(free_ports(3 + len(NODES))), encoding="utf-8")
    first = int(ports.read_text(encoding="utf-8"))
    memory = next(
        int(line.split()[1]) // 1024
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("MemTotal")
    )
    values: dict[str, str | int] = {
        "folder": str(folder),
        "host": host(),
        "user": pwd.getpwuid(os.geteuid()).pw_name,
        "dbd_port": first,
        "port": first + 1,
        "ssh_port": first + 2,
        "nodes": "\n".join(
            f"NodeName={node} NodeHostname={host()} NodeAddr=127.0.0.1 Port={first + 3 + i} "
            f"CPUs={CPUS} RealMemory={memory} Weight={i + 1} State=UNKNOWN"
            for i, node in enumerate(NODES)
        ),
    }
    (folder / "ssh").mkdir(exist_ok=True)
    for name, text in (
        ("etc/slurm.conf", SLURM_CONF),
        ("etc/slurmdbd.conf", SLURMDBD_CONF),
        ("ssh/sshd_config", SSHD_CONF),
        ("ssh/ssh_config", SSH_CONFIG),
        # nothing here uses cgroups, but slurmd loads a plugin, and that of v2 wants an init system
        ("etc/cgroup.conf", "CgroupPlugin=cgroup/v1\n"),
    ):
        (folder / name).write_text(text.format(**values), encoding="utf-8")
    (folder / "etc" / "slurmdbd.conf").chmod(0o600)
    return values


def start_munge(folder: Path) -> None:
    """The daemon that signs who is who."""
    key = folder / "munge" / "key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
    at = folder / "munge"
    words = ["munged", "-F", "--force", f"--key-file={key}", f"--socket={at}/socket"]
    words += [f"--pid-file={at}/pid", f"--log-file={at}/log", f"--seed-file={at}/seed"]
    start(folder, "munged", words)
    munge = ("munge", "-S", f"{at}/socket", "-n")
    wait_for(20, "munged", lambda: says(*munge) is not None, folder)


def start_accounting(folder: Path) -> None:
    """MariaDB and slurmdbd, with a QOS that lets a user have few jobs."""
    data = folder / "db"
    # no fsync: a test's database outlives a kill, not a power cut, and starts twice as fast
    options = ["--user=root", "--skip-networking", "--innodb-buffer-pool-size=64M"]
    options += ["--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0"]
    options += ["--innodb-doublewrite=0", "--innodb-lock-wait-timeout=900"]
    if not data.exists():
        draft = folder / "db.new"
        made = says(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={draft}",
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
            *options,
        )
        if made is None:
            fail("mariadb-install-db failed")
        draft.rename(data)
    socket = folder / "munge" / "db.socket"
    words = ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={socket}"]
    start(folder, "mariadbd", [*words, f"--pid-file={folder}/run/mariadbd.own", *options])
    ask = ("mariadb", "--no-defaults", "-S", str(socket), "-u", "root", "-e", "select 1")
    wait_for(60, "mariadbd", lambda: says(*ask) is not None, folder)
    start(folder, "slurmdbd", named(["slurmdbd", "-D"]), {"MYSQL_UNIX_PORT": str(socket)})
    clusters = ("sacctmgr", "-nP", "show", "cluster", "format=cluster")
    wait_for(60, "slurmdbd", lambda: says(*clusters) is not None, folder)


def add_user(user: str) -> None:
    """The cluster, a QOS of few jobs, an account and its one user."""
    wanted: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
        (("cluster", "local", "format=cluster"), ("cluster", "local")),
        (
            ("qos", "capped", "format=name"),
            ("qos", "capped", f"MaxSubmitJobsPerUser={MAX_SUBMIT}", "MaxJobsPerUser=2"),
        ),
        (
            ("account", "lab", "format=account"),
            ("account", "lab", "Cluster=local", "Description=lab", "Organization=lab"),
        ),
        (
            ("assoc", f"user={user}", "account=lab", "format=user"),
            ("user", user, "Account=lab", "QOS=normal,capped", "DefaultQOS=normal"),
        ),
    )
    for shown, added in wanted:
        there = (says("sacctmgr", "-nP", "show", *shown) or "").strip()
        if not there and says("sacctmgr", "-i", "-Q", "add", *added) is None:
            fail(f"sacctmgr add {' '.join(added)} failed")


def idle() -> bool:
    """Whether every node is there."""
    nodes = (says("sinfo", "-h", "-N", "-o", "%N %t") or "").splitlines()
    up = {line.split()[0] for line in nodes if line.split()[1] in ("idle", "mix", "alloc")}
    return up == set(NODES)


def start_scheduler(folder: Path) -> None:
    """slurmctld, then a slurmd for each node: a registration that comes too early is lost."""
    start(folder, "slurmctld", named(["slurmctld", "-D"]))
    wait_for(60, "slurmctld", lambda: "UP" in (says("scontrol", "ping") or ""), folder)
    for node in NODES:
        (folder / "spool" / node).mkdir(exist_ok=True)
        start(folder, f"slurmd-{node}", named(["slurmd", "-D", "-N", node]))
    wait_for(60, "idle nodes", idle, folder)


def start_sshd(folder: Path, ssh_port: int) -> None:
    """The login node."""
    at = folder / "ssh"
    for name in ("host_key", "client_key"):
        if not (at / name).exists():
            says("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "local", "-f", f"{at / name}")
    key = (at / "host_key.pub").read_text(encoding="utf-8").split()
    known = f"[127.0.0.1]:{ssh_port} {key[0]} {key[1]}\n"
    (at / "known_hosts").write_text(known, encoding="utf-8")
    (at / "keys").write_bytes((at / "client_key.pub").read_bytes())
    Path("/run/sshd").mkdir(exist_ok=True)
    sshd = next(p for p in ("/usr/sbin/sshd", "/usr/bin/sshd") if Path(p).exists())
    start(folder, "sshd", [sshd, "-D", "-e", "-f", f"{at}/sshd_config"])
    login = ("ssh", "-F", f"{at}/ssh_config", "-o", "ControlPath=none", "-o", "BatchMode=yes")
    wait_for(15, "sshd", lambda: says(*login, "cluster", "true") is not None, folder)


def main() -> None:
    """Start what is not running; print where things are."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if os.geteuid() != 0:
        fail("run as root: slurmd starts jobs as their users")
    folder = folder_of(Path(sys.argv[1]))
    need(COMMANDS)
    os.environ["LC_ALL"] = "C"
    os.environ["SLURM_CONF"] = f"{folder}/etc/slurm.conf"
    values = write_configuration(folder)
    start_munge(folder)
    start_accounting(folder)
    add_user(str(values["user"]))
    start_scheduler(folder)
    start_sshd(folder, int(values["ssh_port"]))
    ports = [int(values["dbd_port"]) + i for i in range(3 + len(NODES))]
    open_ports = listening_beyond_loopback(ports)
    if open_ports:
        fail(f"ports {open_ports} can be reached from outside: run stop_slurm.py")
    where = {
        "folder": str(folder),
        "slurm_conf": os.environ["SLURM_CONF"],
        "ssh_config": f"{folder}/ssh/ssh_config",
        "host": "cluster",
        "sshd": is_running(folder, "sshd"),
    }
    sys.stdout.write(json.dumps(where) + "\n")


if __name__ == "__main__":
    main()
