"""An API that lets nobody in without a key."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.keys import Scope, digest_of
from tests.unit.api.client import ApiClient
from tests.unit.api.conftest import api_in
from tests.unit.workbench import Workbench


def entry(name: str, scopes: str, key: str | None = None, more: str = "") -> str:
    """The line of a key, which is the name of the caller unless another is given."""
    return f"{name}:{scopes}:{digest_of((key or name).encode()).hex()}{more}"


CALLERS = {"ada": "score+jobs", "bob": "score+jobs", "root": "admin"} | {scope.value: scope.value for scope in Scope}
"""Names, which are their keys, and scopes; one caller is named for each scope."""

API_KEYS = ",".join(entry(name, scopes) for name, scopes in CALLERS.items())


def with_key(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


ADA, BOB, ROOT = map(with_key, ("ada", "bob", "root"))


@contextmanager
def keyed_api(bench: Workbench, **settings: Any) -> Iterator[ApiClient]:
    """An API with these settings, over the parts of `bench`."""
    with api_in(bench.folder, bench.client, **settings) as client:
        yield client
