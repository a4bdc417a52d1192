"""An API whose callers have keys."""

from collections.abc import Iterator

import pytest

from tests.unit.api.access.keyed import API_KEYS, keyed_api
from tests.unit.api.client import ApiClient
from tests.unit.workbench import Workbench


@pytest.fixture(scope="session")
def lasting_guarded(api_bench: Workbench) -> Iterator[ApiClient]:
    """The API of `guarded`, which lives through many tests."""
    with keyed_api(api_bench, api_keys=API_KEYS) as client:
        yield client


@pytest.fixture
def guarded(lasting_guarded: ApiClient, api_bench: Workbench) -> Iterator[ApiClient]:
    """The API with the callers of `keyed.CALLERS`; afterwards all jobs are gone."""
    yield lasting_guarded
    api_bench.remove_jobs()
