"""Sends odd requests to a service of its own, and sees that nothing but an orderly answer comes of them.

Run: .venv/bin/python scripts/bench/fuzz.py --minutes 40 --seed 1

For half of the time, Schemathesis makes requests from the OpenAPI document; in the rest, valid rows, batches, options and headers
are changed at random and sent as raw bytes. Meanwhile a caller scores a valid applicant. The service is this checkout's, on free
ports and in a folder of its own. The exit code is 1 if there was a fault: an answer 500, one that does not come, a program that
has ended, an error in a log, a caller who was kept waiting; 2 if the service did not come up.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - found by the line above
from scripts.bench.fuzzing import documented
from scripts.bench.fuzzing.probe import Probe
from scripts.bench.fuzzing.raw import Fuzzer
from scripts.bench.fuzzing.service import NotUp, Service, running_service
from scripts.bench.fuzzing.verdict import Verdict

BODIES = 100_000
PATIENCE = 5.0
PROBE_PAUSE = 0.05
DRAIN_DEADLINE = 120.0


def main() -> int:
    """Run what the command line asks for; returns the exit code."""
    options = _parser().parse_args()
    os.chdir(ROOT)
    verdict = Verdict()
    try:
        with tempfile.TemporaryDirectory(prefix="pret-fuzz-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            with running_service(folder, options.seed) as service:
                _attack(service, options, verdict, folder)
            verdict.look_at_logs(service.logs)
    except NotUp as error:
        print(error, file=sys.stderr)
        return 2
    print(f"faults            {sum(map(len, verdict.faults.values()))}")
    return int(bool(verdict.faults))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=40.0, help="how long at most (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides what is sent (%(default)s)")
    parser.add_argument("--bodies", type=int, default=BODIES, help="raw requests at most (%(default)s)")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE, help="seconds after which an answer counts as missing (%(default)s)"
    )
    return parser


def _attack(service: Service, options: argparse.Namespace, verdict: Verdict, folder: Path) -> None:
    seconds = 60 * options.minutes
    end = time.monotonic() + seconds
    with Probe(service.address, service.rows[0], options.patience, PROBE_PAUSE) as probe:
        made, wrong = documented.run(
            service.url, options.seed, seconds / 2, options.patience, folder / "schemathesis.log"
        )
        print(f"from the document {made:,} requests", flush=True)
        if wrong is not None:
            verdict.note("Schemathesis", wrong.encode())
            print(wrong)
        fuzzer = Fuzzer(service, options.seed, verdict, options.patience)
        fuzzer.run(options.bodies, end)
        statuses = ", ".join(f"{status or 'none'} {count:,}" for status, count in sorted(fuzzer.statuses.items()))
        print(f"raw               {fuzzer.sent:,} requests: {statuses}", flush=True)
        _drain(service, verdict)
    for fault in probe.faults:
        verdict.note("single scoring", fault.encode())
    for fault in service.ends:
        verdict.note("a program has ended", fault.encode())
    times = sorted(probe.times)
    print(
        f"single scoring    {len(times):,} answers, median {1000 * statistics.median(times):.1f} ms, "
        f"p99 {1000 * times[int(0.99 * len(times))]:.0f} ms, longest {1000 * times[-1]:.0f} ms"
    )


def _drain(service: Service, verdict: Verdict) -> None:
    """Wait until all jobs have ended, whatever is in them."""
    end = time.monotonic() + DRAIN_DEADLINE
    while left := service.open_jobs():
        if time.monotonic() > end:
            verdict.note(f"{left} jobs do not end")
            return
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
