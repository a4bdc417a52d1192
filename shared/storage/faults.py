"""File system errors translated to types of reasons, none of which contains a host, path or key."""

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
"""Error names of the AWS SDK. A response without a body, such as that to HEAD, yields only ACCESS_DENIED."""

S3_CODE = re.compile(r"AWS Error (\w+)(?: \(HTTP status (\d+)\))? during")

ERRNOS = {
    errno.ENOENT: MISSING,
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
}

FINAL = frozenset({MISSING, FULL, NO_BUCKET, BAD_CREDENTIALS, FORBIDDEN, OTHER_REGION})
"""Types for which a retry is pointless."""


def type_of(error: Exception) -> str | None:
    """Return the type of reason for a file system error; None if it is unknown."""
    if found := S3_CODE.search(str(error)):
        code, status = found.groups()
        return OTHER_REGION if status == "301" else S3_CODES.get(code)
    return ERRNOS.get(error.errno or 0) if isinstance(error, OSError) else None


@contextmanager
def translated(kinds: tuple[type[Exception], ...] = (OSError, pa.ArrowException)) -> Iterator[None]:
    """Raise StorageUnavailable for errors of the given kinds, by default all that a file system raises.

    The cause is dropped, since its message contains paths and would end up in logs.
    """
    try:
        yield
    except kinds as error:
        raise StorageUnavailable(type_of(error)) from None
