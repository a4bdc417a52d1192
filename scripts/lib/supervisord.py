"""supervisord as `./scripts/up` runs it: it looks ten times a second for what has ended, not once, so as to start and stop fast."""

from typing import Any

from supervisor import supervisord
from supervisor.options import ServerOptions

PAUSE = 0.1
"""Seconds; its own is one, at each program that ends."""


class Options(ServerOptions):  # type: ignore[misc]
    """Its options, which hold what it waits with."""

    def __init__(self) -> None:
        super().__init__()
        poll = self.poller.poll
        self.poller.poll = lambda timeout: poll(min(timeout, PAUSE))


def main() -> Any:
    """Run with the arguments of the command line, until a signal ends it."""
    supervisord.ServerOptions = Options
    return supervisord.main()


if __name__ == "__main__":
    main()
