import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from api.intake.body import read
from shared.errors import InputTooLarge

LIMIT = 10


def read_pieces(pieces: Sequence[bytes], taken: list[int], *, ends: bool = True) -> bytes:
    """Read a body that comes in these pieces."""

    def messages() -> Iterator[dict[str, Any]]:
        for number, piece in enumerate(pieces, 1):
            yield {"type": "http.request", "body": piece, "more_body": number < len(pieces) or not ends}
        yield {"type": "http.disconnect"}

    left = messages()

    async def receive() -> dict[str, Any]:
        return next(left)

    return asyncio.run(read(receive, LIMIT, taken.append))


@pytest.mark.parametrize(
    "pieces", [[b"abcde"], [b"ab", b"cde"], [b"", b"abcde"], [b"", b"ab", b"", b"cde", b""], [b"abcde", b""]], ids=repr
)
def test_a_body_is_the_same_in_any_pieces(pieces: list[bytes]) -> None:
    taken: list[int] = []
    assert read_pieces(pieces, taken) == b"abcde"
    assert taken == list(map(len, pieces))


@pytest.mark.parametrize("pieces", [[b"a" * 11], [b"a" * 10, b"a"], [b"a"] * 11])
def test_a_body_beyond_the_limit_is_rejected_before_it_is_taken(pieces: list[bytes]) -> None:
    taken: list[int] = []
    with pytest.raises(InputTooLarge):
        read_pieces(pieces, taken)
    assert sum(taken) <= LIMIT


@pytest.mark.parametrize("pieces", [[], [b"a"], [b"a", b"b"]])
def test_a_client_that_leaves_midway_is_noticed(pieces: list[bytes]) -> None:
    with pytest.raises(ClientDisconnect):
        read_pieces(pieces, [], ends=False)
