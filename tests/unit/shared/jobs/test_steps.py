"""The time of a step is its own: while another one has its turn, it stands still."""

import time
from collections.abc import Iterator

import pytest

from shared.jobs.steps import Steps


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test moves."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time, "time_ns", lambda: int(now[0] * 1e9))
    return now


def test_steps_that_take_turns_do_not_count_twice(clock: list[float]) -> None:
    steps = Steps()

    def rows() -> Iterator[int]:
        for row in range(2):
            clock[0] += 1
            yield row

    with steps.step("write"):
        for _ in steps.each("read", rows()):
            with steps.step("score"):
                clock[0] += 10
            clock[0] += 100
    assert {name: step.seconds for name, step in steps.times.items()} == {"write": 200, "read": 2, "score": 20}
    assert (steps.times["score"].began, steps.times["score"].ended) == (1_000_000_000, 122_000_000_000)


def test_a_step_that_fails_is_counted(clock: list[float]) -> None:
    steps = Steps()
    with pytest.raises(ZeroDivisionError), steps.step("score"):
        clock[0] += 3
        raise ZeroDivisionError
    assert steps.times["score"].seconds == 3
