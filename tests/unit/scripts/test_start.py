"""What `./scripts/up` is made of, as far as it needs no processes; tests/acceptance/test_up.py starts them."""

import io
import json
import shlex
import socket
import sys
import threading
from collections.abc import Iterator
from configparser import RawConfigParser
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from api.model_schemas import ModelSignature
from scripts.lib import example, loopback, served, terminal
from scripts.lib.health import require_redis
from scripts.lib.loopback import free_port
from scripts.lib.programs import Ports, Program, StartError, configuration, programs
from shared.models import files
from shared.models.sources import FolderSource
from shared.models.version import Resolution, VersionRef
from shared.models.versions import Versions
from shared.settings import Settings
from tests.factories import Kit, make_contract, put_in_cache


class TestLoopback:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({}, "127.0.0.1,localhost,::1"),
            ({"NO_PROXY": "intern.example,localhost"}, "intern.example,localhost,127.0.0.1,::1"),
            ({"NO_PROXY": ""}, "127.0.0.1,localhost,::1"),
        ],
    )
    def test_it_is_added_to_what_no_proxy_is_asked_for(self, before: dict[str, str], after: str) -> None:
        environment = dict(before)
        loopback.exempt(environment)
        loopback.exempt(environment)
        assert environment["NO_PROXY"] == after
        assert environment["no_proxy"] == "127.0.0.1,localhost,::1"


class TestTerminal:
    def test_what_ascii_does_not_have_is_written_without_accents(self, monkeypatch: pytest.MonkeyPatch) -> None:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
        terminal.use_plain_letters()
        sys.stdout.write("Prêt à Dépenser … 数\n")
        sys.stdout.flush()
        assert raw.getvalue() == b"Pret a Depenser ... ?\n"

    def test_what_the_terminal_has_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
        terminal.use_plain_letters()
        sys.stdout.write("Prêt …\n")
        sys.stdout.flush()
        assert raw.getvalue() == "Prêt ...\n".encode("latin-1")


