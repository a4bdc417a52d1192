"""The alerts and the dashboard: what they ask for exists, and the alerts are raised when they should be."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Metric

from tests import promtool
from tests.factories import Kit
from tests.unit.api.conftest import api_in
from tests.unit.workbench import Workbench

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "monitoring"
RULES, RULE_TESTS = FOLDER / "alerts.yml", FOLDER / "alerts.test.yml"
GUIDE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "grafana" / "pret.json").read_text("utf-8"))

SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
}
LABEL = re.compile(r"(\w+)\s*(?:=~?|!=|!~)\s*\"")


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    """All that the alerts, the dashboard and its annotations ask."""
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    asked += [annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]]
    return asked + [alert["expr"] for alert in alerts()]


def names_of(metric: Metric) -> set[str]:
    return {metric.name + suffix for suffix in SUFFIXES.get(metric.type, ("",))}


@pytest.fixture
def metrics(bench: Workbench, numbers: Kit) -> list[Metric]:
    """All metrics that the API and the workers have, as they are declared, with what is looked up."""
    bench.offer(numbers)
    with api_in(bench.folder, bench.client) as api:
        return [metric for collector in api.services.collectors for metric in collector.collect()]


def test_what_is_asked_for_exists(metrics: list[Metric]) -> None:
    known = {name for metric in metrics for name in names_of(metric)}
    assert {name for query in queries() for name in re.findall(r"pret_\w+", query)} <= known


def test_the_guide_names_every_metric_and_no_other(metrics: list[Metric]) -> None:
    known = {metric.name + ("_total" if metric.type == "counter" else "") for metric in metrics}
    told = set(re.findall(r"^\| `(pret_\w+)` \|", GUIDE, re.MULTILINE))
    assert told == known


def test_the_guide_says_what_to_do_about_every_alert() -> None:
    told = set(re.findall(r"^\| `(Pret\w+)` \|", GUIDE, re.MULTILINE))
    assert told == {alert["alert"] for alert in alerts()}


def test_every_alert_is_tested_both_ways() -> None:
    tested: dict[str, set[bool]] = {}
    for test in yaml.safe_load(RULE_TESTS.read_text("utf-8"))["tests"]:
        for one in test["alert_rule_test"]:
            tested.setdefault(one["alertname"], set()).add("exp_alerts" in one)
    assert tested == {alert["alert"]: {True, False} for alert in alerts()}


def test_prometheus_accepts_the_alerts() -> None:
    promtool.run("check", "rules", str(RULES))


def test_the_alerts_are_raised_when_they_should_be() -> None:
    promtool.run("test", "rules", str(RULE_TESTS))


def test_prometheus_accepts_its_configuration() -> None:
    promtool.run("check", "config", "--syntax-only", str(FOLDER / "prometheus.yml"))


def test_panels_have_titles_units_and_places_of_their_own() -> None:
    assert len({panel["title"] for panel in panels()}) == len(panels())
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in panels())
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len({place[:2] for place in places}) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_the_dashboard_has_a_row_for_each_part() -> None:
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == ["Service", "Jobs", "Model", "Fleet"]
