"""What of the comparison with other servers needs none: ratios, tables, their place in a page, and what is missing."""

from importlib.metadata import version
from pathlib import Path

import pytest

from scripts.bench.comparing import environments, load, report
from scripts.bench.comparing.environments import STAMP, CannotCompare, environment
from scripts.bench.comparing.load import Load
from scripts.bench.comparing.page import BREAKDOWN, PEERS, marks, rewrite
from scripts.bench.comparing.protocols import COLUMNS, INVOCATIONS, SPLIT, V2_FLAT, V2_NAMED, Row
from scripts.bench.comparing.rounds import SINGLE, Samples
from scripts.bench.comparing.sampling import ELSEWHERE, seconds_by_part

ROWS: list[Row] = [{"amount": 1.5, "town": "Lille"}, {"amount": None, "town": "Brest"}]


def loads(*p50s: float) -> list[Load]:
    return [Load(rate=1 / p50, p50=p50, p99=3 * p50) for p50 in p50s]


@pytest.fixture
def samples() -> Samples:
    """Three rounds, in the second of which the machine was three times slower."""
    ours, bare = loads(0.002, 0.006, 0.003), loads(0.001, 0.003, 0.001)
    return {
        (name, SINGLE, connections): rounds
        for connections in (1, 16, 64)
        for name, rounds in (("bare", bare), ("ours", ours))
    }


def test_a_ratio_is_of_figures_of_the_same_round(samples: Samples) -> None:
    ratios = report.single_ratios(2.0, 0.6)
    values = {ratio.what: ratio.values(samples) for ratio in ratios}
    assert values == {
        "one row, p50 at 1 connection, of the bare app's": [2, 2, 3],
        "one row, requests/s at 16 connections, of the bare app's": pytest.approx([0.5, 0.5, 1 / 3]),
        "one row, requests/s at 64 connections, of the bare app's": pytest.approx([0.5, 0.5, 1 / 3]),
        "one row, p99 at 16 connections, of its own p50": pytest.approx([3, 3, 3]),
    }
    table = list(report.ratio_table("demo model", ratios, samples))
    assert "| one row, p50 at 1 connection, of the bare app's | 2.00 | 2.00 to 3.00 | ≤ 2.0 |" in table


def test_what_was_not_measured_is_in_no_table(samples: Samples) -> None:
    assert len(list(report.ratio_table("demo model", report.BATCH_RATIOS, samples))) == 2
    assert len(list(report.single_table("demo model", samples))) == 2 + 2
    assert len(list(report.batch_table(samples))) == 2
    assert "| Prêt à Dépenser | 3 ms | 333 | 333 | 3 ms, 9 ms |" in report.single_table("demo model", samples)


def test_each_command_replaces_what_it_has_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (begin, end), others = marks(PEERS), "\n".join(marks(BREAKDOWN))
    page.write_text(f"before\n{begin}\nold\n{end}\n{others}\n")
    rewrite(page, PEERS, "é 1")
    rewrite(page, PEERS, "é 2")
    assert page.read_text(encoding="utf-8") == f"before\n{begin}\n\né 2\n\n{end}\n{others}\n"


@pytest.mark.parametrize("text", ["", marks(PEERS)[0], marks(PEERS)[1], "\n".join(marks(BREAKDOWN))])
def test_a_page_without_marks_stays_as_it_is(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(CannotCompare, match="has no place for the tables"):
        rewrite(page, PEERS, "new")
    assert page.read_text() == text


def test_samples_are_of_the_part_that_runs_or_has_called_what_runs() -> None:
    reader = 'process 7:"python -m celery worker --hostname reader@%h"'
    api = 'process 8:"python -m api --inherited";main (/p/api/__main__.py:3);serve (/p/api/server/serve.py:1)'
    stacks = [
        f"{reader};run (/p/.venv/lib/site-packages/celery/app.py:5);read (/p/worker/tasks.py:3);parse (/p/shared/rows.py:9) 50",
        f"{reader};read (/p/worker/tasks.py:3);parse (/p/shared/rows.py:8) 25",
        f"{reader};read (/p/shared/rows.py:3);table (/p/.venv/lib/site-packages/pyarrow/parquet/core.py:1) 500",
        f"{api};run (/usr/lib/asyncio/runners.py:1) 250",
        f"{api};run (/q/site-packages/uvicorn/a.py:1) 250",
    ]
    assert seconds_by_part(stacks, Path("/p")) == {
        ("reader", "shared/rows.py"): pytest.approx(0.3),
        ("reader", "shared/rows.py, in pyarrow"): 2.0,
        ("api", ELSEWHERE): 1.0,
        ("api", "uvicorn"): 1.0,
    }


def test_every_protocol_holds_the_same_rows() -> None:
    split = {"dataframe_split": {"columns": ["amount", "town"], "data": [[1.5, "Lille"], [None, "Brest"]]}}
    assert SPLIT.write(ROWS) == INVOCATIONS.write(ROWS) == split
    assert COLUMNS.write(ROWS) == {"columns": {"amount": [1.5, None], "town": ["Lille", "Brest"]}}
    amount, town = V2_NAMED.write(ROWS)["inputs"]
    assert (amount["datatype"], amount["data"]) == ("FP64", [1.5, None])
    assert (town["datatype"], town["data"]) == ("BYTES", ["Lille", "Brest"])
    [tensor] = V2_FLAT.write([{"a": 1, "b": 2.5}, {"a": 3, "b": None}])["inputs"]
    assert (tensor["shape"], tensor["data"]) == ([2, 2], [1, 2.5, 3, None])


def test_without_wrk_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotCompare, match="apt-get install wrk"):
        load.require_wrk()


def test_an_environment_is_made_once_for_its_pins(tmp_path: Path) -> None:
    (tmp_path / "peer").mkdir()
    (tmp_path / "peer" / STAMP).write_text("one==1\ntwo==2")
    assert environment("peer", ["one==1", "two==2"], tmp_path) == tmp_path / "peer" / "bin"


def test_without_a_network_it_says_so_and_does_not_take_what_is_there_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(CannotCompare, match="needs PyPI: see that the network is there"):
        environment("peer", ["no-such-package==1"], tmp_path)
    assert not (tmp_path / "peer" / STAMP).exists()


def test_all_peers_have_the_same_catboost() -> None:
    assert all(environments.CATBOOST in pins for pins in environments.PINS.values())
    assert version("catboost") == environments.CATBOOST.partition("==")[2]
