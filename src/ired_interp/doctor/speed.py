"""Runs that are slower than they need be: hosts, threads, units that grow slower, GPUs."""

import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ired_interp.doctor.evidence import Evidence
from ired_interp.doctor.finding import Finding, duration
from ired_interp.doctor.trends import trend
from ired_interp.runs.shards import ShardRecord

__all__ = ["gpu_not_asked", "idle_gpu", "slower_and_slower", "too_many_threads", "uneven_hosts"]

_FEWEST_UNITS, _TIMES_SLOWER = 3, 2.0
_LEAST_GROWTH_SECONDS, _LEAST_SHARE = 5.0, 0.5
_LEAST_BUSY = 10.0
# Of the time that stands in a record.
_STEP = timedelta(seconds=1)


def uneven_hosts(evidence: Evidence) -> list[Finding]:
    """A host whose units take twice as long as those of all others, its quickest as well."""
    by_host: dict[str, list[float]] = {}
    for record in evidence.records.values():
        if record.host is not None and record.seconds is not None:
            by_host.setdefault(record.host, []).append(record.seconds)
    known = {host: times for host, times in by_host.items() if len(times) >= _FEWEST_UNITS}
    findings = []
    for host, times in known.items():
        others = [t for other, ts in known.items() if other != host for t in ts]
        if not others or not _is_slower(times, others):
            continue
        slow, usual = statistics.median(times), statistics.median(others)
        units = [i for i, r in evidence.records.items() if r.host == host]
        findings.append(
            Finding(
                "uneven hosts",
                tuple(units),
                f"{host} takes {duration(slow)} a unit, the others {duration(usual)} "
                f"({len(times)} and {len(others)} units).",
                f"look whether {host} is shared, throttled or an older machine; give its units to "
                "the others: another of the partitions in clusters.toml, or sbatch_options = "
                f'["--exclude={host}"] there',
            )
        )
    return findings


def _is_slower(times: Sequence[float], others: Sequence[float]) -> bool:
    far = statistics.median(times) > _TIMES_SLOWER * statistics.median(others)
    # Units of a run need not cost the same: most of these must be slower than most of those.
    return far and statistics.quantiles(times, n=4)[0] > statistics.quantiles(others, n=4)[2]


def too_many_threads(evidence: Evidence) -> list[Finding]:
    """Threads of all processes at once, against the cores of this machine."""
    here, cores = evidence.machine.host, evidence.machine.cores
    mine = {i: r for i, r in evidence.records.items() if r.host == here}
    alive = [s.index for s in evidence.statuses if s.state == "running" and s.host == here]
    at_once = max(_most_at_once(mine), len(alive), min(1, len(mine)))
    if at_once * evidence.threads <= cores:
        return []
    processes = f"{at_once} process{'es' * (at_once > 1)} of {evidence.threads} thread"
    processes += f"{'s' * (evidence.threads > 1)} each at once"
    workers = f"--workers {max(1, cores // evidence.threads)}"
    fewer = f"a new run with --threads {max(1, cores // at_once)}, as the plan fixes them"
    remedy = f"'ired-interp resume {evidence.path}' with {workers}, or {fewer}"
    if evidence.threads > cores:
        remedy = fewer
    elif evidence.threads == 1:
        remedy = f"no more than {workers}"
    return [
        Finding(
            "too many threads",
            tuple(sorted({*mine, *alive})),
            f"{processes} on {cores} core{'s' * (cores > 1)} of {here}: they wait for one another.",
            remedy,
        )
    ]


def _most_at_once(records: Mapping[int, ShardRecord]) -> int:
    """How many units were certainly under way at one moment, by their times of a second's step."""
    events: list[tuple[datetime, int]] = []
    for record in records.values():
        if record.finished is None or record.seconds is None:
            continue
        end = datetime.fromisoformat(record.finished)
        begin = end - timedelta(seconds=record.seconds) + _STEP
        if begin < end:
            events += [(begin, 1), (end, -1)]
    most = now = 0
    for _, step in sorted(events):
        now += step
        most = max(most, now)
    return most


def slower_and_slower(evidence: Evidence) -> list[Finding]:
    """Processes whose units take longer from one to the next."""
    findings = []
    for name, units in evidence.orders.items():
        times = [t for i in units if (t := evidence.records[i].seconds) is not None]
        line = trend(times)
        if line is None or line.low <= 0:
            continue
        if line.growth > max(_LEAST_GROWTH_SECONDS, _LEAST_SHARE * line.middle):
            findings.append(
                Finding(
                    "slower and slower",
                    tuple(units),
                    f"{name}: each unit takes {duration(line.slope)} longer than the one before "
                    f"(95 %: {duration(line.low)} to {duration(line.high)}), "
                    f"{duration(line.growth)} over {line.count} units.",
                    "if later units are no bigger, something piles up: a list that is searched, a "
                    "cache, memory that swaps, a processor that grows hot. A fresh process shows "
                    f"it: 'ired-interp work {evidence.path} --units N'",
                )
            )
    return findings


def idle_gpu(evidence: Evidence) -> list[Finding]:
    """A GPU that is there and not used."""
    device = str(evidence.config.get("device", ""))
    if device == "cpu" and evidence.gpu is not None:
        return [
            Finding(
                "idle GPU",
                (),
                f"the config says device cpu; the machine that planned the run has a "
                f"{evidence.gpu}.",
                "a new run with --device cuda, if units are large enough to gain by it: try one "
                "unit of each",
            )
        ]
    running = _running_here_on_cuda(evidence)
    if not running or not evidence.machine.gpus:
        return []
    number = device.partition(":")[2]
    used = evidence.machine.gpus
    if number.isdecimal() and int(number) < len(used):
        used = (used[int(number)],)
    busy = [gpu.busy for gpu in used if gpu.busy is not None]
    if not busy or max(busy) >= _LEAST_BUSY:
        return []
    return [
        Finding(
            "idle GPU",
            running,
            f"{units_running(running)} on {device}, and the {used[0].name} is busy for "
            f"{max(busy):.0f} % of the time at most (the busiest of a few looks).",
            "let it do more at a time (--unit-problems), or look what the processor does meanwhile"
            ": data that are made or copied for each step. Several workers may share one GPU",
        )
    ]


def units_running(units: Sequence[int]) -> str:
    """How many, in words."""
    return f"{len(units)} unit{'s' * (len(units) > 1)} run{'s' * (len(units) == 1)}"


def gpu_not_asked(evidence: Evidence) -> list[str]:
    """Why it is not known whether a GPU that units run on is busy."""
    if not _running_here_on_cuda(evidence) or evidence.machine.gpus:
        return []
    return ["how busy the GPU is: nvidia-smi is not there, or does not answer"]


def _running_here_on_cuda(evidence: Evidence) -> tuple[int, ...]:
    if not str(evidence.config.get("device", "")).startswith("cuda"):
        return ()
    here = evidence.machine.host
    return tuple(s.index for s in evidence.statuses if s.state == "running" and s.host == here)
