"""``doctor``: what is wrong with this machine, or with a run."""

import argparse
import json
import sys
import time

from rich.console import Console
from rich.text import Text

from ired_interp.cli.checks import all_ok, sum_up, tell, write_json
from ired_interp.cli.codes import FAILED
from ired_interp.cli.status import local_lines
from ired_interp.cluster.config import load_cluster
from ired_interp.console import terminal
from ired_interp.doctor.checkup import checkup
from ired_interp.doctor.diagnosis import diagnose
from ired_interp.doctor.finding import Diagnosis, Finding, units_of
from ired_interp.errors import ConfigError
from ired_interp.runs.run import open_run

__all__ = ["doctor"]


def doctor(options: argparse.Namespace) -> int:
    """Look, and say what is wrong."""
    if options.folder is None:
        return _of_this_machine(options)
    if options.cluster is not None:
        raise ConfigError(
            "--cluster: expected with no RUN, as it is about the cluster itself, found both. "
            f"'ired-interp status {options.folder}' asks how the run's tasks stand."
        )
    run = open_run(options.folder, project=options.project)
    diagnosis = diagnose(run, rerun=not options.no_rerun)
    if options.json:
        _write_json(diagnosis)
    else:
        _tell(diagnosis, terminal())
    return 0 if diagnosis.ok else FAILED


def _of_this_machine(options: argparse.Namespace) -> int:
    cluster = load_cluster(options.cluster, options.clusters) if options.cluster else None
    begin = time.monotonic()
    checks = checkup(options.out, cluster)
    if options.json:
        made = write_json(checks)
    else:
        out = terminal()
        made = tell(checks, out)
        sum_up(made, time.monotonic() - begin, out)
    return 0 if all_ok(made) else FAILED


def _write_json(diagnosis: Diagnosis) -> None:
    states = [status.state for status in diagnosis.statuses]
    content = {
        "ok": diagnosis.ok,
        "units": {state: states.count(state) for state in sorted(set(states))},
        "findings": [finding.as_mapping() for finding in diagnosis.findings],
        "not_asked": list(diagnosis.not_asked),
    }
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _tell(diagnosis: Diagnosis, out: Console) -> None:
    summary = local_lines(diagnosis.statuses, every=False)
    if not diagnosis.findings:
        out.print("\n".join(summary), soft_wrap=True)
        out.print(Text("nothing wrong found", "bold green"))
    else:
        out.print(summary[0], soft_wrap=True)
        for finding in diagnosis.findings:
            _tell_finding(finding, out)
    for line in diagnosis.not_asked:
        out.print(Text(f"–    not asked: {line}", "dim"), soft_wrap=True)


def _tell_finding(finding: Finding, out: Console) -> None:
    line = Text(finding.pattern, "bold yellow" if finding.advice else "bold red")
    line.append(f"  {units_of(finding.units)}" if finding.units else "  the run", "bold")
    out.print(line, soft_wrap=True)
    out.print(Text(f"     found    {finding.found}"), soft_wrap=True)
    out.print(Text(f"     to mend  {finding.remedy}"), soft_wrap=True)
