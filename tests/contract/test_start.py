"""What a worker does not need is not imported at its start; each task of an array pays for that."""

import subprocess
import sys

# Each takes a quarter to two thirds of a second to import.
HEAVY = ("matplotlib", "scipy.optimize", "scipy.special", "scipy.stats", "jinja2")
CODE = """
import sys
import ired_interp.cli.main, ired_interp.runs.worker
from ired_interp.experiments import experiment_names, find_experiment
for name in experiment_names():
    find_experiment(name)
print(*(name for name in {heavy} if name in sys.modules))
"""


def test_what_only_draws_or_is_rarely_called_is_not_imported_at_the_start() -> None:
    words = [sys.executable, "-c", CODE.format(heavy=HEAVY)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
