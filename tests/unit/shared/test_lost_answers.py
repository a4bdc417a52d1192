"""Every call whose answer is lost, over a Redis in memory."""

import fakeredis
import pytest

from tests.answer_contract import AnswerContract
from tests.unit.wire import WireInMemory


@pytest.fixture
def wire(redis_server: fakeredis.FakeServer) -> WireInMemory:
    return WireInMemory(redis_server)


class TestAnswers(AnswerContract):
    """All that is promised when an answer is lost."""
