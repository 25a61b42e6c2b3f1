"""Kill runs at many random moments: ``make soak``. Five of these kills are in the normal tests."""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from killing import What, kill_and_resume, prepare, undisturbed


def main() -> int:
    """Kill, resume, compare; stops at the first difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--first-seed", type=int, default=100)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        kinds: tuple[What, ...] = ("waiting", "exp001")
        whole = {what: undisturbed(what, folder) for what in kinds}
        for seed in range(options.first_seed, options.first_seed + options.kills):
            what = kinds[seed % 2]
            logging.info(kill_and_resume(what, whole[what], folder, seed))
    seconds = time.monotonic() - begin
    logging.info("%d kills in %.0f s: no difference", options.kills, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
