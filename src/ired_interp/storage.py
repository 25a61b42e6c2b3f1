"""Writing so that a file or folder is there whole or not at all, with errors a person can read."""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from ired_interp.errors import RunFolderError, StorageError

__all__ = [
    "append_log",
    "create_folder",
    "guard",
    "read_json",
    "sha256_of",
    "to_json",
    "write_file",
    "write_note",
]

_CAUSES = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "permission denied; choose a folder that you may write to",
    errno.EPERM: "not permitted; choose a folder that you may write to",
    errno.ENOENT: "the folder above it does not exist and cannot be made",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.ENAMETOOLONG: "the name is too long",
}


@contextlib.contextmanager
def guard(path: Path) -> Iterator[None]:
    """Turn an operating-system refusal under ``path`` into a StorageError that says what to do."""
    try:
        yield
    except (StorageError, RunFolderError):
        raise
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0, error.strerror or str(error))
        raise StorageError(f"cannot write {path}: {cause}.") from error


def create_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Make a new folder that appears with its files by one rename.

    Raises:
        RunFolderError: Something of that name exists.
        StorageError: The file system refused.
    """
    if os.path.lexists(path):
        kind = "folder" if path.is_dir() else "file"
        unfinished = any((path / name).is_file() for name in files)
        hint = f", or finish what is there with 'ired-interp resume {path}'" if unfinished else ""
        raise RunFolderError(
            f"{path} exists already (a {kind}): expected a new name. Choose another --out{hint}."
        )
    with guard(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft_of(path)
        draft.mkdir()
        try:
            for name, content in files.items():
                write_file(draft / name, content)
            draft.rename(path)
            _sync_folder(path.parent)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def write_file(path: Path, content: bytes) -> None:
    """Write under a temporary name, flush to the disk, rename.

    Raises:
        StorageError: The file system refused; a file that was there before is still whole.
    """
    with guard(path), _drafted(path) as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    with guard(path):
        _sync_folder(path.parent)


def write_note(path: Path, content: bytes) -> None:
    """Write under a temporary name and rename, without waiting for the disk.

    For what says how things stand at the moment; a power cut may lose it without harm.

    Raises:
        StorageError: The file system refused.
    """
    with guard(path), _drafted(path) as stream:
        stream.write(content)


def append_log(path: Path, line: str) -> None:
    """Append one line with the time to a run's log.

    Raises:
        StorageError: The file system refused.
    """
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    with guard(path), path.open("a", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(f"{stamp} {line}\n")


def to_json(content: Mapping[str, Any]) -> bytes:
    """Readable JSON, UTF-8; what is not, as in the name of an old folder, as JSON escapes it."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return text.encode(errors="backslashreplace")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        RunFolderError: Not there, not readable or not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunFolderError(
            f"{path} does not exist: {path.parent} is not a run folder."
        ) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunFolderError(
            f"{path} cannot be read ({error}): the run folder is damaged."
        ) from error
    if not isinstance(content, dict):
        raise RunFolderError(f"{path}: expected a JSON object, found {type(content).__name__}.")
    return content


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def _drafted(path: Path) -> Iterator[IO[bytes]]:
    """A new file beside a path, that takes its name once it is whole."""
    draft = _draft_of(path)
    # With the rights that any new file has: the process's mask is the system's to apply, as to ask
    # for it is to change it, for all threads.
    with draft.open("xb") as stream:
        try:
            yield stream
            stream.close()
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def _draft_of(path: Path) -> Path:
    """A name beside it that nothing has."""
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")


def _sync_folder(path: Path) -> None:
    """Make a rename durable: the folder's own entry must reach the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
