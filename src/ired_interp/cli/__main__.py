"""``python -m ired_interp.cli``: the command where it is not on the PATH, as in a batch job."""

import sys

from ired_interp.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
