"""Serve the API: `python -m api --port 8000`."""

import argparse

from api.access.addresses import NO_KEYS, is_open
from api.access.callers import ANYBODY
from api.access.keyring import Keyring
from api.server.serve import inherited_host, serve, serve_inherited
from shared.keys import WrongKeys
from shared.settings import settings_or_exit


def main() -> None:
    """Read the command line, and serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m api", description="Serve the API until a signal ends it.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--inherited", action="store_true", help="serve on the socket that is the standard input")
    parser.add_argument(
        "--patience",
        type=int,
        default=40,
        metavar="SECONDS",
        help="time for requests under way when the process is to end",
    )
    options = parser.parse_args()
    _require_keys_at(inherited_host() if options.inherited else options.host)
    if options.inherited:
        serve_inherited(options.patience)
    else:
        serve(options.host, options.port, options.patience)


def _require_keys_at(host: str) -> None:
    """End the start, before there are processes, where others than this machine would reach an API without keys."""
    settings = settings_or_exit()
    try:
        keyring = Keyring(settings)
    except WrongKeys as error:
        raise SystemExit(f"{error}.") from None
    if keyring.callers.keyless is ANYBODY and not settings.allow_anonymous and is_open(host):
        raise SystemExit(NO_KEYS.message)


if __name__ == "__main__":
    main()
