"""A worker process: ``python -m ired_interp.runs.worker RUN [--project DIR]``.

It reads the numbers of units from its standard input, one a line, and answers on its standard
output: ``ready`` or ``refused MESSAGE`` once, then ``done``, ``failed`` or ``elsewhere`` for each.
What the experiment prints goes to the worker's log.
"""

import argparse
import os
import platform
import signal
import sys
from pathlib import Path
from typing import IO

from ired_interp.errors import IredInterpError
from ired_interp.runs.computing import Bench, compute_unit, planned_threads
from ired_interp.runs.folder import worker_log
from ired_interp.runs.run import open_run

__all__ = ["main"]

_LEFT_TO_THE_PARENT = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def main() -> int:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--project", type=Path)
    options = parser.parse_args()
    for number in _LEFT_TO_THE_PARENT:
        signal.signal(number, signal.SIG_IGN)
    log = worker_log(options.run, platform.node(), os.getpid())
    with _own_output(log) as answers:
        try:
            run = open_run(options.run, project=options.project)
            bench = Bench.of(run, log)
        except IredInterpError as error:
            _say(answers, "refused " + str(error).replace("\n", "\\n"))
            return 1
        with planned_threads(run):
            _say(answers, "ready")
            for line in sys.stdin:
                _say(answers, compute_unit(bench, int(line)))
    return 0


def _own_output(log: Path) -> IO[str]:
    """The pipe to the parent; the standard output and error themselves go to the log."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    return answers


def _say(answers: IO[str], text: str) -> None:
    answers.write(text + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
