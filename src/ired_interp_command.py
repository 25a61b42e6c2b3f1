"""The entry point of the command, so small that Ctrl-C during the package's import is caught."""

import sys

__all__ = ["main"]


def main() -> int:
    """Import and run the command line."""
    try:
        from ired_interp.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return run()
