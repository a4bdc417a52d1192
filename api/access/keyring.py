"""The keys of this process: from the settings, and from a file that is read again when it changes."""

import logging
from pathlib import Path

from api.access.callers import ANONYMOUS, ANYBODY, NOBODY, Caller, Callers
from shared import keys
from shared.keys import Key, WrongKeys
from shared.settings import Settings

logger = logging.getLogger(__name__)

Stamp = tuple[int, int, int]
"""Of a file: inode, size in bytes, time of the last change in ns."""


class Keyring:
    """Knows the callers. Raises WrongKeys if the file cannot be read at the start."""

    def __init__(self, settings: Settings) -> None:
        self._admins = keys.parse_plain(settings.admin_keys.get_secret_value()) if settings.admin_keys else []
        self._fixed = keys.parse(settings.api_keys or "")
        self._file = settings.api_keys_file
        self._stamp = _stamp_of(self._file)
        self.callers = self._made(keys.read(self._file) if self._file else [])

    def look(self) -> None:
        """Take the keys of the file if it has changed. What cannot be read leaves the keys as they are."""
        if self._file is None or (stamp := _stamp_of(self._file)) == self._stamp:
            return
        self._stamp = stamp
        try:
            self.callers = self._made(keys.read(self._file))
        except WrongKeys as error:
            logger.warning("%s; the keys before stay valid.", error)
            return
        logger.info("The keys were read again.")

    def _made(self, from_file: list[Key]) -> Callers:
        return Callers([*self._admins, *self._fixed, *from_file], self._keyless())

    def _keyless(self) -> Caller:
        # An empty file lets nobody in; it does not open the service.
        if self._fixed or self._file:
            return NOBODY
        return ANONYMOUS if self._admins else ANYBODY


def _stamp_of(file: Path | None) -> Stamp | None:
    """Return None for a file that is not there."""
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found else None
