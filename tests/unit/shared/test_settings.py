"""Every setting has a sentence, here and in the README."""

from pathlib import Path

import pytest
import redis
from kombu.connection import Connection
from pydantic import ValidationError

from shared.settings import Settings, settings_or_exit

README = Path(__file__).resolve().parents[3] / "README.md"
NAMES = sorted(Settings.model_fields)


def table_rows() -> dict[str, list[str]]:
    """The README's table rows: name to the other cells."""
    lines = README.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in cells}


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_has_a_sentence(name: str) -> None:
    description = Settings.model_fields[name].description or ""
    assert description[:1].isupper()
    assert description.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_says_the_same_of_a_setting(name: str) -> None:
    assert Settings.model_fields[name].description in table_rows().get(name.upper(), [])


def test_a_setting_is_read_from_the_variable_of_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHUNK_ROWS", "7")
    (tmp_path / ".env").write_text("JOB_TTL=60\nCHUNK_ROWS=8\nSOMETHING_ELSE=1\n")
    settings = Settings()
    assert (settings.chunk_rows, settings.job_ttl) == (7, 60)


@pytest.mark.parametrize("source", ["environment", "file"])
def test_a_setting_that_was_renamed_is_still_read_and_said_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if source == "environment":
        monkeypatch.setenv("CALLBACK_HOSTS", "hooks.example.com")
    else:
        (tmp_path / ".env").write_text("CALLBACK_HOSTS=hooks.example.com\n")
    assert Settings().webhook_hosts == "hooks.example.com"
    assert "WEBHOOK_HOSTS is set by its former name" in caplog.text
    monkeypatch.setenv("WEBHOOK_HOSTS", "new.example.com")
    assert Settings().webhook_hosts == "new.example.com"


@pytest.mark.parametrize("name", ["CHUNK_ROWS", "CHUNK_LEASE", "MAX_BODY_BYTES", "JOB_TTL", "CHUNK_ATTEMPTS"])
@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_a_setting_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


SECRET = "s3cr3t-w0rd"  # noqa: S105 - nobody's


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("localhost:6379", "must begin with redis:// or rediss://"),
        ("//localhost:6379", "must begin with redis:// or rediss://"),
        (f"unix://:{SECRET}@/run/redis.sock", "must begin with redis:// or rediss://"),
        (f"sentinel://:{SECRET}@localhost:26379", "Sentinel, which is not supported"),
        (f"redis+sentinel://:{SECRET}@localhost:26379/mymaster", "Sentinel, which is not supported"),
        (f"http://:{SECRET}@localhost", "must begin with redis:// or rediss://"),
        (f"redis://:{SECRET}/x@localhost:6379/0", "must be percent-encoded"),
        (f"redis://:{SECRET}#x@localhost:6379/0", "must be percent-encoded"),
        (f"redis://:{SECRET}?x@localhost:6379/0", "must be percent-encoded"),
        (f"redis://:{SECRET}%x@localhost:6379/0", "must be percent-encoded"),
        (f"redis://:{SECRET};x@localhost:6379/0", "must be percent-encoded"),
        (f"redis://:{SECRET}[x@localhost:6379/0", "must be percent-encoded"),
        (f"redis://:@:/#%{SECRET}@localhost:6379/0", "must be percent-encoded"),
        (f"redis://localhost:{SECRET}/0", "must have the form"),
        ("redis://localhost:65536/0", "must have the form"),
        (f"redis://localhost/{SECRET}", "must have the form"),
        (f"redis://localhost:6379/0#{SECRET}", "must have the form"),
    ],
)
def test_an_address_of_redis_that_is_none_is_a_sentence_without_a_piece_of_it(
    monkeypatch: pytest.MonkeyPatch, url: str, sentence: str
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(SystemExit) as ended:
        settings_or_exit()
    said = str(ended.value)
    assert "REDIS_URL" in said
    assert sentence in said
    assert said.count("\n") == 0
    assert SECRET not in said
    with pytest.raises(ValidationError) as raised:
        Settings()
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "rediss://user:pass@redis.example.com:6380/3?ssl_cert_reqs=none",
        "redis://:p%40ss%2Fw%3Ard@redis_server:6379/",
        "redis://:p@ss:word@127.0.0.1:6379/0",
        "redis://[::1]:6379/0",
    ],
)
def test_an_address_of_redis_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", f"{url}\n")
    assert settings_or_exit().redis_url == url
    assert redis.Redis.from_url(url).connection_pool.make_connection() is not None
    assert Connection(url).as_uri()  # type: ignore[no-untyped-call]


def test_a_token_from_a_file_may_end_in_a_newline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_token\n")
    monkeypatch.setenv("HF_REPO_ID", " credit/model\r\n")
    assert (Settings().hub_token, Settings().hf_repo_id) == ("hf_token", "credit/model")
    monkeypatch.setenv("HF_TOKEN", "\n")
    assert Settings().hub_token is None


def test_the_secret_of_webhooks_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "shared ")
    secret = Settings().webhook_secret
    assert secret is not None
    assert secret.get_secret_value() == "shared "


def test_each_wrong_setting_has_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHUNK_ROWS", SECRET)
    monkeypatch.setenv("ADMIN_KEYS", SECRET)
    with pytest.raises(SystemExit) as ended:
        settings_or_exit()
    assert str(ended.value).splitlines() == [
        "ADMIN_KEYS must read name:key,name:key, in plain ASCII.",
        "CHUNK_ROWS: Input should be a valid integer, unable to parse string as an integer.",
    ]
