"""Errors of file systems, as types of reasons, none of which names a host, path or key."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from shared.errors import StorageUnavailable

MISSING = "storage-file-missing"
FULL = "storage-full"
UNREACHABLE = "storage-unavailable"
NO_BUCKET = "storage-bucket-missing"
BAD_CREDENTIALS = "storage-credentials"
FORBIDDEN = "storage-forbidden"
OTHER_REGION = "storage-other-region"

S3_CODES = {
    "NETWORK_CONNECTION": UNREACHABLE,
    "REQUEST_TIMEOUT": UNREACHABLE,
    "SERVICE_UNAVAILABLE": UNREACHABLE,
    "NO_SUCH_BUCKET": NO_BUCKET,
    "INVALID_ACCESS_KEY_ID": BAD_CREDENTIALS,
    "SIGNATURE_DOES_NOT_MATCH": BAD_CREDENTIALS,
    "INVALID_CLIENT_TOKEN_ID": BAD_CREDENTIALS,
    "UNRECOGNIZED_CLIENT": BAD_CREDENTIALS,
    "INVALID_SIGNATURE": BAD_CREDENTIALS,
    "MISSING_AUTHENTICATION_TOKEN": BAD_CREDENTIALS,
    "REQUEST_EXPIRED": BAD_CREDENTIALS,
    "ACCESS_DENIED": FORBIDDEN,
}
"""The AWS SDK's names of errors. A request without an answer's body, such as HEAD, knows only ACCESS_DENIED."""

S3_CODE = re.compile(r"AWS Error (\w+)(?: \(HTTP status (\d+)\))? during")

ERRNOS = {
    errno.ENOENT: MISSING,
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
}

FINAL = frozenset({MISSING, FULL, NO_BUCKET, BAD_CREDENTIALS, FORBIDDEN, OTHER_REGION})
"""Types that trying again does not change."""


def type_of(error: Exception) -> str | None:
    """Give the type of reason that an error of a file system is; None if that is not known."""
    if found := S3_CODE.search(str(error)):
        code, status = found.groups()
        return OTHER_REGION if status == "301" else S3_CODES.get(code)
    return ERRNOS.get(error.errno or 0) if isinstance(error, OSError) else None


@contextmanager
def translated(kinds: tuple[type[Exception], ...] = (OSError, pa.ArrowException)) -> Iterator[None]:
    """Raise StorageUnavailable for errors of the given kinds: all that a file system raises, unless told otherwise.

    Not from them, for they name places, and end up in logs.
    """
    try:
        yield
    except kinds as error:
        raise StorageUnavailable(type_of(error)) from None
