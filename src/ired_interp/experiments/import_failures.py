"""Why the author's code could not be imported: the last line of it that ran, and what to do."""

import difflib
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from ired_interp.errors import ExperimentError

__all__ = ["import_failure"]

_NO_NAME = re.compile(r"cannot import name '([^']+)'")


def import_failure(error: BaseException, what: str, roots: Sequence[Path]) -> ExperimentError:
    """What happened while ``what`` was imported, as an error of ours.

    Args:
        error: What the import raised.
        what: The file or module, as it was asked for.
        roots: Folders of the author's code, whose last frame is shown.
    """
    kind = type(error).__name__
    return ExperimentError(
        f"{what} cannot be imported: {_place(error, roots)}{kind}: {_message(error)}"
        f"{_advice(error, roots)}"
    )


def _place(error: BaseException, roots: Sequence[Path]) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if any(Path(one.filename).is_relative_to(r) for r in roots)]
    if not own:
        return ""
    return f"{own[-1].filename}:{own[-1].lineno}: "


def _message(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        shown = (error.text or "").strip()
        return f"{error.msg}" + (f" in {shown!r}" if shown else "")
    return " ".join(str(error).split()) or "without a message"


def _advice(error: BaseException, roots: Sequence[Path]) -> str:
    if isinstance(error, SystemExit):
        return ". It exits when it is imported: put that under if __name__ == '__main__'."
    if isinstance(error, ModuleNotFoundError) and error.name:
        near = _near(error.name.split(".")[-1], _modules_beside(error.name, roots))
        return (
            f".{near} It is looked for in {' and '.join(map(str, dict.fromkeys(roots)))} and in "
            f"the environment ({sys.prefix})."
        )
    if isinstance(error, ImportError):
        if "relative import" in str(error):
            return ". A file inside a package is given as package.module:NAME."
        named = _NO_NAME.search(str(error))
        module = sys.modules.get(error.name or "")
        if named and module:
            return f".{_near(named[1], list(vars(module)))}"
    if isinstance(error, SyntaxError):
        return ". Mend the line; 'python -m py_compile FILE' checks it."
    return ". Importing an experiment must do nothing that can fail: 'python FILE' shows all of it."


def _modules_beside(name: str, roots: Sequence[Path]) -> list[str]:
    folders = [root.joinpath(*name.split(".")[:-1]) for root in roots]
    return [
        path.stem
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    ]


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
