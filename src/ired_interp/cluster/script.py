"""The sbatch script of one array: a template, filled in with quoted words."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.contents import LargeFile, Submodule, filling
from ired_interp.cluster.sbatch_options import for_sbatch, option_lines

__all__ = ["FOLDERS", "Job", "load_modules", "render"]

# Of a run folder; made before submission, since a job whose log has no folder vanishes silently.
FOLDERS = ("shards", "failures", "running", "logs", "tasks")

_SECONDS_FOR_CLEANING_UP = 15


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that the script says.

    Attributes:
        name: Unique to this array; the queue is asked by it.
        cluster: Resources, modules, account.
        run: Run folder on the cluster.
        tasks: File in the run folder with the frozen list of units, task by task.
        first: Lowest index of the array.
        last: Highest index of the array.
        partition: Where it goes; None for the default.
        sha: Commit of the project.
        clone: The project at that commit, on the cluster.
        repository: Bare repository that holds the commit, for a clone of the job's own.
        python: Interpreter of the environment.
        is_package: Whether the project is ired-interp itself, run from its clone.
        modules: Submodules of the commit.
        large: Files that git-lfs keeps apart from it.
        named: Whether the config names files that lie by their content below the root.
    """

    name: str
    cluster: ClusterConfig
    run: str
    tasks: str
    first: int
    last: int
    partition: str | None
    sha: str
    clone: str
    repository: str
    python: str
    is_package: bool
    modules: tuple[Submodule, ...] = ()
    large: tuple[LargeFile, ...] = ()
    named: bool = False


def render(job: Job) -> str:
    """The script, ready for ``sbatch``."""
    login = " -l" if job.cluster.modules else ""
    parts = [
        f"#!/bin/bash{login}",
        *(f"#SBATCH {option}" for option in _options(job)),
        _HEAD.format(
            run=shlex.quote(job.run),
            tasks=shlex.quote(f"{job.run}/{job.tasks}"),
            python=shlex.quote(job.python),
            sha=job.sha,
        ),
        *load_modules(job.cluster.modules),
        _own_clone(job) if job.cluster.scratch else f"project={shlex.quote(job.clone)}",
        'cd -- "$project" || exit 1',
        "unset PYTHONHOME PYTHONPATH",
        *(
            ['export PYTHONPATH="$project/src"  # ired-interp itself, at this commit']
            * job.is_package
        ),
        _TAIL.format(
            cpus=job.cluster.cpus,
            until_signal=_until_signal(job.cluster),
            until_kill=_until_kill(job.cluster),
            files=f" --files {shlex.quote(f'{job.cluster.root}/files')}" * job.named,
            max_requeues=job.cluster.max_requeues,
        ),
    ]
    return "\n".join(parts)


def load_modules(modules: Sequence[str]) -> list[str]:
    """Lines that load modules; the site's own functions do not bear ``set -u``."""
    if not modules:
        return []
    return ["set +u", f"module load {shlex.join(modules)} || exit 1", "set -u"]


def _options(job: Job) -> list[str]:
    cluster = job.cluster
    chosen = {
        "partition": job.partition,
        "account": cluster.account,
        "qos": cluster.qos,
    }
    return [
        f"--job-name={job.name}",
        f"--array={job.first}-{job.last}%{cluster.max_parallel}",
        *(f"--{name}={value}" for name, value in chosen.items() if value is not None),
        *option_lines(cluster.sbatch_options, cluster.gpus),
        f"--time={cluster.time_minutes}",
        "--nodes=1 --ntasks=1",
        f"--cpus-per-task={cluster.cpus}",
        f"--mem={cluster.memory_mib}M",
        "--requeue --open-mode=append",
        f"--signal=USR1@{cluster.signal_seconds}",
        f"--comment=sha={job.sha}",
        f"--chdir={for_sbatch(job.run)}",
        # relative to chdir: a % in the path itself would be taken for a pattern
        "--output=logs/slurm-%A_%a.log",
    ]


