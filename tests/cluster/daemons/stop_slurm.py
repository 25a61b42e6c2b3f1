"""Ends what start_slurm.py started, and nothing else; see there.

python stop_slurm.py FOLDER              keeps the folder
python stop_slurm.py FOLDER --clear      removes it
python stop_slurm.py FOLDER --power-cut node1
    kills that node's slurmd and all that runs on it: the node goes down, its jobs are NODE_FAIL and
    requeued, as when the power goes; start_slurm.py brings the node back
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from daemon_parts import MARK, end, fail, is_running, record


def says(*words: str) -> str:
    """What a command prints, within 20 s."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


def parent_of(pid: int) -> int:
    """The parent's process id; 0 if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0
    return int(stat.rpartition(") ")[2].split()[1])


def name_of(pid: int) -> str:
    """The name of a process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def power_cut(folder: Path, node: str) -> None:
    """The processes of the node's jobs as its slurmd knows them, and the slurmstepd above each."""
    if not is_running(folder, f"slurmd-{node}"):
        fail(f"slurmd of {node} is not running")
    jobs = set(says("squeue", "-h", "-w", node, "-o", "%A", "-t", "R,CG,S").split())
    doomed: set[int] = set()
    for job in jobs:
        for line in says("scontrol", "listpids", job, node).splitlines()[1:]:
            pid = int(line.split()[0])
            if pid > 1:
                doomed.add(pid)
    above = {up for up in map(parent_of, doomed) if name_of(up) == "slurmstepd"}
    end(folder, f"slurmd-{node}", 0)
    # Those above first: they would report their children's death as a failure of the job.
    for pid in (*above, *(doomed - above)):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def stop(folder: Path) -> None:
    """Everything, in the order in which it depends."""
    listener = is_running(folder, "sshd")
    if listener:  # its sessions are its children
        for entry in Path("/proc").glob("[0-9]*"):
            if parent_of(int(entry.name)) == listener:
                record(folder, f"ssh-session-{entry.name}", int(entry.name))
        end(folder, "sshd", 5)
        for file in (folder / "run").glob("ssh-session-*.pid"):
            end(folder, file.stem, 3)
    if is_running(folder, "slurmctld"):
        jobs = set(says("squeue", "-h", "-o", "%A").split())
        if jobs:
            says("scancel", *jobs)
            says("scancel", "-s", "KILL", *jobs)
    for file in (folder / "run").glob("slurmd-*.pid"):
        end(folder, file.stem, 10)
    for name, seconds in (("slurmctld", 15), ("slurmdbd", 15), ("mariadbd", 30), ("munged", 5)):
        end(folder, name, seconds)


def main() -> None:
    """Stop, or cut the power of one node."""
    words = sys.argv[1:]
    folder = Path(words[0]).absolute() if words else Path()
    if not words or not (folder / MARK).exists():
        sys.exit(f"{folder}: not a folder of start_slurm.py\n{__doc__}")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    os.environ["SLURM_CONF"] = f"{folder}/etc/slurm.conf"
    if words[1:2] == ["--power-cut"]:
        power_cut(folder, words[2])
        return
    stop(folder)
    if words[1:] == ["--clear"]:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
