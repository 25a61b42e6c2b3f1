"""Files on the cluster by their content: each is sent once, and its SHA-256 is taken there.

They lie in ``ROOT/files/SHA256/NAME``. A name appears there only when the content was found right,
so that what has its name is whole.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ired_interp.cluster.answers import listed
from ired_interp.cluster.code import Code
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.contents import content_of
from ired_interp.cluster.git_calls import git_lines
from ired_interp.cluster.shell import Shell, check
from ired_interp.errors import ClusterError, ConfigError
from ired_interp.runs.named_files import NamedFile, find_named, read_named
from ired_interp.runs.run import Run
from ired_interp.storage import read_json, sha256_of, to_json, write_file

__all__ = ["Content", "contents_of_code", "files_of", "named_here", "stage", "store_of"]

_FILES = "files"  # in run.json
_VERIFY_SECONDS = 3600.0
_MIB = 2**20


@dataclass(frozen=True)
class Content:
    """A content that has to be on the cluster.

    Attributes:
        stored: ``SHA256/NAME``.
        bytes: Its length.
        here: A local file that has it; None where there is none any more.
        name: For a person.
    """

    stored: str
    bytes: int
    here: Path | None
    name: str

    @property
    def sha256(self) -> str:
        """Of the content."""
        return self.stored.partition("/")[0]


def store_of(config: ClusterConfig) -> str:
    """The folder of files by content."""
    return f"{config.root}/files"


def named_here(run: Run, code: Code) -> dict[str, Path]:
    """Files that the run's config names and that the commit does not hold, by the config's text."""
    held = set(git_lines(code.project, "ls-tree", "-r", "-z", "--name-only", code.sha))

    def is_committed(path: Path) -> bool:
        whole = path.parent.resolve() / path.name
        inside = whole.is_relative_to(code.project)
        return inside and whole.relative_to(code.project).as_posix() in held

    project = None if code.is_package else code.project
    return find_named(run.config, project, is_committed)


def files_of(run: Run, code: Code) -> list[Content]:
    """The contents that the run's config names; run.json lists each from its first time on.

    Raises:
        ConfigError: A file is not what it was when the run was first submitted.
        RunFolderError, StorageError: run.json cannot be read or written.
    """
    path = run.path / "run.json"
    head = read_json(path)
    here = named_here(run, code)
    listed = {file.name: file for file in read_named(head)}
    for text, place in here.items():
        found = NamedFile(text, sha256_of(place), place.stat().st_size)
        before = listed.setdefault(text, found)
        if found != before:
            raise ConfigError(
                f"{text}: expected the file as it was when {run.path} was first submitted "
                f"(SHA-256 {before.sha256[:12]}…), found another content ({found.sha256[:12]}…). "
                "Put the old file back, or plan another run."
            )
    files = [asdict(file) for file in listed.values()]
    if files != head.get(_FILES, []):
        write_file(path, to_json({**head, _FILES: files}))
    return [Content(f.stored, f.bytes, here.get(f.name), f.name) for f in listed.values()]


def contents_of_code(code: Code) -> list[Content]:
    """The contents that git-lfs keeps apart from the commit."""
    return [
        Content(file.stored, file.bytes, content_of(code.project, file), file.whole_path)
        for file in code.large
    ]


def stage(
    shell: Shell, config: ClusterConfig, wanted: Sequence[Content], say: Callable[[str], None]
) -> int:
    """Send what the cluster does not have yet; returns how many contents that were.

    Raises:
        ConfigError: A content is neither there nor here.
        ClusterError: The copy failed, or what arrived is another content.
        CannotAskError, SessionGoneError: No answer.
    """
    missing = _missing(shell, config, wanted)
    for stored, content in missing.items():
        if content.here is None:
            raise ConfigError(
                f"{content.name}: expected its content (SHA-256 {content.sha256[:12]}…) here, to "
                f"be sent to {shell.name}, found none. Put the file back; of git-lfs, 'git lfs "
                "pull' brings it."
            )
        say(f"sending {content.name} ({content.bytes / _MIB:.1f} MiB) by content")
        folder = f"{store_of(config)}/{content.sha256}"
        check(shell, ["mkdir", "-p", "--", folder], f"making {folder}")
        draft = f"{folder}/.incoming-{secrets.token_hex(4)}"
        shell.send_file(content.here, draft)
        words = ["sh", "-c", _TAKE, "sh", draft, f"{store_of(config)}/{stored}", content.sha256]
        done = shell.run(words, seconds=_VERIFY_SECONDS)
        if done.returncode != 0:
            raise ClusterError(f"{shell.name}: {content.name} did not arrive: {done.words}")
    return len(missing)


def _missing(
    shell: Shell, config: ClusterConfig, wanted: Sequence[Content]
) -> Mapping[str, Content]:
    if not wanted:
        return {}
    store = store_of(config)
    script = 'test -d "$1" || exit 0; find "$1" -mindepth 2 -maxdepth 2 -type f -printf "%s %P\\n"'
    answer = check(shell, ["sh", "-c", script, "sh", store], f"listing {store}")
    there = listed(answer, r"(\d+ [0-9a-f]{64}/.+)", f"{shell.name}: {store}")
    return {one.stored: one for one in wanted if f"{one.bytes} {one.stored}" not in there}


_TAKE = """
found=$(sha256sum < "$1" | cut -d " " -f 1)
if [ "$found" != "$3" ]; then
    rm -f -- "$1"
    echo "expected the SHA-256 $3, found $found: the file was changed on its way, or under it" >&2
    exit 1
fi
chmod a-w -- "$1" && mv -f -- "$1" "$2"
"""
