"""Models that tests of every kind share; each is made once a run and never changed."""

import os

import hypothesis
import pytest

from scripts.lib import loopback
from shared.models import artifact, files
from shared.models.artifact import Model
from tests.factories import Kit, make_kit

pytest.register_assert_rewrite("tests.store_contract", "tests.storage_contract")

# Whatever a test starts inherits it: all servers of the tests are on this machine.
loopback.exempt(os.environ)

# The same examples in every run: a test that is green stays green, and no database is left behind.
hypothesis.settings.register_profile("project", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("project")


@pytest.fixture(scope="session")
def numbers() -> Kit:
    """A model of numbers and booleans."""
    return make_kit(purpose=False)


@pytest.fixture(scope="session")
def mixed() -> Kit:
    """A model with a string category among its features."""
    return make_kit(purpose=True)


@pytest.fixture(scope="session", params=["numbers", "mixed"])
def kit(request: pytest.FixtureRequest) -> Kit:
    """Each of the two in turn."""
    made: Kit = request.getfixturevalue(request.param)
    return made


@pytest.fixture(scope="session")
def model(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The loaded model of `kit`."""
    folder = kit.write(tmp_path_factory.mktemp("model"))
    return artifact.load(folder, files.folder_version(folder))
