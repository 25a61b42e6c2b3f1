"""The command line: parses, calls, prints. One module for each group of commands."""

from ired_interp.cli.main import main

__all__ = ["main"]
