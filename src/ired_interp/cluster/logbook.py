"""The ledgers of one or more runs as the debugging log that people otherwise write by hand."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ired_interp.cluster.git_calls import git
from ired_interp.cluster.ledger import Attempt, EndedTask, has_ledger, read_ledger
from ired_interp.errors import CannotAskError, RunFolderError
from ired_interp.storage import read_json

__all__ = ["logbook"]

_MIB = 2**20
_SHORT = 12
_MOST_TASKS = 5


def logbook(paths: Iterable[Path]) -> str:
    """Every attempt, oldest first: job, commit, what failed and why, what changed since the last.

    Args:
        paths: Run folders, or folders of run folders. What is not fetched yet is not known here.

    Raises:
        RunFolderError: A ledger is damaged, or nothing was ever submitted.
    """
    given = list(paths)
    runs = [run for path in given for run in _runs(path)]
    attempts = sorted(
        ((attempt, run) for run in runs for attempt in read_ledger(run)),
        key=lambda pair: pair[0].time,
    )
    if not attempts:
        raise RunFolderError(
            f"{', '.join(map(str, given))}: expected runs that were submitted, found none. 'ired-"
            "interp submit' writes the ledger that this shows."
        )
    blocks = []
    before: tuple[Attempt, Path] | None = None
    for number, (attempt, run) in enumerate(attempts, start=1):
        lines = [_head(number, attempt, run), *_what_happened(attempt)]
        if before is not None:
            lines.insert(1, f"  changed: {_changes(before, (attempt, run))}")
        blocks.append("\n".join(lines))
        before = (attempt, run)
    return "\n\n".join(blocks) + "\n"


def _runs(path: Path) -> list[Path]:
    if has_ledger(path):
        return [path]
    return [folder for folder in sorted(path.glob("*")) if has_ledger(folder)]


def _head(number: int, attempt: Attempt, run: Path) -> str:
    jobs = ", ".join(map(str, attempt.jobs)) or "none"
    subject = _says(run, "log", "-1", "--format=%s", attempt.sha)
    commit = attempt.sha[:_SHORT] + (f' "{subject}"' if subject else "")
    unpushed = ", on no remote" if attempt.unpushed else ""
    if attempt.skipped:
        unpushed += f", not checked: {', '.join(attempt.skipped)}"
    when = attempt.time[:16].replace("T", " ")
    return (
        f"attempt {number} · {when} UTC · {run} on {attempt.place.cluster} · jobs {jobs} · "
        f"commit {commit}{unpushed}"
    )


def _what_happened(attempt: Attempt) -> list[str]:
    lines = [f"  refused: {a.refused}" for a in attempt.arrays if a.refused is not None]
    total = attempt.num_tasks
    counts = Counter("done" if task.done else task.state.lower() for task in attempt.ended)
    words = [f"{number} {state}" for state, number in sorted(counts.items())]
    unknown = total - len(attempt.ended)
    if unknown > 0:
        words.append(f"{unknown} not ended when last asked")
    lines.append(f"  {total} tasks: {', '.join(words) or 'none'}")
    if attempt.cancelled is not None:
        lines.append(f"  cancelled {attempt.cancelled[:16].replace('T', ' ')} UTC")
    done = [task for task in attempt.ended if task.done]
    if done:
        lines.append(f"  {_cost(done)}")
    lines += [f"  {_again(task)}" for task in done if task.earlier]
    failed = [task for task in attempt.ended if not task.done]
    causes = Counter(task.cause for task in failed)
    for cause, number in causes.most_common(_MOST_TASKS):
        first = next(task for task in failed if task.cause == cause)
        more = f" (and {number - 1} more)" if number > 1 else ""
        lines.append(f"  task {first.job}{more} {first.state} {_where(first)}: {cause}")
    return lines


def _cost(done: Sequence[EndedTask]) -> str:
    seconds = sorted(task.elapsed_seconds for task in done)
    memory = max(task.max_memory_bytes for task in done)
    used = f", at most {memory / _MIB:.0f} MiB" if memory else ""
    return f"done tasks took {seconds[len(seconds) // 2]} s each, the slowest {seconds[-1]} s{used}"


def _again(task: EndedTask) -> str:
    earlier = ", ".join(state.lower().replace("_", " ") for state in task.earlier)
    return f"task {task.job} done on {task.node} at run {len(task.earlier) + 1} (before: {earlier})"


def _where(task: EndedTask) -> str:
    memory = f", {task.max_memory_bytes / _MIB:.0f} MiB" if task.max_memory_bytes else ""
    return f"on {task.node or 'no node'} after {task.elapsed_seconds} s{memory}"


def _changes(before: tuple[Attempt, Path], after: tuple[Attempt, Path]) -> str:
    (old, old_run), (new, run) = before, after
    words = []
    if old.sha != new.sha:
        files = _says(run, "diff", "--name-only", old.sha, new.sha).splitlines()
        named = f" ({', '.join(files[:_MOST_TASKS])}{', …' * (len(files) > _MOST_TASKS)})"
        words.append(f"commit {old.sha[:_SHORT]} → {new.sha[:_SHORT]}{named if files else ''}")
    words += [
        f"{name} {old.resources.get(name)} → {value}"
        for name, value in new.resources.items()
        if (old.resources.get(name) or None) != (value or None)  # a key may be new since
    ]
    if old.place.cluster != new.place.cluster:
        words.append(f"cluster {old.place.cluster} → {new.place.cluster}")
    if run != old_run:
        there, here = _config(old_run), _config(run)
        words += [
            f"{name} {there.get(name)} → {here.get(name)}"
            for name in dict.fromkeys((*there, *here))
            if there.get(name) != here.get(name)
        ]
    return "; ".join(words) or "nothing; the units that were missing"


def _config(run: Path) -> dict[str, object]:
    content: dict[str, object] = read_json(run / "run.json")["config"]
    return content


def _says(run: Path, *words: str) -> str:
    """What git says of the run's project; empty where the repository is not here (any more)."""
    project = (read_json(run / "run.json").get("source") or {}).get("project")
    folder = Path(project) if project else Path(__file__).parent
    if not folder.is_dir():
        return ""
    try:
        done = git(folder, *words)
    except CannotAskError:
        return ""
    return done.out.strip() if done.ok else ""
