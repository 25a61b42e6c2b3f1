"""Kill runs at many random moments: ``make soak``, and under a real SLURM ``make soak-cluster``.

Five of each kind are in the normal tests.
"""

import argparse
import logging
import math
import shutil
import sys
import tempfile
import time
from pathlib import Path

import slurm_here
from killing import What, kill_and_resume, prepare, undisturbed
from killing_under_slurm import KILLS, kill_and_submit_again


def kill_here(kills: int, first_seed: int) -> None:
    """Processes of this machine; each is resumed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        kinds: tuple[What, ...] = ("waiting", "exp001")
        whole = {what: undisturbed(what, folder) for what in kinds}
        for seed in range(first_seed, first_seed + kills):
            what = kinds[seed % 2]
            logging.info(kill_and_resume(what, whole[what], folder, seed))


def kill_under_slurm(kills: int, first_seed: int) -> None:
    """Workers of tasks, several of each array; what is lost is submitted again. As root."""
    base = Path(tempfile.mkdtemp(prefix="slurm-"))  # short, for unix sockets
    try:
        here = slurm_here.start(base / "d", base)
        try:
            for seed in range(first_seed, first_seed + math.ceil(kills / KILLS)):
                lost = kill_and_submit_again(here, seed)
                logging.info(
                    "SLURM, seed %d: units %s lost and computed again; same bytes", seed, lost
                )
        finally:
            slurm_here.stop(here)
    finally:
        shutil.rmtree(base)


def main() -> int:
    """Kill, resume, compare; stops at the first difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--slurm", action="store_true", help="under a SLURM that is started here")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    begin = time.monotonic()
    kill = kill_under_slurm if options.slurm else kill_here
    kill(options.kills, options.first_seed)
    seconds = time.monotonic() - begin
    logging.info("%d kills in %.0f s: no difference", options.kills, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
