"""The example manifests for Kubernetes, held to the code that they run, so that they do not go stale."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.jobs.queue import CHUNKS, FILES, QUEUE_PREFIX, QUEUES, QUICK
from shared.settings import Settings
from shared.storage import is_below

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "kubernetes"
OBJECTS: list[dict[str, Any]] = [
    document for path in sorted(FOLDER.glob("*.yaml")) for document in yaml.safe_load_all(path.read_text("utf-8"))
]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]

OWN = ("api", "worker", "reader")
"""The deployments that read settings and touch jobs."""

DEPLOYMENTS = (*OWN, "flower", "console")
OUR_OWN = {name.upper() for name in Settings.model_fields}
OTHERS = {
    "CELERY_WORKER_CONCURRENCY",
    "WEB_CONCURRENCY",
    "TMPDIR",
    "REDIS_PASSWORD",
    "FLOWER_BASIC_AUTH",
    "METRICS_KEY",
}
"""Variables that are read by celery, uvicorn, Python, KEDA, Flower and Prometheus."""


def of_kind(kind: str) -> dict[str, Any]:
    return {found["metadata"]["name"].removeprefix("pret-"): found for found in OBJECTS if found["kind"] == kind}


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = of_kind("Deployment")[name]["spec"]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    (only,) = pod(name)["containers"]
    found: dict[str, Any] = only
    return found


def settings() -> dict[str, str]:
    values: dict[str, str] = of_kind("ConfigMap")["settings"]["data"]
    return values


def secrets() -> dict[str, str]:
    values: dict[str, str] = of_kind("Secret")["secrets"]["stringData"]
    return values


def lists_that_scale(name: str) -> list[str]:
    return [trigger["metadata"]["listName"] for trigger in of_kind("ScaledObject")[name]["spec"]["triggers"]]


def cpus(quantity: str) -> float:
    return float(quantity.removesuffix("m")) / 1000 if quantity.endswith("m") else float(quantity)


def test_there_is_a_deployment_for_every_service_but_redis() -> None:
    assert (
        set(of_kind("Deployment"))
        == set(DEPLOYMENTS)
        == {name for name, service in COMPOSE.items() if "profiles" not in service} - {"redis"}
    )


def test_nothing_names_a_namespace() -> None:
    assert OBJECTS and not any("namespace" in found["metadata"] for found in OBJECTS)


class TestConfiguration:
    def test_every_variable_is_read_by_somebody(self) -> None:
        names = {name for name in settings() | secrets() if not name.startswith("AWS_")}
        assert names <= OUR_OWN | OTHERS
        assert names & OUR_OWN

    def test_the_variables_of_the_object_storage_are_those_of_the_compose_file(self) -> None:
        given = {name for name in settings() | secrets() if name.startswith("AWS_")}
        assert given and given <= COMPOSE["worker"]["environment"].keys()

    def test_the_settings_are_ones_that_the_code_accepts(self) -> None:
        given = {name.lower(): value for name, value in (settings() | secrets()).items() if name in OUR_OWN}
        read = Settings.model_validate(given)
        assert read.chunk_lease == float(settings()["CHUNK_LEASE"])
        for prefixes in (read.input_uri_prefixes, read.output_uri_prefixes):
            assert is_below(f"{prefixes}/portfolio.parquet", Settings.listed(prefixes))

    def test_pods_share_the_storage_and_the_source_of_models_though_no_folder(self) -> None:
        assert settings()["STORAGE_URL"].startswith("s3://") and settings()["HF_REPO_ID"]
        assert all("emptyDir" in volume for name in DEPLOYMENTS for volume in pod(name)["volumes"])

    def test_secrets_stand_in_the_secret_alone_and_are_only_a_template(self) -> None:
        assert all("CHANGE_ME" in value for value in secrets().values())
        secret = {name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
        assert not {name.upper() for name in secret} & settings().keys()

    @pytest.mark.parametrize("name", OWN)
    def test_every_process_of_ours_gets_all_of_it(self, name: str) -> None:
        assert container(name)["envFrom"] == [
            {"configMapRef": {"name": "pret-settings"}},
            {"secretRef": {"name": "pret-secrets"}},
        ]

    def test_flower_gets_no_more_than_it_needs(self) -> None:
        given = {variable["name"]: variable["valueFrom"]["secretKeyRef"] for variable in container("flower")["env"]}
        assert given == {name: {"name": "pret-secrets", "key": name} for name in ("REDIS_URL", "FLOWER_BASIC_AUTH")}
        assert given.keys() == COMPOSE["flower"]["environment"].keys() and "envFrom" not in container("flower")

    def test_the_console_knows_the_api_alone_and_keeps_results_on_a_disk(self) -> None:
        given = {variable["name"]: variable["value"] for variable in container("console")["env"]}
        api = of_kind("Service")["api"]
        assert given["PRET_URL"] == f"http://{api['metadata']['name']}:{api['spec']['ports'][0]['port']}"
        assert given.keys() <= COMPOSE["console"]["environment"].keys() and "envFrom" not in container("console")
        mounts = {mount["mountPath"]: mount["name"] for mount in container("console")["volumeMounts"]}
        volumes = {volume["name"]: volume["emptyDir"] for volume in pod("console")["volumes"]}
        assert "medium" not in volumes[mounts[given["TMPDIR"]]]


class TestPods:
    @pytest.mark.parametrize("name", DEPLOYMENTS)
    def test_they_are_as_locked_down_as_under_compose(self, name: str) -> None:
        assert pod(name)["securityContext"].items() >= {"runAsNonRoot": True, "runAsUser": 10001}.items()
        assert pod(name)["automountServiceAccountToken"] is False
        assert container(name)["securityContext"] == {
            "readOnlyRootFilesystem": COMPOSE[name]["read_only"],
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": COMPOSE[name]["cap_drop"]},
        }

    @pytest.mark.parametrize("name", DEPLOYMENTS)
    def test_they_run_the_images_of_the_compose_file(self, name: str) -> None:
        assert container(name)["image"].partition(":")[0] == COMPOSE[name]["image"].partition(":")[0]

    @pytest.mark.parametrize("name", ["worker", "reader"])
    def test_worker_and_reader_run_the_commands_of_the_compose_file(self, name: str) -> None:
        assert container(name)["command"] == COMPOSE[name]["command"]

    @pytest.mark.parametrize("name", OWN)
    def test_they_write_where_the_images_and_settings_say_and_large_files_not_to_memory(self, name: str) -> None:
        mounts = {mount["mountPath"]: mount["name"] for mount in container(name)["volumeMounts"]}
        volumes = {volume["name"]: volume["emptyDir"] for volume in pod(name)["volumes"]}
        assert {"/tmp", "/data/models", settings()["TMPDIR"]} == mounts.keys()  # noqa: S108 - a name to compare
        assert "medium" not in volumes[mounts[settings()["TMPDIR"]]]
        assert all("sizeLimit" in volume for volume in volumes.values())

    @pytest.mark.parametrize("name", ["worker", "reader"])
    def test_they_have_time_to_end_what_they_have_begun(self, name: str) -> None:
        assert pod(name)["terminationGracePeriodSeconds"] > float(settings()["CHUNK_LEASE"])

    def test_the_api_has_time_to_end_after_requests_have_stopped_coming(self) -> None:
        command = re.findall(r"^CMD (.+)$", (ROOT / "Dockerfile.api").read_text("utf-8"), re.MULTILINE)[-1]
        words = json.loads(command)
        patience = int(words[words.index("--patience") + 1])
        pause = int(container("api")["lifecycle"]["preStop"]["exec"]["command"][-1])
        assert pod("api")["terminationGracePeriodSeconds"] > pause + patience

    def test_the_api_answers_while_a_pod_or_a_process_is_replaced(self) -> None:
        spec = of_kind("Deployment")["api"]["spec"]
        assert spec["replicas"] >= 2
        assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert COMPOSE["api"]["environment"]["WEB_CONCURRENCY"] == "${WEB_CONCURRENCY:-2}"

    def test_a_worker_scores_as_many_chunks_at_a_time_as_it_has_processors(self) -> None:
        limits = container("worker")["resources"]["limits"]
        assert int(settings()["CELERY_WORKER_CONCURRENCY"]) == cpus(limits["cpu"])

    def test_the_api_is_asked_whether_it_lives_and_whether_it_is_ready(self) -> None:
        probes = {name: container("api")[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe")}
        assert probes == {"livenessProbe": "/api_health", "readinessProbe": "/router_health"}

    @pytest.mark.parametrize(("name", "port"), [("api", 8000), ("console", 8501), ("flower", 5555)])
    def test_services_lead_to_the_ports_of_the_images(self, name: str, port: int) -> None:
        service = of_kind("Service")[name]["spec"]
        (published,) = container(name)["ports"]
        dockerfile = COMPOSE[name]["build"]["dockerfile"]
        assert f"EXPOSE {port}\n" in (ROOT / dockerfile).read_text("utf-8")
        assert (published["containerPort"], service["ports"][0]["targetPort"]) == (port, published["name"])
        assert service["selector"].items() <= of_kind("Deployment")[name]["metadata"]["labels"].items()


class TestMonitoring:
    def test_prometheus_asks_all_processes_of_ours_at_the_ports_that_they_have(self) -> None:
        asked = {}
        for monitor in of_kind("PodMonitor").values():
            (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
            selector = monitor["spec"]["selector"]
            names = [*selector.get("matchLabels", {}).values()]
            names += [name for part in selector.get("matchExpressions", ()) for name in part["values"]]
            asked.update(dict.fromkeys(names, endpoint["port"]))
        assert asked == {"pret-api": "http", "pret-worker": "metrics", "pret-reader": "metrics"}
        for name in ("worker", "reader"):
            assert container(name)["ports"] == [{"name": "metrics", "containerPort": int(settings()["METRICS_PORT"])}]

    def test_it_has_a_key_for_the_api(self) -> None:
        (endpoint,) = of_kind("PodMonitor")["api"]["spec"]["podMetricsEndpoints"]
        key = endpoint["authorization"]["credentials"]
        assert key["name"] == "pret-secrets" and key["key"] in secrets()


class TestScaling:
    def test_workers_follow_the_lanes_that_they_serve_and_readers_theirs(self) -> None:
        found = {name: sorted(lists_that_scale(name)) for name in ("worker", "reader")}
        assert found == {
            "worker": sorted(f"{QUEUE_PREFIX}{queue}" for queue in (CHUNKS, QUICK)),
            "reader": [f"{QUEUE_PREFIX}{FILES}"],
        }
        assert sum(len(lists) for lists in found.values()) == len(QUEUES)

    def test_a_single_job_can_make_the_fleet_grow(self) -> None:
        """Of one job no more than a chunk for each slot waits; a pod must be content with less than its own share."""
        (chunks,) = [
            int(trigger["metadata"]["listLength"])
            for trigger in of_kind("ScaledObject")["worker"]["spec"]["triggers"]
            if trigger["metadata"]["listName"].endswith(CHUNKS)
        ]
        assert chunks < int(settings()["CELERY_WORKER_CONCURRENCY"])

    def test_redis_is_asked_at_the_address_of_the_settings_with_the_same_password(self) -> None:
        url = re.fullmatch(r"redis://:(?P<password>\w+)@(?P<address>[^/]+)/(?P<index>\d+)", secrets()["REDIS_URL"])
        assert url and url["password"] == secrets()["REDIS_PASSWORD"]
        for scaled in of_kind("ScaledObject").values():
            for trigger in scaled["spec"]["triggers"]:
                asked = trigger["metadata"]
                assert (asked["address"], asked["databaseIndex"]) == (url["address"], url["index"])
                assert trigger["authenticationRef"]["name"] == "pret-redis"

    def test_what_is_scaled_has_no_number_of_its_own_and_never_goes_to_nothing(self) -> None:
        for name, scaled in of_kind("ScaledObject").items():
            assert scaled["spec"]["scaleTargetRef"] == {"name": f"pret-{name}"}
            assert "replicas" not in of_kind("Deployment")[name]["spec"]
            assert 1 <= scaled["spec"]["minReplicaCount"] < scaled["spec"]["maxReplicaCount"]

    @pytest.mark.parametrize("name", OWN)
    def test_maintenance_of_nodes_takes_them_one_at_a_time(self, name: str) -> None:
        budget = of_kind("PodDisruptionBudget")[name]["spec"]
        labels = of_kind("Deployment")[name]["spec"]["selector"]["matchLabels"]
        assert budget["selector"]["matchLabels"] == labels
        assert 1 in (budget.get("minAvailable"), budget.get("maxUnavailable"))