def _until_signal(cluster: ClusterConfig) -> int:
    """Seconds after which the worker is told to stop, should the scheduler's signal be late."""
    return max(5, 60 * cluster.time_minutes - cluster.signal_seconds)


def _until_kill(cluster: ClusterConfig) -> int:
    """Seconds that a unit has left after the signal, before the task itself is ended."""
    return max(5, cluster.signal_seconds - _SECONDS_FOR_CLEANING_UP)


def _own_clone(job: Job) -> str:
    scratch = job.cluster.scratch or ""
    if scratch.startswith("$"):
        variable, slash, rest = scratch[1:].partition("/")
        place = f'"${{{variable}:?is not set in this job}}"{slash}{rest}'
    else:
        place = shlex.quote(scratch)
    own = _OWN_CLONE.format(
        scratch=place,
        repository=shlex.quote(job.repository),
        ref=shlex.quote(f"refs/ired-interp/{job.sha}"),
    )
    more = filling(
        job.modules,
        job.large,
        clone='"$project"',
        repository=shlex.quote(job.repository),
        store=shlex.quote(f"{job.cluster.root}/files"),
    )
    return "\n".join([own, *more])


_HEAD = """
# An array of work units, written by 'ired-interp submit'. Results go straight to the run folder.
# exit codes: 0 all units done, 75 stopped and to be run again, anything else failed
set -u -o pipefail
run={run}
tasks={tasks}
python={python}
sha={sha}
"""

_OWN_CLONE = """scratch={scratch}
mkdir -p -- "$scratch" && own=$(mktemp -d -- "$scratch/ired-interp-XXXXXXXX") || exit 1
trap 'cd / && rm -rf -- "$own"' EXIT
project=$own/project
export GIT_LFS_SKIP_SMUDGE=1  # what git-lfs keeps apart is copied from the root
git init --quiet -- "$project" &&
    git -C "$project" fetch --quiet --depth=1 -- {repository} {ref} &&
    git -C "$project" checkout --quiet --detach FETCH_HEAD || exit 1"""

_TAIL = """
units=$("$python" -c '
import json, sys
print(*json.load(open(sys.argv[1]))["tasks"][int(sys.argv[2])], sep=",")
' "$tasks" "$SLURM_ARRAY_TASK_ID") || exit 1
count_done() {{
    local unit number=0
    for unit in ${{units//,/ }}; do
        if [ -e "$run/shards/unit-$(printf %05d "$unit").h5" ]; then number=$((number + 1)); fi
    done
    echo "$number"
}}
before=$(count_done)
restarts=${{SLURM_RESTART_COUNT:-0}}
echo "$(date -u +%FT%TZ) units $units on $(hostname), restart $restarts, commit $sha"

# TERM comes to this shell and the worker: preemption, which the scheduler itself requeues, or the
# user's scancel. USR1 comes to the worker alone, up to a minute earlier than asked, and timeout's
# TERM at the moment itself: those are ours to requeue. USR1 must not end a Python that is starting.
told=
trap 'told=1' TERM
srun --ntasks=1 --cpus-per-task={cpus} sh -c 'trap "" USR1; exec "$@"' sh \\
    timeout --preserve-status --kill-after={until_kill} {until_signal} \\
    "$python" -P -m ired_interp.cli work "$run" --units "$units" --project "$project"{files}
code=$?

again=
if [ -z "$told" ]; then
    case $code in
    75 | 143) again=1 ;;  # 143: TERM while Python was starting
    137)  # cut at the end of its time; again only if a unit was done, or it would never end
        if [ "$SECONDS" -ge {until_signal} ] && [ "$(count_done)" -gt "$before" ]; then again=1; fi
        ;;
    esac
fi
if [ -n "$again" ] && [ "$restarts" -lt {max_requeues} ]; then
    # this task alone: the job's id is, in an array's last task, the id of the whole array
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
echo "$(date -u +%FT%TZ) exit code $code${{told:+, told to stop}}${{again:+, to be run again}}"
exit "$code"
"""
