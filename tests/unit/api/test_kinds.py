"""Kinds of models over HTTP: what a person sees of each, and one applicant's score."""

from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest

from shared.models.assumptions import NO_ASSUMPTIONS
from tests.factories import Kit, put_in_cache
from tests.model_zoo import SERVED
from tests.unit.api.client import ApiClient
from tests.unit.api.conftest import api_in
from tests.unit.workbench import Workbench
from tests.zoo.variant import Variant

GROUPS = ("Labels", "Thresholds", "Missing values", "Names of features", "Signatures")
SHOWN = {
    name: variant
    for name, variant in SERVED.items()
    if name.startswith(GROUPS) and variant.assumptions == NO_ASSUMPTIONS
}


@pytest.fixture(scope="module")
def bench_of_kinds(numbers: Kit, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    server = fakeredis.FakeServer()
    client = fakeredis.FakeRedis(server=server, decode_responses=True)
    made = Workbench.set_up(tmp_path_factory.mktemp("kinds"), server, client)
    made.offer(numbers)
    return made


@pytest.fixture(scope="module")
def api_of_kinds(bench_of_kinds: Workbench) -> Iterator[ApiClient]:
    with api_in(bench_of_kinds.folder, bench_of_kinds.client) as client:
        yield client


@pytest.mark.parametrize("variant", SHOWN.values(), ids=SHOWN)
def test_a_model_of_any_kind_is_shown_and_scores(
    variant: Variant, api_of_kinds: ApiClient, bench_of_kinds: Workbench, tmp_path: Path
) -> None:
    bench_of_kinds.activate(put_in_cache(variant.write(tmp_path / "model"), bench_of_kinds.folder / "cache"))
    api_of_kinds.services.member.look()
    info, signature = api_of_kinds.get("/model_info").json(), api_of_kinds.get("/model_signature").json()
    assert (info["positive_class"], info["threshold_origin"]) == (variant.label, variant.threshold.origin)
    assert {note["type"] for note in info["notes"]} >= {*variant.told}
    assert [column["name"] for column in signature["columns"]] == [*variant.rows[0]]
    assert [column["name"] for column in signature["columns"] if column["nullable"]] == [*variant.nullable]
    assert signature["input_example"] == variant.rows[0]
    assert api_of_kinds.get("/openapi.json").status_code == 200
    answers = [api_of_kinds.post("/individual_score", json=row).json() for row in variant.rows[:5]]
    assert [answer["score"] for answer in answers] == variant.scores[:5]
