"""Blobs: one small interface over a local folder or an S3-compatible object store, and files at addresses outside of it."""

from shared.storage.addresses import is_below
from shared.storage.interface import Storage
from shared.storage.opening import create_storage, open_uri, write_uri

__all__ = ["Storage", "create_storage", "is_below", "open_uri", "write_uri"]
