"""A service whose source of models is set anew between two starts serves what the new one offers."""

from pathlib import Path

import pytest

from tests.factories import Kit
from tests.processes import Service, service, wait_for


def start(made: Service) -> None:
    made.start_api()
    made.start_worker()


def converged_score(made: Service, kit: Kit) -> float:
    wait_for("all to agree", lambda: made.client.get("/model_status").json()["converged"])
    answer = made.client.post("/individual_score", json=kit.rows[0])
    assert answer.status_code == 200, answer.text
    score: float = answer.json()["score"]
    return score


@pytest.mark.parametrize("changed", ["MODEL_DIR", "MODEL_CACHE_DIR"])
def test_a_new_source_or_an_empty_cache_is_taken_at_the_start(
    numbers: Kit, mixed: Kit, tmp_path: Path, changed: str
) -> None:
    with service(tmp_path) as made:
        made.offer(numbers)
        start(made)
        assert converged_score(made, numbers) == numbers.expected()[0]
        for process in (made.api, *made.workers):
            process.stop()
        # The same folder with another model is a new source only if nobody has a copy of the old one.
        mixed.write(tmp_path / "other" if changed == "MODEL_DIR" else made.model_dir)
        made.environment[changed] = str(tmp_path / "other" if changed == "MODEL_DIR" else tmp_path / "empty")
        start(made)
        assert converged_score(made, mixed) == mixed.expected()[0]
