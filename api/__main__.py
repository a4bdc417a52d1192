"""Serve the API: `python -m api --port 8000`."""

import argparse

from api.server.serve import serve, serve_inherited


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
    if options.inherited:
        serve_inherited(options.patience)
    else:
        serve(options.host, options.port, options.patience)


if __name__ == "__main__":
    main()
