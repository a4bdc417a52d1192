"""Lets jobs of all kinds arrive at a service of its own while everything around it fails, and sees that no promise is broken.

Run: .venv/bin/python scripts/bench/soak.py --minutes 30 --seed 1

What fails, when, and which jobs arrive follows from the seed alone; how it falls together is up to the machine. The service
is this checkout's, on free ports and in a folder of its own, so that several soaks, and a service in use, can run side by side.
Ctrl-C stops it at any time, and leaves nothing behind. The exit code is 1 if a promise was broken, 2 if the service did not
come up.
"""

import argparse
import faulthandler
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - found by the line above
from scripts.bench.soaking import logs
from scripts.bench.soaking.aftermath import Aftermath
from scripts.bench.soaking.client import Ended
from scripts.bench.soaking.injector import Injector
from scripts.bench.soaking.memory import Memory
from scripts.bench.soaking.models import Models
from scripts.bench.soaking.plan import chosen_moments, plan_of
from scripts.bench.soaking.record import Record
from scripts.bench.soaking.site import NotUp, Site
from scripts.bench.soaking.table import lines_of, print_table
from scripts.bench.soaking.traffic import WEBHOOK_HOST, Traffic

CLIENTS = 4


def main() -> int:
    """Run the soak that the command line asks for; returns the exit code."""
    options = _parser().parse_args()
    os.chdir(ROOT)
    # `kill -USR1` tells what each thread does.
    faulthandler.register(signal.SIGUSR1)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())
    record = Record()
    try:
        with _folder(options) as folder:
            _soak(options, folder, record, stop)
    except Ended:
        print("Stopped before its end.", file=sys.stderr)
        return 130
    except NotUp as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if record.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long things go wrong (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides what goes wrong, when, and which jobs arrive")
    parser.add_argument(
        "--moments", action="store_true", help="only the chosen moments, each once: under three minutes"
    )
    parser.add_argument("--clients", type=int, default=CLIENTS, help="clients that send jobs (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folder, with the logs, at the end")
    return parser


@contextmanager
def _folder(options: argparse.Namespace) -> Iterator[Path]:
    if options.keep:
        folder = Path(tempfile.mkdtemp(prefix="pret-soak-"))
        yield folder
        print(f"The logs are in {folder}.")
        return
    with tempfile.TemporaryDirectory(prefix="pret-soak-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _soak(options: argparse.Namespace, folder: Path, record: Record, stop: threading.Event) -> None:
    """Run one soak in an empty folder, and print the table."""
    print("training models ...", flush=True)
    models = Models(options.seed, folder)
    site = Site(folder, WEBHOOK_HOST)
    models.install(next(iter(models.versions)), site.model_dir)
    try:
        site.prepare()
        site.start()
        print("starting the service ...", flush=True)
        site.wait_until_up(stop)
        _run(options, site, models, record, stop)
    finally:
        site.close()


def _run(options: argparse.Namespace, site: Site, models: Models, record: Record, stop: threading.Event) -> None:
    began = time.monotonic()
    memory = Memory(site, record, stop)
    traffic = Traffic(site, models, record, options.seed, stop)
    traffic.start(options.clients)
    injector = Injector(site, models, record, traffic, stop)
    events = chosen_moments(options.seed) if options.moments else plan_of(options.seed)
    injector.run(events, began + 60 * options.minutes)
    if stop.is_set():
        raise Ended
    print("waiting for the last jobs ...", flush=True)
    site.wait_until_up(stop)
    traffic.finish()
    Aftermath(site, record, traffic, stop).check()
    if stop.is_set():
        raise Ended
    memory.check()
    site.stop()
    logs.check(site.logs, record)
    logs.check_webhooks(site.logs, traffic.webhooks, record)
    print_table(list(lines_of(record, memory, site.deaths, time.monotonic() - began)))


if __name__ == "__main__":
    sys.exit(main())
