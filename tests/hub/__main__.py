"""The local Hub as a process: python -m tests.hub --port 8090 --root .local/hub."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from tests.hub.accounts import ACCOUNTS
from tests.hub.server import HubServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.hub", description="A local Hugging Face Hub, for tests.")
    parser.add_argument("--port", type=int, default=8090, help="where it listens on 127.0.0.1 (%(default)s)")
    parser.add_argument("--cdn-port", type=int, default=0, help="where LFS files are downloaded; any free port if 0")
    parser.add_argument("--root", type=Path, default=Path(".local/hub"), help="where it keeps its data (%(default)s)")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with HubServer(options.root, port=options.port, cdn_port=options.cdn_port) as hub:
        tokens = "".join(
            f"#   {account.token}: {account.name}, {'writes to' if account.writes else 'reads'} "
            f"{' and '.join(account.namespaces)}\n"
            for account in ACCOUNTS
        )
        sys.stdout.write(f"export HF_ENDPOINT={hub.url} HF_HUB_DISABLE_XET=1 HF_TOKEN={ACCOUNTS[0].token}\n{tokens}")
        sys.stdout.flush()
        ended.wait()


if __name__ == "__main__":
    main()
