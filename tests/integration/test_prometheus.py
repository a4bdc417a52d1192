"""A real Prometheus asks a real service, and finds something for each panel of the dashboard."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.lib.loopback import free_port
from tests.factories import Kit
from tests.processes import ROOT, Process, Service, http, service, wait_for
from tests.unit.workbench import as_file

PROGRAM = shutil.which("prometheus")
ALERTS = ROOT / "docs" / "monitoring" / "alerts.yml"
DASHBOARD = json.loads((ROOT / "docs" / "monitoring" / "grafana" / "pret.json").read_text("utf-8"))

QUIET = {"5xx", "given up", "published again", "{{kind}}: {{outcome}}"}
"""What has nothing to show while all is well."""


@pytest.fixture
def running(tmp_path: Path, numbers: Kit) -> Iterator[tuple[Service, int]]:
    """A service, and the port of its worker's metrics."""
    port = free_port()
    with service(tmp_path, CHUNK_ROWS="20") as made:
        made.offer(numbers)
        made.start_api()
        made.start_worker(METRICS_PORT=str(port))
        yield made, port


@pytest.fixture
def prometheus(running: tuple[Service, int], tmp_path: Path) -> Iterator[str]:
    """Its address."""
    if PROGRAM is None:
        assert os.environ.get("PRET_PROMTOOL") != "required", "prometheus is missing"
        pytest.skip("prometheus is missing; Debian has it")
    made, port = running
    jobs = {"pret-api": made.port, "pret-worker": port}
    configuration = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{of}"]}]} for name, of in jobs.items()
        ],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(configuration))
    address = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    process = Process([PROGRAM, *options, f"--web.listen-address={address}"], tmp_path / "prometheus.log")
    process.start()
    wait_for("Prometheus", lambda: http.get(f"http://{address}/-/ready").is_success)
    yield f"http://{address}"
    process.stop()


def asked(address: str, query: str) -> list[Any]:
    # What Grafana puts in for its variable.
    answer = http.get(f"{address}/api/v1/query", params={"query": query.replace("$__rate_interval", "30s")}).json()
    assert answer["status"] == "success", answer
    found: list[Any] = answer["data"]["result"]
    return found


def test_every_panel_has_something_to_show_and_no_alert_is_raised(
    running: tuple[Service, int], prometheus: str, numbers: Kit
) -> None:
    made, _ = running
    wait_for("both targets", lambda: len(asked(prometheus, "up == 1")) == 2)
    targets = [target for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]

    def silent() -> set[str]:
        """Let something happen, and give the queries that have nothing to show of it."""
        for row in numbers.rows[:20]:
            assert made.client.post("/individual_score", json=row).status_code == 200
        assert made.client.get("/nothing").status_code == 404
        job = made.upload(as_file([*numbers.rows[:50], numbers.rows[0] | {"age": 17}]), on_invalid="flag")
        assert made.wait_until_ended(job)["state"] == "succeeded"
        assert made.client.post("/reload_model", timeout=60).status_code == 200
        return {
            target["legendFormat"] + ": " + target["expr"]
            for target in targets
            if not asked(prometheus, target["expr"]) and target["legendFormat"] not in QUIET
        }

    # A rate needs two numbers, some seconds apart.
    wait_for("something to show in each panel", lambda: not silent())
    assert asked(prometheus, 'ALERTS{alertstate="firing"}') == []
