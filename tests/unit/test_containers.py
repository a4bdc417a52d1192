"""The container files, as far as they can be judged without building them."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from scripts.lib.programs import HOST, Ports, programs
from shared.jobs.queue import QUEUES
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)["services"]
IMAGES = ("api", "worker", "flower", "console")
SERVER_IMAGES = ("api", "worker", "flower")
"""The images that know the queue; the console only asks the API."""

PROCESSES = ("api", "worker", "reader")
"""The services that read settings and touch jobs."""

PLACES = {"STORAGE_URL": "/data/jobs"}
"""Settings that have another default in containers, where it is a volume."""

NETWORK = {"METRICS_PORT": "9100", "METRICS_HOST": "0.0.0.0"}  # noqa: S104 - compared
"""Likewise, where it is the network of the containers."""

MONITORING = {"prometheus", "grafana"}
"""The services of the profile of that name."""

MONITORING_SECRETS = {"METRICS_KEY", "GRAFANA_PASSWORD"}
"""What only they need, and read as files."""

WITHOUT_MLFLOW = {"MODEL_URI", "MLFLOW_TRACKING_URI"}
"""Settings that mean nothing to a container, which has no MLflow."""

CONSOLE_SETTINGS = {"PRET_URL", "PRET_KEY", "UI_ALLOWED_HOSTS", "FLOWER_URL", "DOCS_URL"}
LOCKS = {"console": "ui"}
"""Images whose requirements have another name than they."""

SECRETS = {"REDIS_PASSWORD", "FLOWER_BASIC_AUTH", "API_KEYS"} | {
    f"REDIS_{role}_PASSWORD" for role in ("API", "WORKER", "FLOWER")
}
ENTRY = re.compile(r"(?P<commented>#?)(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)")
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?P<rest>[^}]*)\}")


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str


@dataclass(frozen=True)
class Entry:
    value: str
    commented: bool
    explanation: str


def stages(dockerfile: str) -> dict[str, list[Instruction]]:
    """Give each stage by its name (the last one without a name as ""), with the instructions of the stage it builds on."""
    lines = (ROOT / dockerfile).read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    found: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            current = found[name] = list(found.get(base, []))
        current.append(Instruction(word, rest.strip()))
    return found


def image(service: str) -> list[Instruction]:
    build = SERVICES[service]["build"]
    return stages(build["dockerfile"])[build.get("target", "")]


def words(instructions: list[Instruction], word: str) -> list[str]:
    return [instruction.rest for instruction in instructions if instruction.word == word]


def example() -> dict[str, Entry]:
    entries, comment = {}, ""
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        if match := ENTRY.fullmatch(line):
            entries[match["name"]] = Entry(match["value"], bool(match["commented"]), comment)
        comment = f"{comment} {line[2:]}".strip() if line.startswith("# ") else ""
    return entries


def compose_defaults() -> dict[str, str]:
    """Give the variables written as `${NAME:-default}`, and those passed on by an empty value as ""."""
    passed = {name for service in SERVICES.values() for name, value in environment(service).items() if value is None}
    return {match["name"]: match["rest"] for match in VARIABLE.finditer(COMPOSE_TEXT)} | dict.fromkeys(passed, "")


def environment(service: dict[str, Any]) -> dict[str, str | None]:
    variables: dict[str, str | None] = service.get("environment", {})
    return variables


def locked(service: str) -> set[str]:
    """Give the packages that the image holds; those for a system that does not exist are left out on purpose."""
    text = (ROOT / "requirements" / f"{LOCKS.get(service, service)}.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9-]+)==\S+ (?!; .*'never')", text, re.MULTILINE))


def lanes_of(command: list[str]) -> list[str]:
    return next(part.removeprefix("--queues=").split(",") for part in command if part.startswith("--queues="))


def imported_by(paths: Iterable[Path]) -> set[str]:
    """Give the packages from outside that these files import, by the names that pip knows."""
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    known = packages_distributions()
    # Of two that bring a module along (python-multipart also has one that steps back for multipart), the one of its name.
    found = {
        top if top in known[top] else known[top][0] for module in modules if (top := module.partition(".")[0]) in known
    }
    return {re.sub("[-_.]+", "-", name).lower() for name in found}


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


class TestExampleOfTheEnvironment:
    @pytest.mark.parametrize("name", sorted(compose_defaults()))
    def test_every_variable_of_the_compose_file_is_explained(self, name: str) -> None:
        assert example()[name].explanation

    @pytest.mark.parametrize("name", Settings.model_fields)
    def test_every_setting_is_explained_in_its_own_words_with_its_default(self, name: str) -> None:
        field = Settings.model_fields[name]
        entry = example()[name.upper()]
        assert field.description and entry.explanation.startswith(field.description)
        assert entry.value == ("" if field.default is None else str(field.default))

    def test_it_names_nothing_that_is_not_used(self) -> None:
        used = set(compose_defaults()) | MONITORING_SECRETS
        assert set(example()) == used | {name.upper() for name in Settings.model_fields}

    def test_the_secrets_of_monitoring_reach_it_as_files(self) -> None:
        secrets = yaml.safe_load(COMPOSE_TEXT)["secrets"]
        assert {secret["environment"] for secret in secrets.values()} == MONITORING_SECRETS
        assert {name for service in MONITORING for name in SERVICES[service]["secrets"]} == set(secrets)

    def test_only_the_secrets_must_be_set_and_have_no_default(self) -> None:
        entries = example()
        assert {name for name, entry in entries.items() if not entry.commented} == SECRETS
        assert not any(entries[name].value for name in SECRETS)
        assert all(compose_defaults()[name].startswith(":?") for name in SECRETS)

    def test_its_defaults_are_those_of_the_compose_file(self) -> None:
        defaults = {name: rest[2:] for name, rest in compose_defaults().items() if rest.startswith(":-")}
        assert {name: example()[name].value for name in defaults} | PLACES | NETWORK == defaults

    @pytest.mark.parametrize(("name", "place"), [*PLACES.items(), *NETWORK.items()])
    def test_another_default_in_containers_is_told(self, name: str, place: str) -> None:
        assert place in example()[name].explanation


class TestComposeFile:
    def test_it_runs_the_six_services(self) -> None:
        assert {name for name, service in SERVICES.items() if "profiles" not in service} == {"redis", "reader", *IMAGES}
        assert {name for name, service in SERVICES.items() if service.get("profiles") == ["monitoring"]} == MONITORING

    @pytest.mark.parametrize("service", PROCESSES)
    @pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
    def test_every_setting_reaches_the_processes(self, service: str, name: str) -> None:
        in_image = any(re.search(rf"\b{name}=", text) for text in words(image(service), "ENV"))
        passed_on = name in environment(SERVICES[service])
        assert in_image + passed_on == (name not in WITHOUT_MLFLOW) + (name in PLACES)

    @pytest.mark.parametrize("service", PROCESSES)
    def test_the_object_storage_and_its_credentials_reach_them(self, service: str) -> None:
        variables = environment(SERVICES[service])
        assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"} < variables.keys()
        assert not [name for name in environment(SERVICES["flower"]) if name.startswith("AWS_")]

    @pytest.mark.parametrize("service", PROCESSES)
    def test_what_may_be_as_large_as_a_file_goes_to_a_disk_and_not_to_memory(self, service: str) -> None:
        folder = environment(SERVICES[service])["TMPDIR"]
        assert f"scratch:{folder}" in SERVICES[service]["volumes"]
        assert folder not in SERVICES[service]["tmpfs"]

    def test_every_lane_of_the_queue_is_served_and_large_files_by_a_process_of_their_own(self) -> None:
        served = {name: lanes_of(SERVICES[name]["command"]) for name in ("worker", "reader")}
        assert served == {"worker": ["quick", "chunks"], "reader": ["files"]}
        assert sorted(served["worker"] + served["reader"]) == sorted(QUEUES)
        assert "--concurrency=1" in SERVICES["reader"]["command"]

    def test_worker_and_reader_differ_in_their_command_alone(self) -> None:
        worker, reader = ({**SERVICES[name], "command": []} for name in ("worker", "reader"))
        assert worker == reader

    def test_their_commands_are_that_of_the_image_with_lanes(self) -> None:
        command = json.loads(words(image("worker"), "CMD")[-1])
        for service in ("worker", "reader"):
            assert SERVICES[service]["command"][: len(command)] == command

    @pytest.mark.parametrize("service", SERVICES)
    def test_every_service_has_a_health_check(self, service: str) -> None:
        assert "healthcheck" in SERVICES[service] or words(image(service), "HEALTHCHECK")

    @pytest.mark.parametrize("service", [*SERVER_IMAGES, "reader"])
    def test_everything_waits_until_redis_is_healthy(self, service: str) -> None:
        assert SERVICES[service]["depends_on"] == {"redis": {"condition": "service_healthy"}}

    def test_the_console_waits_for_the_api_and_knows_nothing_but_where_it_and_flower_are(self) -> None:
        assert SERVICES["console"]["depends_on"] == {"api": {"condition": "service_healthy"}}
        variables = environment(SERVICES["console"])
        assert variables.keys() == CONSOLE_SETTINGS | {"TMPDIR"}
        assert variables["PRET_URL"] == "http://api:8000" and variables["PRET_KEY"] is None

    def test_what_the_console_keeps_of_results_goes_to_a_disk_and_not_to_memory(self) -> None:
        folder = environment(SERVICES["console"])["TMPDIR"]
        assert SERVICES["console"]["volumes"] == [f"console:{folder}"]
        assert folder not in SERVICES["console"]["tmpfs"]

    @pytest.mark.parametrize("service", SERVICES)
    def test_every_service_is_restarted_and_locked_down(self, service: str) -> None:
        options = SERVICES[service]
        assert options["restart"] == "unless-stopped"
        assert options["read_only"] is True
        assert options["cap_drop"] == ["ALL"]
        assert options["security_opt"] == ["no-new-privileges:true"]

    def test_only_what_people_use_is_published_and_on_this_machine_only(self) -> None:
        published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
        assert published == {
            "api": ["${API_ADDRESS:-127.0.0.1}:${API_PORT:-8000}:8000"],
            "console": ["127.0.0.1:${UI_PORT:-8501}:8501"],
            "flower": ["127.0.0.1:${FLOWER_PORT:-5555}:5555"],
            "prometheus": ["127.0.0.1:${PROMETHEUS_PORT:-9090}:9090"],
            "grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
        }

    @pytest.mark.parametrize("service", ["worker", "reader"])
    def test_the_worker_and_the_reader_can_be_scaled(self, service: str) -> None:
        assert not {"container_name", "hostname", "ports"} & set(SERVICES[service])

    def test_redis_keeps_every_write_and_evicts_nothing(self) -> None:
        configuration = SERVICES["redis"]["command"][-1]
        for line in ("appendonly yes", "appendfsync always", "maxmemory-policy noeviction", "requirepass "):
            assert f"\n{line}" in configuration
        assert "redis:/data" in SERVICES["redis"]["volumes"]

    def test_a_stopped_process_has_time_for_what_it_has_begun(self) -> None:
        lease = Settings.model_fields["chunk_lease"].default
        assert seconds(SERVICES["worker"]["stop_grace_period"]) > lease
        assert seconds(SERVICES["reader"]["stop_grace_period"]) > lease

    def test_the_api_ends_by_itself_whatever_its_clients_hold_open(self) -> None:
        command = json.loads(words(image("api"), "CMD")[-1])
        patience = int(command[command.index("--patience") + 1])
        assert Settings.model_fields["max_wait"].default < patience < seconds(SERVICES["api"]["stop_grace_period"])

    def test_they_share_cache_and_jobs_where_their_images_expect_them(self) -> None:
        for service in PROCESSES:
            variables = " ".join(words(image(service), "ENV"))
            assert {"model-cache:/data/models", "jobs:/data/jobs"} < set(SERVICES[service]["volumes"])
            assert "MODEL_CACHE_DIR=/data/models" in variables and "STORAGE_URL=/data/jobs" in variables


class TestImages:
    @pytest.mark.parametrize("service", IMAGES)
    def test_they_run_as_the_same_user_who_is_not_root(self, service: str) -> None:
        assert words(image(service), "USER") == ["10001:10001"]

    def test_redis_does_not_run_as_root(self) -> None:
        assert int(SERVICES["redis"]["user"].split(":")[0]) > 0

    @pytest.mark.parametrize("service", IMAGES)
    def test_their_command_needs_no_shell_to_pass_on_signals(self, service: str) -> None:
        command = json.loads(words(image(service), "CMD")[-1])
        assert command[0] != "sh" or "exec " in command[-1]

    @pytest.mark.parametrize(
        ("service", "copied"),
        [
            ("api", {"requirements/uv.txt", "requirements/api.txt", "pyproject.toml", "shared", "api"}),
            ("worker", {"requirements/uv.txt", "requirements/worker.txt", "shared", "worker"}),
            ("flower", {"requirements/uv.txt", "requirements/flower.txt", "shared", "worker"}),
            ("console", {"requirements/uv.txt", "requirements/ui.txt", "pret", "ui"}),
        ],
    )
    def test_they_are_made_of_nothing_but_what_they_need(self, service: str, copied: set[str]) -> None:
        dockerfile = SERVICES[service]["build"]["dockerfile"]
        taken = [copy for copy in words(image(service), "COPY") if copy.startswith("--from=")]
        assert len(taken) == len(words(image(service), "COPY"))
        origins = {copy.split()[0].removeprefix("--from=") for copy in taken}
        sources = [copy.split() for origin in origins for copy in words(stages(dockerfile)[origin], "COPY")]
        assert {source for *found, _ in sources for source in found} == copied

    def test_nothing_else_enters_the_build(self) -> None:
        rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
        assert "*" in rules
        copied = {"api", "pret", "pyproject.toml", "requirements", "shared", "ui", "worker"}
        assert {rule for rule in rules if rule.startswith("!")} == {f"!{name}" for name in copied}

    def test_the_image_that_is_built_without_a_target_is_the_api(self) -> None:
        targets = list(stages("Dockerfile.api"))
        assert targets[-1] == "" and "target" not in SERVICES["api"]["build"]
        assert words(image("api"), "CMD")[-1].startswith('["python", "-m", "api"')

    def test_every_image_has_a_tag_that_stays(self) -> None:
        named = [service["image"] for service in SERVICES.values()]
        bases = [service["build"]["args"]["BASE_IMAGE"] for service in SERVICES.values() if "build" in service]
        for name in named + bases:
            tag = name.partition(":")[2]
            assert tag and "latest" not in tag

    @pytest.mark.parametrize("dockerfile", ["Dockerfile.api", "Dockerfile.worker"])
    def test_base_and_uv_are_the_same_everywhere(self, dockerfile: str) -> None:
        text = (ROOT / dockerfile).read_text(encoding="utf-8")
        # What installs everything else is locked as everything else is.
        for installer in (text, (ROOT / "scripts/lib/uv.sh").read_text(encoding="utf-8")):
            assert re.search(r"pip install [^\n]*--require-hashes -r \S+/uv\.txt", installer)
        assert f"ARG BASE_IMAGE={example()['BASE_IMAGE'].value}\n" in text

    @pytest.mark.parametrize("service", IMAGES)
    def test_they_hold_nothing_for_development_or_training(self, service: str) -> None:
        unwanted = {"mlflow", "pytest", "mypy", "ruff", "scikit-learn", "selenium"}
        unwanted |= {"catboost", "fastapi"} if service == "console" else {"streamlit"}
        assert not unwanted & locked(service)

    @pytest.mark.parametrize("service", SERVER_IMAGES)
    def test_they_hold_what_the_queue_needs_to_reach_redis(self, service: str) -> None:
        needed = [Requirement(text) for text in requires("kombu") or [] if 'extra == "redis"' in text]
        assert needed and {requirement.name for requirement in needed} <= locked(service)

    @pytest.mark.parametrize(("service", "folders"), [("api", ["api", "shared"]), ("worker", ["worker", "shared"])])
    def test_they_hold_every_package_that_their_code_imports(self, service: str, folders: list[str]) -> None:
        found = imported_by(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
        assert {"pyarrow", "redis"} < found
        # MLflow, with Alembic that it brings, is asked by a process of its own, where it is installed; Flower has its own image.
        assert found - locked(service) - {"mlflow", "mlflow-skinny", "alembic", "flower"} == set()

    def test_the_console_holds_every_package_that_its_code_imports(self) -> None:
        paths = [*(ROOT / "ui").rglob("*.py"), *(ROOT / "pret").glob("*.py")]
        found = imported_by(paths)
        assert {"httpx", "streamlit"} <= found
        assert found - locked("console") == set()

    def test_the_console_runs_the_same_script_as_on_one_machine(self) -> None:
        ports = Ports(api=8000, console=8501, flower=5555, redis=None)
        here = programs(ports, ROOT)["console"].command[1:]
        there = json.loads(words(image("console"), "CMD")[-1])[1:]
        assert [part.replace("0.0.0.0", HOST) for part in there] == here  # noqa: S104 - compared

    def test_flower_loads_nothing_that_its_image_does_not_hold(self) -> None:
        program = "import json, sys, worker.monitor; print(json.dumps([*sys.modules]))"
        variables = {**os.environ, "PYTHONPATH": str(ROOT)}
        run = [sys.executable, "-c", program]
        output = subprocess.run(run, env=variables, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        loaded = json.loads(output)
        own = [
            ROOT / f"{module.replace('.', '/')}.py" for module in loaded if module.startswith(("shared.", "worker."))
        ]
        found = imported_by(path for path in own if path.is_file())
        assert {"celery", "redis"} < found
        assert found - locked("flower") == set()
        assert not {"pyarrow", "numpy", "catboost"} & set(loaded)

    @pytest.mark.parametrize("dockerfile", ["Dockerfile.api", "Dockerfile.worker"])
    def test_the_build_proves_that_the_object_storage_can_be_reached(self, dockerfile: str) -> None:
        assert "from pyarrow.fs import S3FileSystem" in (ROOT / dockerfile).read_text(encoding="utf-8")
