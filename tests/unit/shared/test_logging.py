"""Every line says what it is about, as text and as JSON."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from shared.logging import about, set_up

JOB, UNIT, REQUEST = "a" * 32, "7", "the-request"


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_names_the_request_the_job_and_the_unit(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("INFO")
    logger = logging.getLogger("some.where")
    with about(JOB, UNIT, REQUEST):
        logger.info("inside")
        with about(JOB):
            logger.info("deeper")
    logger.info("outside")
    inside, deeper, outside = capsys.readouterr().err.splitlines()
    assert inside.endswith(f"INFO    some.where: [{REQUEST}] [{JOB}.{UNIT}] inside")
    assert deeper.endswith(f"[{REQUEST}] [{JOB}] deeper")
    assert outside.endswith("some.where: outside")


def test_as_json_each_line_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("INFO", "json")
    logger = logging.getLogger("some.where")
    with about(JOB, UNIT, REQUEST):
        logger.warning("two\nlines %s", 'and "signs" é \ud800', extra={"fields": {"ms": 1.5}})
    logger.info("plain")
    first, plain = lines(capsys)
    assert first.pop("time").endswith("+00:00")
    assert first == {
        **{"level": "WARNING", "logger": "some.where", "message": 'two\nlines and "signs" é \ud800'},
        **{"request": REQUEST, "job": JOB, "unit": UNIT, "ms": 1.5},
    }
    assert plain.keys() == {"time", "level", "logger", "message"}


def test_as_json_a_traceback_is_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("INFO", "json")
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        logging.getLogger("some.where").exception("failed")
    [line] = lines(capsys)
    assert line["traceback"].endswith("ZeroDivisionError")
