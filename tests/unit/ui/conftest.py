"""A service in memory, in the place of the one that the console talks to."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pret import (
    Activity,
    Caller,
    Capabilities,
    Column,
    Health,
    JobPage,
    Limits,
    ModelImportance,
    ModelInfo,
    ModelSignature,
    ModelStatus,
    Part,
    Process,
    Reload,
    Score,
    Version,
)
from pret.formats import ENCODINGS, FORMATS
from ui import service

APP = str(Path(service.__file__).with_name("page.py"))
THRESHOLD = 0.1
MODEL = "local-0123456789ab"
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
RESULT_COLUMNS = ("score", "prediction", "decision", "threshold", "model_version", "error", "errors")
CAPABILITIES = Capabilities("0.1.0", FORMATS, ENCODINGS, RESULT_COLUMNS, Limits(keep=100, jobs_page=200))
UP = {
    "model": Part("ok", f"Model version {MODEL} is served.", "model-served", {"version": MODEL}),
    "redis": Part("ok", "0 tasks are waiting.", "tasks-waiting", {"count": 0}),
    "workers": Part("ok", "2 workers are running.", "workers-running", {"count": 2}),
    "readers": Part("ok", "1 reader is running.", "readers-running", {"count": 1}),
    "storage": Part("ok", "The storage can be written to.", "storage-writable"),
}


def signature_of(*columns: Column, example: Mapping[str, Any] | None = None, ordered: Any = ()) -> ModelSignature:
    return ModelSignature(columns, len(columns), ordered, dict(example) if example is not None else None)


NUMBERS = signature_of(
    Column("LOW_RATE", "double", ge=0, le=1, description="Lowest rate, from 0 to 1."),
    Column("HIGH_RATE", "double", required=False, ge=0, le=1),
    Column("AGE", "long", ge=18, le=100, description="Age, in years."),
    Column("OWNS_HOME", "boolean"),
    Column("AMOUNT", "double", ge=0),
    example={"LOW_RATE": 0.2635, "HIGH_RATE": 0.5, "AGE": 40, "OWNS_HOME": True, "AMOUNT": 12000.0},
    ordered=(("LOW_RATE", "HIGH_RATE"),),
)
CATEGORIES = signature_of(
    Column("purpose", "string", values=("car", "<b>bold</b> *x*", "télé & radio")),
    Column("savings", "string", required=False, values=("low", "high")),
    Column("note", "string"),
    Column("months", "long"),
    example={"purpose": "car", "savings": None, "note": "ok", "months": 12},
)


@dataclass
class FakeService:
    """Answers as the client does, with what its attributes hold; an exception in the place of an answer is raised.

    What a test does not need is not there: reaching for it is an AttributeError, which the guard of the pages shows.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    key: str | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in self.answers:
            raise AttributeError(name)

        def call(*args: Any, **options: Any) -> Any:
            self.calls.append((name, args, options))
            answer = self.answers[name]
            if callable(answer):
                answer = answer(*args, **options)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return call

    def called(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of each call of that name."""
        return [args for called, args, _ in self.calls if called == name]


def a_service(**answers: Any) -> FakeService:
    """A service that is well and has a model of five numbers."""
    process = Process("api", "laptop", 101, MODEL, NOON)
    well: dict[str, Any] = {
        "model_signature": NUMBERS,
        "model_info": ModelInfo(MODEL, THRESHOLD, NOON, "CatBoostClassifier", (0, 1), 256),
        "model_status": ModelStatus("model.cb", MODEL, "model.cb", 306576, NOON, MODEL, None, True, None, (process,)),
        "model_card": "# A model\n\nIt scores.",
        "model_versions": (Version(MODEL, NOON, "boot", "activated"),),
        "health": Health("ready", UP, {"quick": 0, "chunks": 0, "files": 0}),
        "activity": Activity(30.0),
        "capabilities": CAPABILITIES,
        "importance": ModelImportance(MODEL, 0, "training"),
        "version": "0.1.0",
        "score": a_score(0.042),
        "reload": Reload("reloaded", "local-new", MODEL),
        "rollback": Reload("reloaded", MODEL, "local-new"),
        "jobs": JobPage((), 0),
        "close": None,
        "caller": Caller("anybody", ("admin", "jobs", "read", "score")),
    }
    return FakeService(well | answers)


def a_score(score: float) -> Score:
    refused = score >= THRESHOLD
    return Score(score, int(refused), "Refusé" if refused else "Accordé", THRESHOLD, MODEL)


@dataclass
class Console:
    """The console over a service in memory."""

    fake: FakeService

    def open(self, **query: str) -> AppTest:
        """Show the first page, as a visitor who opens its address with these parameters."""
        test = AppTest.from_file(APP, default_timeout=30)
        for name, value in query.items():
            test.query_params[name] = value
        return test.run()


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Console]:
    """Make a console over a service; its answers may be given."""

    def make(**answers: Any) -> Console:
        fake = a_service(**answers)
        monkeypatch.setattr(service, "client", lambda: fake)
        monkeypatch.setattr(service, "keyed", lambda key: keyed(fake, key))
        st.cache_data.clear()
        return Console(fake)

    return make


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    st.cache_data.clear()


def keyed(fake: FakeService, key: str) -> AbstractContextManager[FakeService]:
    """The same service, which has now seen a key."""
    fake.key = key
    return nullcontext(fake)


def view_of(name: str, fake: FakeService, language: str = "fr") -> AppTest:
    """One page alone, without navigation and language."""

    def script(name: str, client: object, language: str) -> None:
        import importlib  # noqa: PLC0415 - the script runs in a place of its own

        from ui.texts import Texts  # noqa: PLC0415

        importlib.import_module(f"ui.views.{name}").render(Texts.of(language), client)

    return AppTest.from_function(script, default_timeout=30, args=(name, fake, language))
