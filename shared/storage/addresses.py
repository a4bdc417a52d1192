"""Addresses of files outside the storage, `s3://bucket/key` or `file:///path`, parsed so strictly that each has one meaning.

The same parsed `Address` is checked against the prefixes and then opened, so no second URI parser can interpret it
differently.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

BUCKET = re.compile(r"[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)*")

FORBIDDEN = frozenset("%?#\\")
"""No percent-encoding, query, fragment or Windows path."""


@dataclass(frozen=True)
class Address:
    """A location: its scheme (`s3` or `file`), its bucket (empty for a file), and the parts of its path."""

    scheme: str
    bucket: str
    parts: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path without a leading slash."""
        return "/".join(self.parts)

    def is_below(self, other: "Address") -> bool:
        """Return whether this is a location in that folder; the folder itself is not."""
        depth = len(other.parts)
        same_root = (self.scheme, self.bucket) == (other.scheme, other.bucket)
        return same_root and len(self.parts) > depth and self.parts[:depth] == other.parts


def parse(uri: str) -> Address:
    """Parse the address of a file; raises ValueError, whose message repeats nothing of it, unless it is a plain one."""
    address = parse_folder(uri)
    if not address.parts or uri.endswith("/"):
        raise ValueError("The address does not refer to a file")
    return address


def parse_folder(uri: str) -> Address:
    """Parse the address of a folder, of a bucket or of all files; it may end with a slash. Raises ValueError as `parse` does."""
    if not uri.isprintable() or FORBIDDEN & set(uri):
        raise ValueError("An address must not contain a query, fragment, percent sign, backslash or control character")
    scheme, separator, rest = uri.partition("://")
    bucket, slash, path = rest.partition("/")
    if not separator or scheme not in ("s3", "file"):
        raise ValueError("An address must begin with s3:// or file://")
    if scheme == "s3" and not BUCKET.fullmatch(bucket):
        raise ValueError("An s3:// address must name a bucket, without credentials or port")
    if scheme == "file" and (bucket or not slash):
        raise ValueError("A file:// address must have an absolute path and no host")
    parts = tuple(path.removesuffix("/").split("/")) if path else ()
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("An address must not contain empty, '.' or '..' parts")
    return Address(scheme, bucket, parts)


def is_below(uri: str, prefixes: Sequence[str]) -> bool:
    """Return whether a file's address is below one of the prefixes, compared part by part; False if either is not a plain address.

    Symbolic links in a local folder are not resolved: anyone who can create them there decides where they lead.
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