class TestPrograms:
    def test_flower_lies_below_its_prefix(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        for name in ("API_PORT", "UI_PORT", "FLOWER_PORT", "REDIS_PORT"):
            monkeypatch.setenv(name, str(free_port()))
        monkeypatch.setenv("FLOWER_URL_PREFIX", "/monitor/")
        ports = Ports.from_environment()
        assert ports.flower_url == f"http://127.0.0.1:{ports.flower}/monitor"
        assert programs(ports, tmp_path)["console"].environment["FLOWER_URL"] == ports.flower_url

    def test_what_a_configuration_has_other_uses_for_is_escaped(self) -> None:
        text = configuration({"x": Program(["run"], {"URL": "http://a/%20"})}, Path("pid"), Path("logs"))
        assert 'environment=URL="http://a/%%20"\n' in text

    def test_all_but_redis_are_stopped_together_and_the_api_has_a_socket_for_its_processes(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("WEB_CONCURRENCY", "3")
        parser = RawConfigParser()
        parser.read_string(configuration(programs(Ports(1, 2, 3, 4), tmp_path), Path("pid"), Path("logs")))
        assert set(parser["group:programs"]["programs"].split(",")) == {"worker", "reader", "console", "flower"}
        assert parser["fcgi-program:api"]["socket"] == "tcp://127.0.0.1:1"
        assert parser["fcgi-program:api"]["numprocs"] == "3"
        priorities = {name: int(section["priority"]) for name, section in parser.items() if "priority" in section}
        assert priorities.pop("program:redis") < min(priorities.values())

    @pytest.mark.parametrize("number", ["0", "-1", "two"])
    def test_a_number_of_processes_that_is_none_is_told(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: str
    ) -> None:
        monkeypatch.setenv("WEB_CONCURRENCY", number)
        with pytest.raises(StartError, match="WEB_CONCURRENCY must be a number of processes"):
            programs(Ports(1, 2, 3, None), tmp_path)

    def test_programs_of_the_project_are_named_from_its_folder(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
        assert programs(Ports(1, 2, 3, None), tmp_path)["api"].command[0] == ".venv/bin/python"


@pytest.fixture
def another_server() -> Iterator[int]:
    """A port on which something answers that is not Redis."""
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with closing(connection):
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


class TestGivenRedis:
    @pytest.fixture(autouse=True)
    def patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("scripts.lib.health.REDIS_PATIENCE", 0.2)

    def test_one_that_is_away_is_said(self) -> None:
        with pytest.raises(StartError, match="There is no Redis at the address in REDIS_URL"):
            require_redis(f"redis://:secret@127.0.0.1:{free_port()}/0")

    def test_what_is_not_redis_is_said(self, another_server: int) -> None:
        with pytest.raises(StartError, match="There is no Redis at the address in REDIS_URL"):
            require_redis(f"redis://127.0.0.1:{another_server}/0")


AWKWARD: list[tuple[str, dict[str, Any]]] = [
    ("double", {}),
    ("double", {"ge": 0.5}),
    ("double", {"le": -3}),
    ("long", {"ge": 17.5, "le": 99}),
    ("integer", {"le": -1}),
    ("integer", {"values": [3, 5]}),
    ("boolean", {}),
    ("string", {}),
    ("string", {"values": ["it's", "é"]}),
]


def signature_of(inputs: list[dict[str, Any]], features: dict[str, Any], ordered: list[list[str]]) -> dict[str, Any]:
    return ModelSignature.of(make_contract(inputs, features, ordered), None, "en").model_dump(mode="json")


class TestExample:
    @pytest.mark.parametrize("required", [True, False])
    @pytest.mark.parametrize(("kind", "notes"), AWKWARD)
    def test_a_row_is_made_of_what_the_signature_allows(self, kind: str, notes: dict[str, Any], required: bool) -> None:
        inputs = [{"name": "x", "type": kind, "required": required}]
        first = next(iter(example.rows_for(signature_of(inputs, {"x": notes}, []))))
        make_contract(inputs, {"x": notes}).row_adapter.validate_json(json.dumps(first))
        assert first.keys() == {"x"}

    def test_ordered_features_do_not_decrease(self) -> None:
        inputs = [{"name": name, "type": "long", "required": name != "b"} for name in "abc"]
        signature = signature_of(inputs, {"a": {"ge": 7}, "c": {"ge": 2}}, [["a", "b", "c"]])
        assert list(example.rows_for(signature)) == [{"a": 7, "b": 7, "c": 7}, {"a": 7, "c": 7}]

    def test_the_models_own_example_comes_first(self) -> None:
        signature = signature_of([{"name": "x", "type": "long"}], {}, []) | {"input_example": {"x": 4}}
        assert next(iter(example.rows_for(signature))) == {"x": 4}

    def test_its_file_is_named_where_it_is_a_body_as_it_stands(self, tmp_path: Path) -> None:
        path = tmp_path / "input_example.json"
        assert example.file_of({"x": 4}, tmp_path) is None
        path.write_text(json.dumps({"columns": ["x"], "data": [[4]]}))
        assert example.file_of({"x": 4}, tmp_path) is None
        path.write_text(json.dumps({"x": 4}))
        assert example.file_of({"x": 4}, tmp_path) == path

    @pytest.mark.parametrize("proxied", [True, False])
    def test_the_command_is_one_for_a_shell(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, proxied: bool
    ) -> None:
        for name in example.PROXIES:
            monkeypatch.delenv(name, raising=False)
        if proxied:
            monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
        monkeypatch.chdir(tmp_path)
        path = Path("it's 50%") / "input_example.json"
        command = example.command_for(path, "http://127.0.0.1:8000", tmp_path)
        words = shlex.split(command)
        assert f"@{path}" in words
        assert ("--noproxy" in words) == proxied
        elsewhere = example.command_for(path, "http://127.0.0.1:8000", tmp_path / "..")
        assert f"@{path.absolute()}" in shlex.split(elsewhere)


@dataclass
class Registry:
    """A source that does not say the id of what it offers."""

    origin: str
    name: str = "registry"
    is_slow: ClassVar[bool] = True

    def resolve(self, revision: str | None) -> Resolution:
        return Resolution(None, self.origin)

    def fetch(self, found: Resolution, folder: Path) -> None:
        raise AssertionError("It was only asked what it offers.")


class TestServed:
    ACTIVE = VersionRef("local-aaaaaaaaaaaa", "models:/m/1")

    @pytest.mark.parametrize(
        "offered",
        [
            Resolution("local-aaaaaaaaaaaa"),
            Resolution("local-aaaaaaaaaaaa", "models:/m/2"),
            Resolution(None, "models:/m/1"),
        ],
    )
    def test_nothing_is_said_of_the_version_that_is_active(self, offered: Resolution) -> None:
        assert served.told_of(offered, self.ACTIVE, Settings()) is None

    def test_the_source_is_asked_what_it_offers_without_fetching_it(self, numbers: Kit, tmp_path: Path) -> None:
        source = numbers.write(tmp_path / "source")
        offered = Versions(FolderSource(source), tmp_path / "cache").offered()
        assert offered == Resolution(files.folder_version(source))
        assert not (tmp_path / "cache").exists()

    def test_a_copy_that_is_here_tells_the_id_that_the_source_does_not_know(self, numbers: Kit, tmp_path: Path) -> None:
        origin = "models:/m/2"
        version = put_in_cache(numbers.write(tmp_path / "source"), tmp_path)
        versions = Versions(Registry(origin), tmp_path)
        assert versions.offered() == Resolution(None, origin)
        versions.copies.note_origin(version, "models:/m/1")
        versions.copies.note_origin(version, origin)
        assert versions.offered() == Resolution(version, origin)

    @pytest.mark.parametrize(
        ("settings", "offered", "words"),
        [
            ({}, Resolution("local-bbbbbbbbbbbb"), "The folder holds another version, local-bbbbbbbbbbbb"),
            ({"hf_repo_id": "a/b"}, Resolution("b" * 40), f"The Hub has another version, {'b' * 40}"),
            (
                {"model_uri": "models:/m@x"},
                Resolution(None, "models:/m/2"),
                "The registry has another version, models:/m/2",
            ),
        ],
    )
    def test_another_one_is_named(self, settings: dict[str, Any], offered: Resolution, words: str) -> None:
        set_so = Settings().model_copy(update=settings)
        assert served.told_of(offered, self.ACTIVE, set_so) == f"{words}; reload to serve it."
