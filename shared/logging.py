"""One log format for every process: time, level, logger, message."""

import logging

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def set_up(level: str) -> None:
    """Send the logs of this process to standard error, from `level` up."""
    logging.basicConfig(format=FORMAT, level=level.upper(), force=True)
