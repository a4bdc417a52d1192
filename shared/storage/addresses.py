"""Addresses of files outside the storage, `s3://bucket/key` or `file:///path`, read so strictly that each has one meaning.

What the address is compared with and what is then opened is the same parsed `Address`, so no second reader of URIs can see
something else in it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

BUCKET = re.compile(r"[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)*")

FORBIDDEN = frozenset("%?#\\")
"""No percent-encoding, query, fragment or Windows path."""


@dataclass(frozen=True)
class Address:
    """A place: its scheme (`s3` or `file`), its bucket (empty for a file), and the parts of its path."""

    scheme: str
    bucket: str
    parts: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path without a slash at its front."""
        return "/".join(self.parts)

    def is_below(self, other: "Address") -> bool:
        """Say if this is a place in that folder; the folder itself is not."""
        depth = len(other.parts)
        same_root = (self.scheme, self.bucket) == (other.scheme, other.bucket)
        return same_root and len(self.parts) > depth and self.parts[:depth] == other.parts


def parse(uri: str) -> Address:
    """Read the address of a file; raises ValueError, in words that repeat nothing of it, unless it is a plain one."""
    address = parse_folder(uri)
    if not address.parts or uri.endswith("/"):
        raise ValueError("The address is not that of a file")
    return address


def parse_folder(uri: str) -> Address:
    """Read the address of a folder, of a bucket or of all files; it may end with a slash. Raises ValueError as `parse` does."""
    if not uri.isprintable() or FORBIDDEN & set(uri):
        raise ValueError("An address has no query, fragment, percent sign, backslash or control character")
    scheme, separator, rest = uri.partition("://")
    bucket, slash, path = rest.partition("/")
    if not separator or scheme not in ("s3", "file"):
        raise ValueError("An address begins with s3:// or file://")
    if scheme == "s3" and not BUCKET.fullmatch(bucket):
        raise ValueError("An s3:// address names a bucket, without credentials or port")
    if scheme == "file" and (bucket or not slash):
        raise ValueError("A file:// address names no host and an absolute path")
    parts = tuple(path.removesuffix("/").split("/")) if path else ()
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("An address has no empty, '.' or '..' parts")
    return Address(scheme, bucket, parts)


def is_below(uri: str, prefixes: Sequence[str]) -> bool:
    """Say if a file's address lies below one of the prefixes, compared part by part; never so if either is not a plain address.

    Says nothing about symbolic links in a folder of this machine: who may place them there decides where they lead.
    """
    try:
        address = parse(uri)
    except ValueError:
        return False
    return any(_lies_below(address, prefix) for prefix in prefixes)


def _lies_below(address: Address, prefix: str) -> bool:
    try:
        return address.is_below(parse_folder(prefix))
    except ValueError:
        return False
