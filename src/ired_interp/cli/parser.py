"""argparse, with errors of our own kind."""

import argparse
from typing import NoReturn

from ired_interp.errors import ConfigError

__all__ = ["Parser"]


class Parser(argparse.ArgumentParser):
    """argparse, with errors of our own kind so that one place prints them."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of leaving the process.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{message}. See '{self.prog} --help'.")
