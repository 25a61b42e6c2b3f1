"""What a file is that is not what was asked for, by how it begins: said instead of guessed."""

__all__ = ["HEAD_BYTES", "kind_of"]

HEAD_BYTES = 512
"""How much of a file's beginning tells."""

_UNPACK = "unpack it and name what is inside"
_KINDS = (
    (b"version https://git-lfs.github.com/spec/", "a git-lfs pointer; 'git lfs pull' brings it"),
    (b"/annex/objects/", "a git-annex pointer; 'git annex get' brings it"),
    (b"\x1f\x8b", f"a file compressed by gzip; {_UNPACK}"),
    (b"\xfd7zXZ\x00", f"a file compressed by xz; {_UNPACK}"),
    (b"BZh", f"a file compressed by bzip2; {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"a file compressed by zstd; {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive; {_UNPACK}"),
    (b"Rar!", f"a rar archive; {_UNPACK}"),
    (b"PK", f"a zip archive; {_UNPACK}"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80", "a pickle, which could run code when loaded; it was not run"),
)
_PAGES = (b"<!doctype html", b"<html", b"<?xml", b"<head", b"<body")
_TAR_MARK = slice(257, 262)
_MOST_SHOWN = 24


def kind_of(head: bytes) -> str:
    """What a file is, and what to do; where that is not known, how it begins.

    Args:
        head: Its first `HEAD_BYTES`, or all of a shorter one.
    """
    if not head:
        return "an empty file"
    for beginning, kind in _KINDS:
        if head.startswith(beginning):
            return kind
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_PAGES):
        return "a web page, as a download that failed leaves; download the file itself"
    if head[_TAR_MARK] == b"ustar":
        return f"a tar archive; {_UNPACK}"
    if not head.strip(b"\0"):
        return "zeros alone, as a copy that broke off leaves; copy it again"
    return f"a file that begins with {head[:_MOST_SHOWN]!r}"
