"""``preflight``: what would stop a run, before it is submitted."""

import argparse
import time

from ired_interp.cli.checks import all_ok, sum_up, tell, write_json
from ired_interp.cli.codes import FAILED
from ired_interp.cluster.config import load_cluster
from ired_interp.console import terminal
from ired_interp.preflight.run import Wishes, preflight

__all__ = ["make_preflight"]


def make_preflight(options: argparse.Namespace) -> int:
    """Make the checks, and print them."""
    cluster = load_cluster(options.cluster, options.clusters) if options.cluster else None
    wishes = Wishes(
        cluster=cluster,
        fresh_env=options.fresh_env,
        skip=tuple(options.skip),
        allow_unpushed=options.allow_unpushed,
        out=options.out,
    )
    begin = time.monotonic()
    checks = preflight(options.reference, options.words, wishes)
    if options.json:
        made = write_json(checks)
    else:
        out = terminal()
        made = tell(checks, out)
        sum_up(made, time.monotonic() - begin, out)
    return 0 if all_ok(made) else FAILED
