"""Open the storage or file at an address."""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import parse_qsl

import pyarrow as pa

from shared.storage.addresses import parse, parse_folder
from shared.storage.interface import Storage
from shared.storage.local import LocalStorage
from shared.storage.objects import ObjectStorage

LOCAL_PREFIX = "file://"
S3_PREFIX = "s3://"

OPTIONS = frozenset({"endpoint_override", "region", "scheme"})
"""Options allowed in the query of an `s3://` URL, with Arrow's names."""

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Variables of the AWS SDK; Arrow's file system reads them only if created from a URI, which cannot set timeouts."""

REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")

NO_REGION = "us-east-1"
"""The region for which S3-compatible servers expect requests to be signed."""


def create_storage(url: str) -> Storage:
    """Create the storage for a URL; nothing is connected or written yet.

    `url` is a folder (a path or `file://`) or `s3://bucket/prefix?endpoint_override=host:port&scheme=http&region=name`, each
    option and the prefix optional. Credentials come from the AWS_* variables, the profile or the machine's role; the endpoint
    also from AWS_ENDPOINT_URL. Raises ValueError, which does not repeat the URL, if it is neither.
    """
    if not url.startswith(S3_PREFIX):
        folder = url.removeprefix(LOCAL_PREFIX)
        if "://" in folder:
            raise ValueError("A storage URL must be a local folder or an s3:// URL")
        return LocalStorage(Path(folder))
    address, _, query = url.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := options.keys() - OPTIONS:
        raise ValueError(f"An s3:// storage URL accepts only the options {sorted(OPTIONS)}; {len(unknown)} unknown")
    root = parse_folder(address)
    return _objects(root.bucket, root.path, options)


def open_uri(uri: str) -> AbstractContextManager[pa.NativeFile]:
    """Open a file at an address (`s3://bucket/key`, `file:///path`) for random access.

    The caller must have checked the address with `is_below`. Raises StorageUnavailable as Storage.read does, and ValueError
    unless the address is a plain one.
    """
    storage, name = _place(uri)
    return storage.read(name)


def write_uri(uri: str) -> AbstractContextManager[pa.NativeFile]:
    """Open a file at an address for writing; it appears atomically, as with Storage.write. Raises the same errors as `open_uri`."""
    storage, name = _place(uri)
    return storage.write(name)


def _place(uri: str) -> tuple[Storage, str]:
    address = parse(uri)
    storage = _objects(address.bucket, "", {}) if address.scheme == "s3" else LocalStorage(Path("/"))
    return storage, address.path


def _objects(bucket: str, prefix: str, options: dict[str, str]) -> ObjectStorage:
    environment = {"endpoint_override": _variable(*ENDPOINTS).rstrip("/"), "region": _variable(*REGIONS)}
    options = {name: value for name, value in environment.items() if value} | options
    if "endpoint_override" in options:
        # On servers without regions, the SDK would query the network for one.
        options = {"region": NO_REGION} | options
    return ObjectStorage(f"{bucket}/{prefix}" if prefix else bucket, options)


def _variable(*names: str) -> str:
    return next((value for name in names if (value := os.environ.get(name))), "")
