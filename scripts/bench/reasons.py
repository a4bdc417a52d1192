"""How long reasons and what-if take beside a bare score, for one caller at a time, against a running service.

Run: ./scripts/up in one terminal, then .venv/bin/python scripts/bench/reasons.py [--rounds 300]

The requests take turns, so that whatever else the machine does meets all of them alike.
"""

import argparse
import statistics
import time
from typing import Any

import httpx

SCORE = "/individual_score"
PLAIN = "a score"
WARM_UP = 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--rounds", type=int, default=300, help="how often each request is sent (%(default)s)")
    options = parser.parse_args()
    with httpx.Client(base_url=options.url, timeout=60, trust_env=False) as client:
        row = client.get("/model_signature").raise_for_status().json()["input_example"]
        requests: dict[str, tuple[str, Any]] = {
            PLAIN: (SCORE, row),
            "with 5 reasons": (f"{SCORE}?explain=5", row),
            "with all reasons": (f"{SCORE}?explain=all", row),
            "what if, 5 features": ("/what_if", {"row": row}),
        }
        taken: dict[str, list[float]] = {name: [] for name in requests}
        for number in range(WARM_UP + options.rounds):
            for name, request in requests.items():
                seconds = _seconds(client, *request)
                if number >= WARM_UP:
                    taken[name].append(seconds)
    print("| request | p50 | p95 | of a score |\n|---|---|---|---|")
    plain = statistics.median(taken[PLAIN])
    for name, times in taken.items():
        p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        print(f"| {name} | {p50 * 1e3:.2f} ms | {p95 * 1e3:.2f} ms | {p50 / plain:.2f} |")


def _seconds(client: httpx.Client, path: str, body: Any) -> float:
    began = time.perf_counter()
    client.post(path, json=body).raise_for_status()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
