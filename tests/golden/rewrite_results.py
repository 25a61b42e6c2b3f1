"""Write the stored results that tests/golden/test_stored_results.py holds new runs against.

    PYTHONPATH=tests .venv/bin/python tests/golden/rewrite_results.py [RUN ...]

Run it only where science changes on purpose, for the runs that it changes, and say in CHANGELOG.md
what changed; all runs and the options where none is named.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch

import stored_runs
from ired_interp.experiments import find_experiment
from result_differences import options_of


def main(names: list[str]) -> None:
    """Make the runs anew and store their results."""
    torch.set_num_threads(1)
    for name in names or stored_runs.RUNS:
        with tempfile.TemporaryDirectory() as folder:
            stored_runs.write(stored_runs.make(name, Path(folder)), name)
    if not names:
        options = {name: options_of(find_experiment(name).Config) for name in stored_runs.NAMES}
        text = json.dumps(options, indent=1) + "\n"
        stored_runs.OPTIONS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
