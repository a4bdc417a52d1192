"""Compares this service with MLServer, MLflow's own server and FastAPI routes, side by side on this machine. Needs wrk and PyPI.

Run: .venv/bin/python scripts/bench/peers.py [--rounds 3] [--write docs/performance.md]

All servers serve the same model and are up all the time, but only one is asked at a time; wrk asks all of them in the same way.
Before that, each must answer what CatBoost itself says of the rows. Nothing else should run on the machine. What is compared
with lives in environments below .local/peers, which are made once. Ctrl-C stops everything that was started.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - found by the line above
from scripts.bench.comparing import report
from scripts.bench.comparing.command import run
from scripts.bench.comparing.environments import PINS, environment
from scripts.bench.comparing.models import demo_model, example, german_credit_model
from scripts.bench.comparing.page import PEERS
from scripts.bench.comparing.rounds import BATCH_ROWS, Samples, Work, compare
from scripts.bench.comparing.servers import SERVERS, Server
from scripts.bench.make_portfolio import ID_COLUMN, portfolio


def main() -> int:
    """Compare what the command line asks for; the exit code is 2 if that is not possible."""
    options = _parser().parse_args()
    return run(PEERS, options.write, lambda: _tables(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=_names, default=list(SERVERS), help=f"some of {','.join(SERVERS)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each figure is taken (%(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="how long each time (%(default)s)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page, between its marks")
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - SERVERS.keys():
        raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(SERVERS)}")
    return names


def _tables(options: argparse.Namespace) -> list[str]:
    """Measure with both models, and give the lines of the tables."""
    servers = {name: SERVERS[name] for name in options.servers}
    for server in servers.values():
        if server.peer:
            environment(server.peer, PINS[server.peer])
    demo, german = demo_model(), german_credit_model()
    batch = next(portfolio(BATCH_ROWS)).drop_columns([ID_COLUMN]).to_pylist()
    of_demo = _compared(servers, Work(demo, example(demo), batch), options)
    of_german = _compared(servers, Work(german, example(german)), options)
    return report.tables(of_demo, of_german, report.machine(options.rounds, options.seconds))


def _compared(servers: Mapping[str, Server], work: Work, options: argparse.Namespace) -> Samples:
    print(f"with the model {work.model.name}:", flush=True)
    # What a server leaves open while it ends may be written once more.
    with tempfile.TemporaryDirectory(prefix="pret-bench-", ignore_cleanup_errors=True) as folder:
        return compare(servers, work, Path(folder), options.rounds, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
